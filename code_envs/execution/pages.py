"""What a fork costs: the zygote's memory, laid out so that its page tables are small and quickly copied.

A fork copies an entry per page, and its end takes each back. Measured: 5.03 -> 4.66 ms per HumanEval job, the fastest
of 20 rounds. Nothing here changes what a candidate sees or may do. Runs inside the sandbox: standard library only.

Source: madvise(2), mallopt(3).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from typing import NamedTuple

from code_envs.execution.kernel import check, libc, open_high, pointer

__all__ = ["Listing", "join_pages", "own_code_pages"]

_HUGE = 2 << 20
_COLLAPSE = 25
_RARE = ("libcrypto", "liblzma", "libz", "libbz2", "libffi", "codedata")
"""Libraries that are preloaded and that hardly any candidate calls: those that do fault their pages in again."""


class _Mapping(NamedTuple):
    start: int
    end: int
    permissions: str
    path: str
    """"" for memory without a file."""


class Listing:
    """The caller's memory map, opened before Landlock hides `/proc`, and read as often as needed."""

    def __init__(self) -> None:
        self._file = open_high("/proc/self/maps")

    def __iter__(self) -> Iterator[_Mapping]:
        os.lseek(self._file, 0, os.SEEK_SET)
        text = b""
        while chunk := os.read(self._file, 1 << 16):
            text += chunk
        for line in text.decode().splitlines():
            span, permissions, _, _, inode, *path = line.split(maxsplit=5)
            start, end = (int(word, 16) for word in span.split("-"))
            yield _Mapping(start, end, permissions, path[0] if path and inode != "0" else "")

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._file)


def join_pages(listing: Listing) -> None:
    """Put the heap into huge pages wherever one fits; what cannot be joined stays as it is.

    A child that writes gets a small page of its own, as before. Not `MADV_HUGEPAGE`: a child's fresh memory would
    then be cleared by two mebibytes at a time.
    """
    for mapping in list(listing):
        if mapping.path or mapping.permissions != "rw-p":
            continue
        start = -(-mapping.start // _HUGE) * _HUGE
        for block in range(start, mapping.end - _HUGE + 1, _HUGE):
            libc.madvise(pointer(block), ctypes.c_size_t(_HUGE), _COLLAPSE)


def own_code_pages(listing: Listing) -> None:
    """Make forks inherit the page tables of program text instead of faulting it in again.

    The kernel skips a file mapping at fork unless the process once wrote to it, so one byte of each is written
    over itself. Measured: 450 -> 364 page faults and 15 % less CPU per job. A mapping that refuses stays as it is.
    """
    for start, end, permissions, path in list(listing):
        if not path or not permissions.startswith("r-") or permissions[3] != "p":
            continue
        if any(name in os.path.basename(path) for name in _RARE):
            continue
        size = ctypes.c_size_t(end - start)
        readable = 1 | (4 if permissions[2] == "x" else 0)
        if libc.mprotect(pointer(start), size, readable | 2) == 0:
            ctypes.memmove(start, ctypes.string_at(start, 1), 1)
            check(libc.mprotect(pointer(start), size, readable), "mprotect")
