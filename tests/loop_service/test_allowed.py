"""What configs that others submit may name: what the person who starts the service has named, and nothing beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evaluation.suites import FAMILIES, SUITES
from inverse_instruct.config.config_file import load_config, parse_config
from inverse_instruct.config.sections import RunConfig, ServeSection
from inverse_instruct.errors import ConfigError
from inverse_instruct.loop_service.allowed import Allowed
from inverse_instruct.system.root import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that may be read, with links out of it; a secret lies beside it."""
    folder = tmp_path / "allowed"
    (folder / "deep").mkdir(parents=True)
    (folder / "corpus.jsonl").touch()
    (tmp_path / "secret").write_text("s")
    (tmp_path / "allowed-too").mkdir()
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "up").symlink_to(tmp_path)
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "inner").symlink_to(folder / "corpus.jsonl")
    return folder


def config(**sections: Any) -> RunConfig:
    return parse_config({"name": "x", "model": {"base": "smollm2-135m"}, "corpus": [{"path": "mine"}]} | sections)


def refused(allowed: Allowed, **sections: Any) -> list[str]:
    """Return the keys that are refused, beside the corpus that no test allows."""
    problems = allowed.examine(config(**sections))[1]
    assert all("--allow" in problem or "leave it out" in problem for problem in problems), "each has its remedy"
    return [problem.split(":")[0] for problem in problems if not problem.startswith("corpus.0.path: mine ")]


FILES: dict[str, Callable[[str], dict[str, Any]]] = {  # every field that names a file
    "corpus.0.path": lambda path: {"corpus": [{"path": path}]},
    "model.base": lambda path: {"model": {"base": path}},
    "model.start": lambda path: {"model": {"base": "smollm2-135m", "start": path}},
    "preprocess.benchmarks.1": lambda path: {"preprocess": {"benchmarks": ["mini", path]}},
    "summarize.template": lambda path: {"summarize": {"template": path}},
    "score.template": lambda path: {"score": {"template": path}},
    "evaluate.suites.0.data": lambda path: {"evaluate": {"suites": [{"data": path}]}},
}
OUTSIDE = [
    "{0}/../secret",
    "{0}/link",
    "{0}/up/secret",
    "{0}/up/allowed-too",
    "{0}/loop",
    "{0}/deep/../../secret",
    "{0}-too",
    "{0}/..",
    "{0}/nothing/../../secret",
    "{0}/*/../../secret",
    "{0}/link/*",
    "/etc/*",
    "*",
    "{0}/corpus.jsonl\0",
    "/",
    "/etc/passwd",
    "//etc/passwd",
    "/proc/self/environ",
    "/dev/zero",
    "~",
    "~/.ssh/id_rsa",
    "~root",
    "~nobody-here/x",
    "$HOME/x",
    "..",
    ".",
    "",
    "corpus.jsonl",
    "mini/../x",
    "owner/name",
    "https://example.org/x.jsonl",
    "file:///etc/passwd",
    "hf://x/y",
    "zero2",
]
INSIDE = [
    "{0}",
    "{0}/corpus.jsonl",
    "{0}/inner",
    "{0}/deep/../corpus.jsonl",
    "{0}/nothing",
    "{0}/deep/**/*.jsonl",
    "{0}/up/allowed/corpus.jsonl",
    "{0}/./deep//",
]


@pytest.mark.parametrize("key", FILES)
@pytest.mark.parametrize("path", OUTSIDE)
def test_files_outside_of_the_folders_are_refused(folder: Path, key: str, path: str) -> None:
    assert refused(Allowed.of([str(folder)]), **FILES[key](path.format(folder))) == [key]


@pytest.mark.parametrize("key", FILES)
@pytest.mark.parametrize("path", INSIDE)
def test_files_inside_are_taken_where_they_lie(folder: Path, key: str, path: str) -> None:
    found, problems = Allowed.of([str(folder)]).examine(config(**FILES[key](path.format(folder))))
    resolved = str(Path(path.format(folder)).resolve())
    assert not [problem for problem in problems if "corpus.0.path: mine" not in problem]
    assert resolved in str(found.model_dump()), "a link that is changed later leads nowhere"


def test_a_link_that_is_changed_after_it_was_taken_leads_nowhere(folder: Path) -> None:
    allowed = Allowed.of([str(folder)])
    found, _ = allowed.examine(config(score={"template": f"{folder}/inner"}, corpus=[{"path": f"{folder}/deep"}]))
    (folder / "inner").unlink()
    (folder / "inner").symlink_to("/etc/passwd")
    assert found.score.template == str(folder / "corpus.jsonl")
    (folder / "deep").rmdir()
    (folder / "deep").symlink_to("/etc")
    with pytest.raises(ConfigError, match="corpus.0.path"):
        allowed.admit(found)


