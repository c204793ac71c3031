"""The programming languages we know: their fence names and tree-sitter grammars."""

from __future__ import annotations

LANGUAGES: dict[str, tuple[str, ...]] = {
    "bash": ("bash", "sh", "shell", "zsh", "console"),
    "c": ("c", "h"),
    "cpp": ("cpp", "c++", "cxx", "cc", "hpp"),
    "csharp": ("csharp", "c#", "cs"),
    "go": ("go", "golang"),
    "java": ("java",),
    "javascript": ("javascript", "js", "jsx", "node", "nodejs"),
    "php": ("php",),
    "python": ("python", "py", "python3", "py3", "python2", "ipython"),
    "ruby": ("ruby", "rb"),
    "rust": ("rust", "rs"),
    "swift": ("swift",),
    "typescript": ("typescript", "ts", "tsx"),
}
"""Language -> the names that a fence may give it."""
