"""Takes the program out of a model's answer.

Enters: a completion (fenced, bare, chatty, cut off, or the mere rest of the prompt's function), the entry point and
the prompt. Leaves: source text with the entry point and all that it can reach by data flow, however that is written;
the prompt's own definitions fill in. Tests, prints and what stands under `__main__` are dropped. What a reasoning model
thought before it answered is not looked at, unless it never came to an answer. Of several code blocks the last that
defines the entry point counts. Nothing is executed.
Not guaranteed: that the text compiles. Where no entry point is found the best guess is returned, and running it gives
the verdict `syntax` or `missing`.
"""

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from evaluation.data_flow import Statement
from evaluation.fences import Block, find_blocks
from evaluation.reach import Needed, Part, find_needed, has_run_on, is_cut_off, parts_that_define, read_part
from evaluation.thoughts import without_thoughts
from evaluation.top_level import dedented, find_statements, parse

_RETURNS_AT_TOP = re.compile(r"^(?:return|yield)\b", re.MULTILINE)
_RETURN = re.compile(r"^[^\S\n]*(?:return|yield)\b", re.MULTILINE)
_WITHOUT_EFFECT = ("import", "guard", "remark")
_INDENTED = re.compile(
    r"(?P<before>(?:\A|^[^\S\n]*\S.*\n)(?:[ \t]*\n)*)(?P<code>(?:[ \t]+\S.*\n(?:[ \t]*\n)*)+)", re.MULTILINE
)
_COMPOUND = re.compile(r"(?:async|class|def|elif|else|except|finally|for|if|match|try|while|with)\b")
_INDENT = "    "
_MOST_INNER_FENCES = 8
_MOST_BLOCKS = 100
_MOST_BODIES = 10


def extract_code(completion: str, entry_point: str, prompt: str) -> str:
    """Return the program in `completion` that defines `entry_point`; never raises.

    `prompt` is the start of a program (imports, signature, docstring) that the completion may continue, or mere text.
    """
    return extract_readings(completion, entry_point, prompt)[0]


def extract_readings(completion: str, entry_point: str, prompt: str) -> list[str]:
    """Return the programs that a completion can be read as, that of `extract_code` first; never raises.

    The others do something else than it: with another one of several definitions in one block, with what later blocks
    correct, as the code stands, tests and all, from the longest block, which is what EvalPlus reads, and from the block
    before one that is not closed. They are for where the first is wrong: an answer that is right by one of them is not
    to fail for how it was read.
    """
    reply = re.sub(r"\r\n?", "\n", completion.removeprefix("\ufeff"))
    reply = reply.encode("utf-8", "replace").decode()  # half a surrogate pair is in no program
    prompt = prompt if prompt.endswith("\n") else prompt + "\n"
    spoken = without_thoughts(reply)
    answers = [spoken.answer, *([] if spoken.thought_ends else [reply])] if parse(reply) is None else [reply]
    fallback: list[str] = []
    for answer in answers:
        for readings in _all_readings(answer, entry_point, prompt):
            if not readings.lack:
                return readings.programs
            fallback = fallback or readings.programs
    return fallback or [_best_guess(answers[-1], prompt)]


@dataclass(frozen=True, slots=True)
class _Readings:
    programs: list[str]
    lack: bool
    """The first uses a name that it gives no meaning, so that another way to take the answer apart may be better."""


def _all_readings(text: str, entry_point: str, prompt: str) -> Iterator[_Readings]:
    """Yield for each way to find a program in an answer what it can be read as."""
    given = [statement for statement in find_statements(prompt) if entry_point not in statement.binds]
    blocks = _code_blocks(text)
    fenced = [read_part(dedented(block.text), is_whole=block.closed) for block in blocks]
    indented = [
        read_part(dedented(match["code"]))
        for match in _INDENTED.finditer(text + "\n")
        if not _COMPOUND.match(match["before"])
    ]
    unfenced = ([read_part(part)] for part in dict.fromkeys([text, dedented(text)]))
    whole = (_readings(parts, given, entry_point) for parts in chain([fenced], unfenced, [indented]))
    bodies = sorted((part.text for part in reversed(fenced)), key=lambda body: not _RETURN.search(body))[:_MOST_BODIES]
    continued = (_readings([part], [], entry_point) for body in [*bodies, text] if (part := _continued(prompt, body)))
    begins_inside = not blocks and _starts_inside(text, entry_point)
    yield from filter(None, chain(continued, whole) if begins_inside else chain(whole, continued))


