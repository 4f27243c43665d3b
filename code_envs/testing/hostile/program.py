"""What a hostile program is: an attempt, its source, and how it must end.

`{...}` in a source is filled in with the address of something planted, see `code_envs.testing.honeypots`. Texts
that a program looks for are given backwards, so that it finds foreign copies and not its own source.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from code_envs.execution.executor import CallResult, CallStatus, Limits, Outcome, Status

__all__ = ["LIMITS", "LOOPS", "SLEEPS", "Hostile", "denied", "probe"]

# generous, so that a busy machine does not turn one end into another: a program that ends by itself took up to
# 0.3 s of CPU time there, and one that is stopped at a limit of CPU time waits its turn on the wall clock
LIMITS = Limits(cpu_s=3.0, wall_s=20.0, memory_mib=128)
LOOPS = replace(LIMITS, cpu_s=0.2)
SLEEPS = replace(LIMITS, wall_s=0.5)


@dataclass(frozen=True)
class Hostile:
    """One hostile program.

    Its function is `f`, called with 1 and then with 2 in one job; in C, C++ and Java it runs as a whole, with the
    texts "1" and "2" as its standard input.

    Args:
        name: Unique.
        attempts: What it tries, in one line.
        source: The program.
        status: How the job may end.
        call: How the first call may end; None takes any.
        exception: Class names that the first call's exception may have; empty takes any.
        value: What the first call may give where the attempt fails quietly, encoded; None takes any.
        limits: What it may use.
        trace: Whether the job reports lines and steps.
        is_probe: Whether its calls give a list of what they reached: anything but `value` is an escape.
        searches: Whether it looks for planted texts in its own process.
        least_cpu_s: CPU time that the job uses at least, whatever it makes its clocks say, s.
        level: Protection from which on the attempt must fail, "good" or "strong".
        language: As in `code_envs.execution.executor.Job`.
    """

    name: str
    attempts: str
    source: str | bytes
    status: Status | tuple[Status, ...] = Status.OK
    call: CallStatus | tuple[CallStatus, ...] | None = None
    exception: tuple[str, ...] = ()
    value: Any = None
    limits: Limits = LIMITS
    trace: bool = False
    is_probe: bool = False
    searches: bool = False
    least_cpu_s: float = 0.0
    level: str = "good"
    language: str = "python"

    def surprise(self, outcome: Outcome) -> str:
        """What is not as it may be in an outcome; "" if all is."""
        if outcome.status not in _several(self.status):
            return f"expected the job to end with {self.status}, got {outcome}"
        result = outcome.results[0] if outcome.results else CallResult(CallStatus.NOT_RUN)
        if self.call is not None and result.status not in _several(self.call):
            return f"expected the first call to end with {self.call}, got {result}"
        if self.exception and result.status is CallStatus.EXCEPTION and result.exception not in self.exception:
            return f"expected the first call to raise one of {self.exception}, got {result}"
        if self.value is not None and result.value != self.value:
            return f"expected the first call to give {self.value!r}, got {result}"
        if outcome.cpu_s < self.least_cpu_s:
            return f"expected at least {self.least_cpu_s} s of CPU time to be counted, got {outcome.cpu_s}"
        return ""


def _several(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def probe(name: str, attempts: str, source: str, *, searches: bool = False, level: str = "good") -> Hostile:
    """A program whose calls list what they reached, which must be nothing."""
    return Hostile(
        name,
        attempts,
        source,
        call=CallStatus.VALUE,
        value=[],
        is_probe=True,
        searches=searches,
        level=level,
    )


_DENIED = """
import ctypes, os, MODULES
libc = ctypes.CDLL(None, use_errno=True)
def check(result):
    # for C functions, which return -1 where Python's raise
    if result == -1:
        raise OSError
    return result
def raw(number, *arguments):
    # numbers are those of x86-64; others mean other calls elsewhere
    if os.uname().machine != "x86_64":
        raise OSError
    return check(libc.syscall(ctypes.c_long(number), *arguments))
def ends(pid):
    # a process that should not be there goes at once
    if pid == 0:
        os._exit(0)
    return pid
def f(x):
    reached = []
    for name, attempt in (ATTEMPTS):
        try:
            reached.append(f"{name} gave {attempt()!r}"[:200])
        except (OSError, RuntimeError):
            pass
    return reached
"""


def denied(name: str, attempts: str, modules: str, *expressions: str) -> Hostile:
    """A probe that evaluates expressions, all of which must raise.

    Args:
        name: Of the program.
        attempts: What it tries.
        modules: Names of modules to import, with commas.
        expressions: Python expressions; `check(...)` around a C function's call turns -1 into an exception,
            `raw(...)` is a system call by its number, and `ends(...)` around a fork ends the child.
    """
    pairs = "".join(f"({each!r}, lambda: {each}), " for each in expressions)
    return probe(name, attempts, _DENIED.replace("MODULES", modules).replace("ATTEMPTS", pairs))
