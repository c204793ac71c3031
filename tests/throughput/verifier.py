"""How many instructions the verifier confirms and refutes that are right or wrong by construction, and what it costs.

Enters: a model folder and Python files with documented functions. Leaves, on standard output, for three kinds of pairs:
`right` is a function without its docstring and what the docstring says; `another` the same with what another
function's docstring says; `detail` the function with one operator, number or comparison changed, and what its docstring
says. The functions need nothing but themselves, and no instruction names them. For each kind: how many are verified,
refuted, and cannot be told and why, and some of those that are told wrongly, to be read; over all, tokens and seconds
a pair. Doctests are the usage of a function, unless `--guess` leaves only guessed calls. Not guaranteed: that a changed
detail changes what the function returns.

    python -m tests.throughput.verifier MODEL FILES... --pairs 200
"""

from __future__ import annotations

import argparse
import ast
import builtins
import copy
import random
import re
import symtable
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from inverse_instruct.commands.asking import ask
from inverse_instruct.config.config_file import parse_config
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.records import Candidate, ScoredPair, Snippet, Verdict, digest
from inverse_instruct.stages.play import work
from inverse_instruct.stages.questions import Asked
from inverse_instruct.stages.room import Place, Room, Source
from inverse_instruct.stages.verify import VERIFY
from inverse_instruct.store.rows import iterate_rows

SHOWN = 4  # of each kind that is told wrongly
SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.And: ast.Or,
    ast.Or: ast.And, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
RIGHT = {"right": "verified", "another": "refuted", "detail": "refuted"}


