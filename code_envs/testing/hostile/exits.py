"""Programs that leave before they are tested, and hope that exit code 0 is a pass."""

from __future__ import annotations

from code_envs.execution.executor import CallStatus, Status
from code_envs.testing.hostile.program import LOOPS, Hostile

__all__ = ["PROGRAMS"]

PROGRAMS = (
    Hostile(
        "exit-at-import",
        "leave before the first call",
        """
import os
os._exit(0)
def f(x): return 1
""",
        Status.EXITED,
    ),
    Hostile(
        "exit-in-call",
        "leave in a call",
        """
import os
def f(x): os._exit(0)
""",
        Status.EXITED,
    ),
    Hostile(
        "exit-as-runner",
        "leave with the codes of the sandbox's own failures, which earn no punishment",
        """
import os
def f(x): os._exit(97 if x == 1 else 3)
""",
        Status.EXITED,
    ),
    Hostile(
        "exit-after-one",
        "answer one call and leave in the next",
        """
import os
def f(x): return 7 if x == 1 else os._exit(0)
""",
        Status.EXITED,
        CallStatus.VALUE,
        value=7,
    ),
    Hostile(
        "sys-exit",
        "leave politely",
        """
import sys
def f(x): sys.exit(0)
""",
        call=CallStatus.EXCEPTION,
        exception=("SystemExit",),
    ),
    Hostile(
        "quit",
        "leave as one leaves the interpreter, which also closes standard input",
        """
def f(x): quit()
""",
        call=CallStatus.EXCEPTION,
        exception=("SystemExit",),
    ),
    Hostile(
        "system-exit-at-import",
        "leave politely at import",
        """
raise SystemExit(0)
def f(x): return 1
""",
        Status.LOAD_ERROR,
    ),
    Hostile(
        "sys-exit-at-import",
        "leave at import, inside a handler",
        """
import sys
try: raise ValueError
except ValueError: sys.exit(0)
""",
        Status.LOAD_ERROR,
    ),
    Hostile(
        "keyboard-interrupt",
        "pretend that the user stopped the grader",
        """
def f(x): raise KeyboardInterrupt
""",
        call=CallStatus.EXCEPTION,
        exception=("KeyboardInterrupt",),
    ),
    Hostile(
        "generator-exit",
        "raise what ends generators",
        """
def f(x): raise GeneratorExit
""",
        call=CallStatus.EXCEPTION,
        exception=("GeneratorExit",),
    ),
    Hostile(
        "exception-group",
        "raise a group that holds an exit",
        """
def f(x): raise BaseExceptionGroup('all passed', [SystemExit(0), KeyboardInterrupt()])
""",
        call=CallStatus.EXCEPTION,
        exception=("BaseExceptionGroup",),
    ),
    Hostile(
        "skip-test",
        "raise what a test framework takes for a skipped test",
        """
import unittest
def f(x): raise unittest.SkipTest('not on this machine')
""",
        call=CallStatus.EXCEPTION,
        exception=("SkipTest",),
    ),
    Hostile(
        "atexit",
        "leave from the last hooks",
        """
import atexit, os
atexit.register(os._exit, 0)
class D:
    def __del__(self): os._exit(0)
def f(x):
    D()
    return 1
""",
        Status.EXITED,
    ),
    Hostile(
        "atexit-only",
        "leave from the interpreter's exit hook",
        """
import atexit, os
atexit.register(os._exit, 0)
def f(x): return 7
""",
        call=CallStatus.VALUE,
        value=7,
    ),
    Hostile(
        "exit-in-text",
        "leave when its exception is printed",
        """
import os
class Last(Exception):
    def __str__(self): os._exit(0)
def f(x): raise Last
""",
        Status.EXITED,
    ),
    Hostile(
        "exit-in-name",
        "leave when its exception's class is named",
        """
import os
class Meta(type):
    @property
    def __name__(self): os._exit(0)
class Last(Exception, metaclass=Meta): pass
def f(x): raise Last
""",
        Status.EXITED,
    ),
    Hostile(
        "exit-in-hook",
        "leave when a finalizer fails",
        """
import os, sys
sys.unraisablehook = lambda *_: os._exit(0)
sys.excepthook = sys.unraisablehook
class D:
    def __del__(self): raise ValueError
def f(x):
    D()
    return 7
""",
        Status.EXITED,
    ),
    Hostile(
        "exit-in-signal",
        "leave from a signal handler",
        """
import os, signal
signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
signal.setitimer(signal.ITIMER_REAL, 0.01)
def f(x):
    while True: pass
""",
        Status.EXITED,
    ),
    Hostile(
        "exit-in-gc",
        "leave from the garbage collector",
        """
import gc, os
gc.callbacks.append(lambda *_: os._exit(0))
def f(x): return gc.collect()
""",
        Status.EXITED,
    ),
    Hostile(
        "exit-by-c",
        "leave through the C library, whose hooks the interpreter does not know",
        """
import ctypes
def f(x): ctypes.CDLL(None).exit(0)
""",
        Status.EXITED,
    ),
    Hostile(
        "no-exit",
        "take away the function that ends its process, to run on as the runner",
        """
import os, posix
os._exit = posix._exit = lambda code: None
def f(x): return 7
""",
        (Status.OK, Status.EXITED, Status.CRASHED, Status.BAD_OUTPUT),
        limits=LOOPS,
    ),
    Hostile(
        "runner",
        "run on as the runner, with its functions replaced",
        """
import os, signal, time
os._exit = lambda code: None
os.wait4 = lambda *_: (1, 0, os.times())
signal.sigtimedwait = lambda *_: None
os.fork = lambda: 1
def f(x): return 7
""",
        (Status.OK, Status.EXITED, Status.CRASHED, Status.BAD_OUTPUT),
        limits=LOOPS,
    ),
    Hostile(
        "null",
        "crash the interpreter",
        """
import ctypes
def f(x): return ctypes.string_at(0)
""",
        Status.CRASHED,
    ),
    Hostile(
        "abort",
        "abort",
        """
import os
def f(x): os.abort()
""",
        Status.CRASHED,
    ),
    Hostile(
        "terminated",
        "end by a signal that asks politely",
        """
import os, signal
def f(x): os.kill(os.getpid(), signal.SIGTERM)
""",
        Status.CRASHED,
    ),
    Hostile(
        "killed",
        "end as if the sandbox had killed it",
        """
import os, signal
def f(x): os.kill(os.getpid(), signal.SIGKILL)
""",
        (Status.CRASHED, Status.MEMORY_LIMIT),
    ),
    Hostile(
        "limit-signal",
        "end as if a limit had been met",
        """
import os, signal
def f(x): os.kill(os.getpid(), signal.SIGXCPU)
""",
        (Status.CRASHED, Status.CPU_LIMIT),
    ),
)
