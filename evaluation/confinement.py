"""What a process gives up before it runs generated code: resources, and system calls.

Runs inside the sandbox, in the process that is about to run the code, but for the scratch folder, which is mounted once
per sandbox. Nothing here can be taken back by the code.
The filter answers refused calls with EPERM (ENOSYS for `clone3`, so that libc falls back to the refused
`clone`), so code that copes with a refusal goes on.

Not guaranteed: anything on machines other than 64-bit x86 and ARM; `refuse_system_calls` does not go on there.
"""

import ctypes
import errno
import os
import resource
import struct
from collections.abc import Sequence
from typing import Literal

_OPEN_FILES = 64
_STACK_BYTES = 1 << 27
"""Deep recursion through C code, such as a cached function's, needs more than the usual 8 MiB. The kernel leaves this
much room below the stack of any process."""
_MOST_FILES = 4096
_QUEUED_SIGNALS = 1024
"""Also of timers."""
_NO_SUID, _NO_DEVICES = 0x2, 0x4
_READ_ONLY_AGAIN = 0x1 | 0x20 | 0x1000
"""Of a mount that is there already."""
_PR_CAPBSET_DROP, _CAPABILITIES = 24, 64
_CAPABILITY_VERSION, _CAPABILITY_BYTES = 0x20080522, 24
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_LOAD_WORD, _RETURN = 0x20, 0x06
_JUMP_IF_EQUAL, _JUMP_IF_NOT_LESS, _JUMP_IF_SET = 0x15, 0x35, 0x45
_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER_OFFSET, _ARCHITECTURE_OFFSET = 0, 4
_FIRST_ARGUMENT_OFFSET, _SECOND_ARGUMENT_OFFSET, _FOURTH_ARGUMENT_OFFSET = 16, 24, 40
_X32_BIT = 0x40000000

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# System calls refused to generated code, as (name, number on x86_64, number on aarch64).
_REFUSED: tuple[tuple[str, int | None, int | None], ...] = (
    # starting processes, threads or programs
    ("clone", 56, 220),
    ("fork", 57, None),
    ("vfork", 58, None),
    ("execve", 59, 221),
    ("execveat", 322, 281),
    # reaching other processes
    ("kill", 62, 129),
    ("tkill", 200, 130),
    ("tgkill", 234, 131),
    ("rt_sigqueueinfo", 129, 138),
    ("rt_tgsigqueueinfo", 297, 240),
    ("pidfd_open", 434, 434),
    ("pidfd_send_signal", 424, 424),
    ("pidfd_getfd", 438, 438),
    ("ptrace", 101, 117),
    ("process_vm_readv", 310, 270),
    ("process_vm_writev", 311, 271),
    ("setpriority", 141, 140),
    ("sched_setparam", 142, 118),
    ("sched_setscheduler", 144, 119),
    ("sched_setaffinity", 203, 122),
    ("sched_setattr", 314, 274),
    ("ioprio_set", 251, 30),
    # memory that no resource limit counts
    ("shmget", 29, 194),
    ("semget", 64, 190),
    ("msgget", 68, 186),
    ("mq_open", 240, 180),
    ("memfd_create", 319, 279),
    ("memfd_secret", 447, 447),
    ("inotify_init", 253, None),
    ("inotify_init1", 294, 26),
    ("fanotify_init", 300, 262),
    # the network, other namespaces, and wide kernel interfaces
    ("socket", 41, 198),
    ("unshare", 272, 97),
    ("setns", 308, 268),
    ("mount", 165, 40),
    ("umount2", 166, 39),
    ("pivot_root", 155, 41),
    ("chroot", 161, 51),
    ("bpf", 321, 280),
    ("perf_event_open", 298, 241),
    ("userfaultfd", 323, 282),
    ("io_uring_setup", 425, 425),
    ("add_key", 248, 217),
    ("request_key", 249, 218),
    ("keyctl", 250, 219),
    # attributes and access lists of files, which would outlive the files of a program on the folder that holds them
    ("setxattr", 188, 5),
    ("lsetxattr", 189, 6),
    ("fsetxattr", 190, 7),
    ("setxattrat", 463, 463),
)
# Refused where nothing can be written: the owner of a device changes it for the whole machine.
_REFUSED_CHANGES: tuple[tuple[str, int | None, int | None], ...] = (
    ("chmod", 90, None),
    ("fchmod", 91, 52),
    ("fchmodat", 268, 53),
    ("fchmodat2", 452, 452),
    ("chown", 92, None),
    ("fchown", 93, 55),
    ("lchown", 94, None),
    ("fchownat", 260, 54),
    ("utime", 132, None),
    ("utimes", 235, None),
    ("futimesat", 261, None),
    ("utimensat", 280, 88),
)
# Calls refused for some values of their second argument, as (name, numbers as above, values): those that let the kernel
# send another process signals whenever a file can be read.
_REFUSED_FOR: tuple[tuple[str, int, int, tuple[int, ...]], ...] = (
    ("fcntl", 72, 25, (8, 10, 15)),  # F_SETOWN, F_SETSIG, F_SETOWN_EX
    ("ioctl", 16, 29, (0x8901, 0x8902)),  # FIOSETOWN, SIOCSPGRP
)
_CLONE3 = 435
_CLONE = {"x86_64": 56, "aarch64": 220}
_CLONE_THREAD = 0x00010000
_ALLOWED_WITH_THREADS = frozenset(("clone", "execve", "execveat", "kill", "tkill", "tgkill"))
"""Calls of programs that no Python process of ours starts: `clone` for threads only; the signals are those that
runtimes send their own threads, and reach nothing outside the process namespace."""
_PRLIMIT = {"x86_64": 302, "aarch64": 261}
_MMAP = {"x86_64": 9, "aarch64": 222}
_MAP_SHARED, _MAP_ANONYMOUS = 0x01, 0x20


