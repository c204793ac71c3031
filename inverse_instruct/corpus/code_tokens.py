"""Code as tokens, told apart only by what stays when names, white space, comments and quotes change.

Enters: any text, read as code of whatever language. Leaves: its tokens in lower case, without quotes; which of them are
names that somebody could have chosen otherwise, all of one kind, and how far back the same name stood before.
Attributes (`.append`), keywords and literals count as they are. Not guaranteed: a right reading of every language (`//`
divides in Python); what is read wrongly is read so in every copy.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from inverse_instruct.corpus.shingles import FACTOR, numbers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

KEYWORDS = frozenset(
    "if else elif for while do end def fn fun func function lambda return yield in is not and or class struct enum "
    "impl match switch case default break continue pass import from as use using namespace include package with try "
    "catch except finally raise throw throws async await global let const var mut new delete this self super static "
    "final public private protected pub extends implements interface template typename auto void int long short float "
    "double char bool boolean string str list dict set map vec vector option unsigned usize i32 i64 u32 u64 std go "
    "chan range defer type foreach echo none null nil true false then fi done esac local".split()
)
"""Words of the languages themselves: nobody chose them."""
_COMMENT = re.compile(r'"""[\s\S]*?"""|\'\'\'[\s\S]*?\'\'\'|/\*[\s\S]*?\*/|//[^\n]*|#(?!include)[^\n]*')
_TOKEN = re.compile(r"[^\W\d]\w*|\d[\w.]*|[^\w\s\"'`]")
_FIRST = 1 << 30


@dataclass(frozen=True, slots=True)
class Code:
    """A text as tokens, all of the same length."""

    tokens: list[str]
    kinds: NDArray[np.uint64]
    """One number for all names that could have been others, and one for each other token."""
    back: NDArray[np.int64]
    """For such a name: how many tokens before the same one stood, or a number beyond any text; 0 for other tokens."""

    def part(self, places: Sequence[int]) -> Code:
        """Return the tokens at some places."""
        return Code([self.tokens[place] for place in places], self.kinds[places], self.back[places])


def without_comments(text: str) -> str:
    """Return a text without what may be comments and docstrings."""
    return _COMMENT.sub("\n", text)


def read_code(text: str) -> Code:
    """Return a text as tokens."""
    import numpy as np

    tokens = _TOKEN.findall(text.lower())
    identities = numbers(tokens)
    name = np.fromiter(map(is_word, tokens), dtype=bool, count=len(tokens))
    name[1:] &= identities[:-1] != numbers(["."])
    places = np.flatnonzero(name)
    order = np.argsort(identities[places], kind="stable")
    sorted_places = places[order]
    same = identities[sorted_places[1:]] == identities[sorted_places[:-1]]
    back = np.where(name, _FIRST, 0)
    back[sorted_places[1:][same]] = np.diff(sorted_places)[same]
    return Code(tokens, np.where(name, np.uint64(FACTOR), identities), back)


@lru_cache(maxsize=1 << 16)
def is_word(token: str) -> bool:
    """Tell whether a token is a name, of whatever kind, and no keyword."""
    return (token[0].isalpha() or token[0] == "_") and token not in KEYWORDS