@dataclass(frozen=True)
class Documented:
    """A function, what its docstring says of it, and the doctests in there."""

    tree: ast.FunctionDef  # without the docstring
    says: str
    doctests: str


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--guess", action="store_true", help="give no doctests")
    parser.add_argument("--tokens", type=int, default=256, help="of the longest program")
    arguments = parser.parse_args()
    functions = list(documented(arguments.files))
    random.Random(0).shuffle(functions)
    pairs = list(pairs_of(functions[: -(-arguments.pairs // 3)], arguments.guess))[: arguments.pairs]
    config = parse_config(
        {
            "name": "verifier",
            "recipe": "inversecoder-verified",
            "model": {"base": str(arguments.model), "max_model_len": 2048},
            "corpus": [{"path": "none"}],
            "inference": {"dtype": "float32"},
            "verify": {"max_new_tokens": arguments.tokens},
        },
        [],
    )
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        verdicts, tokens, waited = verified(config, arguments.model, pairs, Path(folder))
        seconds = time.perf_counter() - began - waited
    report(pairs, verdicts)
    print(f"{tokens / len(pairs):.0f} tokens and {seconds / len(pairs):.2f} seconds a pair, {len(pairs)} pairs")


def documented(files: Sequence[Path]) -> Iterator[Documented]:
    """Yield the functions of files that need nothing but themselves, say what they do, and have doctests."""
    for path in files:
        try:
            tree = ast.parse(path.read_text(errors="replace"))
        except SyntaxError:
            continue
        for node in tree.body:
            text = ast.get_docstring(node) if isinstance(node, ast.FunctionDef) else None
            if not isinstance(node, ast.FunctionDef) or not text or ">>>" not in text or node.decorator_list:
                continue
            says = " ".join(re.split(r">>>|\n\s*\n", text)[0].split())
            own = copy.deepcopy(node)
            own.body = own.body[1:]
            is_whole = own.body and is_self_contained(own)
            if is_whole and len(says.split()) >= 5 and 40 <= len(ast.unparse(own)) <= 900:
                yield Documented(own, says, text[text.index(">>>") :])


def is_self_contained(function: ast.FunctionDef) -> bool:
    """Tell whether a function uses no name of its module; its annotations do not count, and are taken off."""
    for node in ast.walk(function):
        if isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.FunctionDef):
            node.returns = None
    module = symtable.symtable(ast.unparse(function), "function", "exec")
    tables = [module]
    for table in tables:
        tables += table.get_children()
    used = {name.get_name() for table in tables[1:] for name in table.get_symbols() if name.is_global()}
    return used <= {function.name, *dir(builtins)}


def changed(tree: ast.FunctionDef) -> ast.FunctionDef | None:
    """Return a function with one detail changed; None: there is none to change."""
    changed = copy.deepcopy(tree)
    places = [node for node in ast.walk(changed) if isinstance(node, ast.Compare | ast.BinOp | ast.BoolOp)]
    numbers = [node for node in ast.walk(changed) if isinstance(node, ast.Constant) and type(node.value) is int]
    chosen = random.Random(ast.unparse(tree)).choice([*places, *numbers]) if places or numbers else None
    if isinstance(chosen, ast.Constant) and isinstance(chosen.value, int):
        chosen.value += 1
    elif isinstance(chosen, ast.Compare) and type(chosen.ops[0]) in SWAPPED:
        chosen.ops[0] = SWAPPED[type(chosen.ops[0])]()  # type: ignore[call-overload]
    elif isinstance(chosen, ast.BinOp | ast.BoolOp) and type(chosen.op) in SWAPPED:
        chosen.op = SWAPPED[type(chosen.op)]()  # type: ignore[assignment]
    else:
        return None
    return changed


def pairs_of(functions: Sequence[Documented], guess: bool) -> Iterator[tuple[str, Snippet, Candidate]]:
    """Yield pairs, each with its kind."""
    for place, function in enumerate(functions):
        other = functions[(place + 1) % len(functions)]
        kinds = [("right", function.tree, function.says), ("another", function.tree, other.says)]
        if different := changed(function.tree):
            kinds.append(("detail", different, function.says))
        for kind, tree, says in kinds:
            name, code = digest(kind, place), ast.unparse(tree)
            # without its doctests, a changed function would be refuted by them alone, before anything is asked
            usage = "" if guess or kind == "detail" else function.doctests
            words = "Write a Python function. " + re.sub(rf"\b{tree.name}\b", "it", says)
            yield (
                kind,
                Snippet(name, code, "python", "", "", "", 1, usage),
                Candidate(name, name, 0, "", words, 0, "", "", 0, 0),
            )


def verified(
    config: RunConfig, model: Path, pairs: Sequence[tuple[str, Snippet, Candidate]], folder: Path
) -> tuple[dict[str, Verdict], int, float]:
    """Return the verdicts by pair, the tokens that were written, and the seconds until the engine could be asked."""
    inputs: dict[str, Source] = {
        "snippets": [snippet for _, snippet, _ in pairs],
        "candidates": [candidate for _, _, candidate in pairs],
        "scores": [ScoredPair(each.id, each.id, 0.0, 0.0, 0.5, "", "") for _, _, each in pairs],
        "earlier": [],
    }
    room = Room(VERIFY, config, Place(folder / "verify", 1, 0, folder), inputs)
    began, waited = time.perf_counter(), 0.0

    async def play(asked: Asked) -> None:
        nonlocal waited
        waited, room.asked = time.perf_counter() - began, asked
        await work([room])

    ask(config, model, folder, play)
    room.finish()
    rows = iterate_rows(folder / "verify/verdicts.parquet", Verdict)
    return {row.snippet_id: row for row in rows}, room.tokens["completion"], waited


def report(pairs: Sequence[tuple[str, Snippet, Candidate]], verdicts: dict[str, Verdict]) -> None:
    """Print the counts, and some of those that are told wrongly."""
    states: dict[str, Counter[str]] = defaultdict(Counter)
    wrong: dict[str, list[str]] = defaultdict(list)
    for kind, snippet, candidate in pairs:
        verdict = verdicts[snippet.id]
        states[kind][verdict.state] += 1
        if verdict.state not in (RIGHT[kind], "unverified"):
            wrong[kind].append(f"{candidate.instruction}\n{snippet.code}\n-- {verdict.detail}\n{verdict.program}")
    for kind, found in states.items():
        told = ", ".join(f"{count} {state}" for state, count in found.most_common())
        print(f"{kind}: {told}, of {found.total()}")
    for why, count in Counter(row.detail for row in verdicts.values() if row.state == "unverified").most_common():
        print(f"unverified, {count}: {why}")
    for kind, texts in wrong.items():
        for text in texts[:SHOWN]:
            print(f"\n[{kind}, told wrongly] {text}")
    print()


if __name__ == "__main__":
    main()
