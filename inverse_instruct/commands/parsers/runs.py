"""Commands that play: a run, a study, or nothing yet but a look at the config; and the model to start with."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from inverse_instruct.commands.parsers.command import add_command, add_json, add_overrides


def add_run_commands(commands: Any) -> None:
    """Add `init`, `run`, `check`, `review`, `config`, `study` and `fetch-model`."""
    _add_init(commands)
    _add_run_and_check(commands)
    _add_review(commands)
    _add_config(commands)
    _add_study(commands)
    _add_fetch_model(commands)


def _add_init(commands: Any) -> None:
    init = add_command(
        commands,
        "init",
        _init,
        "look at a model and a corpus, and write a config to start with; asks for what is not given",
        "inverse-instruct init --model smollm2-135m --corpus rows.jsonl\n"
        "  inverse-instruct init my.yaml --model ./model --corpus rows.csv --instruction question --response answer",
    )
    init.add_argument(
        "config", type=Path, nargs="?", default=Path("run.yaml"), help="file to write (default: run.yaml)"
    )
    init.add_argument("--model", help="model folder, a name of fetch-model, or a hub name")
    init.add_argument("--corpus", help="file of rows, folder of source code, or a data set on the hub")
    init.add_argument("--instruction", metavar="FIELD", help="field with the instructions, where no layout has it")
    init.add_argument("--response", metavar="FIELD", help="field with the responses")
    init.add_argument("--device", choices=("cpu", "gpu"), help="where it is to run (default: GPUs if there are some)")
    init.add_argument("--name", help="name of the run (default: that of the corpus)")


def _add_run_and_check(commands: Any) -> None:
    run = add_command(
        commands,
        "run",
        _run,
        "play all rounds of a config; running it again goes on where it stopped",
        "inverse-instruct run configs/quickstart.yaml --set rounds=1\n"
        "  inverse-instruct run configs/quickstart.yaml --preview 20",
    )
    run.add_argument(
        "--preview",
        type=_count,
        metavar="ROWS",
        help="take so many rows through one round in runs/NAME-preview, show their ways, and what the run will take",
    )
    check = add_command(
        commands,
        "check",
        _check,
        "validate a config and print the plan with estimates; starts nothing",
        "inverse-instruct check configs/inversecoder-ds-6.7b.yaml",
    )
    for parser in (run, check):
        parser.add_argument("config", type=Path, help="YAML file of the run")
        add_overrides(parser, "override a key, such as train.micro_batch_size=2; may be given several times")
        parser.add_argument("--run-dir", type=Path, help="folder of the run (default: runs/NAME)")


def _add_review(commands: Any) -> None:
    review = add_command(
        commands,
        "review",
        _review,
        "leave selected rows out before a round trains on them, where selection.review is wait",
        "inverse-instruct review runs/quickstart --leave-out 0c1d2e3f4a5b6c7d --reason 'names a person'\n"
        "  inverse-instruct review runs/quickstart --accept",
    )
    review.add_argument("run_dir", type=Path, metavar="DIR", help="folder of the run")
    decision = review.add_mutually_exclusive_group(required=True)
    decision.add_argument("--leave-out", nargs="+", metavar="ID", help="rows, as the dashboard names them")
    decision.add_argument("--accept", action="store_true", help="leave none out")
    review.add_argument("--round", type=int, help="which one (default: the last that has selected rows)")
    review.add_argument("--reason", default="", help="why, for the record")


def _add_config(commands: Any) -> None:
    config = add_command(
        commands,
        "config",
        _config,
        "print every key of a config, for people or for editors",
        "inverse-instruct config --reference\n"
        "  inverse-instruct config --schema > run.schema.json  # yaml-language-server: $schema=run.schema.json",
    )
    form = config.add_mutually_exclusive_group(required=True)
    form.add_argument("--reference", action="store_true", help="all keys with their bounds, defaults and meanings")
    form.add_argument("--schema", action="store_true", help="a JSON schema, by which editors check and complete")


def _add_study(commands: Any) -> None:
    study = add_command(
        commands,
        "study",
        _study,
        "play the variants of a config, each shared stage once, and compare them in one table",
        "inverse-instruct study configs/studies/selectors.yaml",
    )
    study.add_argument("study", type=Path, help="YAML file of the study")
    add_overrides(study, "override a key of all variants, such as rounds=1; may be given several times")
    study.add_argument("--run-dir", type=Path, help="folder of the study (default: runs/NAME)")
    add_json(study)


def _add_fetch_model(commands: Any) -> None:
    fetch = add_command(
        commands,
        "fetch-model",
        _fetch_model,
        "fetch a model: a small real one to start with, or one of the hub",
        "inverse-instruct fetch-model smollm2-135m\n  inverse-instruct fetch-model Qwen/Qwen2.5-Coder-0.5B-Instruct",
    )
    fetch.add_argument("name", help="smollm2-135m, or a name on the HF hub")


def _init(arguments: argparse.Namespace) -> None:
    from inverse_instruct.commands.init import run_init

    run_init(arguments)


def _config(arguments: argparse.Namespace) -> None:
    import json

    from inverse_instruct.config.reference import reference, schema

    print(json.dumps(schema(), indent=2) if arguments.schema else reference())


def _count(text: str) -> int:
    count = int(text) if text.isdecimal() else 0
    if not count:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rows above 0")
    return count


def _run(arguments: argparse.Namespace) -> None:
    if arguments.preview:
        from inverse_instruct.commands.preview import run_preview

        return run_preview(arguments)
    from inverse_instruct.commands.status import print_status
    from inverse_instruct.loop.check import check_file
    from inverse_instruct.loop.run import run
    from inverse_instruct.store.status import summarize_run

    config, _ = check_file(arguments.config, arguments.overrides, arguments.run_dir)
    path = arguments.run_dir or Path("runs", config.name)
    run(config, path)
    print_status(summarize_run(path), as_json=False)


def _review(arguments: argparse.Namespace) -> None:
    from inverse_instruct.commands.user import user
    from inverse_instruct.loop.review import review_rows

    path = arguments.run_dir
    done = review_rows(path, arguments.leave_out or (), author=user(), reason=arguments.reason, number=arguments.round)
    print(f"round {done.round}: {done.left_out} of {done.rows} selected rows are left out")
    print(f"inverse-instruct run {path / 'run.yaml'} --run-dir {path}")


def _check(arguments: argparse.Namespace) -> None:
    from inverse_instruct.loop.check import check_file
    from inverse_instruct.loop.plan import print_plan

    print_plan(*check_file(arguments.config, arguments.overrides, arguments.run_dir))


def _study(arguments: argparse.Namespace) -> None:
    from inverse_instruct.commands.study import run_study

    run_study(arguments)


def _fetch_model(arguments: argparse.Namespace) -> None:
    from inverse_instruct.inference.models import fetch_model

    print(fetch_model(arguments.name))
