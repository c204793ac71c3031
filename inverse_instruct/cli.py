"""The command `inverse-instruct`: parses first, imports what a subcommand needs afterwards.

The only place that prints an error and sets the exit code: 0 done, 1 failed with a message, 2 wrong usage or config,
130 interrupted (the same command goes on).
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inverse_instruct import __version__
from inverse_instruct.errors import ConfigError, InverseInstructError
from inverse_instruct.redaction import redact, set_up_logging


def main() -> None:
    """Run the command line; the console script."""
    arguments = _parser(sys.argv[1:]).parse_args()
    set_up_logging()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are started with it ignored
    signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))
    try:
        arguments.run(arguments)
    except InverseInstructError as error:
        for number, line in enumerate(str(error).split("\n")):
            print(f"{'       ' if number else 'error: '}{_printable(line)}", file=sys.stderr)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("inverse_instruct", "evaluation"):
            raise
        print(
            f"error: {error.name} is not installed, which this command needs: pip install 'inverse-instruct[all]'",
            file=sys.stderr,
        )
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:  # a full disk, a missing permission: the system's own words name the file
        print(
            f"error: {redact(str(error))}; mend it and run the same command again, what was done is kept",
            file=sys.stderr,
        )
        sys.exit(1)
    except KeyboardInterrupt:
        print("\ninterrupted; what was done is kept, the same command goes on from there", file=sys.stderr)
        sys.exit(130)


def _printable(text: str) -> str:
    """Return the text without what a terminal would obey; names of files and fields can hold it."""
    return "".join(char if char.isprintable() or char == "\t" else repr(char)[1:-1] for char in text)


def _parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="inverse-instruct",
        description="A service that lets a code LLM improve itself.",
        epilog="Start with: inverse-instruct fetch-model smollm2-135m && inverse-instruct run configs/quickstart.yaml",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run_commands(commands)
    _add_checkpoint_commands(commands)
    _add_stage_commands(commands)
    _add_evaluation_commands(commands)
    _add_serve_command(commands)
    if not words or words[0] not in commands.choices:  # to look at the recipes takes a second
        _add_other_stages(commands)
    return parser


def _command(commands: Any, name: str, run: Any, help_text: str, example: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help_text,
        description=f"{help_text[0].upper()}{help_text[1:]}.",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def _add_run_commands(commands: Any) -> None:
    run = _command(
        commands,
        "run",
        _run,
        "play all rounds of a config; running it again goes on where it stopped",
        "inverse-instruct run configs/quickstart.yaml --set rounds=1",
    )
    check = _command(
        commands,
        "check",
        _check,
        "validate a config and print the plan with estimates; starts nothing",
        "inverse-instruct check configs/inversecoder-ds-6.7b.yaml",
    )
    for parser in (run, check):
        parser.add_argument("config", type=Path, help="YAML file of the run")
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="KEY=VALUE",
            dest="overrides",
            help="override a key, such as train.micro_batch_size=2; may be given several times",
        )
        parser.add_argument("--run-dir", type=Path, help="folder of the run (default: runs/NAME)")
    study = _command(
        commands,
        "study",
        _study,
        "play the variants of a config, each shared stage once, and compare them in one table",
        "inverse-instruct study configs/studies/selectors.yaml",
    )
    study.add_argument("study", type=Path, help="YAML file of the study")
    study.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="override a key of all variants, such as rounds=1; may be given several times",
    )
    study.add_argument("--run-dir", type=Path, help="folder of the study (default: runs/NAME)")
    study.add_argument("--json", action="store_true", help="print stable JSON")
    status = _command(
        commands,
        "status",
        _status,
        "show where a run is, also while it runs",
        "inverse-instruct status runs/quickstart --json",
    )
    status.add_argument("run_dir", type=Path, nargs="?", help="folder of the run (default: the newest under runs/)")
    status.add_argument("--json", action="store_true", help="print stable JSON")
    report = _command(
        commands,
        "report",
        _report,
        "write one self-contained HTML page about a run",
        "inverse-instruct report runs/quickstart --output report.html",
    )
    report.add_argument("run_dir", type=Path, metavar="DIR", help="folder of the run")
    report.add_argument("--output", type=Path, metavar="FILE", help="the page (default: DIR/report.html)")
    analysis = _command(
        commands,
        "analyze",
        _analyze,
        "say what a run's rows are like, or any files of rows: lengths, verbs, duplicates, nearness to benchmarks",
        "inverse-instruct analyze runs/quickstart --benchmark humaneval --output analysis.html",
    )
    analysis.add_argument("rows", type=Path, nargs="+", help="runs, or files of rows in any layout of corpora")
    analysis.add_argument(
        "--benchmark",
        action="append",
        metavar="NAME",
        help="suite or file to measure the similarity to; may be given several times (default: mini)",
    )
    analysis.add_argument("--output", type=Path, metavar="FILE", help="write one HTML page with the distributions")
    analysis.add_argument("--json", action="store_true", help="print stable JSON")
    dashboard = _command(
        commands,
        "dashboard",
        _dashboard,
        "show a run in the browser, live and read-only",
        "inverse-instruct dashboard runs/quickstart --port 8050",
    )
    dashboard.add_argument(
        "run_dir", type=Path, nargs="?", metavar="DIR", help="folder of the run (default: the newest under runs/)"
    )
    dashboard.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: %(default)s); whoever reaches it can read the run",
    )
    dashboard.add_argument("--port", type=int, default=8050, help="0 takes a free one (default: %(default)s)")
    fetch = _command(
        commands,
        "fetch-model",
        _fetch_model,
        "fetch a small real model to start with",
        "inverse-instruct fetch-model smollm2-135m",
    )
    fetch.add_argument("name", help="smollm2-135m")


def _add_checkpoint_commands(commands: Any) -> None:
    group = _command(
        commands,
        "checkpoints",
        _checkpoints,
        "list, show, promote, roll back and export checkpoints",
        "inverse-instruct checkpoints list runs/quickstart",
    )
    checkpoints = group.add_subparsers(required=True, metavar="COMMAND")
    for name, (help_text, example) in {
        "list": ("list the checkpoints of a run and how the promoted one changed", "list runs/quickstart --json"),
        "show": ("show where a checkpoint came from and what became of it", "show round-01 runs/quickstart"),
        "promote": ("make a checkpoint the promoted one", "promote round-01 --reason 'writes better Go'"),
        "rollback": ("promote again what the promoted checkpoint replaced", "rollback --reason 'worse in practice'"),
        "export": (
            "write a checkpoint as a self-contained folder with a model card and its training rows",
            "export round-02 runs/quickstart --output out/quickstart-round-02",
        ),
    }.items():
        parser = _command(checkpoints, name, _checkpoints, help_text, f"inverse-instruct checkpoints {example}")
        parser.set_defaults(checkpoints=name)
        if name in ("show", "promote", "export"):
            parser.add_argument("name", help="round-NN, or N")
        parser.add_argument(
            "run_dir", type=Path, nargs="?", metavar="DIR", help="folder of the run (default: the newest under runs/)"
        )
        if name in ("list", "show"):
            parser.add_argument("--json", action="store_true", help="print stable JSON")
        if name in ("promote", "rollback"):
            parser.add_argument("--reason", default="", help="why, for the record")
        if name == "export":
            parser.add_argument("--output", type=Path, required=True, help="folder to write; not there yet, or empty")


def _add_stage_commands(commands: Any) -> None:
    stages = {
        "preprocess": (
            "turn a corpus into clean snippets",
            "inverse-instruct preprocess --input corpus.jsonl --output out/preprocess",
        ),
        "summarize": (
            "write several instructions for each snippet",
            "inverse-instruct summarize --model smollm2-135m --input out/preprocess/snippets.parquet "
            "--output out/summarize",
        ),
        "score": (
            "judge pairs of instruction and code with exact LM-Scores",
            "inverse-instruct score --model smollm2-135m --input pairs.jsonl --output out/score --json\n"
            "  inverse-instruct score --model smollm2-135m --input out/summarize/candidates.parquet "
            "--snippets out/preprocess/snippets.parquet --output out/score",
        ),
        "select": (
            "choose the best pairs per snippet",
            "inverse-instruct select --preprocessed out/preprocess --summarized out/summarize "
            "--scored out/score --output out/selection",
        ),
        "train": (
            "fine-tune a base model on rows under DeepSpeed",
            "inverse-instruct train --model smollm2-135m --input out/selection/selected.parquet --output out/train",
        ),
    }
    for name, (help_text, example) in stages.items():
        parser = _command(commands, name, _stage, help_text, example)
        parser.set_defaults(stage=name)
        if name == "select":
            parser.add_argument("--preprocessed", type=Path, required=True, help="folder with snippets.parquet")
            parser.add_argument("--summarized", type=Path, required=True, help="folder with candidates.parquet")
            parser.add_argument("--scored", type=Path, required=True, help="folder with scores.parquet")
        else:
            parser.add_argument(
                "--input",
                action="append",
                required=True,
                help="file, folder or hub data set; may be given several times where that makes sense",
            )
        if name in ("summarize", "score", "train"):
            parser.add_argument("--model", required=True, help="model folder, a name of fetch-model, or a hub name")
        if name == "score":
            parser.add_argument("--snippets", help="snippets that candidates in --input refer to")
        _add_stage_options(parser)


def _add_other_stages(commands: Any) -> None:
    """Offer the stages that have no options of their own: an option for each input, of its name."""
    from inverse_instruct.recipes.table import stages_by_command
    from inverse_instruct.stages.stage import When

    for name, stage in stages_by_command().items():
        if name in commands.choices or not all(source.rows for source in stage.reads.values()):
            continue
        needed = {source: about.when is not When.EARLIER for source, about in stage.reads.items()}
        options = "".join(f" --{source} {source}.parquet" for source in needed if needed[source])
        parser = _command(commands, name, _stage, stage.does, f"inverse-instruct {name}{options} --output out/{name}")
        parser.set_defaults(stage=name)
        for source in needed:
            rounds = "" if needed[source] else " of earlier rounds, which are left out (default: none)"
            parser.add_argument(
                f"--{source}",
                type=Path,
                required=needed[source],
                metavar="FILE",
                help=f"rows of {stage.reads[source].stage}{rounds}",
            )
        if stage.model:
            parser.add_argument("--model", required=True, help="model folder, a name of fetch-model, or a hub name")
        _add_stage_options(parser)


def _add_stage_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--output", type=Path, required=True, help="folder for the results; running again with the same one goes on"
    )
    parser.add_argument("--config", type=Path, help="YAML whose sections set the options of the stage")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="set an option, such as summarize.candidates=4",
    )
    parser.add_argument("--json", action="store_true", help="print the manifest as JSON")


def _add_evaluation_commands(commands: Any) -> None:
    evaluate = _command(
        commands,
        "evaluate",
        _stage,
        "measure pass@k of a model, or of samples that are there, in a sandbox",
        "inverse-instruct evaluate --suite humaneval_plus --data HumanEvalPlus.jsonl.gz --model smollm2-135m "
        "--output out/evaluate\n"
        "  inverse-instruct evaluate --suite mbpp_plus --data MbppPlus.jsonl.gz --endpoint http://127.0.0.1:8000 "
        "--limit 50 --output out/half\n"
        "  inverse-instruct evaluate --suite mbpp_plus --data MbppPlus.jsonl.gz --samples samples.jsonl "
        "--output out/judged --json",
    )
    consistency = _command(
        commands,
        "self-consistency",
        _stage,
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
        parser.add_argument("--data", help="the suite's file or a folder that holds it (default: the hub)")
        parser.add_argument("--tasks", help="ids, numbers and ranges, such as HumanEval/0-9,HumanEval/12")
        parser.add_argument("--limit", type=int, help="only the first so many of these")
        parser.add_argument("-n", type=int, help="samples per task (default: 1)")
        parser.add_argument("--temperature", type=float, help="sampling temperature (default: 0, greedy)")
        parser.add_argument(
            "--unsandboxed", action="store_true", help="run generated code WITHOUT a sandbox; the report says so"
        )
        _add_stage_options(parser)
    compare = _command(
        commands,
        "compare",
        _compare,
        "compare two evaluations problem by problem",
        "inverse-instruct compare out/before out/after\n"
        "  inverse-instruct compare runs/x/round-00/evaluate runs/x/round-01/evaluate --json",
    )
    compare.add_argument("baseline", type=Path, help="--output folder of evaluate, or a results.jsonl")
    compare.add_argument("candidate", type=Path, help="the other one")
    compare.add_argument("--json", action="store_true", help="print stable JSON")
    suites = _command(
        commands,
        "suites",
        _suites,
        "list the benchmark suites; with --data, what can be measured here",
        "inverse-instruct suites --data benchmarks/",
    )
    suites.add_argument("--data", help="folder that holds the suites' files, at any depth")
    suites.add_argument("--python", type=Path, help="interpreter of the environment that DS-1000 needs")
    suites.add_argument("--json", action="store_true", help="print stable JSON")


def _add_serve_command(commands: Any) -> None:
    serve = _command(
        commands,
        "serve",
        _serve,
        "answer with the promoted checkpoint, as an OpenAI-compatible service",
        "inverse-instruct serve --run-dir runs/quickstart --set serve.port=8001\n"
        "  inverse-instruct serve --with-loop configs/quickstart.yaml",
    )
    serve.add_argument("--run-dir", type=Path, help="folder of the run (default: runs/NAME of the loop's config)")
    serve.add_argument(
        "--with-loop",
        type=Path,
        nargs="?",
        const=Path(),
        metavar="CONFIG",
        help="also play runs of the folder that the run is in, as /api is told; CONFIG: begin with this",
    )
    serve.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="WHAT",
        help="let configs from /api name the files below this folder, this endpoint or this name on the "
        "hub, beside what CONFIG names; may be given several times",
    )
    serve.add_argument(
        "--allow-unsafe-configs",
        action="store_true",
        help="take configs from /api that name any file and address, and run CODE OF THE SENDER'S "
        "CHOICE, as trust_remote_code does",
    )
    serve.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="override a key of its run.yaml, such as serve.mode=in_place; may be given several times",
    )


def _run(arguments: argparse.Namespace) -> None:
    from inverse_instruct.commands.status import print_status
    from inverse_instruct.loop.check import check_file
    from inverse_instruct.loop.run import run
    from inverse_instruct.store.status import summarize_run

    config, _ = check_file(arguments.config, arguments.overrides, arguments.run_dir)
    path = arguments.run_dir or Path("runs", config.name)
    run(config, path)
    print_status(summarize_run(path), as_json=False)


def _check(arguments: argparse.Namespace) -> None:
    from inverse_instruct.loop.check import check_file
    from inverse_instruct.loop.plan import print_plan

    print_plan(*check_file(arguments.config, arguments.overrides, arguments.run_dir))


def _study(arguments: argparse.Namespace) -> None:
    from inverse_instruct.commands.study import run_study

    run_study(arguments)


def _analyze(arguments: argparse.Namespace) -> None:
    from inverse_instruct.commands.analyze import run_analyze

    run_analyze(arguments)


def _status(arguments: argparse.Namespace) -> None:
    from inverse_instruct.commands.status import print_status
    from inverse_instruct.store.run_dir import newest_run
    from inverse_instruct.store.status import summarize_run

    print_status(summarize_run(arguments.run_dir or newest_run()), arguments.json)


def _checkpoints(arguments: argparse.Namespace) -> None:
    from inverse_instruct.commands.checkpoints import run_command

    run_command(arguments)


def _serve(arguments: argparse.Namespace) -> None:
    from inverse_instruct.commands.serve import serve, serve_with_loop
    from inverse_instruct.loop_service.allowed import Allowed

    if arguments.with_loop is not None:
        config = arguments.with_loop if arguments.with_loop != Path() else None
        allowed = Allowed.of(arguments.allow, unsafe=arguments.allow_unsafe_configs)
        serve_with_loop(arguments.run_dir, arguments.overrides, config, allowed)
    elif arguments.run_dir is None:
        raise ConfigError(["--run-dir: name the run to serve, or --with-loop CONFIG"])
    elif arguments.allow or arguments.allow_unsafe_configs:
        raise ConfigError(["--allow: without --with-loop no configs are taken; add it, or leave this out"])
    else:
        serve(arguments.run_dir, arguments.overrides)


def _report(arguments: argparse.Namespace) -> None:
    from inverse_instruct.dashboard.report import write_report

    output = arguments.output or arguments.run_dir / "report.html"
    write_report(arguments.run_dir, output)
    print(output)


def _dashboard(arguments: argparse.Namespace) -> None:
    from inverse_instruct.dashboard.app import serve
    from inverse_instruct.store.run_dir import newest_run

    serve(arguments.run_dir or newest_run(), arguments.host, arguments.port)


def _fetch_model(arguments: argparse.Namespace) -> None:
    from inverse_instruct.inference.models import fetch_model

    print(fetch_model(arguments.name))


def _compare(arguments: argparse.Namespace) -> None:
    from inverse_instruct.benchmarks.compare import compare, print_comparison

    print_comparison(compare(arguments.baseline, arguments.candidate), arguments.json)


def _suites(arguments: argparse.Namespace) -> None:
    from inverse_instruct.benchmarks.suite_listing import list_suites, print_suites

    print_suites(list_suites(arguments.data, arguments.python), arguments.json)


def _stage(arguments: argparse.Namespace) -> None:
    from inverse_instruct.commands.stages import run_stage

    run_stage(arguments)


if __name__ == "__main__":
    main()
