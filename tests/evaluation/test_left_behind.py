"""A program leaves nothing to the next one: no modes, attributes, signals or memory; nor to the machine."""

import os

import pytest

from evaluation import Sandbox, run_program
from evaluation.scripts import Script

WRITES = "def f(x):\n    with open('/tmp/out', 'w') as file: file.write('abc')\n    return open('/tmp/out').read()\n"
TAGS = "b''.join(struct.pack('<HHI', tag, 0, 0xffffffff) for tag in (1, 4, 32))"
CHANGES = {
    "read-only": "os.chmod('/tmp', 0o500)",
    "without search": "os.chmod('/tmp', 0o600)",
    "without anything": "os.chmod('/tmp', 0)",
    "an access list for new files": f"os.setxattr('/tmp', 'system.posix_acl_default', struct.pack('<I', 2) + {TAGS})",
    "an access list": f"os.setxattr('/tmp', 'system.posix_acl_access', struct.pack('<I', 2) + {TAGS})",
    "attributes": "[os.setxattr('/tmp', f'user.{n}', b'x' * 4000) for n in range(9999)]",
    "attributes by a descriptor": "[os.setxattr(os.open('/tmp', 0), f'user.{n}', b'x' * 4000) for n in range(9999)]",
}


@pytest.mark.parametrize("name", CHANGES)
def test_the_scratch_folder_is_as_before(sandbox: Sandbox, name: str) -> None:
    code = f"import os, struct\ndef f(x):\n    try: {CHANGES[name]}\n    except OSError: pass\n"
    run_program(sandbox, code, "f", [[1]])
    for _ in range(2):
        [outcome] = run_program(sandbox, WRITES, "f", [[1]])
        assert outcome.value == "abc", outcome


@pytest.mark.parametrize("device", ["/dev/null", "/dev/urandom"])
def test_no_device_is_changed_for_the_whole_machine(sandbox: Sandbox, device: str) -> None:
    before = os.stat(device)
    code = (
        "import os\ndef f(device, mode, owner, group):\n"
        "    os.write(os.open(device, os.O_RDWR), b'still there')\n    changed = 0\n"
        "    for change in (lambda: os.chmod(device, mode), lambda: os.chown(device, owner, group),\n"
        "                   lambda: os.utime(device), lambda: os.chmod(os.open(device, os.O_RDWR), mode)):\n"
        "        try: change()\n        except OSError: continue\n        changed += 1\n    return changed\n"
    )
    arguments = [device, before.st_mode & 0o7777, before.st_uid, before.st_gid]
    assert run_program(sandbox, code, "f", [arguments])[0].value == 0
    assert os.stat(device).st_mode == before.st_mode


SIGNALS = """
import fcntl, os, signal, struct
def f(way):
    reading, writing = os.pipe()
    ways = {
        "owner": lambda: fcntl.fcntl(reading, fcntl.F_SETOWN, os.getpid()),
        "owner of a kind": lambda: fcntl.fcntl(reading, 15, struct.pack('ii', 1, os.getpid())),
        "signal": lambda: fcntl.fcntl(reading, 10, signal.SIGKILL),
        "owner by ioctl": lambda: fcntl.ioctl(reading, 0x8901, struct.pack('i', os.getpid())),
        "group by ioctl": lambda: fcntl.ioctl(reading, 0x8902, struct.pack('i', os.getpid())),
        "something else": lambda: fcntl.fcntl(reading, fcntl.F_GETFL),
    }
    try: ways[way]()
    except PermissionError: return "refused"
    return "done"
"""


def test_the_kernel_signals_no_other_process_for_a_program(sandbox: Sandbox) -> None:
    ways = ["owner", "owner of a kind", "signal", "owner by ioctl", "group by ioctl", "something else"]
    outcomes = run_program(sandbox, SIGNALS, "f", [[way] for way in ways])
    assert [outcome.value for outcome in outcomes] == ["refused"] * 5 + ["done"]


SEARCH = """
import ctypes, os, re
libc, step = ctypes.CDLL(None), 1 << 12
libc.sbrk.restype = ctypes.c_void_p
needle = re.compile(b'mark_of_an_earlier[_]progra[m]')
def f(x):
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    pages = found = 0
    reach, top = 48 << 20, libc.sbrk(0)
    for low, high in [(top - reach, top), *((id(o) - reach, id(o) + reach) for o in ([], object(), 'x' * 500))]:
        for place in range(low // step * step, high, step):
            if libc.write(writing, ctypes.c_void_p(place), step) == step:
                pages += 1
                found += bool(needle.search(os.read(reading, step)))
    return [pages > 1000, found > 0]
"""


def test_no_earlier_program_is_in_the_memory_of_the_next(sandbox: Sandbox) -> None:
    earlier = "def f(x): return 'mark_of_an_' + x\n"
    for _ in range(6):
        run_program(sandbox, earlier + "# mark_of_an_earlier_program\n", "f", [["earlier_program"]])
        script = Script(earlier + "# mark_of_an_earlier_program\n", "assert f('') == 'mark_of_an_'", 4.0)
        assert [result.reason for _, result in sandbox.run_scripts([script], lambda script: script)] == [None]
    for _ in range(2):
        assert run_program(sandbox, SEARCH, "f", [[1]], 20.0)[0].value == [True, False]
        [(_, result)] = sandbox.run_scripts([0], lambda _: Script(SEARCH, "assert f(1) == [True, False]", 20.0))
        assert result.reason is None, result
    held = SEARCH + "held = ['mark_of_an_' + 'earlier_program' + str(n) for n in range(99)]\n"
    assert run_program(sandbox, held, "f", [[1]], 20.0)[0].value == [True, True]  # it does find what is there


def test_the_worker_outlives_what_it_serves(sandbox: Sandbox) -> None:
    before = [process._process.pid for process in sandbox._processes]
    for code in ("import os\ndef f(x): os._exit(1)", "raise SystemExit(3)", WRITES):
        run_program(sandbox, code, "f", [[1]])
    assert [process._process.pid for process in sandbox._processes] == before
