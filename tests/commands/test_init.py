"""From a model and a corpus to a config that `check` accepts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct import cli
from inverse_instruct.config.config_file import load_config
from inverse_instruct.loop.proposal import Device, FoundCorpus, FoundModel, look_at_device, name_for, propose
from inverse_instruct.system import machine

ROWS = [{"instruction": f"Add {n}.", "output": f"```python\ndef f(x):\n    return x + {n}\n```"} for n in range(20)]


def init(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Return the exit code and what was said."""
    monkeypatch.setattr("sys.argv", ["inverse-instruct", "init", *words])
    code = 0
    try:
        cli.main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    told = capsys.readouterr()
    return code, told.out + told.err


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with corpora."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (tmp_path / "odd.csv").write_text('q,a\n"Add two numbers.","def add(a, b):\n    return a + b"\n')
    (tmp_path / "code").mkdir()
    (tmp_path / "code/m.py").write_text("def double(x):\n    return 2 * x\n\n\ndef half(x):\n    return x / 2\n")
    return tmp_path


@pytest.mark.parametrize(
    ("corpus", "options", "phases"),
    [
        ("rows.jsonl", [], ["selected", "original"]),
        ("*ows.jsonl", [], ["selected", "original"]),
        ("odd.csv", ["--instruction", "q", "--response", "a"], ["selected", "original"]),
        ("code", [], ["selected"]),
    ],
)
def test_what_it_writes_is_accepted(
    folder: Path,
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    corpus: str,
    options: list[str],
    phases: list[str],
) -> None:
    words = ["configs/my.yaml", "--model", str(tiny_model), "--corpus", corpus, "--device", "cpu", *options]
    code, told = init(monkeypatch, capsys, *words)
    assert code == 0, told
    assert "wrote configs/my.yaml" in told and "next: inverse-instruct run configs/my.yaml --preview 20" in told
    config = load_config(Path("configs/my.yaml"))
    assert [phase.data for phase in config.train.phases] == phases
    assert Path(config.corpus[0].path).resolve() == folder / corpus, "as it is seen from the config's folder"
    assert config.model.start == str(tiny_model)
    code, told = init(monkeypatch, capsys, *words)
    assert code == 2 and "is there already" in told


def test_a_base_model_is_spoken_to_as_one(
    folder: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(tiny_model, folder / "base")
    for name in ("chat_template.jinja", "tokenizer_config.json"):
        path = folder / "base" / name
        if path.exists():
            settings = json.loads(path.read_text()) if name.endswith("json") else None
            path.unlink()
            if settings is not None:
                settings.pop("chat_template", None)
                path.write_text(json.dumps(settings))
    code, told = init(monkeypatch, capsys, "a.yaml", "--model", "base", "--corpus", "rows.jsonl", "--device", "cpu")
    assert code == 0 and "no chat template" in told, told
    config = load_config(Path("a.yaml"))
    assert config.model.prompt_format == "completion" and config.model.start is None
    code, told = init(monkeypatch, capsys, "b.yaml", "--model", "base", "--corpus", "code", "--device", "cpu")
    assert code == 0, told
    config = load_config(Path("b.yaml"))
    assert config.summarize.heading and config.model.start, "without instructions it writes from the beginning"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--corpus", "rows.jsonl"], "--model is not given, and there is no terminal to ask on"),
        (["--model", "MODEL"], "--corpus is not given"),
        (["--model", "MODEL", "--corpus", "odd.csv"], "cannot tell the layout from the fields a, q"),
        (["--model", "MODEL", "--corpus", "odd.csv", "--instruction", "q"], "--instruction and --response go together"),
        (["--model", "MODEL", "--corpus", "nowhere.jsonl"], "nowhere.jsonl"),
        (["--model", "nowhere/", "--corpus", "rows.jsonl"], "nowhere"),
        (["--model", "MODEL", "--corpus", "rows.jsonl", "--device", "gpu"], "there is no GPU"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_nothing_is_written(
    folder: Path,
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    told: str,
) -> None:
    code, said = init(monkeypatch, capsys, *(word.replace("MODEL", str(tiny_model)) for word in words))
    assert code in (1, 2) and told in said and "Traceback" not in said
    assert not (folder / "run.yaml").exists()


def test_a_person_is_asked(
    folder: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter(["rows.jsonl", str(tiny_model)])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda question: next(answers))
    code, told = init(monkeypatch, capsys, "--device", "cpu")
    assert code == 0 and (folder / "run.yaml").is_file(), told


MODEL = FoundModel("m", 6_700_000_000, 4096, "chat", ("Yes", "No"))
CORPUS = FoundCorpus("c.jsonl", None, 100_000, True, 0)


@pytest.mark.parametrize(
    ("device", "stage", "lora"),
    [
        (Device(8, 80 << 30), "zero2", False),
        (Device(1, 80 << 30), "zero2", True),
        (Device(2, 200 << 30), "zero2", False),
    ],
)
def test_gpus_get_what_fits_them(tmp_path: Path, device: Device, stage: str, lora: bool) -> None:
    (tmp_path / "run.yaml").write_text(propose("x", MODEL, CORPUS, device))
    config = load_config(tmp_path / "run.yaml")
    assert config.train.deepspeed == stage and (config.train.lora is not None) is lora
    assert config.train.global_batch_size == 512 and config.inference.dtype == "auto"


@pytest.mark.parametrize(
    "name", ["yes: no", "# x", "a'b\"c", "- x", "päth", "{a}", "a\nrounds: 7", "x: {y: z}", "*a", "!!python/x"]
)
def test_names_are_said_as_yaml_says_them(tmp_path: Path, name: str) -> None:
    model = FoundModel(name, 1, 64, "chat", ('"', "\\"))
    (tmp_path / "run.yaml").write_text(propose(name_for(name), model, CORPUS, Device(0)))
    config = load_config(tmp_path / "run.yaml")
    assert config.model.base == name and (config.model.yes_token, config.model.no_token) == ('"', "\\")


def test_the_device_is_what_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    from inverse_instruct.loop import proposal

    monkeypatch.setattr(proposal, "gpus", lambda: ["0", "1"])
    sizes = {"0": machine.GpuMemory(1, 80 << 30), "1": machine.GpuMemory(1, 40 << 30)}
    monkeypatch.setattr(proposal, "gpu_memory", lambda: sizes)
    assert look_at_device("") == Device(2, 40 << 30) and look_at_device("cpu") == Device(0)


def test_mini_is_counted(tmp_path: Path, tiny_model: Path) -> None:
    from inverse_instruct.loop.plan import make_plan

    given: dict[str, Any] = {"name": "x", "model": {"base": str(tiny_model)}, "corpus": [{"path": "c"}]}
    (tmp_path / "run.yaml").write_text(json.dumps(given))
    steps = {step.stage: step.rows for step in make_plan(load_config(tmp_path / "run.yaml")).steps}
    assert steps["evaluate"] == 32, "problems, as the suite has them"
