"""Processes that a finished program left behind, as far as they can be seen from this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["GRACE_S", "descendants", "survivors"]

GRACE_S = 5.0


def survivors(mark: str, before: int) -> str:
    """What is left of a program after a time of grace; "" if nothing is.

    Args:
        mark: The name, of at most 15 bytes, that the program gave to its processes, or "" if it named none.
        before: Number of this process's descendants before the program ran.
    """
    end = time.monotonic() + GRACE_S
    while True:
        marked, now = _marked(mark) if mark else [], len(descendants())
        if not marked and now <= before:
            return ""
        if time.monotonic() > end:
            return f"{marked} by name, and {now} descendants of this process where {before} were before"
        time.sleep(0.05)


def descendants() -> set[int]:
    """Numbers of the processes below this one."""
    found: set[int] = set()
    parents = [os.getpid()]
    while parents:
        # lists of children, and not everybody's parent: 0.2 ms against 3.4 ms among 120 processes
        files = Path("/proc", str(parents.pop()), "task").glob("*/children")
        children = {int(word) for text in _texts(files) for word in text.split()} - found
        found |= children
        parents += children
    return found


def _marked(mark: str) -> list[str]:
    texts = _texts(Path("/proc").glob("[0-9]*/stat"))
    return [text.partition(" ")[0] for text in texts if f"({mark})" in text]


def _texts(files: Iterable[Path]) -> Iterator[str]:
    """The files' contents; those of processes that end meanwhile are left out."""
    for file in files:
        try:
            yield file.read_text(errors="replace")
        except OSError:
            continue
