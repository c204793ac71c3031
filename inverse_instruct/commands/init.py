"""The command `init`: asks for a model, a corpus and a device, looks at them, writes a config, and checks it."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

from inverse_instruct.config.corpus_source import FieldNames
from inverse_instruct.errors import ConfigError, CorpusError
from inverse_instruct.loop.check import check_file
from inverse_instruct.loop.plan import print_plan
from inverse_instruct.loop.proposal import look_at_corpus, look_at_device, look_at_model, name_for, propose
from inverse_instruct.source_code.row_paths import is_pattern


def run_init(arguments: argparse.Namespace) -> None:
    """Write a config.

    Raises:
        ConfigError: something is not said and nobody can be asked, or the file is there already.
        InverseInstructError: the model or the corpus cannot be used.
    """
    path: Path = arguments.config
    if path.exists():
        raise ConfigError([f"{path} is there already; name another file"])
    corpus_path = arguments.corpus or _ask("corpus", "Which corpus? A file, a folder, or a data set on the HF hub")
    model_name = arguments.model or _ask("model", "Which model? A folder, smollm2-135m, or a name on the HF hub")
    device = look_at_device(arguments.device or "")
    model = look_at_model(model_name)
    corpus = look_at_corpus(corpus_path, _fields(arguments))
    found = f"{model.parameters / 1e6:,.0f}M parameters, {'a' if model.follows_instructions else 'no'} chat template"
    kind = "with instructions" if corpus.has_instructions else "of code without instructions"
    broken = f", {corpus.broken:,} that cannot be read" if corpus.broken else ""
    print(f"model:  {model.name}: {found}, {model.context} tokens of context")
    print(f"corpus: {corpus.path}: {corpus.rows:,} rows {kind}{broken}")
    print(f"device: {f'{device.gpus} GPUs' if device.gpus else f'CPU, {len(os.sched_getaffinity(0))} cores'}")
    seen = replace(corpus, path=_seen_from(path, corpus_path))
    path.parent.mkdir(parents=True, exist_ok=True)
    text = propose(arguments.name or name_for(corpus_path), model, seen, device)
    path.write_text(text, encoding="utf-8")
    print(f"wrote {path}\n")
    print_plan(*check_file(path, [], None))
    print(f"\nnext: inverse-instruct run {path} --preview 20")


def _seen_from(path: Path, corpus: str) -> str:
    """Return a corpus as it is seen from the folder of the config."""
    if Path(corpus).is_absolute() or not (Path(corpus).exists() or is_pattern(corpus)):
        return corpus
    return os.path.relpath(Path(corpus).resolve(), path.resolve().parent)


def _fields(arguments: argparse.Namespace) -> FieldNames | None:
    if not (arguments.instruction or arguments.response):
        return None
    if not (arguments.instruction and arguments.response):
        raise CorpusError("--instruction and --response go together; give the names of both fields")
    return FieldNames(instruction=arguments.instruction, response=arguments.response)


def _ask(option: str, question: str) -> str:
    if not sys.stdin.isatty():
        raise ConfigError([f"--{option} is not given, and there is no terminal to ask on"])
    answer = input(f"{question}: ").strip()
    if not answer:
        raise ConfigError([f"--{option} is not given"])
    return answer
