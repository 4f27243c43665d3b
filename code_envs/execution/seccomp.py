"""Which system calls a process may make: filters of classic BPF, handed to the kernel for good.

Runs inside the sandbox: standard library only.

Source: seccomp(2).
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import struct
from collections.abc import Iterable

from code_envs.execution.kernel import NUMBERS, check, libc, machine, number, pointer, prctl, quick

__all__ = ["CandidateFilter", "restrict_system_calls"]

# inclusive ranges of the allowed numbers: what CPython and glibc use, without sockets, exec, ptrace, mount, keys
_ALLOWED = {
    "x86_64": (
        "0-25 28 32-40 53 56 60-63 72-91 95-100 102 104 107 108 110 111 115 118 120 121 124 127-132 137 138 140 143 "
        "145-147 157 158 160 186 200-202 204 213 217-219 221 228-235 247 257 258 261-271 273 274 280 281 283-287 "
        "290-293 302 309 316-319 324 326 332 334 436 439"
    ),
    "aarch64": (
        "17 19-25 29 32 34-38 43-50 52 53 56 57 59 61-68 71-73 78-80 82 83 85-88 93-96 98-103 113-115 120 121 123-126 "
        "128-139 141 148 150 153 155 156 158 160 163-169 172-179 199 214-216 220 222 223 226 233 260 261 276-279 283 "
        "285 291 293 436 439"
    ),
}
# what compilers, node and Java need beside: fork, vfork, execve, links, owners of files, process groups, wait4, reading
# attributes; not priorities, schedulers or affinities, which an ordinary user may change of process 1 as well
_PROGRAMS = {"x86_64": "57-59 61 86 88 92-94 109 148 191-196 239", "aarch64": "8-13 36 37 54 55 79 154 221 236 260"}
# chmod, chown and utime act on files that Landlock does not guard
_METADATA = {"x86_64": (90, 91, 132, 235, 261, 268, 280), "aarch64": (52, 53, 88)}
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

_LOAD, _EQ, _GT, _GE, _SET, _RET = 0x20, 0x15, 0x25, 0x35, 0x45, 0x06
_ALLOW, _KILL, _EPERM, _ENOSYS = 0x7FFF0000, 0x80000000, 0x50001, 0x50026
_EAGAIN = 0x5000B  # what a limit of processes answers, so that a candidate sees the same with it and without
_NR, _ARCH = 0, 4
_CLONE_THREAD = 0x10000
_FORK = (signal.SIGCHLD, 0x1200000 | signal.SIGCHLD)
"""Flags of a plain fork, without and with the kernel noting the child's id, as glibc asks for: no namespaces."""
_MAP_SHARED, _MAP_ANONYMOUS = 1, 0x20

_Instruction = tuple[int, int, int, int]


def _argument(index: int) -> int:
    return 16 + 8 * index  # the low half of a 64-bit argument


def _pack(program: Iterable[_Instruction]) -> bytes:
    return b"".join(struct.pack("<HBBI", *each) for each in program)


