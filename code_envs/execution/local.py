"""Sandbox workers on this machine: `LocalExecutor`.

A worker is a runner process (`code_envs.execution.runner`) and two pipes. The program is sent as the
first frame, so nothing needs to be installed where it runs. Jobs are pipelined, a few in flight per
worker, and there are no threads: `submit` writes, `Pending.result` reads whatever has arrived.

A worker that is lost is replaced and its jobs run again. A job that is being executed when two workers
in a row are lost is called the cause (`Status.POISON`).
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import struct
import sys
import time
import weakref
from collections import deque
from functools import cache
from pathlib import Path
from typing import Any

from code_envs.errors import ConfigurationError, ExecutorError, ProtectionError
from code_envs.execution import protocol, wire
from code_envs.execution.executor import Capabilities, Executor, Job, Outcome, Status

__all__ = ["LocalExecutor"]

IN_FLIGHT = 3  # per worker; deeper pipelines measured no faster
READ_SIZE = 1 << 16  # a larger buffer is mapped and unmapped anew for each read
START_TIMEOUT_S = 60.0
REPLY_MARGIN_S = 20.0
_LEVELS = ("weak", "good", "strong")
_SOURCES = ("wire", "codec", "instrument", "candidate", "hardening", "protections", "runner")

# receives {"modules": [[name, source], ...], "config": {...}} and runs the last module; without the fork hooks of
# the standard library, which would reseed `random` in every child and cost 85 page faults
_BOOT = """
import json, os, struct, sys, types
def read(count):
    data = b""
    while len(data) < count:
        chunk = os.read(0, count - len(data))
        if not chunk:
            os._exit(0)
        data += chunk
    return data
os.register_at_fork = lambda **hooks: None
bundle = json.loads(read(struct.unpack("<I", read(4))[0]))
for name, source in bundle["modules"]:
    module = sys.modules[name] = types.ModuleType(name)
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)
    exec(compile(source, "<" + name + ">", "exec"), module.__dict__)
sys.modules["code_envs.execution.runner"].main(bundle["config"])
"""


@cache
def _program() -> list[list[str]]:
    """The runner's modules in the order in which they import each other."""
    here = Path(__file__).parent
    package = "code_envs.execution"
    modules = [["code_envs", ""], [package, ""]]
    modules += [[f"{package}.{name}", (here / f"{name}.py").read_text(encoding="utf-8")] for name in _SOURCES]
    return modules


def _environment() -> dict[str, str]:
    """The whole environment of a worker: nothing of the client's leaks, and string hashes are fixed."""
    kept = {"LD_LIBRARY_PATH": os.environ["LD_LIBRARY_PATH"]} if "LD_LIBRARY_PATH" in os.environ else {}
    return {
        **kept,
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
        "PATH": "/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
    }


class _Pending:
    """A submitted job: its place in the pipeline and, later, its outcome."""

    __slots__ = ("count", "deadline_s", "error", "executor", "job", "lost", "outcome", "refused")

    def __init__(self, executor: LocalExecutor, job: Job, count: int) -> None:
        self.executor = executor
        self.job = job
        self.count = count
        self.outcome: Outcome | None = None
        self.error: ExecutorError | None = None
        self.lost = 0
        self.refused = 0
        self.deadline_s = protocol.wall_s(job.limits) + REPLY_MARGIN_S

    def done(self) -> bool:
        """Whether `result` returns without waiting."""
        if self.outcome is None and self.error is None:
            self.executor._pump(0.0)
        return self.outcome is not None or self.error is not None

    def result(self) -> Outcome:
        """Wait for the outcome.

        Raises:
            ExecutorError: If the sandbox failed, after one retry on a fresh worker.
        """
        while self.outcome is None:
            if self.error is not None:
                raise self.error
            self.executor._pump(1.0)
        return self.outcome


class _Lost(Exception):  # noqa: N818  (an event, handled here, that never reaches a caller)
    """A worker died or broke the protocol; the text says how."""