def _code_blocks(text: str) -> list[Block]:
    """Return the fenced blocks; a fence within a string of the code ends no block."""
    blocks = find_blocks(text)[-_MOST_BLOCKS:]
    ends = sorted({end for block in blocks for end in (block.start, block.end)})
    found: list[Block] = []
    for block in blocks:
        if found and block.start < found[-1].end:
            continue
        later = [] if parse(dedented(block.text)) else [end for end in ends if end > block.end][:_MOST_INNER_FENCES]
        texts = (text[block.end - len(block.text) : end] for end in later)
        longer = next((longer for longer in texts if parse(dedented(longer))), block.text)
        found.append(replace(block, text=longer, end=block.end - len(block.text) + len(longer)))
    return found


def _readings(parts: Sequence[Part], given: Sequence[Statement], entry_point: str) -> _Readings | None:
    """Return what one way to take an answer apart gives, if it gives a definition of the entry point."""
    defining = parts_that_define(parts, entry_point)
    if not defining:
        return None
    chosen = ([number for number in defining if not is_cut_off(parts[number], entry_point)] or defining)[-1]
    orders = (True, False) if has_run_on(parts[chosen], entry_point) else (False, True)
    first, other = (find_needed(parts, chosen, given, entry_point, first_of_each=order) for order in orders)
    corrected = find_needed(parts, chosen, given, entry_point, first_of_each=orders[0], last_counts=True)
    programs = [_text(first), _text(other), _text(corrected)]
    programs += _as_it_stands(parts[: chosen + 1], given, first.statements)
    spare = [max(defining, key=lambda number: (_lines(parts[number]), number))]
    spare += [number for number in defining[-2:-1] if not parts[chosen].is_whole]
    programs += [_text(find_needed(parts, number, given, entry_point, first_of_each=True)) for number in spare]
    return _Readings(list(dict.fromkeys(programs)), first.lacks)


def _text(needed: Needed) -> str:
    return "\n".join(item.text for item in needed.statements)


def _lines(part: Part) -> int:
    return sum(1 for line in part.text.split("\n") if line.strip())


def _as_it_stands(parts: Sequence[Part], given: Sequence[Statement], program: Sequence[Statement]) -> list[str]:
    """Return all code up to the answer, where that does more than the program taken out of it."""
    left_out = [item for part in parts for item in part.statements if item not in program]
    text = "\n".join(part.text for part in parts)
    if parse(text) is None or all(item.kind in _WITHOUT_EFFECT for item in left_out):
        return []
    before = "" if "from __future__" in text else "\n".join(item.text for item in given)
    return [f"{before}\n{text}"]


def _starts_inside(completion: str, entry_point: str) -> bool:
    """Tell whether the completion goes on with a function body, rather than being all indented by accident."""
    if not completion.lstrip("\n")[:1].isspace():
        return False
    program = dedented(completion)
    return program.lstrip("\n")[:1].isspace() or not any(
        entry_point in statement.binds for statement in find_statements(program)
    )


def _continued(prompt: str, body: str) -> Part | None:
    """Return the program that the prompt and a function body make, if the body is one."""
    body = body.strip("\n")
    if not body.strip():
        return None
    if _lacks_only_first_indent(body):
        body = _INDENT + body
    elif not body[0].isspace():
        is_module = any(statement.kind == "definition" for statement in find_statements(body))
        if is_module and not _RETURNS_AT_TOP.search(body):
            return None
        body = textwrap.indent(body, _INDENT)
    return read_part(prompt + body + "\n")


def _lacks_only_first_indent(body: str) -> bool:
    """Tell whether stripping took the first line's indentation alone, judging by the second line's."""
    first, *rest = [line for line in body.splitlines() if line.strip()]
    second = rest[0] if rest else ""
    due = 2 * _INDENT if first.rstrip().endswith(":") else _INDENT
    return not first[0].isspace() and second.startswith(due)


def _best_guess(answer: str, prompt: str) -> str:
    fenced = "\n".join(block.text for block in find_blocks(answer))
    if fenced.strip():
        return fenced
    return answer if re.search(r"^[^\S\n]*(?:def|class|import|from) ", answer, re.MULTILINE) else prompt + answer
