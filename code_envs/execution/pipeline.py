"""Jobs in a pipeline to a few workers: what every executor that talks to runners over a stream shares.

A worker is a runner (`code_envs.execution.runner`) at the other end of a stream, wherever it runs. The program
is sent as the first frame. Jobs are pipelined, a few in flight per worker, and there are no threads: `submit`
writes, `Pending.result` reads whatever has arrived.

A worker that is lost is replaced and its jobs run again. A job that is being executed when two workers
in a row are lost is called the cause (`Status.POISON`).
"""

from __future__ import annotations

import copy
import json
import os
import select
import struct
import time
import weakref
from abc import ABC, abstractmethod
from collections import deque
from concurrent.futures import CancelledError
from typing import Any

from code_envs.errors import ConfigurationError, ExecutorError, ProtectionError
from code_envs.execution import boot, protocol, wire
from code_envs.execution.executor import Capabilities, Executor, Job, Outcome, Status

__all__ = ["LEVELS", "Lost", "PipelinedExecutor", "Worker"]

QUEUE = 4096
"""So many jobs may wait: one that submits without end is slowed down to what the workers do."""
IN_FLIGHT = 3  # per worker; deeper pipelines measured no faster
READ_SIZE = 1 << 16  # a larger buffer is mapped and unmapped anew for each read
START_TIMEOUT_S = 60.0
REPLY_MARGIN_S, COMPILER_MARGIN_S = 20.0, 80.0
LEVELS = ("weak", "good", "strong")


class _Pending:
    """A submitted job: its place in the pipeline and, later, its outcome."""

    __slots__ = ("count", "deadline_s", "error", "executor", "job", "lost", "outcome", "refused")

    def __init__(self, executor: PipelinedExecutor, job: Job, count: int) -> None:
        self.executor = executor
        self.job = job
        self.count = count
        self.outcome: Outcome | None = None
        self.error: Exception | None = None
        self.lost = 0
        self.refused = 0
        self.deadline_s = protocol.wall_s(job.limits) + REPLY_MARGIN_S
        if job.language != "python":
            self.deadline_s += COMPILER_MARGIN_S

    def done(self) -> bool:
        """Whether `result` returns without waiting."""
        if self.outcome is None and self.error is None:
            self.executor._pump(0.0)
        return self.outcome is not None or self.error is not None

    def cancel(self) -> bool:
        """Do not run the job if it still waits; whether it is cancelled. One that a worker has, runs."""
        if self.outcome is None and self.error is None and self.executor._withdraw(self):
            self.error = CancelledError("the job was cancelled before a worker had it")
        return isinstance(self.error, CancelledError)

    def result(self) -> Outcome:
        """Wait for the outcome.

        Raises:
            ExecutorError: If the sandbox failed, after one retry on a fresh worker.
            CancelledError: If it was cancelled.
        """
        while self.outcome is None:
            if self.error is not None:
                raise self.error
            self.executor._pump(1.0)
        return self.outcome


class Lost(Exception):  # noqa: N818  (an event, handled here, that never reaches a caller)
    """A worker died or broke the protocol; the text says how."""


