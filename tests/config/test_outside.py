"""The marks on the fields of a config: every text has one, and what is made of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest

from inverse_instruct.config.config_file import load_config, parse_config
from inverse_instruct.config.outside import change_outside, marks, outside_values
from inverse_instruct.config.section import Section
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.inference.models import FETCHABLE

SECTIONS: list[type[Section]] = [RunConfig, *Section.__subclasses__()]
FIELDS = [(section, name) for section in SECTIONS for name in section.model_fields]
EVERYTHING: dict[str, Any] = {
    "name": "x",
    "model": {"base": "b", "start": "s", "trust_remote_code": True},
    "corpus": [{"path": "c"}],
    "preprocess": {"benchmarks": ["p", "mini"]},
    "inference": {"endpoints": ["http://h:1"], "port": 5, "extra_arguments": ["--x"]},
    "summarize": {"template": "t"},
    "score": {"template": "u"},
    "train": {"deepspeed": "d", "hostfile": "h"},
    "evaluate": {"suites": [{"suite": "humaneval", "data": "e"}], "python": "y", "unsandboxed": True},
    "serve": {"api_keys": "k", "endpoints": ["http://h:2"], "mode": "in_place"},
}


def holds_text(annotation: Any) -> bool:
    if get_origin(annotation) is Literal:
        return False
    return annotation in (str, Path, bytes, Any, object) or any(map(holds_text, get_args(annotation)))


@pytest.mark.parametrize(("section", "name"), FIELDS, ids=lambda part: getattr(part, "__name__", part))
def test_every_text_has_one_mark(section: type[Section], name: str) -> None:
    field = section.model_fields[name]
    found = marks(field)
    assert len(found) == 1 if holds_text(field.annotation) else len(found) <= 1
    if field.annotation is bool and re.search(r"\b(code|sandbox)\b", field.description or ""):
        assert found and found[0].kind == "command"


def test_the_walk_is_over_all_sections() -> None:
    assert {section for section, _ in FIELDS} >= set(Section.__subclasses__()) and len(FIELDS) > 100
    assert len(outside_values(parse_config(EVERYTHING))) == 20


def test_what_names_something_outside() -> None:
    kinds: dict[str, set[str]] = {}
    for key, mark, _ in outside_values(parse_config(EVERYTHING)):
        kinds.setdefault(mark.kind, set()).add(key)
    assert kinds == {
        "file": {
            "model.base",
            "model.start",
            "corpus.0.path",
            "preprocess.benchmarks.0",
            "summarize.template",
            "score.template",
            "evaluate.suites.0.data",
        },
        "program": {"train.deepspeed", "train.hostfile", "evaluate.python"},
        "command": {
            "model.trust_remote_code",
            "inference.extra_arguments.0",
            "inference.reload_endpoints",
            "evaluate.unsandboxed",
        },
        "address": {"inference.endpoints.0", "serve.endpoints.0"},
        "listen": {"inference.port", "serve.host", "serve.port"},
        "keys": {"serve.api_keys"},
    }


def test_a_change_reaches_all_of_it_and_nothing_else() -> None:
    config = parse_config(EVERYTHING)
    assert change_outside(config, lambda key, mark, value: value) == config
    changed = change_outside(config, lambda key, mark, value: key if isinstance(value, str) else value)
    assert changed.evaluate.suites[0].data == "evaluate.suites.0.data"
    assert changed.preprocess.benchmarks == ["preprocess.benchmarks.0", "mini"]
    assert changed.name == "x" and changed.card == config.card and config.model.base == "b"


def test_paths_become_absolute_where_they_are_found_and_names_of_ours_stay(tmp_path: Path) -> None:
    for name in ("c", "k", "y", "d", "mini", "zero2", "smollm2-135m", "h:1"):
        (tmp_path / name).touch()
    path = tmp_path / "run.yaml"
    path.write_text(
        "name: x\nmodel: {base: smollm2-135m, start: s}\ncorpus: [{path: c}]\n"
        "preprocess: {benchmarks: [mini]}\nevaluate: {python: y}\nserve: {api_keys: k}\n"
    )
    config = load_config(path)
    assert (config.model.base, config.model.start, config.train.deepspeed) == ("smollm2-135m", "s", "zero2")
    assert config.preprocess.benchmarks == ["mini"] and config.corpus[0].path == str(tmp_path / "c")
    assert (config.evaluate.python, config.serve.api_keys) == (str(tmp_path / "y"), str(tmp_path / "k"))


def test_what_ships_with_the_program_is_known_by_name() -> None:
    assert marks(RunConfig.model_fields["model"].annotation.model_fields["base"])[0].ours == tuple(FETCHABLE)  # type: ignore[union-attr]
