"""The code blocks of a Markdown text, such as a model's reply.

Enters: any text. Leaves: the content of each fenced block, its indentation kept; a block that is not closed ends with
the text.
Not guaranteed: that a block holds code.
"""

import re
import textwrap

_FENCED = re.compile(r"^([ \t]*)(`{3,}|~{3,})[^\n]*\n(.*?)(?:^[ \t]*\2|\Z)", re.DOTALL | re.MULTILINE)


def code_blocks(text: str) -> list[str]:
    """Return the content of the fenced blocks, in order; of a block within a list, without the list's indentation."""
    found = _FENCED.finditer(text.replace("\r\n", "\n"))
    return [textwrap.dedent(match[3]) if match[1] else match[3] for match in found]
