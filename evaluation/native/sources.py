"""Small changes to the source text of tests, made by parsing.

Enters: source text of a known language. Leaves: the same text with a function renamed, opened to callers or taken out.
Not guaranteed: anything for text that does not parse; it is left as it is where nothing is found.
"""

from collections.abc import Iterable, Iterator

from tree_sitter import Node

from evaluation.grammars import parser_of

MAX_CHARACTERS = 1 << 15
"""Solutions that are longer are not parsed: Java's parser takes quadratic time, and crashes, on deeply nested text."""


def parse(language: str, text: str) -> Node:
    """Return the root of the syntax tree; positions in it count UTF-8 bytes."""
    return parser_of(language).parse(text.encode("utf-8", "surrogatepass")).root_node


def text_of(node: Node | None) -> str:
    """Return the source text of a node, empty without one."""
    return (node.text or b"").decode("utf-8", "replace") if node else ""


def name_of(node: Node) -> str:
    """Return the name a definition gives, empty where it gives none."""
    return text_of(node.child_by_field_name("name"))


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all below it, in the order of the text."""
    waiting = [node]
    while waiting:
        current = waiting.pop()
        yield current
        waiting += reversed(current.children)


def open_braces(language: str, text: str) -> int:
    """Return how many braces of the code, not of its strings and comments, are opened and not closed."""
    kinds = [node.type for node in walk(parse(language, text)) if not node.is_missing and not node.is_named]
    return kinds.count("{") + kinds.count("${") - kinds.count("}")


def edit(text: str, edits: Iterable[tuple[int, int, str]]) -> str:
    """Return the text with byte ranges replaced."""
    content = text.encode("utf-8", "surrogatepass")
    for start, end, replacement in sorted(edits, reverse=True):
        content = content[:start] + replacement.encode("utf-8") + content[end:]
    return content.decode("utf-8", "surrogatepass")
