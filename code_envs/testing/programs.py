"""The programs that `check_executor` runs: every way to end, and attempts to forge a pass."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from code_envs.execution.executor import CallStatus, Limits, Status

__all__ = [
    "ANSWER",
    "ARGUMENT",
    "FORGERIES",
    "LIMITS",
    "PROGRAMS",
    "STARTS_PROCESSES",
    "UNSPOILT",
    "UNSPOILT_ANSWER",
    "Ending",
]

# the wall clock is generous, so that a busy machine does not turn a CPU limit into a wall limit
LIMITS = Limits(cpu_s=0.5, wall_s=30.0, memory_mib=256)
_TIME_TO_FILL = replace(LIMITS, cpu_s=5.0)  # 256 MiB took up to 0.5 s of CPU time on a busy machine
ARGUMENT, ANSWER = 3, 6


class Ending(NamedTuple):
    """A program and how it must end.

    Args:
        name: What it does.
        source: The program; its function is `f`, called once with 3, for which 6 is right.
        status: How the job must end.
        call: How the call must end.
        exception: Class name of the call's exception, or "".
        limits: What it may use.
    """

    name: str
    source: str
    status: Status
    call: CallStatus = CallStatus.NOT_RUN
    exception: str = ""
    limits: Limits = LIMITS


_LOOP = """
def f(x):
    while True:
        pass
"""
_FILL = """
def f(x):
    held = []
    while True:
        held.append(bytearray(1 << 24))
"""

PROGRAMS = (
    Ending("right", "def f(x): return x * 2", Status.OK, CallStatus.VALUE),
    Ending("raising", "def f(x): return {}[x]", Status.OK, CallStatus.EXCEPTION, "KeyError"),
    Ending("opaque", "def f(x): return object()", Status.OK, CallStatus.OPAQUE),
    Ending("leaving politely", "def f(x): raise SystemExit(0)", Status.OK, CallStatus.EXCEPTION, "SystemExit"),
    Ending("filling the memory", _FILL, Status.OK, CallStatus.EXCEPTION, "MemoryError", _TIME_TO_FILL),
    Ending("no syntax", "def f(x:", Status.COMPILE_ERROR),
    Ending("no load", "raise ValueError('no')", Status.LOAD_ERROR),
    Ending("no entry", "def g(x): return x * 2", Status.NO_ENTRY),
    Ending("leaving", "import os\ndef f(x): os._exit(0)", Status.EXITED),
    Ending("aborting", "import os\ndef f(x): os.abort()", Status.CRASHED),
    Ending("looping", _LOOP, Status.CPU_LIMIT),
    Ending("looping, counted", _LOOP, Status.OK, CallStatus.STEP_LIMIT, limits=replace(LIMITS, steps=1000)),
    Ending("sleeping", "import time\ndef f(x): time.sleep(60)", Status.WALL_LIMIT, limits=replace(LIMITS, wall_s=1.0)),
    Ending("talking", "def f(x): return ['y' * 1000] * 4000", Status.OUTPUT_LIMIT),
)

_EQUALS_EVERYTHING = """
class Any:
    __hash__ = None
    def __eq__(self, other): return True
def f(x): return Any()
"""
_LIES = """
class Lie(int):
    __hash__ = int.__hash__
    def __eq__(self, other): return True
    def __repr__(self): return '6'
    def __int__(self): return 6
    __str__, __index__ = __repr__, __int__
def f(x): return Lie(7)
"""
_WRITES = """
import os
def f(x):
    for text in (b'6', b'[6]', b'OK', b'["v", 6]', b'{"passed": true}'):
        for number in range(1, 64):
            try:
                os.write(number, text + b'\\n')
            except OSError:
                continue
    os._exit(0)
"""
_REPLACES = """
import builtins, json, sys
builtins.isinstance = lambda *_: True
builtins.len = lambda _: 6
json.dumps = lambda *_, **__: '6'
sys.modules['json'] = None
def f(x): return 7
"""
_LOOKS_UP = """
import sys
def f(x):
    frame = sys._getframe()
    while frame:
        for value in list(frame.f_locals.values()) + list(frame.f_globals.values()):
            if getattr(value, 'expected', None) == 6:
                return value.expected
        frame = frame.f_back
    return 7
"""

FORGERIES = {
    "an object that equals everything": _EQUALS_EVERYTHING,
    "a number that lies": _LIES,
    "exit code 0 in the call": "import os\ndef f(x): os._exit(0)",
    "exit code 0 before the call": "import os\nos._exit(0)\ndef f(x): return 7",
    "an exception that says the answer": "def f(x): raise ValueError(6)",
    "answers on every descriptor": _WRITES,
    "replaced built-ins": _REPLACES,
    "the answer from the frames above": _LOOKS_UP,
}
"""Programs that do not compute the answer, each an attempt to be paid for it."""

STARTS_PROCESSES = """
import ctypes, os, threading, time
def f(x):
    try:
        ctypes.CDLL(None).prctl(15, b"{mark}", 0, 0, 0)
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    except (OSError, RuntimeError):
        pass
    for _ in range(3):
        try:
            if os.fork() == 0:
                os.setsid()
                os.fork()
                time.sleep(60)
        except OSError:
            break
    return x * 2
"""
"""Names itself and starts what it may; `{mark}` is a name of at most 15 bytes."""

UNSPOILT = """
import json
def f(x): return [x * 2, json.dumps({"a": [x]}), len([x]), isinstance(x, int)]
"""
UNSPOILT_ANSWER = [ANSWER, '{"a": [3]}', 1, True]
"""What `UNSPOILT` gives where no earlier program left a trace."""
