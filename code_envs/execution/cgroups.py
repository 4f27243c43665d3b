"""Control groups around local workers: what all processes of a worker together may use.

Resource limits hold per process; a control group bounds the sum, files in memory included. It takes root or a
delegated hierarchy, of version 2 or 1; elsewhere the limits per process stand alone.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from pathlib import Path

__all__ = ["ControlGroup"]

_PREFIX = "code-envs"
_FILES = {2: ("memory.max", "pids.max"), 1: ("memory.limit_in_bytes", "pids.max")}
EMPTY_WITHIN_S = 1.0
_numbers = itertools.count()


class ControlGroup:
    """A group of its own for one worker.

    Args:
        memory_mib: What its processes may use together, MiB.
        processes: How many there may be.

    Raises:
        OSError: If this process may not make one.
    """

    def __init__(self, memory_mib: int, processes: int) -> None:
        self.memory_mib = 0
        version, parents = _parents()
        name = f"{_PREFIX}-{os.getpid()}-{next(_numbers)}"
        self._folders: list[Path] = []
        try:
            for parent in parents:
                _sweep(parent)
                folder = parent / name
                folder.mkdir()
                self._folders.append(folder)
            memory, pids = _FILES[version]
            self._memory = self._folders[0] / memory
            (self._folders[-1] / pids).write_text(str(processes))
            self.allow(memory_mib)
        except OSError:
            self.remove()
            raise

    def allow(self, memory_mib: int) -> None:
        """Let the processes use at least so much memory, MiB."""
        if memory_mib > self.memory_mib:
            self._memory.write_text(str(memory_mib << 20))
            self.memory_mib = memory_mib

    def add(self, pid: int) -> None:
        """Put a process in; those that it starts from now on are in as well."""
        for folder in self._folders:
            (folder / "cgroup.procs").write_text(str(pid))

    def remove(self) -> None:
        """Remove the group, once its processes have ended; the next one made on this machine tries again."""
        end = time.monotonic() + EMPTY_WITHIN_S
        for folder in self._folders:
            while not _removed(folder) and time.monotonic() < end:
                time.sleep(0.005)


def _removed(folder: Path) -> bool:
    with contextlib.suppress(OSError):  # busy: the kernel has not let go of its last process yet
        folder.rmdir()
    return not folder.exists()


def _sweep(parent: Path) -> None:
    """Remove the groups of clients that are dead."""
    for folder in parent.glob(f"{_PREFIX}-*"):
        if not os.path.exists(f"/proc/{folder.name.split('-')[2]}"):
            _removed(folder)


def _parents() -> tuple[int, list[Path]]:
    """Version of the hierarchy, and the folders in which groups for memory and for processes can be made.

    Raises:
        OSError: If there is none.
    """
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    own = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    places = {name: path for _, names, path in own for name in names.split(",")}
    first = [_first(mounts, places, controller) for controller in ("memory", "pids")]
    if all(first):
        return 1, list(dict.fromkeys(folder for folder in first if folder is not None))
    for _, mount, kind, *_ in mounts:
        if kind == "cgroup2" and "" in places:
            # groups with processes have no controllers below them, except the root: beside us, or below
            here = Path(mount + places[""])
            for folder in (here, here.parent):
                controllers = folder / "cgroup.subtree_control"
                if controllers.exists() and {"memory", "pids"} <= set(controllers.read_text().split()):
                    return 2, [folder]
    raise OSError("no hierarchy of control groups bounds memory and processes below this process")


def _first(mounts: list[list[str]], places: dict[str, str], controller: str) -> Path | None:
    """Where a controller of version 1 has this process."""
    for _, mount, kind, options, *_ in mounts:
        if kind == "cgroup" and controller in options.split(",") and controller in places:
            return Path(mount + places[controller])
    return None
