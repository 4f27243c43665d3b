"""Programs that cheat at being fast: clocks that lie, counters that stand still, steps that nobody counted."""

from __future__ import annotations

from dataclasses import replace

from code_envs.execution.executor import CallStatus, Status
from code_envs.testing.hostile.program import LOOPS, SLEEPS, Hostile

__all__ = ["PROGRAMS"]

_COUNTED = replace(LOOPS, steps=1000)
_WORK_S = 0.06
_BURN = """
import time
_now = time.process_time
def burn():
    end = _now() + 0.08
    while _now() < end: pass
"""


def _burns(name: str, attempts: str, source: str) -> Hostile:
    """A program whose work, 0.08 s of CPU time, must be counted."""
    return Hostile(name, attempts, _BURN + source, (Status.OK, Status.EXITED, Status.CRASHED), least_cpu_s=_WORK_S)


_COUNTERS = """
import builtins
tick, visit, reach = (getattr(builtins, f'__code_envs_{name}__') for name in ('tick', 'visit', 'reach'))
"""

PROGRAMS = (
    _burns(
        "stopped-clock",
        "replace every clock of Python by one that stands still",
        """
for name in ('time', 'perf_counter', 'monotonic', 'process_time', 'thread_time', 'clock_gettime', 'perf_counter_ns',
             'monotonic_ns', 'time_ns', 'process_time_ns', 'clock_gettime_ns', 'thread_time_ns'):
    setattr(time, name, lambda *_: 0)
def f(x):
    burn()
    return 7
""",
    ),
    _burns(
        "no-usage",
        "replace what reports the use of processors",
        """
import os, resource
resource.getrusage = lambda *_: (0,) * 16
os.times = lambda: (0,) * 5
os.wait4 = os.waitpid = lambda *_: (0, 0, 0)
def f(x):
    burn()
    return 7
""",
    ),
    _burns("work-at-import", "work before the first call, where no call is timed", "burn()\ndef f(x): return 7\n"),
    _burns(
        "work-in-finalizer",
        "work after the call, when its objects go",
        """
class Late:
    def __del__(self): burn()
def f(x):
    Late()
    return 7
""",
    ),
    _burns(
        "work-in-argument",
        "work while the result is written",
        """
from decimal import Decimal
class Late(Decimal):
    def __str__(self):
        burn()
        return '7'
def f(x):
    burn()
    return Late(7)
""",
    ),
    _burns(
        "work-in-signal",
        "work in a signal handler",
        """
import os, signal
signal.signal(signal.SIGUSR1, lambda *_: burn())
def f(x):
    os.kill(os.getpid(), signal.SIGUSR1)
    return 7
""",
    ),
    _burns(
        "work-before-exit",
        "work, and leave before it is counted",
        """
import os
def f(x):
    burn()
    os._exit(0)
""",
    ),
    _burns(
        "fast-after-first",
        "work once, and answer from memory whenever it is timed again",
        """
known = {}
def f(x):
    if not known:
        burn()
        known[x] = 7
    return 7
""",
    ),
    Hostile(
        "no-counter",
        "replace the counter of steps, then loop",
        """
import builtins
for name in list(vars(builtins)):
    if 'code_envs' in name: setattr(builtins, name, object)
def f(x):
    while True: pass
""",
        Status.CPU_LIMIT,
        limits=_COUNTED,
    ),
    Hostile(
        "swallowed-limit",
        "catch the limit of steps, and answer",
        """
def f(x):
    while True:
        try:
            while True: pass
        except BaseException:
            return 7
""",
        call=CallStatus.STEP_LIMIT,
        limits=_COUNTED,
    ),
    Hostile(
        "raised-counter",
        "give itself more steps, then loop",
        _COUNTERS
        + """
for cell in tick.__closure__:
    if type(cell.cell_contents) is int: cell.cell_contents = 1 << 62
def f(x):
    for cell in tick.__closure__:
        if type(cell.cell_contents) is int: cell.cell_contents = 1 << 62
    while True: pass
""",
        Status.CPU_LIMIT,
        limits=_COUNTED,
    ),
    Hostile(
        "negative-steps",
        "report fewer steps than none",
        _COUNTERS
        + """
def f(x):
    for _ in range(100): pass
    for cell in tick.__closure__:
        if type(cell.cell_contents) is int: cell.cell_contents = 1 << 70
    return 7
""",
        Status.BAD_OUTPUT,
        limits=_COUNTED,
    ),
    Hostile(
        "steps-of-no-number",
        "report steps that are no number",
        _COUNTERS
        + """
class Few(int):
    def __rsub__(self, other): return 'few'
    def __sub__(self, other): return self
    def __lt__(self, other): return False
def f(x):
    for cell in tick.__closure__:
        if type(cell.cell_contents) is int: cell.cell_contents = Few(1)
    return 7
""",
        (Status.OK, Status.EXITED, Status.BAD_OUTPUT),
        limits=_COUNTED,
    ),
    Hostile(
        "lines-of-nowhere",
        "report lines that it does not have",
        _COUNTERS
        + """
def f(x):
    reach(10**9)
    reach(-1)
    reach('line')
    return 7
""",
        (Status.OK, Status.EXITED, Status.BAD_OUTPUT),
        limits=_COUNTED,
        trace=True,
    ),
    Hostile(
        "uncounted-work",
        "work where no step is counted, inside built-in functions",
        """
def f(x): return sum(map(abs, range(10**12)))
""",
        Status.CPU_LIMIT,
        limits=_COUNTED,
    ),
    Hostile(
        "waiting",
        "let the wall clock run, where only CPU time is limited",
        """
import select
def f(x): return select.select([], [], [], 60)
""",
        Status.WALL_LIMIT,
        limits=SLEEPS,
    ),
)
