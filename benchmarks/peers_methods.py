"""The ways to judge a program that `benchmarks.execution` compares, and how the CPU time of each is counted.

CPU time is user and system time of everything that works for a method: of this process, of workers, of every process
that they start, and of the Docker engine. All clocks are the kernel's, and only differences over a batch are taken.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import psutil

from benchmarks.peers_venv import PeerProcess, ensure_installed, site_packages
from benchmarks.peers_work import LIMITS, Program
from code_envs.errors import ConfigurationError, ExecutorError
from code_envs.execution import boot
from code_envs.execution.cache import CachedExecutor
from code_envs.execution.docker import DockerExecutor
from code_envs.execution.executor import Executor
from code_envs.execution.local import LocalExecutor
from code_envs.execution.pipeline import PipelinedExecutor, Worker
from code_envs.execution.stores import Store

__all__ = [
    "BareExecutor",
    "Cold",
    "Forked",
    "InProcess",
    "Method",
    "PeerMethod",
    "Sample",
    "Sandboxed",
    "docker_executor",
    "docker_processes",
]

LEAST = 640
"""Executions per round and worker: the kernel tells the time of a worker's children in units of 10 ms."""
LEAST_HITS = 3200


@dataclass(frozen=True, slots=True)
class Sample:
    """What one method spent on some programs; samples of one method can be added.

    Args:
        cpu_s: CPU time, s.
        wall_s: Wall clock, s.
        count: Programs judged.
        passed: Programs judged as right.
        resident_mib: Memory of the process that judging starts from, MiB.
    """

    cpu_s: float
    wall_s: float
    count: int
    passed: int
    resident_mib: float

    def __add__(self, other: Sample) -> Sample:
        """Both together."""
        return Sample(
            self.cpu_s + other.cpu_s,
            self.wall_s + other.wall_s,
            self.count + other.count,
            self.passed + other.passed,
            max(self.resident_mib, other.resident_mib),
        )

    @property
    def cpu_ms(self) -> float:
        """CPU time per judged program, ms."""
        return 1000 * self.cpu_s / self.count

    @property
    def wall_ms(self) -> float:
        """Wall clock per judged program, ms."""
        return 1000 * self.wall_s / self.count


# CPU time -----------------------------------------------------------------------------------------


def _own_cpu_s() -> float:
    """CPU time of this process and of the children that it has waited for, s."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in usages)


def _cpu_s_of(processes: Sequence[int]) -> float:
    """CPU time of living processes and of the children that they have waited for, s."""
    total = 0.0
    for pid in processes:
        children = psutil.Process(pid).cpu_times()
        # the process's own CPU clock counts nanoseconds, /proc only units of 10 ms: too coarse for a cache hit
        total += time.clock_gettime((~pid << 3) | 2) + children.children_user + children.children_system
    return total


def _local_processes(executor: PipelinedExecutor) -> list[int]:
    outer = [psutil.Process(worker.pid) for worker in executor._workers]  # type: ignore[attr-defined]
    return [process.pid for each in outer for process in (each, *each.children(recursive=True))]


def docker_processes(executor: PipelinedExecutor) -> list[int]:
    """The containers' first processes, the shims above them, and the engine."""
    api = executor._api  # type: ignore[attr-defined]
    containers = [worker.container for worker in executor._workers]  # type: ignore[attr-defined]
    runners = [psutil.Process(api.inspect_container(each)["State"]["Pid"]) for each in containers]
    engine = [each.pid for each in psutil.process_iter(["name"]) if each.info["name"] in ("dockerd", "containerd")]
    if not engine:
        raise ConfigurationError("The engine's processes cannot be seen from here, so their CPU time is unknown.")
    return sorted({*engine, *(each.pid for each in runners), *(each.ppid() for each in runners)})


# methods ------------------------------------------------------------------------------------------


