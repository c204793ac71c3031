"""A made-up machine of eight GPUs: eight engines, each snippet's requests at one of them, a dead one replaced.

`nvidia-smi` and the engines are stand-ins; an engine's reply is a function of the request alone, as those of vLLM are.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from inverse_instruct.commands.serve import left_for_runs
from inverse_instruct.config.sections import InferenceSection, RunConfig, ServeSection
from inverse_instruct.errors import ConfigError, ServerError
from inverse_instruct.gateway.deployment import Deployer
from inverse_instruct.gateway.memory import check_memory
from inverse_instruct.inference import fleet as fleet_module
from inverse_instruct.inference import watch as watch_module
from inverse_instruct.inference.client import InferenceClient
from inverse_instruct.inference.fleet import describe, device_groups, groups_for
from inverse_instruct.inference.requirements import machine_problems
from inverse_instruct.inference.server import VllmServer
from inverse_instruct.loop.engines import Engines
from inverse_instruct.loop_service.allowed import Allowed
from inverse_instruct.loop_service.run_queue import RunQueue
from inverse_instruct.loop_service.runner import RunPlayer
from inverse_instruct.records import Snippet, digest
from inverse_instruct.stages.questions import Asked
from inverse_instruct.stages.summarize import SUMMARIZE
from inverse_instruct.store.ledger_rows import Checkpoint
from inverse_instruct.store.rows import read_rows
from inverse_instruct.store.run_dir import RunDir
from tests.playing import play_asking, room_of
from tests.stages.spelled import SpellingFormatter

SMI = """#!/bin/sh
for number in 0 1 2 3 4 5 6 7; do
  case "$1" in
    -L) echo "GPU $number: NVIDIA H100 80GB HBM3 (UUID: GPU-6a0d-$number)";;
    *) echo "$number, GPU-6a0d-$number, $FREE_MIB, 81559";;
  esac
done
"""
ENGINE = """
import hashlib, http.server, json, os, pathlib, re, sys
name, port, folder, host = sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3]), sys.argv[4]
key, here = os.environ.get("VLLM_API_KEY"), host.replace("127.0.0.1", "").replace("127.0.0.", "on-")
device, asked = os.environ["CUDA_VISIBLE_DEVICES"], 0
def note(file, text):
    with (folder / file).open("a") as stream:
        stream.write(f"{here}{device} {text}\\n")
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
    def do_POST(self):
        global asked
        asked += 1
        if key and self.headers["Authorization"] != f"Bearer {key}":
            self.send_error(401)
            return
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        dies = folder / f"dies-{here}{device}"
        if asked == 5 and dies.exists():
            dies.unlink()
            os._exit(1)
        prompt = "".join(map(chr, body["prompt"]))
        note("asked", re.search(r"def (\\w+)", prompt)[1])
        number = hashlib.sha256(f"{prompt} {body['seed']}".encode()).hexdigest()[:6]
        text = f" program number {number} that adds the given numbers and returns them."
        reply = {"model": name, "choices": [{"index": 0, "text": text, "finish_reason": "stop"}]}
        content = json.dumps(reply | {"usage": {"prompt_tokens": 1, "completion_tokens": 9}}).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(content))); self.end_headers()
        self.wfile.write(content)
    def log_message(self, *arguments): pass
