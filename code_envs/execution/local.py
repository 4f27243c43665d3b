"""Sandbox workers on this machine: `LocalExecutor`.

A worker is a process, two pipes, and a memory file for what it says about its own failure.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
from typing import Any

from code_envs.errors import ConfigurationError, ExecutorError
from code_envs.execution.boot import BOOT, ENVIRONMENT
from code_envs.execution.cgroups import ControlGroup
from code_envs.execution.pipeline import PipelinedExecutor, Worker

__all__ = ["LocalExecutor"]

BESIDE_MIB, PROCESSES = 512, 64
"""What a worker may use beside its job's memory, MiB: files in memory, the runner; and how many processes."""
TOOLS_MIB, TOOLS_PROCESSES = 1536, 320
"""The same for a worker with compilers and virtual machines."""


class _Process(Worker):
    """A runner process on this machine, in a control group where one can be made."""

    def __init__(self, toolchain: bool) -> None:
        self.beside_mib, processes = (TOOLS_MIB, TOOLS_PROCESSES) if toolchain else (BESIDE_MIB, PROCESSES)
        self.group: ControlGroup | None = None
        self.no_group = ""
        self.errors = _error_file()
        try:
            self.pid, requests, replies = _spawn(self.errors)
        except ExecutorError:
            os.close(self.errors)
            raise
        os.set_blocking(requests, False)
        os.set_blocking(replies, False)
        super().__init__(requests, replies)
        try:
            self.group = ControlGroup(self.beside_mib, processes)
            self.group.add(self.pid)
        except OSError as error:
            self.no_group = str(error)

    def start(self, config: dict[str, Any]) -> None:
        """As every worker; and say whether there is a control group."""
        super().start(config)
        if self.no_group:
            self.hello["missing"]["cgroup"] = self.no_group
        else:
            self.hello["layers"].append("cgroup")

    def make_room(self, memory_mib: int) -> None:
        """Let a job use so much memory."""
        if self.group is not None:
            self.group.allow(memory_mib + self.beside_mib)

    def last_words(self) -> str:
        """What the worker wrote about its own failure."""
        text = os.pread(self.errors, 2000, 0).decode(errors="replace").strip()
        return f"It said: {text}" if text else "It said nothing."

    def stop(self) -> None:
        """End the process and close the pipes."""
        self.forget()
        with contextlib.suppress(ProcessLookupError):  # it ended by itself
            os.killpg(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):  # somebody reaped it, as `signal(SIGCHLD, SIG_IGN)` does
            os.waitpid(self.pid, 0)
        if self.group is not None:
            self.group.remove()

    def forget(self) -> None:
        """Close this process's ends of the pipes, and nothing else."""
        for descriptor in (self.requests, self.replies, self.errors):
            os.close(descriptor)


def _error_file() -> int:
    if sys.platform == "linux":
        return os.memfd_create("runner-errors", os.MFD_CLOEXEC)
    descriptor, path = tempfile.mkstemp()
    os.unlink(path)
    return descriptor


def _spawn(errors: int) -> tuple[int, int, int]:
    """Start an interpreter that waits for its program: its pid, where to write, where to read."""
    request_reader, request_writer = os.pipe()
    reply_reader, reply_writer = os.pipe()
    actions = [
        (os.POSIX_SPAWN_DUP2, request_reader, 0),
        (os.POSIX_SPAWN_DUP2, reply_writer, 1),
        (os.POSIX_SPAWN_DUP2, errors, 2),
    ]
    command = [sys.executable, "-s", "-S", "-c", BOOT]
    try:
        # a session of its own: a Ctrl-C at the client's terminal must not reach the workers
        pid = os.posix_spawn(sys.executable, command, _environment(), file_actions=actions, setsid=True)
    except OSError as error:
        os.close(request_writer)
        os.close(reply_reader)
        raise ExecutorError(f"A sandbox worker could not be started with {sys.executable!r}: {error}.") from error
    finally:
        os.close(request_reader)
        os.close(reply_writer)
    return pid, request_writer, reply_reader


def _environment() -> dict[str, str]:
    """A worker's environment, and where an interpreter outside the system's folders finds its libraries."""
    kept = {"LD_LIBRARY_PATH": os.environ["LD_LIBRARY_PATH"]} if "LD_LIBRARY_PATH" in os.environ else {}
    return kept | ENVIRONMENT


class LocalExecutor(PipelinedExecutor):
    """Runs jobs in hardened processes on this machine.

    Not safe for use from several threads at once; after a fork, the child gets workers of its own.

    Args:
        workers: Number of worker processes, at least 1. They start at the first job.
        level: Protection to insist on: "strong", "good" or "weak". None takes the best that the
            machine gives, and refuses less than "good".
        namespaces: "auto"; or "root", "user" or "none" to fix how workers leave the machine's
            namespaces, for diagnosis.

    Raises:
        ConfigurationError: If an argument cannot be used.
    """

    def __init__(self, workers: int = 1, level: str | None = None, *, namespaces: str = "auto") -> None:
        if namespaces not in ("auto", "root", "user", "none"):
            raise ConfigurationError(f"namespaces must be 'auto', 'root', 'user' or 'none', not {namespaces!r}.")
        self._namespaces = namespaces
        super().__init__(workers, level)

    def _start_worker(self) -> Worker:
        worker = _Process(self._toolchain)
        try:
            worker.start({"namespaces": self._namespaces, "watch_parent": True, "toolchain": self._toolchain})
        except BaseException:
            worker.stop()
            raise
        return worker
