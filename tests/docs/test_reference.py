"""The pages that are made from the code are those that the code makes."""

from __future__ import annotations

import pytest

from inverse_instruct.system.root import ROOT
from tests.docs.reference import PAGES


@pytest.mark.parametrize("page", PAGES)
def test_the_docs_hold_what_the_code_says(page: str) -> None:
    told = f"run: python -m tests.docs.reference {page} > docs/{page}.md"
    assert PAGES[page]() == (ROOT / f"docs/{page}.md").read_text(encoding="utf-8"), told