server = http.server.ThreadingHTTPServer((host, port), Handler)
note("started", port)
server.serve_forever()
"""
SNIPPETS = [
    Snippet(
        digest(number), f"def add_{number}(numbers):\n    return sum(numbers) + {number}", "python", "", "r", "f", 1
    )
    for number in range(48)
]


class StandIn(VllmServer):
    def _command(self, port: int) -> list[str]:
        return [sys.executable, "-c", ENGINE, self.name, str(port), str(self._log.parent), self._host]


@pytest.fixture(autouse=True)
def eight_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    smi = tmp_path / "bin" / "nvidia-smi"
    smi.parent.mkdir()
    smi.write_text(SMI)
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", str(smi.parent), prepend=":")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "2.13.0" if name == "torch" else real(name))
    monkeypatch.setattr(fleet_module, "VllmServer", StandIn)
    monkeypatch.setattr(watch_module, "BEAT_SECONDS", 0.1)
    yield


def summarize(smollm: Path, folder: Path, **inference: object) -> tuple[list[tuple[str, ...]], dict[str, list[str]]]:
    """Return the rows, and for each device the functions that it was asked about."""
    config = RunConfig(name="x", model={"base": "b"}, corpus=[{"path": "c"}], inference=inference)
    engines = Engines(config, folder, None, lambda event: None)
    (folder / "asked").touch()

    async def work(client: InferenceClient) -> None:
        asked = Asked(client, SpellingFormatter(), "digest-of-the-model", 4000)
        await play_asking(room_of(SUMMARIZE, folder / "rows", {"snippets": SNIPPETS}, asked=asked))

    try:
        engines.ask(smollm, work)
    finally:
        engines.stop()
    rows = [tuple(map(str, row.values())) for row in read_rows(folder / "rows/candidates.parquet")]
    told: dict[str, list[str]] = {}
    for line in (folder / "asked").read_text().splitlines():
        device, function = line.split()
        told.setdefault(device, []).append(function)
    return rows, told


def starts(folder: Path) -> Counter[str]:
    return Counter(line.split()[0] for line in (folder / "started").read_text().splitlines())


def test_all_gpus_are_used_and_a_snippet_is_at_home_on_one(smollm: Path, tmp_path: Path) -> None:
    assert describe(InferenceSection()) == "8 × NVIDIA H100 80GB HBM3: 8 engines of 1 GPU"
    (tmp_path / "eight").mkdir()
    (tmp_path / "one").mkdir()
    rows, told = summarize(smollm, tmp_path / "eight", concurrency=4)
    one, told_alone = summarize(smollm, tmp_path / "one", concurrency=4, data_parallel_size=1)
    assert rows == one and len(rows) == 10 * len(SNIPPETS)
    assert set(told) == set("01234567") and set(told_alone) == {"0"}
    homes = Counter(function for functions in told.values() for function in set(functions))
    assert set(homes.values()) == {1}, "the cached prefix of a snippet is with one engine"
    assert all(len(set(functions)) >= 2 for functions in told.values()), "none is left idle"


def test_a_dead_engine_is_replaced_and_its_rows_are_the_same(smollm: Path, tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "hurt").mkdir()
    whole, _ = summarize(smollm, tmp_path / "whole", concurrency=4)
    for device in "36":
        (tmp_path / "hurt" / f"dies-{device}").touch()
    hurt, told = summarize(smollm, tmp_path / "hurt", concurrency=4)
    assert hurt == whole
    assert starts(tmp_path / "hurt") == dict.fromkeys("012457", 1) | {"3": 2, "6": 2}
    assert set(told) == set("01234567")


NODES = {"hosts": ["127.0.0.2", "127.0.0.3"], "start": "env -i NODE={host} PATH=/usr/bin:/bin {command}"}


def test_engines_on_other_machines_give_the_same_rows(smollm: Path, tmp_path: Path) -> None:
    """Two more `nodes` on loopback addresses, whose processes have nothing of this one's environment."""
    for name in ("one", "three"):
        (tmp_path / name).mkdir()
    (tmp_path / "three" / "dies-on-30").touch()
    one, _ = summarize(smollm, tmp_path / "one", concurrency=4, data_parallel_size=1)
    rows, told = summarize(smollm, tmp_path / "three", concurrency=2, data_parallel_size=2, **NODES)
    assert rows == one
    assert set(told) == {"0", "1", "on-20", "on-21", "on-30", "on-31"}
    assert starts(tmp_path / "three") == dict.fromkeys(set(told), 1) | {"on-30": 2}, "a dead one is replaced there"
    assert describe(InferenceSection(data_parallel_size=2, **NODES)).startswith(
        "8 × NVIDIA H100 80GB HBM3: 2 engines of 1 GPU here, and as many on each of 127.0.0.2, 127.0.0.3"
    )