class _Worker:
    """One runner process: a pipe for requests, a pipe for replies, and the jobs between them."""

    def __init__(self, namespaces: str) -> None:
        self.unsent = bytearray()
        self.received = bytearray()
        self.jobs: deque[_Pending] = deque()
        self.sequence = 0
        self.next_reply = 0
        self.head_since = 0.0
        self.alone = False
        self.errors = os.memfd_create("runner-errors", os.MFD_CLOEXEC)
        try:
            self.pid, self.requests, self.replies = _spawn(self.errors)
        except ExecutorError:
            os.close(self.errors)
            raise
        try:
            self.hello = self._start({"namespaces": namespaces, "watch_parent": True})
        except BaseException:
            self.stop()
            raise
        os.set_blocking(self.requests, False)
        os.set_blocking(self.replies, False)

    def _start(self, config: dict[str, Any]) -> dict[str, Any]:
        bundle = json.dumps({"modules": _program(), "config": config}).encode()
        frame = struct.pack("<I", len(bundle)) + bundle
        deadline = time.monotonic() + START_TIMEOUT_S
        try:
            while frame:
                frame = frame[os.write(self.requests, frame) :]
            magic, length = struct.unpack("<4sI", self._read(8, deadline))
            if magic != wire.HELLO:
                raise ExecutorError(f"A sandbox worker began with {magic!r} instead of {wire.HELLO!r}.")
            hello: dict[str, Any] = json.loads(self._read(length, deadline))
        except BrokenPipeError as error:
            raise ExecutorError(f"A sandbox worker ended while it started. {self.last_words()}") from error
        return hello

    def _read(self, count: int, deadline: float) -> bytes:
        data = b""
        while len(data) < count:
            waits = max(0.0, deadline - time.monotonic())
            if not select.select([self.replies], [], [], waits)[0]:
                raise ExecutorError(f"A sandbox worker did not start within {START_TIMEOUT_S:.0f} s.")
            chunk = os.read(self.replies, count - len(data))
            if not chunk:
                raise ExecutorError(f"A sandbox worker ended while it started. {self.last_words()}")
            data += chunk
        return data

    def last_words(self) -> str:
        """What the worker wrote about its own failure."""
        text = os.pread(self.errors, 2000, 0).decode(errors="replace").strip()
        return f"It said: {text}" if text else "It said nothing."

    def send(self, pending: _Pending) -> None:
        """Queue a request and write as much of it as the pipe takes.

        Raises:
            _Lost: If the worker is gone.
        """
        if not self.jobs:
            self.head_since = time.monotonic()
        self.jobs.append(pending)
        data = protocol.request(self.sequence, pending.job)
        self.sequence = (self.sequence + 1) & 0xFFFFFFFF
        if self.unsent:
            self.unsent += data
            return
        written = self._write(data)
        if written < len(data):
            self.unsent += memoryview(data)[written:]

    def flush(self) -> None:
        """Write more of what is unsent.

        Raises:
            _Lost: If the worker is gone.
        """
        written = self._write(self.unsent)
        del self.unsent[:written]

    def _write(self, data: bytes | bytearray) -> int:
        try:
            return os.write(self.requests, data)
        except BlockingIOError:
            return 0
        except BrokenPipeError as error:
            raise _Lost(f"a worker closed its input. {self.last_words()}") from error

    def receive(self) -> list[_Pending]:
        """Read what has arrived; the jobs whose outcome it completes, in order.

        Raises:
            _Lost: If the worker is gone or its stream makes no sense.
        """
        try:
            data = os.read(self.replies, READ_SIZE)
        except BlockingIOError:
            return []
        if not data:
            raise _Lost(f"a worker ended. {self.last_words()}")
        received = self.received
        received += data
        finished: list[_Pending] = []
        while len(received) >= protocol.REPLY_SIZE:
            reply = protocol.Reply(received)
            end = protocol.REPLY_SIZE + reply.length
            if not self.jobs or not reply.valid or reply.job != self.next_reply:
                raise _Lost(f"a worker's stream is out of step: {bytes(received[:16])!r}")
            if len(received) < end:
                break
            pending = self.jobs.popleft()
            body = bytes(memoryview(received)[protocol.REPLY_SIZE : end])
            del received[:end]
            self.next_reply = (self.next_reply + 1) & 0xFFFFFFFF
            self.head_since = time.monotonic()
            if reply.refused:
                pending.refused += 1
            else:
                pending.outcome = protocol.outcome(reply, body, pending.count)
            finished.append(pending)
        return finished

    def overdue(self, now: float) -> bool:
        """Whether the job in execution should have ended long ago."""
        return bool(self.jobs) and now - self.head_since > self.jobs[0].deadline_s

    def stop(self) -> None:
        """End the process and close the pipes."""
        self.forget()
        with contextlib.suppress(ProcessLookupError):  # it ended by itself
            os.killpg(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):  # somebody reaped it, as `signal(SIGCHLD, SIG_IGN)` does
            os.waitpid(self.pid, 0)

    def forget(self) -> None:
        """Close this process's ends of the pipes, and nothing else."""
        for descriptor in (self.requests, self.replies, self.errors):
            os.close(descriptor)


