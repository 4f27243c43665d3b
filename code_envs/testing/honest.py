"""The honest job after each attack: its answers are known, and it tells everything that one job could leave."""

from __future__ import annotations

from typing import Any

from code_envs.execution.executor import CallStatus, Executor, Job, Limits, Outcome, Status
from code_envs.execution.values import decode
from code_envs.tasks.cases import Case, CaseSuite

__all__ = ["HonestJob"]

LIMITS = Limits(cpu_s=5.0, wall_s=30.0, memory_mib=256)
ARGUMENT = 21
RIGHT = [42, '{"a": [21, 1.5]}', True, 2, True, True, False]
SOURCE = """
# {planted}
import atexit, builtins, collections, decimal, gc, json, os, random, re, resource, signal, sys, threading
from fractions import Fraction
def f(x, planted):
    return [x * 2, json.dumps({"a": [x, 1.5]}), isinstance(x, int), len(sorted([x, x])), bool(re.match("a", "a")),
            decimal.Decimal(1) / 3 == decimal.Decimal("0.3333333333333333333333333333"), Fraction(1, 2) == Fraction(1)
            ] if x else state()
def handler(number):
    found = signal.getsignal(number)
    return int(found) if isinstance(found, int) else str(found is None or found.__name__)
def listing():
    try: return sorted(os.listdir("."))
    except OSError: return ["closed"]
def state():
    mask = os.umask(0o77)
    os.umask(mask)
    limits = (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_STACK, resource.RLIMIT_DATA)
    return [
        os.getcwd(), listing(), os.stat(".").st_mode, sorted(os.environ), mask, len(vars(builtins)),
        sorted(sys.modules), sys.path, len(sys.meta_path), sys.getrecursionlimit(), sys.getswitchinterval(),
        sys.get_int_max_str_digits(), sys.gettrace() is None, gc.isenabled(), list(gc.get_threshold()),
        len(gc.callbacks), atexit._ncallbacks(), threading.active_count(),
        [handler(number) for number in range(1, 32)], sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, []))),
        list(signal.getitimer(signal.ITIMER_REAL)), [list(resource.getrlimit(limit)) for limit in limits],
        os.getpriority(os.PRIO_PROCESS, 0), len(os.sched_getaffinity(0)), [os.fstat(n).st_rdev for n in (0, 1, 2)],
        collections.Counter(a=1) == collections.Counter(a=2),
    ]
"""
"""The first call uses what a program may have replaced, the second gives what must be the same in every job."""


class HonestJob:
    """A job whose answers are known, once it has been seen on an executor that nobody has attacked yet.

    Args:
        secret: What marks everything planted. It is in the program and in its arguments, so that memory which this
            job leaves behind can be searched for it.
    """

    def __init__(self, secret: str) -> None:
        self.source = SOURCE.replace("{planted}", f"{secret}:previous").encode()
        self._argument = f"{secret}:argument"
        self._state: Any = None

    def suite(self) -> CaseSuite:
        """The tests that it must pass."""
        calls = (([ARGUMENT, self._argument], RIGHT), ([0, self._argument], self._state))
        return CaseSuite("f", [Case.of("f", arguments, expected) for arguments, expected in calls])

    def job(self, before: bytes = b"") -> Job:
        """The job; what stands before its program runs in the same process."""
        return self.suite().job(before + self.source, LIMITS)

    def remember(self, outcome: Outcome | None) -> None:
        """Take an outcome for what every later one must be.

        Raises:
            AssertionError: If it is none that an honest job may have.
        """
        last = outcome.results[-1:] if outcome is not None and outcome.status is Status.OK else ()
        if not last or last[0].status is not CallStatus.VALUE:
            raise AssertionError(f"Expected an honest job to work before any attack, got {outcome}.")
        self._state = decode(last[0].value)

    def passes(self, outcome: Outcome, executor: Executor) -> bool:
        """Whether the verdict on an outcome is the right one."""
        return all(self.suite().grade(outcome, executor).passed)

    def difference(self, outcome: Outcome) -> str:
        """How an outcome that does not pass differs from what it was."""
        values = [each.value for each in outcome.results]
        if [type(each) for each in values] != [list, list]:
            return str(outcome)
        pairs = zip([*RIGHT, *self._state], [*values[0], *values[1]], strict=False)
        found = [f"{now!r} where {before!r} was before" for before, now in pairs if before != now]
        return "; ".join(found) or str(outcome)
