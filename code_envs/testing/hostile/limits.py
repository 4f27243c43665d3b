"""Programs that never end."""

from __future__ import annotations

from code_envs.execution.executor import CallStatus, Status
from code_envs.testing.hostile.program import LOOPS, SLEEPS, Hostile

__all__ = ["PROGRAMS"]

PROGRAMS = (
    Hostile(
        "loop",
        "loop for ever",
        """
def f(x):
    while True:
        try:
            while True: pass
        except BaseException: pass
""",
        Status.CPU_LIMIT,
        limits=LOOPS,
    ),
    Hostile(
        "loop-at-import",
        "loop for ever while it loads, deaf to all signals",
        """
import signal
for n in range(1, 65):
    try: signal.signal(n, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True: pass
""",
        Status.CPU_LIMIT,
        limits=LOOPS,
    ),
    Hostile(
        "sleep",
        "sleep past the wall clock",
        """
import time
def f(x): time.sleep(100)
""",
        Status.WALL_LIMIT,
        limits=SLEEPS,
    ),
    Hostile(
        "sleep-at-import",
        "sleep past the wall clock while it loads, in small pieces",
        """
import time
while True: time.sleep(0.01)
""",
        Status.WALL_LIMIT,
        limits=SLEEPS,
    ),
    Hostile(
        "stop",
        "stop itself",
        """
import os, signal
def f(x): os.kill(os.getpid(), signal.SIGSTOP)
""",
        Status.WALL_LIMIT,
        limits=SLEEPS,
    ),
    Hostile(
        "deadlock",
        "wait for a lock that it holds",
        """
import threading
def f(x):
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
""",
        Status.WALL_LIMIT,
        limits=SLEEPS,
    ),
    Hostile(
        "blocked",
        "read a pipe that nobody writes to, with all signals blocked",
        """
import os, signal
def f(x):
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    reader, writer = os.pipe()
    os.read(reader, 1)
""",
        Status.WALL_LIMIT,
        limits=SLEEPS,
    ),
    Hostile(
        "stdin",
        "wait for input",
        """
def f(x): return input()
""",
        call=CallStatus.EXCEPTION,
        exception=("EOFError",),
    ),
    Hostile(
        "power",
        "one C call that never ends",
        """
def f(x): return 10**10**8
""",
        Status.CPU_LIMIT,
        limits=LOOPS,
    ),
    Hostile(
        "sum",
        "a loop inside a built-in function, where no interpreter looks for signals",
        """
def f(x): return sum(range(10**12))
""",
        Status.CPU_LIMIT,
        limits=LOOPS,
    ),
    Hostile(
        "membership",
        "look for what an endless iterator never gives",
        """
import itertools
def f(x): return -1 in itertools.count()
""",
        Status.CPU_LIMIT,
        limits=LOOPS,
    ),
    Hostile(
        "backtracking",
        "a regular expression that takes exponential time",
        """
import re
def f(x): return bool(re.match(r'(a+)+$', 'a' * 60 + 'b'))
""",
        Status.CPU_LIMIT,
        limits=LOOPS,
    ),
    Hostile(
        "hash-flood",
        "fill a dict with colliding keys",
        """
def f(x): return len({n * (2**61 - 1): n for n in range(1, 10**6)})
""",
        Status.CPU_LIMIT,
        limits=LOOPS,
    ),
    Hostile(
        "quadratic-int",
        "read a number of a million digits, after lifting Python's own limit",
        """
import sys
def f(x):
    sys.set_int_max_str_digits(0)
    return int('9' * 10**6) % 7
""",
        Status.CPU_LIMIT,
        limits=LOOPS,
    ),
    Hostile(
        "text-of-exception",
        "an exception whose text takes for ever",
        """
class Slow(Exception):
    def __str__(self):
        while True: pass
def f(x): raise Slow
""",
        Status.CPU_LIMIT,
        limits=LOOPS,
    ),
    Hostile(
        "finalizer",
        "a finalizer that takes for ever, after the call",
        """
class Slow:
    def __del__(self):
        while True: pass
def f(x): return Slow() and 7
""",
        Status.CPU_LIMIT,
        limits=LOOPS,
    ),
    Hostile(
        "alarms",
        "a timer that interrupts every other instruction",
        """
import signal
def f(x):
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 1e-6, 1e-6)
    while True: pass
""",
        Status.CPU_LIMIT,
        limits=LOOPS,
    ),
    Hostile(
        "raised-limits",
        "raise its own CPU limit, then loop",
        """
import resource
def f(x):
    for limit in (resource.RLIMIT_CPU, resource.RLIMIT_AS, resource.RLIMIT_NPROC):
        try: resource.setrlimit(limit, (-1, -1))
        except (ValueError, OSError): pass
    while True: pass
""",
        Status.CPU_LIMIT,
        limits=LOOPS,
    ),
    Hostile(
        "regained",
        "catch every exception and go on, for ever, by recursion",
        """
def f(x):
    try: return f(x)
    finally:
        try: f(x)
        except BaseException: f(x)
""",
        Status.CPU_LIMIT,
        limits=LOOPS,
    ),
)