def _spawn(errors: int) -> tuple[int, int, int]:
    """Start an interpreter that waits for its program: its pid, where to write, where to read."""
    request_reader, request_writer = os.pipe()
    reply_reader, reply_writer = os.pipe()
    actions = [
        (os.POSIX_SPAWN_DUP2, request_reader, 0),
        (os.POSIX_SPAWN_DUP2, reply_writer, 1),
        (os.POSIX_SPAWN_DUP2, errors, 2),
    ]
    command = [sys.executable, "-s", "-S", "-c", _BOOT]
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


def _stop_all(workers: list[_Worker], owner: int) -> None:
    """Stop the workers of an executor, unless this is a fork of the process that started them."""
    while workers:
        worker = workers.pop()
        if os.getpid() == owner:
            worker.stop()
        else:
            worker.forget()


class LocalExecutor(Executor):
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
        if not isinstance(workers, int) or workers < 1:
            raise ConfigurationError(f"workers must be a positive int, not {workers!r}.")
        if level is not None and level not in _LEVELS:
            raise ConfigurationError(f"level must be None or one of {_LEVELS}, not {level!r}.")
        if namespaces not in ("auto", "root", "user", "none"):
            raise ConfigurationError(f"namespaces must be 'auto', 'root', 'user' or 'none', not {namespaces!r}.")
        self._wanted = workers
        self._level = level or "good"
        self._namespaces = namespaces
        self._closed = False
        self._adopt()

    def _adopt(self) -> None:
        """Belong to the current process, with no worker yet."""
        self._pid = os.getpid()
        self._workers: list[_Worker] = []
        self._waiting: deque[_Pending] = deque()
        self._retry: deque[_Pending] = deque()
        self._finalizer = weakref.finalize(self, _stop_all, self._workers, self._pid)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def submit(self, job: Job) -> _Pending:
        """Queue one job; returns at once.

        Raises:
            ConfigurationError: If the job's limits or calls cannot be used.
            ExecutorError: If the executor is closed, or its workers cannot start.
            ProtectionError: If this machine gives less protection than was asked for.
        """
        self._ready()
        pending = _Pending(self, job, protocol.check(job))
        self._waiting.append(pending)
        self._feed()
        return pending

    def capabilities(self) -> Capabilities:
        """The protections in force. Starts a worker if none runs yet.

        Raises:
            ExecutorError: If the executor is closed, or its workers cannot start.
            ProtectionError: If this machine gives less protection than was asked for.
        """
        self._ready()
        hello = self._workers[0].hello
        return Capabilities(hello["level"], tuple(hello["layers"]), dict(hello["missing"]), hello["python"])

    def close(self) -> None:
        """Stop every worker. Safe to call twice; the executor cannot be used afterwards."""
        self._closed = True
        self._finalizer()
        for pending in (*self._waiting, *self._retry):
            pending.error = ExecutorError("The executor was closed before the job had run.")
        self._waiting.clear()
        self._retry.clear()

    def _ready(self) -> None:
        if self._closed:
            raise ExecutorError("The executor is closed. Create a new one, or close it after the last job.")
        if os.getpid() != self._pid:
            # a fork shares the pipes with its parent: leave them alone and start afresh
            self._finalizer()
            self._adopt()
        while len(self._workers) < self._wanted:
            self._workers.append(self._new_worker())

    def _new_worker(self) -> _Worker:
        worker = _Worker(self._namespaces)
        hello = worker.hello
        if _LEVELS.index(hello["level"]) < _LEVELS.index(self._level):
            worker.stop()
            missing = "; ".join(f"{layer} ({reason})" for layer, reason in hello["missing"].items())
            raise ProtectionError(
                f"This machine protects at level {hello['level']!r}, and {self._level!r} was asked for. "
                f"Missing: {missing}. Run `python -m code_envs doctor`, run in a container, or accept the risk "
                f"with LocalExecutor(level={hello['level']!r})."
            )
        return worker

    def _feed(self) -> None:
        """Hand waiting jobs to workers with room."""
        while self._retry or self._waiting:
            # a suspect runs alone, so that no other job can be blamed for what it does
            suspect = bool(self._retry)
            worker = min(self._workers, key=lambda each: len(each.jobs))
            if worker.alone or len(worker.jobs) >= (1 if suspect else IN_FLIGHT):
                return
            pending = (self._retry if suspect else self._waiting).popleft()
            worker.alone = suspect
            try:
                worker.send(pending)
            except _Lost as reason:
                self._replace(worker, str(reason))

    def _pump(self, timeout_s: float) -> None:
        """Move bytes: wait at most so long for a worker to be ready, then read and write."""
        if self._closed:
            raise ExecutorError("The executor was closed before the job had run.")
        if os.getpid() != self._pid:
            raise ExecutorError(
                f"Process {self._pid} submitted the job, and this is its fork {os.getpid()}: submit it again here."
            )
        poll = select.poll()
        by_descriptor = {}
        for worker in self._workers:
            poll.register(worker.replies, select.POLLIN)
            by_descriptor[worker.replies] = worker
            if worker.unsent:
                poll.register(worker.requests, select.POLLOUT)
                by_descriptor[worker.requests] = worker
        ready = poll.poll(timeout_s * 1000)
        for descriptor, _ in ready:
            worker = by_descriptor[descriptor]
            if worker in self._workers:
                self._serve(worker, descriptor)
        if not ready and timeout_s:
            now = time.monotonic()
            for worker in [each for each in self._workers if each.overdue(now)]:
                self._replace(worker, "a worker did not answer in time")
        self._feed()

    def _serve(self, worker: _Worker, descriptor: int) -> None:
        try:
            if descriptor == worker.requests:
                worker.flush()
                return
            for pending in worker.receive():
                worker.alone = False
                if pending.outcome is None:
                    self._refused(pending)
        except _Lost as reason:
            self._replace(worker, str(reason))

    def _refused(self, pending: _Pending) -> None:
        """The worker could not fork or harden a child for this job."""
        if pending.refused > 1:
            pending.error = ExecutorError(
                "A sandbox worker could not start a process for the job, twice. The machine may be out of processes "
                "or memory: use fewer workers."
            )
        else:
            self._waiting.appendleft(pending)

    def _replace(self, worker: _Worker, reason: str) -> None:
        """Put a fresh worker in the place of a lost one; its jobs run again, the one in execution alone."""
        self._workers.remove(worker)
        worker.stop()
        jobs = worker.jobs
        if jobs:
            self._suspect(jobs.popleft())
        self._waiting.extendleft(reversed(jobs))
        try:
            self._workers.append(self._new_worker())
        except ExecutorError as error:
            failure = ExecutorError(f"The sandbox failed ({reason}) and could not be started again: {error}")
            for pending in (*self._retry, *self._waiting):
                pending.error = failure
            self._retry.clear()
            self._waiting.clear()
            raise failure from error

    def _suspect(self, pending: _Pending) -> None:
        pending.lost += 1
        if pending.lost > 1:
            pending.outcome = protocol.without_results(
                Status.POISON, pending.count, "The job ended two sandbox workers."
            )
        else:
            self._retry.append(pending)