@pytest.mark.parametrize(
    "sections",
    [
        {"train": {"deepspeed": "{0}/corpus.jsonl"}},
        {"train": {"hostfile": "{0}/corpus.jsonl"}},
        {"evaluate": {"python": "/bin/sh"}},
        {"evaluate": {"python": "{0}/corpus.jsonl"}},
        {"evaluate": {"unsandboxed": True}},
        {"model": {"base": "smollm2-135m", "trust_remote_code": True}},
        {"inference": {"extra_arguments": ["--x"]}},
        {"train": {"deepspeed": "zero4"}},
        {"train": {"deepspeed": "./zero2"}},
    ],
)
def test_what_decides_what_is_run_is_refused_wherever_it_lies(folder: Path, sections: dict[str, Any]) -> None:
    filled = {
        name: {key: value.format(folder) if isinstance(value, str) else value for key, value in section.items()}
        for name, section in sections.items()
    }
    [key] = refused(Allowed.of([str(folder)]), **filled)
    assert key.startswith(next(iter(sections)))
    assert not refused(Allowed.of([], unsafe=True), **filled)


@pytest.mark.parametrize(
    "url",
    [
        "http://evil.example",
        "http://good:8001",
        "https://good:8000",
        "http://good:8000/other",
        "http://good.evil:8000",
        "http://169.254.169.254",
        "http://127.0.0.1:8000",
        "http://good:8000/v1/x",
        "http://good:8000/../x",
        "http://[::1]:8000",
    ],
)
def test_addresses_that_nobody_named_are_refused(url: str) -> None:
    allowed = Allowed.of(["http://good:8000/v1"])
    assert refused(allowed, inference={"endpoints": ["http://good:8000", url]}) == ["inference.endpoints.1"]
    assert not allowed.may_have_key(config(inference={"endpoints": ["http://good:8000", url]}))
    assert not refused(Allowed.of([], unsafe=True), inference={"endpoints": [url]})
    assert not Allowed.of([], unsafe=True).may_have_key(config(inference={"endpoints": [url]})), "they get no key"


@pytest.mark.parametrize(
    "url", ["http://good:8000", "http://good:8000/", "http://good:8000/v1", "HTTP://GOOD:8000/v1/"]
)
def test_addresses_that_were_named_are_taken_however_they_are_written(url: str) -> None:
    for allowed in (
        Allowed.of(["http://good:8000/v1"]),
        Allowed().with_own(config(inference={"endpoints": ["http://good:8000"]})),
    ):
        assert not refused(allowed, inference={"endpoints": [url]})
        assert allowed.may_have_key(config(inference={"endpoints": [url]}))
    assert not Allowed().may_have_key(config()), "a server of our own needs none"


def test_ports_to_listen_on_are_the_services_own() -> None:
    assert refused(Allowed.of([], unsafe=True), inference={"port": 22}) == ["inference.port"]
    assert not refused(Allowed(), inference={"port": 0})


def test_what_an_own_config_names_may_be_named_again(folder: Path) -> None:
    own = load_config(
        ROOT / "configs/quickstart.yaml",
        [
            f"train.hostfile={folder}/corpus.jsonl",
            f"evaluate.python={folder}/inner",
            f"score.template={folder}/link",
            "inference.endpoints=[http://h:1]",
            "inference.extra_arguments=[--x]",
            "model.trust_remote_code=true",
            f"evaluate.suites.0.data={folder}/deep",
            "preprocess.benchmarks=[owner/name]",
        ],
    )
    allowed = Allowed().with_own(own)
    again = own.model_copy(update={"seed": 7, "rounds": 9})
    found, problems = allowed.examine(again)
    assert [problem.split(":")[0] for problem in problems] == ["model.trust_remote_code", "inference.extra_arguments.0"]
    assert found == again, "as it is written there"
    assert not refused(allowed, summarize={"template": own.corpus[0].path}), "one file for another"
    assert not refused(allowed, evaluate={"suites": [{"data": f"{folder}/deep/x"}]})
    assert refused(allowed, train={"deepspeed": f"{folder}/corpus.jsonl"}) == ["train.deepspeed"], "but no program"
    assert refused(allowed, summarize={"template": f"{folder}/corpus.jsonl"}) == ["summarize.template"]


def test_names_of_the_hub(tmp_path: Path) -> None:
    allowed = Allowed.of(["owner/name"])
    assert not refused(allowed, model={"base": "owner/name"})
    assert refused(allowed, model={"base": "owner/name2"}) == ["model.base"]
    assert not refused(Allowed(), model={"base": "smollm2-135m"}, preprocess={"benchmarks": ["mini"]})


@pytest.mark.parametrize("benchmarks", [None, [], [*SUITES], [*FAMILIES], ["HumanEval", "MultiPL-E", "DS-1000"]])
def test_suites_may_be_kept_out_by_name(benchmarks: list[str] | None) -> None:
    assert not refused(Allowed(), preprocess={"benchmarks": benchmarks})
    assert refused(Allowed(), preprocess={"benchmarks": ["humaneval", "./humaneval", "HumanEval.jsonl"]}) == [
        "preprocess.benchmarks.1",
        "preprocess.benchmarks.2",
    ]


@pytest.mark.parametrize("place", ["/nowhere/at/all", "ftp://x", "http://me:word@h", "nothing", "http://h?key=1"])
def test_what_is_allowed_must_be_something(place: str) -> None:
    with pytest.raises(ConfigError, match="--allow"):
        Allowed.of([place])


def test_the_section_of_the_service_is_not_judged_here() -> None:
    assert Allowed().examine(config(serve={"api_keys": "/etc/keys"}))[0].serve == ServeSection(api_keys="/etc/keys")
