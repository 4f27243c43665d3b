"""Sandbox workers all over a Ray cluster: `RayExecutor`.

Each worker is a Ray actor with a `LocalExecutor` of its own, which takes a batch of jobs per call: a call costs about
as much as a job. Actors keep nothing between calls, so a batch that is lost with its actor or node runs again on
another; only the answer to the latest call for a job is ever read, so none counts twice.

Ray is for many machines. On one, `LocalExecutor` does the same with less.
"""

from __future__ import annotations

import math
import os
import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from code_envs.errors import ConfigurationError, ExecutorError, ProtectionError
from code_envs.execution import boot, protocol
from code_envs.execution.cache import decode_outcome, encode_outcome
from code_envs.execution.executor import Capabilities, Executor, Job, Outcome, Pending, Status
from code_envs.execution.local import LocalExecutor
from code_envs.execution.pipeline import LEVELS, QUEUE
from code_envs.execution.ray_session import connect, forked, import_ray, leave, session

__all__ = ["RayExecutor"]

DEPTH = 2  # batches per worker, so that the next one is there when one ends
START_TIMEOUT_S = 60.0
JOIN_TIMEOUT_S = 5.0
"""Once the first worker is there, the others may take so long; later they join when there is room for them."""
BATCH_MARGIN_S = 120.0  # beyond the wall clocks of a batch; Ray itself notices a lost node, so only for the silent
ATTEMPTS = 5
"""So many times a job is tried. Losing an actor or a node is not its fault, but it cannot go on for ever."""
ALONE = 2
"""A job that was lost so many times is sent in a batch of its own, so that it takes no other with it."""


_Failure: TypeAlias = ExecutorError | ConfigurationError
_FAILURES = (ExecutorError, ConfigurationError)


# on a node ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Hello:
    """What a worker says first."""

    capabilities: Capabilities
    runner: str


class _Sandbox:
    """What a Ray actor holds: one sandbox worker of its node."""

    def __init__(self, level: str) -> None:
        self._executor = LocalExecutor(1, level)

    def hello(self) -> _Hello | ExecutorError:
        """The protections in force on this node, or why there is no worker."""
        try:
            return _Hello(self._executor.capabilities(), boot.runner_digest().hex())
        except ExecutorError as error:
            return error

    def capabilities(self, language: str) -> Capabilities | _Failure:
        """The protections in force for a language."""
        try:
            return self._executor.capabilities(language)
        except _FAILURES as error:
            return error

    def run(self, jobs: list[Job]) -> list[bytes | _Failure]:
        """Per job its outcome as text, or why there is none."""
        return [self._collect(each) for each in [self._submit(job) for job in jobs]]

    def _submit(self, job: Job) -> Pending | _Failure:
        try:
            return self._executor.submit(job)
        except _FAILURES as error:
            return error

    def _collect(self, pending: Pending | _Failure) -> Any:
        if isinstance(pending, Exception):
            return pending
        try:
            outcome = pending.result()
        except _FAILURES as error:
            return error
        # as text that is made here: a value that nests too deep for Ray's pickles would take its whole batch with it
        try:
            return encode_outcome(outcome)
        except (ValueError, RecursionError):
            return encode_outcome(_unreadable(outcome))


def _unreadable(outcome: Outcome) -> Outcome:
    """A value that can be read but not passed on is none that a caller could have used."""
    nothing = protocol.without_results(Status.BAD_OUTPUT, len(outcome.results), "The output nests too deep.")
    return replace(outcome, status=nothing.status, results=nothing.results, message=nothing.message, code=0)


# the client ---------------------------------------------------------------------------------------


class _Pending:
    """A submitted job and, later, its outcome."""

    __slots__ = ("attempts", "count", "error", "executor", "job", "outcome")

    def __init__(self, executor: RayExecutor, job: Job, count: int) -> None:
        self.executor = executor
        self.job = job
        self.count = count
        self.attempts = 0
        self.outcome: Outcome | None = None
        self.error: Exception | None = None

    def done(self) -> bool:
        """Whether `result` returns without waiting."""
        if self.outcome is None and self.error is None:
            self.executor._pump(0.0)
        return self.outcome is not None or self.error is not None

    def cancel(self) -> bool:
        """Do not run the job if it still waits; whether it is cancelled. One that was sent in a batch runs."""
        if self in self.executor._waiting:
            self.executor._waiting.remove(self)
            self.error = CancelledError("the job was cancelled before a worker had it")
        return isinstance(self.error, CancelledError)

    def result(self) -> Outcome:
        """Wait for the outcome.

        Raises:
            ExecutorError: If the sandbox failed, or the job was lost with five workers in a row.
            CancelledError: If it was cancelled.
        """
        while self.outcome is None:
            if self.error is not None:
                raise self.error
            self.executor._pump(1.0)
        return self.outcome


