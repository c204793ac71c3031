"""The reference of the config has every key, and is the one that the docs hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from inverse_instruct import cli
from inverse_instruct.config.reference import reference, schema
from inverse_instruct.config.sections import RunConfig

ROOT = Path(__file__).resolve().parents[2]


def keys(section: type[BaseModel], place: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        yield f"{place}{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from keys(field.annotation, f"{place}{name}.")


def test_every_key_is_in_it_once_with_its_meaning() -> None:
    lines = reference().splitlines()
    for key in keys(RunConfig):
        [line] = [line for line in lines if line.startswith((f"| `{key}` ", f"| `{key}`|"))]
        assert not line.endswith("|  |"), f"{key} has no doc line"
    assert any(line.startswith("| `corpus[].fields.instruction`") for line in lines), "lists of sections too"
    assert any(line.startswith("| `train.save_steps` ↻") for line in lines)
    assert not any(line.startswith("| `train.learning_rate` ↻") for line in lines)


def test_the_docs_hold_what_the_command_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["inverse-instruct", "config", "--reference"])
    cli.main()
    told = "run: inverse-instruct config --reference > docs/config.md"
    assert capsys.readouterr().out == (ROOT / "docs/config.md").read_text(), told


def test_the_schema_knows_the_shipped_configs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    monkeypatch.setattr("sys.argv", ["inverse-instruct", "config", "--schema"])
    cli.main()
    printed = json.loads(capsys.readouterr().out)
    assert printed == schema()
    for path in sorted((ROOT / "configs").glob("*.yaml")):
        jsonschema.validate(yaml.safe_load(path.read_text()), printed)
    with pytest.raises(jsonschema.ValidationError, match="promt_format"):
        wrong = {"name": "x", "model": {"base": "b", "promt_format": "chat"}}
        jsonschema.validate(wrong, printed)
