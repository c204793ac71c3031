"""The environment of the scripts is made from where pip looks, and torch from PyTorch's index where pip lacks it."""

import functools
import hashlib
import http.server
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
UNREACHABLE = "http://127.0.0.1:9/simple"


def make_wheel(folder: Path, name: str, version: str) -> None:
    """Write a wheel of one empty module and an index page that links it."""
    wheel = folder / name / f"{name}-{version}-py3-none-any.whl"
    wheel.parent.mkdir(parents=True)
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{name}.py", f"VERSION = {version!r}\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (wheel.parent / "index.html").write_text(f'<a href="{wheel.name}#sha256={sha256}">{wheel.name}</a>\n')


@pytest.fixture(scope="module")
def indexes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of two indexes, `pypi` and `torch`, as they are in the world."""
    folder = tmp_path_factory.mktemp("indexes")
    make_wheel(folder / "pypi", "small", "1.0")
    make_wheel(folder / "pypi", "torch", "2.13.0")
    make_wheel(folder / "torch", "torch", "2.13.0+cpu")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the real script and a small lock."""
    (tmp_path / "launch").mkdir()
    shutil.copy(ROOT / "launch/environment.sh", tmp_path / "launch")
    (tmp_path / "launch/requirements-cpu.txt").write_text("small==1.0\ntorch==2.13.0+cpu\n")
    return tmp_path


def make_environment(project: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Source the script as on a machine whose pip has no configuration but `settings`."""
    script = 'source launch/environment.sh && python -c "import small, torch; print(torch.VERSION)"'
    path = f"{Path(sys.base_prefix, 'bin')}:{os.defpath}:{project}"
    (project / "bwrap").touch(mode=0o755)
    bare = {"HOME": str(project), "PATH": path, "PIP_CONFIG_FILE": os.devnull}
    return subprocess.run(
        ["bash", "-c", script], cwd=project, env=bare | settings, capture_output=True, text=True, timeout=120
    )


def test_torch_comes_from_pytorchs_index_where_pip_lacks_it(project: Path, indexes: str) -> None:
    ended = make_environment(project, PIP_INDEX_URL=f"{indexes}/pypi", INVERSE_INSTRUCT_TORCH_INDEX=f"{indexes}/torch")
    assert (ended.returncode, ended.stdout.splitlines()[-1:]) == (0, ["2.13.0+cpu"]), ended


def test_what_pip_is_configured_with_comes_first(project: Path, indexes: str) -> None:
    (project / "wheels").mkdir()
    make_wheel(project / "made", "torch", "2.13.0+cpu")
    shutil.copy(next((project / "made/torch").glob("*.whl")), project / "wheels")
    ended = make_environment(
        project,
        PIP_INDEX_URL=f"{indexes}/pypi",
        PIP_FIND_LINKS=str(project / "wheels"),
        INVERSE_INSTRUCT_TORCH_INDEX=UNREACHABLE,
    )
    assert (ended.returncode, ended.stdout.splitlines()[-1:]) == (0, ["2.13.0+cpu"]), ended


def test_where_neither_can_be_reached_the_message_says_so(project: Path, indexes: str) -> None:
    ended = make_environment(project, PIP_INDEX_URL=f"{indexes}/pypi", INVERSE_INSTRUCT_TORCH_INDEX=UNREACHABLE)
    assert ended.returncode == 1
    assert f"torch==2.13.0+cpu is neither where pip looks (pip config list) nor at {UNREACHABLE}" in ended.stderr
    assert "PIP_FIND_LINKS" in ended.stderr and "INVERSE_INSTRUCT_TORCH_INDEX" in ended.stderr
    assert not list(project.glob(".cache/inverse-instruct/*/complete"))


def test_the_commands_of_the_readme_name_what_is_there() -> None:
    text = (ROOT / "README.md").read_text()
    assert "-r launch/requirements-cpu.txt --extra-index-url https://download.pytorch.org/whl/cpu" in text
    assert "https://download.pytorch.org/whl/cpu" in (ROOT / "launch/environment.sh").read_text()
    assert "[gpu]" in text and "\ngpu =\n" in (ROOT / "setup.cfg").read_text() and "[cpu]" not in text