class _Installed:
    """A filter in memory, ready to be handed to the kernel."""

    def __init__(self, program: list[_Instruction]) -> None:
        self.code = mmap.mmap(-1, 8 * len(program), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.code.write(_pack(program))
        address = ctypes.addressof(ctypes.c_char.from_buffer(self.code))
        self.header = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", len(program), address), 16)
        # plain ints would be cut to 32 bits
        self.arguments = (
            ctypes.c_long(number("seccomp")), pointer(1), pointer(0), pointer(ctypes.addressof(self.header)),
        )  # fmt: skip

    def install(self) -> None:
        if quick(*self.arguments) != 0:
            check(libc.syscall(*self.arguments), "seccomp")


def _prologue() -> list[_Instruction]:
    return [(_LOAD, 0, 0, _ARCH), (_EQ, 1, 0, _AUDIT_ARCH[machine()]), (_RET, 0, 0, _KILL), (_LOAD, 0, 0, _NR)]


def restrict_system_calls(guard_metadata: bool, programs: bool = False, alone: bool = False) -> None:
    """Allow the system calls that the runner and its candidates need; all others give EPERM.

    Args:
        guard_metadata: Also deny chmod, chown and utime, needed where no mount namespace hides the machine's files.
        programs: Allow those of compilers and virtual machines, too.
        alone: The caller is process 1 of a namespace where it runs one candidate at a time, and a limit keeps that one
            from starting processes: also deny what a second filter would (`CandidateFilter`), which it does without.

    Raises:
        OSError: If the kernel has no seccomp filters, or the machine is not known.
    """
    here = machine()
    numbers: set[int] = set()
    for word in f"{_ALLOWED[here]} {_PROGRAMS[here] if programs else ''}".split():
        first, _, last = word.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    if guard_metadata:
        numbers.difference_update(_METADATA[here])
    if alone:
        numbers.difference_update(NUMBERS[here][name] for name in _UNSHARED)
    program = _prologue()
    # glibc falls back from clone3 to clone, whose flags a filter can see
    program += [(_EQ, 0, 1, number("clone3")), (_RET, 0, 0, _ENOSYS)]
    if not programs:  # what the runner may be denied as well stands here: each line of a child's filter costs 3 us
        program += [*_narrowed(_PRCTL if alone else (1, *_PRCTL))]
        program += [(_EQ, 0, 1, number("rt_sigqueueinfo")), (_RET, 0, 0, _EPERM)]
        program += [*_sparing(), *_one_of("clone", 0, _FORK)] if alone else []
    for first_number, last_number in _ranges(sorted(numbers)):
        program += [(_GT, 3, 0, last_number), (_GE, 0, 1, first_number), (_RET, 0, 0, _ALLOW), (_RET, 0, 0, _EPERM)]
    program.append((_RET, 0, 0, _EPERM))
    prctl(38, 1, "prctl(PR_SET_NO_NEW_PRIVS)")
    _Installed(program).install()


def _ranges(numbers: list[int]) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for each in numbers:
        if ranges and ranges[-1][1] == each - 1:
            ranges[-1] = (ranges[-1][0], each)
        else:
            ranges.append((each, each))
    return ranges


_UNSHARED = ("memfd_create", "seccomp")
"""Memory that outlives its process, and filters that the kernel would have to keep."""
_PRCTL = (3, 15, 16, 39)
"""Reading, and the name of the thread."""


def _one_of(name: str, argument: int, allowed: tuple[int, ...]) -> list[_Instruction]:
    """Allow a system call for some values of one argument."""
    count = len(allowed)
    rule = [(_EQ, 0, count + 3, number(name)), (_LOAD, 0, 0, _argument(argument))]
    rule += [(_EQ, count - position, 0, value) for position, value in enumerate(allowed)]
    return [*rule, (_RET, 0, 0, _EPERM), (_RET, 0, 0, _ALLOW)]


def _unless(name: str, argument: int, denied: int) -> list[_Instruction]:
    """Allow a system call unless one argument has a value."""
    rule = [(_EQ, 0, 4, number(name)), (_LOAD, 0, 0, _argument(argument)), (_EQ, 0, 1, denied)]
    return [*rule, (_RET, 0, 0, _EPERM), (_RET, 0, 0, _ALLOW)]


def _narrowed(options: tuple[int, ...]) -> list[_Instruction]:
    """System calls that are allowed for some purposes only; `options` are those of prctl."""
    rules = _one_of("socketpair", 0, (1,))  # AF_UNIX, which asyncio uses
    rules += _one_of("prctl", 0, options)
    rules += _one_of("ioctl", 1, (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451))
    # owner and signal of a descriptor's SIGIO reach even process 1, as the kernel itself sends that signal
    return rules + _one_of("fcntl", 1, (0, 1, 2, 3, 5, 6, 7, 1030, 1031, 1032))


def _sparing() -> list[_Instruction]:
    """Signals and limits for every process but the first; all processes at once may only be killed.

    That spares the caller and process 1, so that a candidate, which is alone beside it, reaches nobody. Process groups
    are denied: that of the first process may reach out of its namespace.
    """
    target, sent = _argument(0), _argument(1)
    rules = [(_EQ, 0, 8, number("kill")), (_LOAD, 0, 0, target), (_EQ, 0, 2, 0xFFFFFFFF), (_LOAD, 0, 0, sent)]
    rules += [(_EQ, 3, 2, signal.SIGKILL), (_GE, 1, 0, 0x80000000), (_GE, 1, 0, 2), (_RET, 0, 0, _EPERM)]
    rules += [(_RET, 0, 0, _ALLOW)]
    rules += [(_EQ, 2, 0, number("tkill")), (_EQ, 1, 0, number("tgkill")), (_EQ, 0, 4, number("prlimit64"))]
    return [*rules, (_LOAD, 0, 0, target), (_EQ, 0, 1, 1), (_RET, 0, 0, _EPERM), (_RET, 0, 0, _ALLOW)]


class CandidateFilter:
    """The second filter, which the runner itself could not work under: no processes, no signals to others.

    Short, because the kernel compiles it for every child: its 25 instructions are 4 % of a small job. It is of no use
    without the first (`restrict_system_calls`), and a candidate that is alone with process 1 needs none. Built once,
    before the forks.

    Args:
        programs: For a process that is about to become a compiled program or a virtual machine: threads are allowed.
    """

    def __init__(self, programs: bool = False) -> None:
        names = [*_UNSHARED, *(("rt_sigqueueinfo", "fork", "vfork") if programs else ())]
        denied = [NUMBERS[machine()][name] for name in names if name in NUMBERS[machine()]]
        program: list[_Instruction] = [(_LOAD, 0, 0, _NR)]  # the first filter looks at the architecture
        # the pid of the caller stands in one place: a fresh child pays for each write with page faults
        own = len(program) + 7
        program += _own_process()
        program += _threads_only() if programs else [(_EQ, 0, 1, number("clone")), (_RET, 0, 0, _EAGAIN)]
        program += _narrowed(_PRCTL) if programs else _unless("prctl", 0, 1)
        program += [(_EQ, len(denied) - place, 0, each) for place, each in enumerate(denied)]
        program += [(_RET, 0, 0, _ALLOW), (_RET, 0, 0, _EPERM)]
        self._filter = _Installed(program)
        self._own = ctypes.c_uint32.from_buffer(self._filter.code, 8 * own + 4)

    def install(self) -> None:
        """Confine the calling process, for good."""
        self._own.value = os.getpid()
        self._filter.install()


def _own_process() -> list[_Instruction]:
    """Signals and limits for the calling process alone, whose pid is to be written into the eighth instruction."""
    return [
        (_EQ, 5, 0, number("kill")), (_EQ, 4, 0, number("tkill")), (_EQ, 3, 0, number("tgkill")),
        (_EQ, 0, 6, number("prlimit64")), (_LOAD, 0, 0, _argument(0)), (_EQ, 3, 0, 0),
        (_LOAD, 0, 0, _argument(0)), (_EQ, 1, 0, 0xFFFFFFFF), (_RET, 0, 0, _EPERM), (_RET, 0, 0, _ALLOW),
    ]  # fmt: skip


def _threads_only() -> list[_Instruction]:
    """Threads but no processes, and no memory that outlives its process."""
    rules = [(_EQ, 0, 4, number("clone")), (_LOAD, 0, 0, _argument(0)), (_SET, 1, 0, _CLONE_THREAD)]
    rules += [(_RET, 0, 0, _EPERM), (_RET, 0, 0, _ALLOW)]
    # shared memory without a file is counted by no limit that a virtual machine can live under
    rules += [(_EQ, 0, 5, number("mmap")), (_LOAD, 0, 0, _argument(3)), (_SET, 0, 2, _MAP_ANONYMOUS)]
    return [*rules, (_SET, 0, 1, _MAP_SHARED), (_RET, 0, 0, _EPERM), (_RET, 0, 0, _ALLOW)]