def test_what_is_secret_is_in_no_list_of_processes(smollm: Path, tmp_path: Path) -> None:
    words = RunConfig(name="x", model={"base": "b"}, corpus=[{"path": "c"}]).model
    section = InferenceSection(data_parallel_size=1, **NODES)
    servers = fleet_module.fleet(smollm, words, section, tmp_path / "vllm.log")
    try:
        for server in servers:
            server.start()
            assert server._process and server.key
            line = Path(f"/proc/{server._process.pid}/cmdline").read_bytes().decode()
            assert server.key not in line
    finally:
        for server in servers:
            server.stop()
    assert servers[0].key == servers[1].key == servers[2].key
    scripts = sorted(tmp_path.glob("*.sh"))
    assert [path.stat().st_mode & 0o777 for path in scripts] == [0o700, 0o700]
    assert str(servers[1].key) in scripts[0].read_text()
    assert [server.url.split(":")[1] for server in servers] == [
        "//127.0.0.1",
        "//127.0.0.2",
        "//127.0.0.3",
    ]


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"hosts": ["a"]}, "they need `start` with {host} and {command}"),
        ({"hosts": ["a"], "start": "ssh {host}"}, "they need `start`"),
        ({"hosts": ["a"], "start": "ssh a {command}"}, "they need `start`"),
        ({"hosts": ["a", "a"], "start": "ssh {host} {command}"}, "one is named twice"),
    ],
)
def test_hosts_that_cannot_be_reached_are_refused(section: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        InferenceSection(**section)


@pytest.mark.parametrize(
    ("section", "groups", "told"),
    [
        ({}, [[number] for number in "01234567"], "8 engines of 1 GPU"),
        ({"tensor_parallel_size": 2}, [["0", "1"], ["2", "3"], ["4", "5"], ["6", "7"]], "4 engines of 2 GPUs"),
        ({"data_parallel_size": 3}, [["0"], ["1"], ["2"]], "3 engines of 1 GPU; 5 of 8 GPUs are left idle"),
        (
            {"tensor_parallel_size": 3},
            [["0", "1", "2"], ["3", "4", "5"]],
            "2 engines of 3 GPUs; 2 of 8 GPUs are left idle",
        ),
    ],
)
def test_what_is_asked_and_what_is_left_idle_is_said(
    section: dict[str, int], groups: list[list[str]], told: str
) -> None:
    assert device_groups(InferenceSection(**section)) == groups
    assert describe(InferenceSection(**section)).endswith(f": {told}")
    assert not list(machine_problems(InferenceSection(**section)))


def test_replicas_are_on_gpus_of_their_own_and_only_these_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert groups_for(InferenceSection(tensor_parallel_size=2), 3) == [["0", "1"], ["2", "3"], ["4", "5"]]
    assert groups_for(InferenceSection(data_parallel_size=2), 3) == [["0"], ["1"], ["0"]]
    monkeypatch.setenv("FREE_MIB", "75000")
    check_memory(tmp_path, InferenceSection(), [["0"], ["1"]])
    with pytest.raises(ServerError, match=r"2 more engine\(s\) take 143.4 GiB of GPU 0 .* and 73.2 GiB are free"):
        check_memory(tmp_path, InferenceSection(), [["0"], ["0"]])
    monkeypatch.setenv("FREE_MIB", "[N/A]")
    check_memory(tmp_path, InferenceSection(), [["0"], ["0"]])


def test_the_gateway_has_gpus_of_its_own_and_leaves_the_others_to_runs(
    smollm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FREE_MIB", "75000")
    serve = {"devices": ["6", "7"], "replicas": 2, "gpu_memory_utilization": 0.5}
    config = RunConfig(name="x", model={"base": "b"}, corpus=[{"path": "c"}], serve=serve)
    deployer = Deployer(config, tmp_path)
    engines = deployer._new_engines(Checkpoint(0, str(smollm), "d", "", "promoted", "", {}), smollm)
    servers = [engine.server for engine in engines]
    assert [server._more_environment["CUDA_VISIBLE_DEVICES"] for server in servers if server] == ["6", "7"]
    assert {server._section.gpu_memory_utilization for server in servers if server} == {0.5}
    assert config.inference.gpu_memory_utilization == 0.9
    assert device_groups(config.inference) == [[number] for number in "01234567"]
    assert left_for_runs(config.serve) == list("012345")
    assert left_for_runs(ServeSection()) is None
    with pytest.raises(ConfigError, match="serve.devices: 9 cannot be used here; GPUs of this machine: 0, 1, 2"):
        left_for_runs(config.serve.model_copy(update={"devices": ["0", "9"]}))


def test_runs_behind_the_gateway_see_what_it_leaves(tmp_path: Path) -> None:
    for devices, seen in ((["0", "3"], "0,3"), (None, None)):
        queue = RunQueue(tmp_path / "queue.json")
        queue.want("run", submitted=False)
        player = RunPlayer(tmp_path, queue, Allowed(), devices=devices)
        assert player._environment(RunDir(tmp_path / "run"), "run").get("CUDA_VISIBLE_DEVICES") == seen


def test_a_model_that_the_endpoints_do_not_serve_is_served_here_and_said(smollm: Path, tmp_path: Path) -> None:
    inference = InferenceSection(endpoints=["http://127.0.0.1:9"], data_parallel_size=2)
    config = RunConfig(name="x", model={"base": "b"}, corpus=[{"path": "c"}], inference=inference)
    told: list[str] = []
    engines = Engines(config, tmp_path, tmp_path / "start", told.append)
    try:
        engines.prepare(tmp_path / "start")
        assert not told
        engines.prepare(smollm)
    finally:
        engines.stop()
    assert told == [
        f"{smollm} is not what inference.endpoints serve, so it is served here: 8 × NVIDIA H100 80GB HBM3: 2 engines "
        "of 1 GPU; 6 of 8 GPUs are left idle"
    ]


def test_only_visible_gpus_are_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    assert describe(InferenceSection()) == "2 × NVIDIA H100 80GB HBM3: 2 engines of 1 GPU"
    assert device_groups(InferenceSection()) == [["2"], ["5"]]


def test_a_fleet_of_which_one_has_died_is_started_anew(smollm: Path, tmp_path: Path) -> None:
    config = RunConfig(
        name="x",
        model={"base": "b"},
        corpus=[{"path": "c"}],
        inference=InferenceSection(data_parallel_size=2),
    )
    engines = Engines(config, tmp_path, None, lambda event: None)
    try:
        first = engines.start(smollm)
        assert engines.start(smollm) is first
        first[1].stop()
        second = engines.start(smollm)
        assert second is not first and all(server.alive for server in second) and not first[0].alive
    finally:
        engines.stop()


def test_more_than_there_is_is_refused() -> None:
    [problem] = machine_problems(InferenceSection(tensor_parallel_size=4, data_parallel_size=3))
    assert "takes 12 GPUs, but 8 are here" in problem


def test_ports_follow_each_other_where_one_is_named(smollm: Path, tmp_path: Path) -> None:
    words = RunConfig(name="x", model={"base": "b"}, corpus=[{"path": "c"}]).model
    servers = fleet_module.fleet(smollm, words, InferenceSection(port=7000, data_parallel_size=2), tmp_path / "a.log")
    assert [server._section.port for server in servers] == [7000, 7001]
    assert [server._log.name for server in servers] == ["a.log", "a-1.log"]


def test_an_engine_that_does_not_come_back_is_left_out(smollm: Path, tmp_path: Path) -> None:
    (tmp_path / "dies-5").touch()
    rows, told = summarize(smollm, tmp_path, concurrency=4, max_restarts=0)
    assert len(rows) == 10 * len(SNIPPETS)
    assert starts(tmp_path) == dict.fromkeys("01234567", 1)


def test_the_last_engine_that_does_not_come_back_ends_the_work(smollm: Path, tmp_path: Path) -> None:
    (tmp_path / "dies-0").touch()
    with pytest.raises(ServerError, match="died 1 times"):
        summarize(smollm, tmp_path, concurrency=4, max_restarts=0, data_parallel_size=1)