class Method(ABC):
    """One way to judge programs.

    Args:
        name: What tables call it.

    Attributes:
        least: Programs to judge in a round, at least: what the clocks need.
    """

    least = 1

    def __init__(self, name: str) -> None:
        self.name = name

    def start(self, work: Sequence[Program]) -> None:  # noqa: B027  (most have nothing to start)
        """Make everything ready that is not part of judging.

        Raises:
            CodeEnvsError, OSError, PeerError: If the method cannot be had here.
        """

    @abstractmethod
    def judge(self, programs: Sequence[Program]) -> list[bool]:
        """Whether each program passes its tests."""

    def processes(self) -> list[int]:
        """The long-lived processes that work for this method, without this one."""
        return []

    def measure(self, programs: Sequence[Program]) -> Sample:
        """Judge some programs and read the clocks before and after."""
        fresh = [each.fresh() for each in programs]
        self.judge([programs[0].fresh()])  # the turns of the others have emptied the processor's caches
        gc.collect()
        processes = self.processes()
        others = _cpu_s_of(processes)
        own, began = _own_cpu_s(), time.perf_counter()
        verdicts = self.judge(fresh)
        wall_s, own = time.perf_counter() - began, _own_cpu_s() - own
        cpu_s = own + _cpu_s_of(processes) - others
        return Sample(cpu_s, wall_s, len(fresh), sum(verdicts), self.resident_mib())

    def resident_mib(self) -> float:
        """Memory of the process that judging starts from."""
        return float(psutil.Process().memory_info().rss / 2**20)

    def close(self) -> None:  # noqa: B027  (most have nothing to end)
        """End what `start` started. Safe to call twice, and before `start`."""


class InProcess(Method):
    """This process compiles and runs program and tests: the work itself, with nothing around it."""

    least = LEAST

    def judge(self, programs: Sequence[Program]) -> list[bool]:
        """Whether each program passes its tests."""
        with contextlib.redirect_stdout(None):
            return [_passes(program.with_tests) for program in programs]


def _passes(text: str) -> bool:
    try:
        exec(compile(text, "<program>", "exec"), {"__name__": "program"})
    except Exception:
        return False
    return True


class Forked(Method):
    """A fork of this process compiles and runs program and tests: what a naive harness does."""

    least = LEAST

    def judge(self, programs: Sequence[Program]) -> list[bool]:
        """Whether each program passes its tests."""
        return [_passes_in_fork(program.with_tests) for program in programs]


def _passes_in_fork(text: str) -> bool:
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1] == 0
    code = 1
    try:
        with contextlib.redirect_stdout(None):
            code = 0 if _passes(text) else 1
    finally:
        os._exit(code)


class Cold(Method):
    """A fresh interpreter without site packages for each program."""

    def judge(self, programs: Sequence[Program]) -> list[bool]:
        """Whether each program passes its tests."""
        command = [sys.executable, "-I", "-S", "-c"]
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return [subprocess.run([*command, program.with_tests], **quiet).returncode == 0 for program in programs]