class _FilterProgram(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def mount_scratch(scratch_bytes: int, devices: Sequence[str]) -> None:
    """Mount a scratch folder over the current one, limited in bytes and in files; give up all capabilities, for good.

    Empty files and links take memory of the kernel that no other limit counts, and time to be removed. A program that
    can write them by the million would spoil the next one's time. `devices` are those of this machine that are seen
    inside: they can still be written to, but their owner, such as root, cannot change their modes for all.

    Raises:
        OSError: the kernel cannot do it; no code must be run.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    folder = os.getcwd()
    options = f"size={scratch_bytes},nr_inodes={_MOST_FILES},mode=0700"
    if libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", _NO_SUID | _NO_DEVICES, options.encode("ascii")):
        raise OSError(ctypes.get_errno(), "no scratch folder could be mounted")
    for device in devices:
        if libc.mount(None, os.fsencode(device), None, _READ_ONLY_AGAIN | _NO_SUID, None):
            raise OSError(ctypes.get_errno(), f"{device} could not be mounted read-only")
    os.chdir(folder)
    for capability in range(_CAPABILITIES):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    header = struct.pack("=Ii", _CAPABILITY_VERSION, 0)
    if libc.capset(header, bytes(_CAPABILITY_BYTES)):
        raise OSError(ctypes.get_errno(), "the capabilities could not be given up")


def limit_resources(memory_bytes: int, file_bytes: int, cpu_seconds: int, threads: int) -> None:
    """Bind the calling process to the limits, for good; `threads` may run at once in the whole sandbox.

    Raises:
        OSError: the kernel cannot do it; the caller must not run the code.
    """
    limits = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_FSIZE: file_bytes,
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_NPROC: threads,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_SIGPENDING: _QUEUED_SIGNALS,
    }
    for kind, limit in limits.items():
        resource.setrlimit(kind, (limit, limit))
    _, hardest = resource.getrlimit(resource.RLIMIT_STACK)
    stack = _STACK_BYTES if hardest == resource.RLIM_INFINITY else min(hardest, _STACK_BYTES)
    resource.setrlimit(resource.RLIMIT_STACK, (stack, stack))


def refuse_system_calls() -> None:
    """Refuse the calling process the calls above, for good; it may start threads, but no processes.

    Raises:
        OSError: the kernel or the machine cannot do it; the caller must not run the code.
    """
    code = _filter_code(os.uname().machine, frozenset(("clone",)))
    program = _FilterProgram(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0
    ):
        raise OSError(ctypes.get_errno(), "the kernel refused the system call filter")


def filter_code(machine: str, *, threads: bool = False) -> bytes:
    """Return the filter of system calls in the kernel's classic BPF.

    With `threads` it suits a program that is started under it: one more program may take the process's place, and
    threads may be started, but no processes. Shared memory without a file is refused then, because no process is
    charged for what it holds but does not show, and so is changing the modes, owners and times of files.

    Raises:
        OSError: there is none for this kind of machine.
    """
    return _filter_code(machine, _ALLOWED_WITH_THREADS if threads else frozenset())


def _filter_code(machine: str, allowed: frozenset[str]) -> bytes:
    """Return one comparison and one answer per refused call."""
    if machine not in _ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"no system call filter for {machine} machines")
    column: Literal[1, 2] = 1 if machine == "x86_64" else 2
    steps = [
        (_LOAD_WORD, 0, 0, _ARCHITECTURE_OFFSET),
        (_JUMP_IF_EQUAL, 1, 0, _ARCHITECTURES[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD_WORD, 0, 0, _NUMBER_OFFSET),
        (_JUMP_IF_NOT_LESS, 0, 1, _X32_BIT),
        (_RETURN, 0, 0, _KILL),
    ]
    for row in (*_REFUSED, *(_REFUSED_CHANGES if "execve" in allowed else ())):
        number = row[column]
        if isinstance(number, int) and row[0] not in allowed:
            steps += [(_JUMP_IF_EQUAL, 0, 1, number), (_RETURN, 0, 0, _FAIL | errno.EPERM)]
    for refused in _REFUSED_FOR:
        values = refused[3]
        steps += [(_JUMP_IF_EQUAL, 0, len(values) + 3, refused[column]), (_LOAD_WORD, 0, 0, _SECOND_ARGUMENT_OFFSET)]
        steps += [(_JUMP_IF_EQUAL, len(values) - number, 0, value) for number, value in enumerate(values)]
        steps += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _FAIL | errno.EPERM)]
    steps += [(_JUMP_IF_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _FAIL | errno.ENOSYS)]
    if "clone" in allowed:
        steps += [
            (_JUMP_IF_EQUAL, 0, 4, _CLONE[machine]),
            (_LOAD_WORD, 0, 0, _FIRST_ARGUMENT_OFFSET),
            (_JUMP_IF_SET, 1, 0, _CLONE_THREAD),
            (_RETURN, 0, 0, _FAIL | errno.EPERM),
            (_RETURN, 0, 0, _ALLOW),
        ]
    if "execve" in allowed:
        steps += [
            (_JUMP_IF_EQUAL, 0, 5, _MMAP[machine]),
            (_LOAD_WORD, 0, 0, _FOURTH_ARGUMENT_OFFSET),
            (_JUMP_IF_SET, 0, 2, _MAP_SHARED),
            (_JUMP_IF_SET, 0, 1, _MAP_ANONYMOUS),
            (_RETURN, 0, 0, _FAIL | errno.EPERM),
            (_RETURN, 0, 0, _ALLOW),
        ]
    # Resource limits may be read and lowered for oneself (process id 0), never for another process.
    steps += [
        (_JUMP_IF_EQUAL, 0, 3, _PRLIMIT[machine]),
        (_LOAD_WORD, 0, 0, _FIRST_ARGUMENT_OFFSET),
        (_JUMP_IF_EQUAL, 1, 0, 0),
        (_RETURN, 0, 0, _FAIL | errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