class Worker(ABC):
    """A runner at the other end of a stream, and the jobs between.

    Args:
        requests: Descriptor to write to, open, non-blocking.
        replies: Descriptor to read from, open, non-blocking; may be the same.
    """

    def __init__(self, requests: int, replies: int) -> None:
        self.requests = requests
        self.replies = replies
        self.unsent = bytearray()
        self.received = bytearray()
        self.jobs: deque[_Pending] = deque()
        self.sequence = 0
        self.next_reply = 0
        self.head_since = 0.0
        self.alone = False
        self.hello: dict[str, Any] = {}

    @abstractmethod
    def last_words(self) -> str:
        """What the worker wrote about its own failure, for a message."""

    @abstractmethod
    def stop(self) -> None:
        """End the worker and close the stream."""

    @abstractmethod
    def forget(self) -> None:
        """Close this process's ends of the stream, and nothing else."""

    def make_room(self, memory_mib: int) -> None:  # noqa: B027  (optional)
        """Let a job use so much memory, where all that a worker does is bounded."""

    def unframed(self, data: bytes) -> bytes:
        """What of the arrived bytes the runner wrote."""
        return data

    def start(self, config: dict[str, Any]) -> None:
        """Send the runner its program and wait until it says what it protects.

        Raises:
            ExecutorError: If it does not start.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        self.unsent += boot.bundle(config)
        try:
            magic, length = struct.unpack("<4sI", self._take(8, deadline))
            if magic != wire.HELLO:
                raise ExecutorError(f"A sandbox worker began with {magic!r} instead of {wire.HELLO!r}.")
            self.hello = json.loads(self._take(length, deadline))
        except Lost as reason:
            raise ExecutorError(f"A sandbox worker could not start: {reason}") from reason

    def _take(self, count: int, deadline: float) -> bytes:
        """The next so many received bytes, while the rest of the program is sent."""
        while len(self.received) < count:
            ready = _poll([self], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise ExecutorError(f"A sandbox worker did not start within {START_TIMEOUT_S:.0f} s.")
            for descriptor, event in ready:
                if descriptor == self.requests and self.unsent:
                    self.flush()
                if descriptor == self.replies and event != select.POLLOUT:
                    self._read()
        taken = bytes(memoryview(self.received)[:count])
        del self.received[:count]
        return taken

    def _read(self) -> None:
        """Read what has arrived.

        Raises:
            Lost: If the worker is gone.
        """
        try:
            data = os.read(self.replies, READ_SIZE)
        except BlockingIOError:
            return
        except ConnectionError as error:
            raise Lost(f"a worker's stream broke ({error}). {self.last_words()}") from error
        if not data:
            raise Lost(f"a worker ended. {self.last_words()}")
        self.received += self.unframed(data)

    def send(self, pending: _Pending) -> None:
        """Queue a request and write as much of it as the pipe takes.

        Raises:
            Lost: If the worker is gone.
        """
        if not self.jobs:
            self.head_since = time.monotonic()
        self.make_room(pending.job.limits.memory_mib)
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
            Lost: If the worker is gone.
        """
        written = self._write(self.unsent)
        del self.unsent[:written]

    def _write(self, data: bytes | bytearray) -> int:
        try:
            return os.write(self.requests, data)
        except BlockingIOError:
            return 0
        except ConnectionError as error:
            raise Lost(f"a worker closed its input. {self.last_words()}") from error

    def receive(self) -> list[_Pending]:
        """Read what has arrived; the jobs whose outcome it completes, in order.

        Raises:
            Lost: If the worker is gone or its stream makes no sense.
        """
        self._read()
        received = self.received
        finished: list[_Pending] = []
        while len(received) >= protocol.REPLY_SIZE:
            reply = protocol.Reply(received)
            end = protocol.REPLY_SIZE + reply.length
            if not self.jobs or not reply.valid or reply.job != self.next_reply:
                raise Lost(f"a worker's stream is out of step: {bytes(received[:16])!r}")
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
                pending.outcome = protocol.outcome(reply, body, pending.count, pending.job.language)
            finished.append(pending)
        return finished

    def overdue(self, now: float) -> bool:
        """Whether the job in execution should have ended long ago."""
        return bool(self.jobs) and now - self.head_since > self.jobs[0].deadline_s


def _poll(workers: list[Worker], timeout_s: float) -> list[tuple[int, int]]:
    """Wait at most so long for streams to be ready: descriptors with what they are ready for."""
    events: dict[int, int] = {}
    for worker in workers:
        events[worker.replies] = events.get(worker.replies, 0) | select.POLLIN
        if worker.unsent:
            events[worker.requests] = events.get(worker.requests, 0) | select.POLLOUT
    poll = select.poll()
    for descriptor, mask in events.items():
        poll.register(descriptor, mask)
    return poll.poll(timeout_s * 1000)


def _stop_all(workers: list[Worker], owner: int) -> None:
    """Stop the workers of an executor, unless this is a fork of the process that started them."""
    while workers:
        worker = workers.pop()
        if os.getpid() == owner:
            worker.stop()
        else:
            worker.forget()