class Sandboxed(Method):
    """An executor of ours, with the verdict in this process.

    Args:
        name: What tables call it.
        make: Gives the executor.
        processes: Its long-lived processes.
        store: Gives the store of a `CachedExecutor` around it; None executes every job.
        steps: Step limit of each call; None counts none.
        workers: Workers of the executor; several get more programs in a turn, for at its end some of them have nothing
            left to do. Measured, two workers over one: 1.81 in turns of 41 programs, 2.01 in turns of 328.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], PipelinedExecutor],
        processes: Callable[[PipelinedExecutor], list[int]] = _local_processes,
        store: Callable[[], Store] | None = None,
        steps: int | None = None,
        workers: int = 1,
    ) -> None:
        super().__init__(name)
        self.least = LEAST * workers if store is None else LEAST_HITS
        self._make, self._processes, self._store = make, processes, store
        self._limits = replace(LIMITS, steps=steps)
        self._inner: PipelinedExecutor | None = None
        self.executor: Executor | None = None

    def start(self, work: Sequence[Program]) -> None:
        """Start the workers and judge everything once: a cache knows all of it then.

        Raises:
            CodeEnvsError: If the executor cannot be had here.
        """
        self._inner = self._make()
        self.executor = self._inner if self._store is None else CachedExecutor(self._inner, self._store())
        self.judge([each.fresh() for each in work])
        if isinstance(self.executor, CachedExecutor):
            self._require_hits(self.executor, work)
        self.processes()

    def _require_hits(self, executor: CachedExecutor, work: Sequence[Program]) -> None:
        missed = executor.statistics.misses
        self.judge([each.fresh() for each in work])
        if executor.statistics.misses > missed:
            raise ConfigurationError(
                f"{executor.statistics.misses - missed} of {len(work)} outcomes are not remembered: the machine is too "
                "busy to say that another execution would end alike."
            )

    def judge(self, programs: Sequence[Program]) -> list[bool]:
        """Whether each program passes its tests."""
        executor = self.executor
        assert executor is not None
        pending = [executor.submit(program.job(self._limits)) for program in programs]
        return [
            program.suite.grade(each.result(), executor).all_passed
            for program, each in zip(programs, pending, strict=True)
        ]

    def processes(self) -> list[int]:
        """The long-lived processes that work for this method, without this one."""
        assert self._inner is not None
        return self._processes(self._inner)

    def close(self) -> None:
        """Stop the workers."""
        if self.executor is not None:
            self.executor.close()


class PeerMethod(Method):
    """A peer's harness in a process of its own, in the peers' environment.

    Args:
        name: What tables call it.
        peer: One of `PEERS`.
        in_torch: Whether it judges from a process of this project's environment that has imported torch.
        weights: Millions of float32 weights that this process holds, as a trainer would.
        install: Whether it may be installed.
    """

    def __init__(self, name: str, peer: str, in_torch: bool = False, weights: int = 0, install: bool = True) -> None:
        super().__init__(name)
        self._peer, self._in_torch, self._weights, self._install = peer, in_torch, weights, install
        self._process: PeerProcess | None = None
        self._answer: dict[str, Any] = {}

    def start(self, work: Sequence[Program]) -> None:
        """Install the peer where that is wanted, and start its process.

        Raises:
            OSError, PeerError: If it cannot be had here.
        """
        interpreter = ensure_installed(self._peer, install=self._install)
        if self._in_torch:
            python = Path(sys.executable)
            self._process = PeerProcess(self._peer, python, ["torch"], [site_packages()], self._weights)
        else:
            self._process = PeerProcess(self._peer, interpreter)

    def judge(self, programs: Sequence[Program]) -> list[bool]:
        """Whether each program passes its tests."""
        assert self._process is not None
        self._answer = self._process.judge([each.for_peers() for each in programs])
        return list(self._answer["passed"])

    def measure(self, programs: Sequence[Program]) -> Sample:
        """Judge some programs; the process reports its own time and its children's."""
        self.judge(programs[:1])
        passed = self.judge(programs)
        answer = self._answer
        return Sample(answer["cpu_s"], answer["wall_s"], len(passed), sum(passed), answer["resident_mib"])

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.close()


# the runner without protection --------------------------------------------------------------------

# each name is bound anew at the end of its module; namespaces are switched off by an argument, and what is left is
# the fork, the reading of the job, the calls and the report
OFF = {
    "hardening": {
        "die_with_parent": "lambda: None",
        "drop_root": "lambda uid: None",
        "limit_resources": "lambda: None",
        "ChildLimits.apply": "lambda self: None",
    },
    "protections": {"Plan._probe": "lambda self, layer, action: self.missing.update({layer: 'switched off'})"},
    "runner": {
        "_sweeper": "lambda plan: lambda pid: None",
        # one memory file for all jobs is no protection, so the bare runner has it as well
        "_candidates_are_alone": "lambda plan: True",
    },
}


def _modules_without_protection() -> list[list[str]]:
    found = []
    for name, source in boot.modules():
        off = OFF.get(name.rpartition(".")[2], {})
        unknown = [each for each in off if f"def {each.rpartition('.')[2]}(" not in source]
        if unknown:
            raise ConfigurationError(f"The runner's module {name} has no {unknown} to switch off; adapt `OFF`.")
        found.append([name, "\n".join([source, *(f"{each} = {body}" for each, body in off.items()), ""])])
    return found


class BareExecutor(LocalExecutor):
    """Our runner as it is, but without any protection. For measurements with trusted programs only."""

    def __init__(self) -> None:
        super().__init__(level="weak", namespaces="none")

    def _start_worker(self) -> Worker:
        modules = _modules_without_protection()
        with mock.patch.object(boot, "modules", return_value=modules):
            return super()._start_worker()


def docker_executor(workers: int) -> DockerExecutor:
    """An executor on an engine that answers; without one, the executor itself would go on trying for long.

    Raises:
        CodeEnvsError: If there is none.
    """
    executor = DockerExecutor(workers)
    try:
        with contextlib.closing(executor._sdk.from_env(timeout=10)) as client:
            client.ping()
    except (executor._sdk.errors.DockerException, OSError) as error:
        raise ExecutorError(f"no Docker engine answers: {error}") from error
    return executor
