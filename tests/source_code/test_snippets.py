"""Unlabelled code of our languages is told; code of others, markup, data, logs and prose are none that we know.

`snippets/known` has a file for each of our languages, `snippets/unknown` one for each language or kind of text that is
none of ours; a line of five dashes ends a snippet. Run by itself, this file prints what becomes what:
`python -m tests.test_snippets`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from inverse_instruct.corpus.extraction import Code, NotCode, extract
from inverse_instruct.source_code.language_detection import detect_language
from inverse_instruct.source_code.languages import LANGUAGES, parses

FOLDER = Path(__file__).with_name("snippets")
KNOWN = sorted((FOLDER / "known").glob("*.txt"))
UNKNOWN = sorted((FOLDER / "unknown").glob("*.txt"))


def snippets(path: Path) -> list[str]:
    return [snippet.strip("\n") for snippet in path.read_text().split("\n-----\n")]


def name(path: Path) -> str:
    return path.stem


def test_there_are_snippets_of_all_our_languages() -> None:
    assert [path.stem for path in KNOWN] == sorted(LANGUAGES)


@pytest.mark.parametrize("path", KNOWN, ids=name)
def test_our_languages_are_told(path: Path) -> None:
    for snippet in snippets(path):
        assert parses(snippet, path.stem), snippet
        assert detect_language(snippet) == path.stem, snippet
        assert extract(f"Here:\n```\n{snippet}\n```\nBye.", LANGUAGES, 5000) == Code(snippet, path.stem)


@pytest.mark.parametrize("path", UNKNOWN, ids=name)
def test_what_is_in_none_of_our_languages_gives_no_snippet(path: Path) -> None:
    for snippet in snippets(path):
        assert detect_language(snippet) is None, snippet
        for response in (snippet, f"Here:\n```\n{snippet}\n```\nBye."):
            assert isinstance(extract(response, LANGUAGES, 5000), NotCode), response


def main() -> None:
    for path in KNOWN + UNKNOWN:
        found = Counter(detect_language(snippet) or "none" for snippet in snippets(path))
        print(f"{path.stem:28}", ", ".join(f"{language} {count}" for language, count in found.most_common()))


if __name__ == "__main__":
    main()
