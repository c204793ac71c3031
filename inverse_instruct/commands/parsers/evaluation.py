"""Commands that measure, compare and list benchmarks."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from inverse_instruct.commands.parsers.command import add_command, add_json
from inverse_instruct.commands.parsers.stages import add_stage_options, play_stage


def add_evaluation_commands(commands: Any) -> None:
    """Add `evaluate`, `self-consistency`, `compare` and `suites`."""
    _add_measuring(commands)
    _add_compare(commands)
    _add_suites(commands)


def _add_measuring(commands: Any) -> None:
    evaluate = add_command(
        commands,
        "evaluate",
        play_stage,
        "measure pass@k of a model, or of samples that are there, in a sandbox",
        "inverse-instruct evaluate --suite humaneval_plus --data HumanEvalPlus.jsonl.gz --model smollm2-135m "
        "--output out/evaluate\n"
        "  inverse-instruct evaluate --suite mbpp_plus --data MbppPlus.jsonl.gz --endpoint http://127.0.0.1:8000 "
        "--limit 50 --output out/half\n"
        "  inverse-instruct evaluate --suite mbpp_plus --data MbppPlus.jsonl.gz --samples samples.jsonl "
        "--output out/judged --json",
    )
    consistency = add_command(
        commands,
        "self-consistency",
        play_stage,
        "measure whether a model solves again what it says of its own code",
        "inverse-instruct self-consistency --suite mbpp_plus --data MbppPlus.jsonl.gz --limit 50 "
        "--model smollm2-135m --output out/consistency",
    )
    for name, parser in (("evaluate", evaluate), ("self-consistency", consistency)):
        parser.set_defaults(stage=name, samples=None)
        parser.add_argument("--suite", help="name of the suite, see `inverse-instruct suites` (default: mini)")
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("--model", help="model folder, a name of fetch-model, or a hub name")
        source.add_argument("--endpoint", help="URL of an OpenAI-compatible server, asked by chat")
        if name == "evaluate":
            source.add_argument(
                "--samples",
                type=Path,
                help="programs to be judged: JSONL with task_id and solution "
                "or completion, or a folder as EvalPlus writes it",
            )
            parser.add_argument(
                "--bare",
                dest="frame",
                action="store_const",
                const="bare",
                help="give the task's text alone, to go on from, as base models do best",
            )
        parser.add_argument("--data", help="the suite's file or a folder that holds it (default: the hub)")
        parser.add_argument(
            "--tasks", help="ids, numbers and ranges, such as HumanEval/0-9,HumanEval/12, or dates, as 2024-08-01.."
        )
        parser.add_argument("--limit", type=int, help="only the first so many of these")
        parser.add_argument("-n", type=int, help="samples per task (default: 1)")
        parser.add_argument("--temperature", type=float, help="sampling temperature (default: 0, greedy)")
        parser.add_argument(
            "--unsandboxed", action="store_true", help="run generated code WITHOUT a sandbox; the report says so"
        )
        add_stage_options(parser)


def _add_compare(commands: Any) -> None:
    compare = add_command(
        commands,
        "compare",
        _compare,
        "compare two evaluations problem by problem",
        "inverse-instruct compare out/before out/after\n"
        "  inverse-instruct compare runs/x/round-00/evaluate runs/x/round-01/evaluate --json",
    )
    compare.add_argument("baseline", type=Path, help="--output folder of evaluate, or a results.jsonl")
    compare.add_argument("candidate", type=Path, help="the other one")
    add_json(compare)


def _add_suites(commands: Any) -> None:
    suites = add_command(
        commands,
        "suites",
        _suites,
        "list the benchmark suites; with --data, what can be measured here",
        "inverse-instruct suites --data benchmarks/",
    )
    suites.add_argument("--data", help="folder that holds the suites' files, at any depth")
    suites.add_argument("--python", type=Path, help="interpreter with the libraries of DS-1000 or BigCodeBench")
    add_json(suites)


def _compare(arguments: argparse.Namespace) -> None:
    from inverse_instruct.benchmarks.compare import compare, print_comparison

    print_comparison(compare(arguments.baseline, arguments.candidate), arguments.json)


def _suites(arguments: argparse.Namespace) -> None:
    from inverse_instruct.benchmarks.suite_listing import list_suites, print_suites

    print_suites(list_suites(arguments.data, arguments.python), arguments.json)
