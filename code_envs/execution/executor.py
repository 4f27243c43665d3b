"""What is executed, what comes back, and the contract of everything that executes.

A `Job` is one candidate program and the calls to make of it. An `Outcome` is what happened: facts
about the candidate, never a verdict. Expected values exist only on this side of the sandbox
(`code_envs.tasks.task.TestSuite.grade`), so there is nothing in the candidate's process to forge.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = [
    "CallResult",
    "CallStatus",
    "Capabilities",
    "Diagnostic",
    "Executor",
    "Job",
    "Limits",
    "Outcome",
    "Pending",
    "Status",
]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one job may use.

    Args:
        cpu_s: CPU time of the job, s; a compiler's is limited apart, to 10 s.
        wall_s: Wall clock of the job, s; None means max(10 * cpu_s, cpu_s + 5), for sleepers only.
        memory_mib: Address space, MiB; for JavaScript and Java, whose machines reserve far more than they use,
            writable memory.
        output_kib: Everything the job reports back, KiB.
        file_kib: Largest file the job may write, KiB.
        open_files: File descriptors.
        steps: Loop iterations plus function entries per call, counted by instrumenting the program,
            a deterministic first limit; None counts nothing. Python only.
    """

    cpu_s: float = 2.0
    wall_s: float | None = None
    memory_mib: int = 512
    output_kib: int = 1024
    file_kib: int = 1024
    open_files: int = 64
    steps: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One candidate program and the calls to make of it.

    Args:
        source: The program, raw bytes as the candidate wrote them.
        entry: Name of the function to call (Python, JavaScript); "" runs the whole program once per call (all
            but Python): the call's one argument is its standard input, its value the standard output.
        calls: JSON array of encoded argument lists (`code_envs.execution.values.encode_calls`). None at all
            checks only whether the program compiles or, called by name, loads.
        limits: What the job may use.
        trace: Also report the lines and steps of each call (reported by the candidate's own process:
            good for fault localisation, never for a verdict). Python only.
        language: "python", "c", "cpp", "javascript" or "java".
    """

    source: bytes
    entry: str
    calls: bytes
    limits: Limits = field(default_factory=Limits)
    trace: bool = False
    language: str = "python"


class Status(enum.StrEnum):
    """How a job ended. Everything here is the candidate's doing; a sandbox's failure is `ExecutorError`."""

    OK = "ok"
    COMPILE_ERROR = "compile_error"
    LOAD_ERROR = "load_error"
    NO_ENTRY = "no_entry"
    EXITED = "exited"
    CRASHED = "crashed"
    CPU_LIMIT = "cpu_limit"
    WALL_LIMIT = "wall_limit"
    OUTPUT_LIMIT = "output_limit"
    MEMORY_LIMIT = "memory_limit"
    BAD_OUTPUT = "bad_output"
    POISON = "poison"


class CallStatus(enum.StrEnum):
    """How one call of a job ended."""

    VALUE = "value"
    EXCEPTION = "exception"
    OPAQUE = "opaque"
    STEP_LIMIT = "step_limit"
    NOT_RUN = "not_run"


@dataclass(frozen=True, slots=True)
class CallResult:
    """What one call gave.

    Args:
        status: VALUE, EXCEPTION, OPAQUE (a value with no faithful encoding), STEP_LIMIT, or NOT_RUN
            (the job ended before or during this call).
        value: The encoded value, hostile data: compare with `code_envs.execution.values.matches` only.
        exception: Class name of the exception, or "".
        message: Its text, cut to 200 characters.
        line: Line of the candidate where it was raised, 1-based, or 0.
        steps: Loop iterations plus function entries, 0 unless traced or limited.
        lines: Executed lines, 1-based and sorted, empty unless traced.
    """

    status: CallStatus
    value: Any = None
    exception: str = ""
    message: str = ""
    line: int = 0
    steps: int = 0
    lines: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One message of a compiler about a program.

    Args:
        severity: "error" or "warning".
        message: What it says, cut to 200 characters.
        line: Line of the candidate, 1-based, or 0.
        column: Column in it, 1-based, or 0.
    """

    severity: str
    message: str
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to one job.

    Args:
        status: How the job ended; OK means that every call was made and reported.
        results: One entry per call of the job, in order.
        message: Compiler's or loader's message, or "".
        line: Line of a compile or load error, 1-based, or 0.
        code: Exit code or signal number for EXITED and CRASHED, else 0.
        cpu_s: CPU time of the candidate's process and of a compiler, measured from outside, s.
        wall_s: Wall clock, measured from outside, s.
        max_rss_kib: Peak resident size, measured from outside, KiB.
        diagnostics: The compiler's errors and warnings, in its order.
    """

    status: Status
    results: tuple[CallResult, ...]
    message: str = ""
    line: int = 0
    code: int = 0
    cpu_s: float = 0.0
    wall_s: float = 0.0
    max_rss_kib: int = 0
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def errors(self) -> int:
        """How many errors the compiler found."""
        return sum(each.severity == "error" for each in self.diagnostics)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The protections an executor really gives, as its own runner reports them.

    Args:
        level: "strong", "good", "weak" or "none".
        layers: Active protections, such as "pid_namespace", "seccomp", "landlock", "rlimits".
        missing: Protections this machine does not give, each with the reason.
        python: Version of the interpreter that runs the candidates.
        tools: Version of the compiler or interpreter of each other language there is; workers for Python have none.
    """

    level: str
    layers: tuple[str, ...]
    missing: dict[str, str]
    python: str
    tools: dict[str, str] = field(default_factory=dict)


class Pending(Protocol):
    """A submitted job."""

    def done(self) -> bool:
        """Whether `result` returns without waiting."""

    def result(self) -> Outcome:
        """Wait for the outcome.

        Raises:
            ExecutorError: If the sandbox failed, after one retry on a fresh worker.
            CancelledError: If it was cancelled.
        """

    def cancel(self) -> bool:
        """Do not run the job if it still waits; whether it is cancelled. One that a worker has, runs."""


class Executor(ABC):
    """Runs jobs in a sandbox. One instance serves one environment or a thousand."""

    @abstractmethod
    def submit(self, job: Job) -> Pending:
        """Queue one job; returns at once, unless so many wait that some must be executed first."""

    @abstractmethod
    def capabilities(self, language: str = "python") -> Capabilities:
        """The protections in force for programs of a language. Starts a worker if none runs yet."""

    @abstractmethod
    def close(self) -> None:
        """Stop every worker. Safe to call twice; the executor cannot be used afterwards."""

    def run(self, job: Job) -> Outcome:
        """Run one job and wait for it."""
        return self.submit(job).result()

    def run_many(self, jobs: Iterable[Job]) -> list[Outcome]:
        """Run jobs side by side; outcomes come in their order. After an error, what still waits is cancelled."""
        pending: list[Pending] = []
        try:
            for job in jobs:
                pending.append(self.submit(job))
            return [each.result() for each in pending]
        except BaseException:
            for each in pending:
                each.cancel()
            raise

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