class _Batch:
    """Jobs that one call executes."""

    __slots__ = ("allowed_s", "jobs", "reply")

    def __init__(self, reply: Any, jobs: list[_Pending]) -> None:
        self.reply = reply
        self.jobs = jobs
        self.allowed_s = sum(protocol.wall_s(each.job.limits) for each in jobs) + BATCH_MARGIN_S


class _Worker:
    """An actor and the batches that it was sent, the first of which it executes."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.hello = actor.hello.remote()
        self.said: _Hello | None = None
        self.batches: deque[_Batch] = deque()
        self.head_since = 0.0

    def awaited(self) -> Any:
        """The answer that comes next, or None."""
        if self.said is None:
            return self.hello
        return self.batches[0].reply if self.batches else None

    def send(self, jobs: list[_Pending]) -> None:
        """Have jobs executed after those that it was sent before."""
        if not self.batches:
            self.head_since = time.monotonic()
        self.batches.append(_Batch(self.actor.run.remote([each.job for each in jobs]), jobs))

    def overdue(self, now: float) -> bool:
        """Whether the batch in execution should have ended long ago."""
        return bool(self.batches) and now - self.head_since > self.batches[0].allowed_s


class RayExecutor(Executor):
    """Runs jobs in hardened processes on the nodes of a Ray cluster.

    Jobs go out in batches. A full batch leaves at once; the rest leaves when somebody waits for an outcome and a
    worker is idle, split among the idle ones. A lost worker, or one whose sandbox fails, is replaced, on whichever
    node Ray has room, and its jobs run again. Where the cluster has room for fewer workers than asked for, those that
    there are do the work, and others join later.

    Ray's ports are open to whoever reaches the machine, and give it to them: use it in trusted networks only. Each
    node needs this version of Code Envs and of Python. Not safe for use from several threads at once, nor in a fork
    of the process that connected to Ray.

    Args:
        workers: Number of actors, at least 1. They start at the first job.
        level: Protection to insist on, on each node: "strong", "good" or "weak". None takes the best that the nodes
            give, and refuses less than "good".
        address: Address of the cluster, as for `ray.init`. None takes the Ray that this process is connected to, or
            else the one that RAY_ADDRESS names, or else starts Ray on this machine, to be stopped by `close`.
        batch: Jobs per call, at least 1. Below 32 the calls cost more than they need.
        num_cpus: What an actor counts for in Ray's resources, CPUs.

    Raises:
        ConfigurationError: If an argument cannot be used.
        MissingDependencyError: If Ray is not installed.
    """

    def __init__(
        self,
        workers: int = 2,
        level: str | None = None,
        *,
        address: str | None = None,
        batch: int = 32,
        num_cpus: float = 1.0,
    ) -> None:
        for name, number in (("workers", workers), ("batch", batch)):
            if not isinstance(number, int) or number < 1:
                raise ConfigurationError(f"{name} must be a positive int, not {number!r}.")
        if level is not None and level not in LEVELS:
            raise ConfigurationError(f"level must be None or one of {LEVELS}, not {level!r}.")
        if not isinstance(num_cpus, int | float) or not 0 <= num_cpus < math.inf:
            raise ConfigurationError(f"num_cpus must be a number from 0 on, not {num_cpus!r}.")
        self._ray = import_ray()
        self._wanted = workers
        self._level = level or "good"
        self._address = address
        self._batch = batch
        self._num_cpus = num_cpus
        self._closed = False
        self._pid = os.getpid()
        self._session: tuple[str, str] | None = None
        self._workers: list[_Worker] = []
        self._waiting: deque[_Pending] = deque()
        self._lost_starts = 0
        self._served = 0.0

    @property
    def closed(self) -> bool:
        """Whether `close` was called, or Ray was shut down by somebody else."""
        return self._closed or (self._session is not None and session(self._ray) != self._session)

    def submit(self, job: Job) -> _Pending:
        """Queue one job; returns at once, save for the first, which waits for workers.

        Where `QUEUE` jobs wait already, it moves those on first.

        Raises:
            ConfigurationError: If the job's limits or calls cannot be used.
            ExecutorError: If the executor is closed, or its workers cannot start.
            ProtectionError: If a node gives less protection than was asked for.
        """
        count = protocol.check(job)
        self._ready()
        while len(self._waiting) >= QUEUE:
            self._pump(1.0)
        pending = _Pending(self, job, count)
        self._waiting.append(pending)
        self._feed(waited_for=False)
        return pending

    def capabilities(self, language: str = "python") -> Capabilities:
        """The least of what the workers' nodes give now: a replacement on another node may differ, within `level`.

        Raises:
            ConfigurationError: If a node cannot execute the language.
            ExecutorError: If the executor is closed, or its workers cannot start.
            ProtectionError: If a node gives less protection than was asked for.
        """
        self._ready()
        if language == "python":
            return _weakest([each.said.capabilities for each in self._workers if each.said is not None])
        answers = [each.actor.capabilities.remote(language) for each in self._joined()]
        try:
            found = self._ray.get(answers, timeout=START_TIMEOUT_S)
        except self._ray.exceptions.RayError as error:
            raise ExecutorError(f"A Ray worker did not say what protects {language!r}: {_words(error)}") from error
        for each in found:
            if isinstance(each, Exception):
                raise each
        return _weakest(found)

    def close(self) -> None:
        """Stop every worker, and Ray if it was started here. Safe to call twice; not to be used afterwards."""
        ours = os.getpid() == self._pid and not self.closed
        self._closed = True
        error = ExecutorError("The executor was closed before the job had run.")
        self._abandon(self._waiting, error)
        for worker in self._workers:
            for batch in worker.batches:
                self._abandon(batch.jobs, error)
        self._waiting.clear()
        if not ours:
            return
        for worker in self._workers:
            self._stop(worker)
        leave(self._ray, self)

    # workers

    def _joined(self) -> list[_Worker]:
        return [each for each in self._workers if each.said is not None]

    def _check_usable(self) -> None:
        if self._closed:
            raise ExecutorError("The executor is closed. Create a new one, or close it after the last job.")
        if os.getpid() != self._pid:
            raise ExecutorError(forked(self._pid))
        if self.closed:
            raise ExecutorError("Ray was shut down while the executor used it. Create a new executor.")

    def _ready(self) -> None:
        """Have as many workers as asked for, at least one of which has said hello."""
        self._check_usable()
        if self._session is None:
            self._session = connect(self._ray, self, self._address, self._wanted * self._num_cpus)
        while len(self._workers) < self._wanted:
            self._workers.append(self._new_worker())
        if self._joined():
            return
        self._served = time.monotonic()
        while not self._joined():
            self._pump(1.0)
        end = time.monotonic() + JOIN_TIMEOUT_S
        while len(self._joined()) < self._wanted and time.monotonic() < end:
            self._pump(0.1)

    def _new_worker(self) -> _Worker:
        # Ray's own restarts and retries stay off: what is lost is sent again here, and nowhere else
        options = {
            "num_cpus": self._num_cpus,
            "max_restarts": 0,
            "max_task_retries": 0,
            "scheduling_strategy": "SPREAD",
        }
        return _Worker(self._ray.remote(**options)(_Sandbox).remote(self._level))

    def _stop(self, worker: _Worker) -> None:
        self._workers = [each for each in self._workers if each is not worker]
        self._ray.kill(worker.actor)

    def _replace(self, worker: _Worker, reason: str) -> None:
        """Put a fresh worker in the place of a lost one; its jobs run again."""
        self._stop(worker)
        for number, batch in reversed([*enumerate(worker.batches)]):
            self._again(batch.jobs, reason, counts=number == 0)
        if worker.said is None:
            self._lost_start(reason)
        self._workers.append(self._new_worker())

    def _lost_start(self, reason: str) -> None:
        self._lost_starts += 1
        if self._lost_starts < ATTEMPTS:
            return
        self._lost_starts = 0
        text = f"{ATTEMPTS} Ray workers in a row were lost while they started; each node needs Code Envs."
        self._give_up(ExecutorError(f"{text} Lastly: {reason}"))

    def _again(self, jobs: list[_Pending], reason: str, counts: bool) -> None:
        """Put jobs back to where they came from, those apart that were tried often enough."""
        for pending in reversed(jobs):
            pending.attempts += counts
            if pending.attempts < ATTEMPTS:
                self._waiting.appendleft(pending)
            else:
                pending.error = ExecutorError(f"The sandbox failed {ATTEMPTS} times with this job, lastly: {reason}")

    def _give_up(self, error: ExecutorError) -> None:
        """There is no use in waiting for workers that have not said hello.

        Raises:
            ExecutorError: Always, after every waiting job got the error.
        """
        for worker in [each for each in self._workers if each.said is None]:
            self._stop(worker)
        self._abandon(self._waiting, error)
        self._waiting.clear()
        raise error

    @staticmethod
    def _abandon(jobs: Iterable[_Pending], error: ExecutorError) -> None:
        for pending in jobs:
            pending.error = error

    # jobs

    def _feed(self, waited_for: bool) -> None:
        """Send full batches to workers with room and, where somebody waits, what is left to idle ones."""
        joined = self._joined()
        while self._waiting and joined:
            worker = min(joined, key=lambda each: len(each.batches))
            full = len(self._waiting) >= self._batch
            if len(worker.batches) >= (DEPTH if full else int(waited_for)):
                return
            idle = sum(not each.batches for each in joined)
            worker.send(self._take(self._batch if full else math.ceil(len(self._waiting) / idle)))

    def _take(self, count: int) -> list[_Pending]:
        """The next waiting jobs, or the next one alone if it was lost too often."""
        taken = [self._waiting.popleft()]
        while len(taken) < count and self._waiting and max(taken[0].attempts, self._waiting[0].attempts) < ALONE:
            taken.append(self._waiting.popleft())
        return taken

    def _pump(self, timeout_s: float) -> None:
        """Wait at most so long for an answer, and send what can be sent."""
        self._check_usable()
        self._feed(waited_for=True)
        awaited = {each.awaited(): each for each in self._workers if each.awaited() is not None}
        ready = self._ray.wait([*awaited], num_returns=1, timeout=timeout_s)[0] if awaited else []
        for answer in ready:
            self._receive(awaited[answer], answer)
        if not ready:
            self._look_for_losses()
        self._feed(waited_for=True)

    def _receive(self, worker: _Worker, answer: Any) -> None:
        try:
            said = self._ray.get(answer)
        except self._ray.exceptions.RayError as error:
            self._replace(worker, f"a Ray worker was lost ({_words(error)})")
            return
        if worker.said is None:
            self._greet(worker, said)
        else:
            self._settle(worker, said)

    def _greet(self, worker: _Worker, said: _Hello | ExecutorError) -> None:
        if isinstance(said, ProtectionError):
            self._give_up(ProtectionError(f"On a node of Ray: {said}".replace("LocalExecutor(", "RayExecutor(")))
        if isinstance(said, ExecutorError):
            self._give_up(ExecutorError(f"On a node of Ray: {said}"))
        assert isinstance(said, _Hello)
        if said.runner != boot.runner_digest().hex():
            self._give_up(ExecutorError("A node of Ray has another version of Code Envs. Install the same everywhere."))
        versions = {said.capabilities.python, *(each.said.capabilities.python for each in self._workers if each.said)}
        if len(versions) > 1:
            self._give_up(
                ExecutorError(f"Nodes of Ray have different Pythons, {versions}. Install the same everywhere.")
            )
        worker.said = said
        self._lost_starts = 0

    def _settle(self, worker: _Worker, answers: list[bytes | _Failure]) -> None:
        """Hand out a batch's outcomes; what the node's sandbox failed on is tried elsewhere."""
        batch = worker.batches.popleft()
        worker.head_since = time.monotonic()
        failed, reason = [], ""
        for pending, answer in zip(batch.jobs, answers, strict=True):
            if isinstance(answer, bytes):
                pending.outcome = _decode(answer, pending.count)
            elif isinstance(answer, ProtectionError | ConfigurationError):
                pending.error = answer  # another worker would say the same
            else:
                failed.append(pending)
                reason = str(answer)
        if failed:
            self._again(failed, reason, counts=True)
            self._replace(worker, reason)

    def _look_for_losses(self) -> None:
        """Replace workers that are silent for too long, and give up where there is none."""
        now = time.monotonic()
        for worker in [each for each in self._workers if each.overdue(now)]:
            self._replace(worker, "a Ray worker did not answer in time")
        if self._joined():
            self._served = now
        elif now - self._served > START_TIMEOUT_S:
            self._give_up(ExecutorError(self._no_room()))

    def _no_room(self) -> str:
        total, free = (each.get("CPU", 0) for each in (self._ray.cluster_resources(), self._ray.available_resources()))
        return (
            f"Ray gave no worker within {START_TIMEOUT_S:g} s. Each needs {self._num_cpus} CPUs (`num_cpus`); the "
            f"cluster has {total}, and {free} are free. See `ray status`."
        )


def _decode(text: bytes, count: int) -> Outcome:
    try:
        return decode_outcome(text)
    except (ValueError, RecursionError) as error:  # as hostile as any report, see `protocol.outcome`
        return protocol.without_results(Status.BAD_OUTPUT, count, f"The output is no report: {error}"[:200])


def _words(error: Exception) -> str:
    """What Ray says first and last, between which it shows stacks and numbers."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return " ... ".join(line.strip()[:200] for line in dict.fromkeys((lines[0], lines[-1])))


def _weakest(found: list[Capabilities]) -> Capabilities:
    """What holds for all."""
    least = min(found, key=lambda each: LEVELS.index(each.level))
    layers = tuple(layer for layer in least.layers if all(layer in each.layers for each in found))
    missing = {layer: reason for each in found for layer, reason in each.missing.items()}
    return replace(least, layers=layers, missing=missing)
