"""What a stage refuses in its first minute, `check` says: the same words, and all of them at once."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from inverse_instruct.commands.serve import serve
from inverse_instruct.config.config_file import dump_config, load_config
from inverse_instruct.config.sections import RunConfig, TrainSection
from inverse_instruct.errors import InverseInstructError
from inverse_instruct.inference import model_files, models
from inverse_instruct.inference import requirements as engine
from inverse_instruct.inference.prompts import PromptTemplate
from inverse_instruct.inference.server import VllmServer
from inverse_instruct.loop.check import check_file
from inverse_instruct.loop.rounds import Loop
from inverse_instruct.loop.run import run
from inverse_instruct.stages.evaluate import Evaluation
from inverse_instruct.stages.train import PhaseRun
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.system import hub, machine
from inverse_instruct.training import requirements as training
from tests.loop.conftest import MODEL, TENSORS, problems_of
from tests.playing import preprocess, train_on

World = Callable[[Path, dict[str, Any]], None]
Stage = Callable[[RunConfig, Path], Any]


# -- how a world is broken -------------------------------------------------------------------------------------------


def write(name: str, content: Any) -> World:
    def breaks(folder: Path, _: dict[str, Any]) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            content
            if isinstance(content, bytes)
            else (content if isinstance(content, str) else json.dumps(content)).encode()
        )

    return breaks


def says(key: str, value: Any, *files: World) -> World:
    """Set a key of the config, and write files."""

    def breaks(folder: Path, world: dict[str, Any]) -> None:
        *parents, last = key.split(".")
        node: Any = world
        for parent in parents:
            node = node[int(parent)] if isinstance(node, list) else node.setdefault(parent, {})
        node[int(last) if isinstance(node, list) else last] = value
        for file in files:
            file(folder, world)

    return breaks


def model(**values: Any) -> World:
    return write("model/config.json", {name: value for name, value in (MODEL | values).items() if value is not None})


def halve(name: str) -> World:
    return lambda folder, _: os.truncate(folder / name, (folder / name).stat().st_size // 2)


def parquet_folder(folder: Path, world: dict[str, Any]) -> None:
    (folder / "rows").mkdir()
    pq.write_table(pa.Table.from_pylist([{"left": "1"}]), folder / "rows/part-0.parquet")
    world["corpus"] = [{"path": "rows"}]


def pipe(folder: Path, world: dict[str, Any]) -> None:
    os.mkfifo(folder / "pipe.jsonl")
    world["corpus"] = [{"path": "pipe.jsonl"}]


def index(*names: str) -> World:
    return write("model/model.safetensors.index.json", {"weight_map": dict(zip(TENSORS, names, strict=False))})


# -- what the stages and the gateway do with it ------------------------------------------------------------------------


def opens(config: RunConfig, folder: Path) -> None:
    run_dir = RunDir(folder / "served")
    run_dir.path.mkdir()
    run_dir.config.write_text(dump_config(config))
    serve(run_dir.path, [])


def reads_corpus(config: RunConfig, folder: Path) -> None:
    preprocess(config.corpus, config.preprocess, folder / "out")


def begins(config: RunConfig, folder: Path) -> None:
    with Ledger(folder / "ledger.db", create=True) as ledger:
        Loop(config, RunDir(folder / "begun"), ledger)


def serves(config: RunConfig, folder: Path) -> None:
    VllmServer(folder / "model", config.inference, max_model_len=64, log=folder / "log").start()


def trains(config: RunConfig, folder: Path) -> None:
    train_on(folder / "model", [PhaseRun("selected", [], 1, 1)], folder / "trained", train=config.train)


def evaluates(config: RunConfig, folder: Path) -> None:
    Evaluation(config.evaluate, config.summarize, folder / "out", seed=0)


def asks(config: RunConfig, _: Path) -> None:
    PromptTemplate("summarize", config.summarize.template)
    PromptTemplate("score", config.score.template)


def runs(config: RunConfig, folder: Path) -> None:
    run(config, folder / "run")


BROKEN: dict[str, tuple[World, str, Stage]] = {
    "a shard that is not there": (
        index("model.safetensors", "model-2.safetensors"),
        "lacks model-2.safetensors",
        begins,
    ),
    "a shard without its weights": (
        write("model/model.safetensors.index.json", {"weight_map": {"lm_head.weight": "model.safetensors"}}),
        "does not hold lm_head.weight",
        begins,
    ),
    "an index that names nothing": (write("model/model.safetensors.index.json", {}), "weight_map", begins),
    "half a file of weights": (halve("model/model.safetensors"), "model.safetensors cannot be read", begins),
    "no byte of weights": (write("model/model.safetensors", b""), "model.safetensors cannot be read", begins),
    "weights that are none": (write("model/model.safetensors", b"\xff" * 100), "cannot be read", begins),
    "pickled weights alone": (
        lambda folder, _: os.rename(folder / "model/model.safetensors", folder / "model/w.bin"),
        "lacks *.safetensors",
        begins,
    ),
    "a config that is no JSON": (write("model/config.json", "{"), "config.json is not JSON", begins),
    "a config that is no object": (write("model/config.json", []), "config.json holds no JSON object", begins),
    "no architecture": (model(architectures=None, model_type=None), "names no architecture", begins),
    "an unknown architecture": (
        model(architectures=["NovelForCausalLM"], model_type="novel"),
        "NovelForCausalLM",
        begins,
    ),
    "a model that writes nothing": (
        model(architectures=["BertForMaskedLM"], model_type="bert"),
        "no language model",
        begins,
    ),
    "code of its own": (
        model(architectures=["OwnForCausalLM"], model_type="own", auto_map={"AutoModelForCausalLM": "own.Own"}),
        "model.trust_remote_code",
        begins,
    ),
    "a short context": (
        model(max_position_embeddings=512),
        "model.max_model_len: 1024 tokens are more than the 512",
        begins,
    ),
    "a short context by another name": (
        model(max_position_embeddings=None, n_positions=256),
        "more than the 256",
        begins,
    ),
    "a cache too small": (
        model(num_hidden_layers=10_000, hidden_size=4096),
        "inference.cpu_kv_cache_gib: 2 GiB",
        begins,
    ),
    "too many sequences": (says("inference.max_num_seqs", 5000), "inference.max_num_seqs: 5000", begins),
    "a word of two tokens": (
        says("model.yes_token", "Affirmative indeed"),
        "model.yes_token: 'Affirmative indeed' is",
        begins,
    ),
    "a tokenizer that is none": (write("model/tokenizer.json", "{}"), "tokenizer", begins),
    "no chat template": (lambda folder, _: (folder / "model/chat_template.jinja").unlink(), "no chat template", begins),
    "tensor parallel": (says("inference.tensor_parallel_size", 4), "inference.tensor_parallel_size: 4 times", serves),
    "data parallel": (says("inference.data_parallel_size", 2), "data_parallel_size 2 takes 2 GPUs", serves),
    "layers that are not there": (
        says("train.lora", {"target_modules": ["c_attn"]}),
        "train.lora.target_modules",
        trains,
    ),
    "a hostfile that is not there": (says("train.hostfile", "hosts"), "train.hostfile: ", trains),
    "a bad line of a hostfile": (
        says("train.hostfile", "hosts", write("hosts", "# ours\nalpha slots=2\nbeta\n")),
        "hosts:3: is not of the form 'HOST slots=N'",
        trains,
    ),
    "a host twice": (
        says("train.hostfile", "hosts", write("hosts", "a slots=2\na slots=1\n")),
        "a is there twice",
        trains,
    ),
    "no host": (says("train.hostfile", "hosts", write("hosts", "\n")), "no line of the form", trains),
    "a DeepSpeed config that is not there": (says("train.deepspeed", "zero9"), "train.deepspeed: zero9", trains),
    "a DeepSpeed config that is no JSON": (
        says("train.deepspeed", "ds.json", write("ds.json", "{,}")),
        "is not JSON",
        trains,
    ),
    "an odd DeepSpeed config": (
        says("train.deepspeed", "ds.json", write("ds.json", {"zero_optimization": 2})),
        "no object with a stage",
        trains,
    ),
    "no such ZeRO stage": (
        says("train.deepspeed", "ds.json", write("ds.json", {"zero_optimization": {"stage": 7}})),
        "stage from 0 to 3",
        trains,
    ),
    "batches of another size": (
        says("train.deepspeed", "ds.json", write("ds.json", {"train_batch_size": 7})),
        "train_batch_size 7, but train.global_batch_size is 512",
        trains,
    ),
    "a table": (
        says("corpus.0.path", "rows.csv", write("rows.csv", "a,b\n1,2\n")),
        "cannot tell the layout from the fields a, b",
        reads_corpus,
    ),
    "a folder of Parquet of other columns": (parquet_folder, "cannot tell the layout", reads_corpus),
    "a spreadsheet": (
        says("corpus.0.path", "rows.xlsx", write("rows.xlsx", "a")),
        "is not a corpus file",
        reads_corpus,
    ),
    "a field that no row has": (
        says("corpus.0.fields", {"instruction": "asked", "response": "answered"}),
        "none of 1 rows gives a snippet (malformed 1)",
        reads_corpus,
    ),
    "an unknown layout": (write("corpus.jsonl", {"left": 1, "right": 2}), "cannot tell the layout", reads_corpus),
    "rows that are no JSON": (
        write("corpus.jsonl", "one\ntwo\n"),
        "none of 2 rows gives a snippet (malformed 2)",
        reads_corpus,
    ),
    "another layout than said": (
        says("corpus.0.format", "sharegpt"),
        "none of 1 rows gives a snippet (malformed 1)",
        reads_corpus,
    ),
    "a corpus of no bytes": (write("corpus.jsonl", b""), "holds no rows", reads_corpus),
    "a corpus that is not there": (says("corpus.0.path", "none.jsonl"), "none.jsonl does not exist", reads_corpus),
    "a damaged archive": (
        says("corpus.0.path", "c.jsonl.gz", write("c.jsonl.gz", b"\x1f\x8bnothing")),
        "is damaged",
        reads_corpus,
    ),
    "a damaged Parquet file": (
        says("corpus.0.path", "c.parquet", write("c.parquet", b"PAR1")),
        "Parquet",
        reads_corpus,
    ),
    "a broken array": (
        says("corpus.0.path", "c.json", write("c.json", "[{]")),
        "is not a valid JSON array",
        reads_corpus,
    ),
    "a pipe": (pipe, "is not a regular file", reads_corpus),
    "no code at all": (
        write("corpus.jsonl", {"instruction": "Hi.", "output": "Hello there."}),
        "none of 1 rows gives a snippet (no_code 1)",
        reads_corpus,
    ),
    "a folder in another format": (
        says("corpus.0", {"path": "model", "format": "alpaca"}),
        "rows gives a snippet (malformed",
        reads_corpus,
    ),
    "no benchmark": (says("preprocess.benchmarks", ["none.jsonl"]), "there is no such file", reads_corpus),
    "a benchmark that is none": (write("bench.jsonl", {"a": 1}), "holds no benchmark", reads_corpus),
    "no data of a suite": (says("evaluate.suites.0.data", "none.jsonl"), "none.jsonl", evaluates),
    "a suite that is on no hub": (says("evaluate.suites.0.suite", "humaneval_plus"), "no data is given", evaluates),
    "a suite of other rows": (says("evaluate.suites.0.data", "bench.jsonl"), "bench.jsonl:1", evaluates),
    "tasks that are not there": (says("evaluate.suites.0.tasks", "Mini/9999"), "Mini/9999", evaluates),
    "a template of chats that is none": (
        says("serve.chat_template", "t.jinja", write("t.jinja", "{{ messages")),
        "t.jinja, line 1: unexpected end of template",
        opens,
    ),
    "no template": (says("summarize.template", "none.jinja"), "summarize.template", asks),
    "a template that is none": (says("score.template", "t.jinja", write("t.jinja", "{{ code")), "score.template", asks),
    "a template with other values": (
        says("score.template", "t.jinja", write("t.jinja", "{{ snippet }}")),
        "it may use code, instruction, language, no, yes",
        asks,
    ),
    "a template that breaks": (
        says("summarize.template", "t.jinja", write("t.jinja", "{{ 1 / 0 }}{{ code }}")),
        "summarize.template: division by zero",
        asks,
    ),
    "a run in a file": (write("run", "I am a file"), "--run-dir: ", runs),
}


def test_nothing_is_wrong_with_the_world_before_it_is_broken(tmp_path: Path, world: dict[str, Any]) -> None:
    assert problems_of(tmp_path, world) == []
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", BROKEN)
def test_check_says_what_the_stage_will_say(tmp_path: Path, world: dict[str, Any], name: str) -> None:
    breaks, words, stage = BROKEN[name]
    breaks(tmp_path, world)
    found = problems_of(tmp_path, world)
    assert any(words in problem for problem in found), found
    with pytest.raises(InverseInstructError) as error:
        stage(load_config(tmp_path / "run.yaml"), tmp_path)
    assert words.removeprefix("--run-dir: ") in str(error.value)


def test_all_is_said_at_once(tmp_path: Path, world: dict[str, Any]) -> None:
    names = [
        "a shard that is not there",
        "tensor parallel",
        "an odd DeepSpeed config",
        "no benchmark",
        "a table",
        "a suite that is on no hub",
        "a template with other values",
        "a run in a file",
    ]
    for name in names:
        BROKEN[name][0](tmp_path, world)
    found = "\n".join(problems_of(tmp_path, world))
    assert [name for name in names if BROKEN[name][1] not in found] == []


@pytest.mark.slow
def test_the_well_known_architectures_are_those_of_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    kinds, architectures = models.known_architectures()
    assert set(model_files.WELL_KNOWN.values()) <= kinds and model_files.WELL_KNOWN.keys() <= architectures


def test_a_longer_context_by_scaling_is_one(tmp_path: Path, world: dict[str, Any]) -> None:
    for kind, fits in (("linear", True), ("yarn", False)):
        model(max_position_embeddings=512, rope_scaling={"rope_type": kind, "factor": 4.0})(tmp_path, world)
        assert (problems_of(tmp_path, world) == []) is fits


def test_gpus_are_counted(tmp_path: Path, world: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (engine, training, machine):
        monkeypatch.setattr(module, "gpu_count", lambda: 2)
    world |= {"inference": {"tensor_parallel_size": 2}, "train": {"processes": 2}}
    assert problems_of(tmp_path, world) == []
    model(num_attention_heads=3, num_key_value_heads=3)(tmp_path, world)
    world |= {"train": {"processes": 3}}
    found = "\n".join(problems_of(tmp_path, world))
    assert "does not divide the model's 3 attention heads" in found and "train.processes: 3 ranks" in found


@pytest.mark.parametrize(
    ("module", "name", "words"),
    [(engine, "vllm", "vLLM is not installed"), (training, "deepspeed", "DeepSpeed is not installed")],
)
def test_a_library_that_is_not_installed(module: Any, name: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda wanted: None)
    section = RunConfig(name="x", model={"base": "b"}, corpus=[{"path": "c"}])
    assert words in "".join(module.machine_problems(section.inference if name == "vllm" else section.train))


def test_several_hosts_need_pdsh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hosts").write_text("a slots=1\nb slots=1\n")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "pdsh" in "".join(training.machine_problems(TrainSection(hostfile=str(tmp_path / "hosts"))))


def test_a_port_that_is_taken(tmp_path: Path, world: dict[str, Any]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        world["inference"] = {"port": taken.getsockname()[1]}
        assert "is in use" in "".join(problems_of(tmp_path, world))
        with pytest.raises(InverseInstructError, match="is in use"):
            serves(load_config(tmp_path / "run.yaml"), tmp_path)


def test_a_run_that_is_under_way_or_another(tmp_path: Path, world: dict[str, Any]) -> None:
    with RunDir(tmp_path / "run").lock():
        assert "is in use by pid" in "".join(problems_of(tmp_path, world))
    assert problems_of(tmp_path, world) == []
    (tmp_path / "run/run.yaml").write_text(yaml.safe_dump(world | {"seed": 7}))
    assert "was started with another config (seed, " in "".join(problems_of(tmp_path, world))


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("corpus", [{"path": "someone/rows"}], "data set"),
        ("corpus", [{"path": "rows"}], "data set"),
        ("model", {"base": "someone/model", "start": "model"}, "model"),
        ("evaluate", {"suites": [{"suite": "humaneval", "max_new_tokens": 64}]}, "suite"),
    ],
)
def test_what_is_on_the_hub_alone_is_said_within_seconds(
    tmp_path: Path, world: dict[str, Any], monkeypatch: pytest.MonkeyPatch, key: str, value: Any, kind: str
) -> None:
    import huggingface_hub

    def repo_info(*_: Any, **options: Any) -> None:
        assert options["timeout"] == hub.SECONDS
        raise ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub.HfApi, "repo_info", repo_info)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    started = time.monotonic()
    found = problems_of(tmp_path, world | {key: value})
    assert any("not in the cache of the Hugging Face hub, which does not answer" in problem for problem in found), found
    config = load_config(tmp_path / "run.yaml")
    if kind != "model":
        with pytest.raises(InverseInstructError, match="which does not answer"):
            (reads_corpus if kind == "data set" else evaluates)(config, tmp_path)
    assert time.monotonic() - started < 30


def test_what_the_hub_or_the_cache_has_is_noted(
    tmp_path: Path, world: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    world["corpus"] = [{"path": "Some-One/the_Rows"}]
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(world))
    for answer in (lambda *_, **__: None, lambda *_, **__: (_ for _ in ()).throw(ConnectionError())):
        monkeypatch.setattr(huggingface_hub.HfApi, "repo_info", answer)
        _, plan = check_file(tmp_path / "run.yaml", [], tmp_path / "run")
        assert "the size of Some-One/the_Rows is not known" in "".join(plan.notes) and not plan.complete
        (tmp_path / "cache/datasets/Some-One___the_rows").mkdir(parents=True, exist_ok=True)
