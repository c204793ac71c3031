"""An export that goes on to the hub, or to llama.cpp: what is sent, what is refused, and what stays here."""

from __future__ import annotations

import json
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from inverse_instruct.cli import parser_of
from inverse_instruct.commands.checkpoints import run_command
from inverse_instruct.errors import ConfigError, HubError, InverseInstructError, ModelError
from inverse_instruct.registry import gguf
from inverse_instruct.registry.export import export_checkpoint
from inverse_instruct.registry.gguf import find_converter, write_gguf
from tests.fake_hub import FakeHub, fake_hub

CONVERTER = """
import pathlib, sys
words = sys.argv[1:]
target, kind, folder = words[words.index("--outfile") + 1], words[words.index("--outtype") + 1], pathlib.Path(words[-1])
if kind == "q8_0":
    sys.exit("Model LlamaForCausalLM is not supported")
pathlib.Path(target).write_text(f"GGUF {kind} {sorted(path.name for path in folder.iterdir())}")
"""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[FakeHub]:
    with fake_hub(tmp_path) as hub:
        yield hub


@pytest.fixture
def llama_cpp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a stand-in for the converter."""
    folder = tmp_path / "llama.cpp"
    folder.mkdir()
    (folder / gguf.SCRIPT).write_text(CONVERTER)
    monkeypatch.setenv("LLAMA_CPP", str(folder))
    return folder


def export(run: Path, output: Path, *words: str) -> None:
    run_command(parser_of().parse_args(["checkpoints", "export", "2", str(run), "--output", str(output), *words]))


# -- the hub -----------------------------------------------------------------------------------------------------------


def test_model_and_rows_are_pushed_private(
    hub: FakeHub, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    export(finished, out, "--push-to-hub", "mine")
    assert capsys.readouterr().out.splitlines()[-2:] == [
        f"{hub.url}/somebody/mine",
        f"{hub.url}/datasets/somebody/mine-rows",
    ]
    assert set(hub.repositories) == {("model", "somebody/mine"), ("dataset", "somebody/mine-rows")}
    for kind, name, folder in (("model", "mine", out), ("dataset", "mine-rows", out / "dataset")):
        repository = hub.repositories[kind, f"somebody/{name}"]
        files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        assert repository == {"private": True, "files": files}


def test_public_is_said_by_a_person(hub: FakeHub, finished: Path, tmp_path: Path) -> None:
    export(finished, tmp_path / "out", "--push-to-hub", "team/mine", "--public")
    assert [repository["private"] for repository in hub.repositories.values()] == [False, False]
    with pytest.raises(ConfigError, match="--public: nothing is pushed"):
        export(finished, tmp_path / "other", "--public")


def test_what_the_hub_would_refuse_is_known_before_anything_is_written(
    hub: FakeHub, finished: Path, tmp_path: Path
) -> None:
    hub.add("dataset", "somebody/mine-rows", private=False)
    with pytest.raises(HubError, match="the dataset somebody/mine-rows is there and public"):
        export(finished, tmp_path / "out", "--push-to-hub", "mine")
    assert not (tmp_path / "out").exists() and len(hub.repositories) == 1


def test_an_export_that_could_not_be_pushed_stays(hub: FakeHub, finished: Path, tmp_path: Path) -> None:
    hub.refuses = {"/api/models/somebody/mine/commit/main"}
    with pytest.raises(
        HubError, match=r"refuses somebody/mine[\s\S]*the export is whole in .*`hf upload somebody/mine"
    ):
        export(finished, tmp_path / "out", "--push-to-hub", "mine")
    assert (tmp_path / "out/model.safetensors").is_file()


# -- llama.cpp ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("words", "kind"), [(["--gguf"], "auto"), (["--gguf", "f16"], "f16")])
def test_a_gguf_file_lies_beside_the_weights(
    finished: Path, tmp_path: Path, llama_cpp: Path, words: list[str], kind: str
) -> None:
    export(finished, tmp_path / "out", *words)
    [file] = (tmp_path / "out").glob("*.gguf")
    assert file.name == "example-round-02.gguf"
    assert file.read_text().startswith(f"GGUF {kind} [") and "'model.safetensors'" in file.read_text()


def test_the_command_knows_the_types() -> None:
    for kind in gguf.TYPES:
        words = ["checkpoints", "export", "2", "--output", "out", "--gguf", kind]
        assert parser_of().parse_args(words).gguf == kind


def test_the_converter_is_found_on_the_path_too(
    tmp_path: Path, llama_cpp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = llama_cpp / gguf.SCRIPT
    assert find_converter() == [sys.executable, str(script)]
    monkeypatch.delenv("LLAMA_CPP")
    monkeypatch.setenv("PATH", str(llama_cpp))
    with pytest.raises(ModelError, match="is not here; get the sources of llama.cpp"):
        find_converter()
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    assert find_converter() == [str(script)]
    monkeypatch.setenv("LLAMA_CPP", str(tmp_path))
    with pytest.raises(ModelError, match=f"LLAMA_CPP is {tmp_path}, which has no"):
        find_converter()


def test_a_converter_that_fails_leaves_nothing_and_says_why(finished: Path, tmp_path: Path, llama_cpp: Path) -> None:
    with pytest.raises(ModelError, match=r"ended with 1[\s\S]*LlamaForCausalLM is not supported"):
        export(finished, tmp_path / "out", "--gguf", "q8_0")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["llama.cpp"]


@pytest.mark.parametrize("name", ["modeling.py", "tokenizer_config.json", "config.json"])
def test_code_that_comes_with_a_model_is_not_run(tiny_model: Path, tmp_path: Path, llama_cpp: Path, name: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    path = folder / name
    settings = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps(settings | {"auto_map": {"AutoTokenizer": ["someone/else--code.T", None]}}))
    with pytest.raises(ModelError, match="brings Python code, which the converter would run"):
        write_gguf(find_converter(), folder, tmp_path / "out.gguf", "auto", trusted=False)
    assert not (tmp_path / "out.gguf").exists()
    write_gguf(find_converter(), folder, tmp_path / "out.gguf", "auto", trusted=True)
    assert (tmp_path / "out.gguf").exists()


@pytest.mark.integration
@pytest.mark.slow
def test_what_llama_cpp_writes_is_the_same_model(finished: Path, tmp_path: Path) -> None:
    try:
        find_converter()
    except InverseInstructError as error:
        pytest.skip(str(error))
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, _ = export_checkpoint(finished, "2", tmp_path / "out", "f32")
    [file] = folder.glob("*.gguf")
    tokenizers = [AutoTokenizer.from_pretrained(folder, **way) for way in ({}, {"gguf_file": file.name})]
    one, other = (tokenizer("def add(a, b):\n    return a + b\n").input_ids for tokenizer in tokenizers)
    assert one == other
    models = [
        AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **way)
        for way in ({}, {"gguf_file": file.name})
    ]
    with torch.no_grad():
        before, after = (model(torch.tensor([one])).logits for model in models)
    assert torch.allclose(before, after, atol=1e-4)
