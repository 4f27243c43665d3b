"""The kernel's interface below the standard library: system calls by number, through ctypes.

Runs inside the sandbox: standard library only.

Source: numbers of system calls from the kernel's `asm/unistd_64.h` and `asm-generic/unistd.h`.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import sys

__all__ = ["NUMBERS", "check", "libc", "machine", "number", "open_high", "pointer", "prctl", "quick"]

libc = ctypes.CDLL(None, use_errno=True)
pointer = ctypes.c_void_p
quick = ctypes.CDLL(None).syscall  # keeps no errno, which costs a fresh child some 7 page faults

NUMBERS = {
    "x86_64": {
        "seccomp": 317, "clone": 56, "clone3": 435, "kill": 62, "tkill": 200, "tgkill": 234, "prlimit64": 302,
        "socketpair": 53, "memfd_create": 319, "prctl": 157, "ioctl": 16, "rt_sigqueueinfo": 129,
        "pivot_root": 155, "capset": 126, "fcntl": 72, "fork": 57, "vfork": 58, "mmap": 9,
    },
    "aarch64": {
        "seccomp": 277, "clone": 220, "clone3": 435, "kill": 129, "tkill": 130, "tgkill": 131, "prlimit64": 261,
        "socketpair": 199, "memfd_create": 279, "prctl": 167, "ioctl": 29, "rt_sigqueueinfo": 138,
        "pivot_root": 41, "capset": 91, "fcntl": 25, "mmap": 222,
    },
}  # fmt: skip
"""System calls by machine and name; those that a machine does not have are missing."""


def number(name: str) -> int:
    """Number of a system call on this machine."""
    return NUMBERS[machine()][name]


def machine() -> str:
    """Name of this machine's instruction set.

    Raises:
        OSError: If its system calls are not known.
    """
    name = platform.machine()
    if name not in NUMBERS or sys.byteorder != "little" or sys.maxsize < 1 << 32:
        raise OSError(f"system call numbers are known for {sorted(NUMBERS)}, this machine is {name!r}")
    return name


def check(result: int, what: str) -> int:
    """The result of a call, unless it failed.

    Raises:
        OSError: If it is negative, with the error of the last call and what was attempted.
    """
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


def prctl(option: int, value: int, what: str) -> None:
    """Set one property of the calling process; raises OSError."""
    check(libc.prctl(option, ctypes.c_ulong(value), pointer(0), pointer(0), pointer(0)), what)


def open_high(path: str) -> int:
    """A descriptor to read a file with, out of the way of the low ones, which belong to the jobs.

    Raises:
        OSError: If the file cannot be opened.
    """
    low = os.open(path, os.O_RDONLY)
    try:
        return fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 13)
    finally:
        os.close(low)