class PipelinedExecutor(Executor):
    """Runs jobs on workers that it starts itself.

    Programs in other languages than Python run on workers of their own, which may use compilers; as many, and they
    start at the first such job.

    Not safe for use from several threads at once; after a fork, the child gets workers of its own.

    Args:
        workers: Number of workers, at least 1. They start at the first job.
        level: Protection to insist on: "strong", "good" or "weak". None takes the best there is, and refuses
            less than "good".

    Raises:
        ConfigurationError: If an argument cannot be used.
    """

    def __init__(self, workers: int, level: str | None) -> None:
        if not isinstance(workers, int) or workers < 1:
            raise ConfigurationError(f"workers must be a positive int, not {workers!r}.")
        if level is not None and level not in LEVELS:
            raise ConfigurationError(f"level must be None or one of {LEVELS}, not {level!r}.")
        self._wanted = workers
        self._level = level or "good"
        self._closed = False
        self._toolchain = False
        self._adopt()

    @abstractmethod
    def _start_worker(self) -> Worker:
        """A worker that has said hello; with `_toolchain`, one that runs programs of other languages.

        Raises:
            ExecutorError: If none can start.
        """

    def _adopt(self) -> None:
        """Belong to the current process, with no worker yet."""
        self._pid = os.getpid()
        self._workers: list[Worker] = []
        self._waiting: deque[_Pending] = deque()
        self._retry: deque[_Pending] = deque()
        self._other: PipelinedExecutor | None = None
        self._finalizer = weakref.finalize(self, _stop_all, self._workers, self._pid)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def submit(self, job: Job) -> _Pending:
        """Queue one job; returns at once, unless `QUEUE` jobs wait already: then it moves those on first.

        Raises:
            ConfigurationError: If the job's limits or calls cannot be used.
            ExecutorError: If the executor is closed, or its workers cannot start.
            ProtectionError: If this machine gives less protection than was asked for.
        """
        count = protocol.check(job)
        if job.language != "python" and not self._toolchain:
            return self._for_programs(job.language).submit(job)
        self._ready()
        while len(self._waiting) >= QUEUE:
            self._pump(1.0)
        pending = _Pending(self, job, count)
        self._waiting.append(pending)
        self._feed()
        return pending

    def capabilities(self, language: str = "python") -> Capabilities:
        """The protections in force for programs of a language. Starts a worker if none runs yet.

        Raises:
            ConfigurationError: If there is no compiler or interpreter for the language.
            ExecutorError: If the executor is closed, or its workers cannot start.
            ProtectionError: If this machine gives less protection than was asked for.
        """
        if language != "python" and not self._toolchain:
            return self._for_programs(language).capabilities(language)
        self._ready()
        hello = self._workers[0].hello
        return Capabilities(
            hello["level"], tuple(hello["layers"]), dict(hello["missing"]), hello["python"], dict(hello["tools"])
        )

    def _for_programs(self, language: str) -> PipelinedExecutor:
        """The twin of this executor whose workers run programs of other languages.

        Raises:
            ConfigurationError: If they have no compiler or interpreter for this one.
        """
        self._check_usable()
        if self._other is None:
            twin = copy.copy(self)
            twin._toolchain = True
            twin._adopt()
            self._other = twin
        self._other._ready()
        hello = self._other._workers[0].hello
        if language not in hello["tools"]:
            reason = hello["missing"].get("tools", f"found {sorted(hello['tools'].values())}")
            raise ConfigurationError(
                f"There is nothing to run {language!r} with where the workers run: {reason}. Install the tool there "
                "(gcc, g++, node, or a JDK), or use DockerExecutor, whose image has them."
            )
        return self._other

    def close(self) -> None:
        """Stop every worker. Safe to call twice; the executor cannot be used afterwards."""
        self._closed = True
        if self._other is not None:
            self._other.close()
        self._finalizer()
        for pending in (*self._waiting, *self._retry):
            pending.error = ExecutorError("The executor was closed before the job had run.")
        self._waiting.clear()
        self._retry.clear()

    def _check_usable(self) -> None:
        """Make sure that the executor is open and belongs to this process."""
        if self._closed:
            raise ExecutorError("The executor is closed. Create a new one, or close it after the last job.")
        if os.getpid() != self._pid:
            # a fork shares the pipes with its parent: leave them alone and start afresh
            self._finalizer()
            self._adopt()

    def _ready(self) -> None:
        self._check_usable()
        while len(self._workers) < self._wanted:
            self._workers.append(self._new_worker())

    def _new_worker(self) -> Worker:
        worker = self._start_worker()
        hello = worker.hello
        if LEVELS.index(hello["level"]) < LEVELS.index(self._level):
            worker.stop()
            missing = "; ".join(f"{layer} ({reason})" for layer, reason in hello["missing"].items())
            raise ProtectionError(
                f"This machine protects at level {hello['level']!r}, and {self._level!r} was asked for. "
                f"Missing: {missing}. Run `python -m code_envs doctor`, run in a container, or accept the risk "
                f"with {type(self).__name__}(level={hello['level']!r})."
            )
        return worker

    def _withdraw(self, pending: _Pending) -> bool:
        """Take a job back that no worker has; whether there was one."""
        for queue in (self._waiting, self._retry):
            if pending in queue:
                queue.remove(pending)
                return True
        return False

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
            except Lost as reason:
                self._replace(worker, str(reason))

    def _pump(self, timeout_s: float) -> None:
        """Move bytes: wait at most so long for a worker to be ready, then read and write."""
        if self._closed:
            raise ExecutorError("The executor was closed before the job had run.")
        if os.getpid() != self._pid:
            raise ExecutorError(
                f"Process {self._pid} submitted the job, and this is its fork {os.getpid()}: submit it again here."
            )
        workers = {worker.requests: worker for worker in self._workers}
        workers |= {worker.replies: worker for worker in self._workers}
        ready = _poll(self._workers, timeout_s)
        for descriptor, event in ready:
            worker = workers[descriptor]
            if worker in self._workers:
                self._serve(worker, descriptor, event)
        if not ready and timeout_s:
            now = time.monotonic()
            for worker in [each for each in self._workers if each.overdue(now)]:
                self._replace(worker, "a worker did not answer in time")
        self._feed()

    def _serve(self, worker: Worker, descriptor: int, event: int) -> None:
        try:
            if descriptor == worker.requests and worker.unsent:
                worker.flush()
            if descriptor != worker.replies or event == select.POLLOUT:
                return
            for pending in worker.receive():
                worker.alone = False
                if pending.outcome is None:
                    self._refused(pending)
        except Lost as reason:
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

    def _replace(self, worker: Worker, reason: str) -> None:
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
