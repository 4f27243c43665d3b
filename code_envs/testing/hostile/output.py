"""Programs that say too much, or what a reader of their output may choke on."""

from __future__ import annotations

from code_envs.execution.executor import CallStatus, Status
from code_envs.testing.hostile.program import LOOPS, Hostile

__all__ = ["PROGRAMS"]

PROGRAMS = (
    Hostile(
        "flood",
        "print without end",
        """
def f(x):
    while True: print('x' * 10000)
""",
        Status.CPU_LIMIT,
        limits=LOOPS,
    ),
    Hostile(
        "flood-errors",
        "write to standard error without end",
        """
import os
def f(x):
    while True: os.write(2, b'x' * 65536)
""",
        Status.CPU_LIMIT,
        limits=LOOPS,
    ),
    Hostile(
        "flood-report",
        "write results without end",
        """
import os
def f(x):
    while True: os.write(3, b'["v",1]\\n' * 8192)
""",
        (Status.OUTPUT_LIMIT, Status.BAD_OUTPUT),
    ),
    Hostile(
        "big-result",
        "return more than fits",
        """
def f(x): return ['y' * 1000] * 2000
""",
        Status.OUTPUT_LIMIT,
    ),
    Hostile(
        "long-result",
        "return a text of 30 million characters",
        """
def f(x): return 'y' * (30 << 20)
""",
        call=(CallStatus.OPAQUE, CallStatus.EXCEPTION),
    ),
    Hostile(
        "many-results",
        "return more items than a value may hold",
        """
def f(x): return [0] * 300000
""",
        call=CallStatus.OPAQUE,
    ),
    Hostile(
        "large-int",
        "return a number that takes long to write",
        """
def f(x): return 1 << 10**7
""",
        call=CallStatus.OPAQUE,
    ),
    Hostile(
        "large-decimal",
        "return a number with a very large exponent, which takes long to compare",
        """
from decimal import Decimal
def f(x): return Decimal('1E+999999999999')
""",
        call=CallStatus.VALUE,
    ),
    Hostile(
        "long-message",
        "raise an exception with a text of ten million characters",
        """
def f(x): raise ValueError('x' * 10**7)
""",
        call=CallStatus.EXCEPTION,
        exception=("ValueError",),
    ),
    Hostile(
        "long-name",
        "raise an exception of a class with a very long name",
        """
def f(x): raise type('E' * 10**5, (Exception,), {})
""",
        call=CallStatus.EXCEPTION,
    ),
    Hostile(
        "no-name",
        "raise an exception of a class whose name cannot be read",
        """
class Meta(type):
    @property
    def __name__(self): raise ValueError
class E(Exception, metaclass=Meta): pass
def f(x): raise E
""",
        (Status.OK, Status.EXITED),
    ),
    Hostile(
        "digits",
        "send a number that takes long to read",
        """
import os
os.write(3, b'["r"]\\n["v",' + b'9' * 5000 + b']\\n')
os._exit(0)
""",
        Status.BAD_OUTPUT,
    ),
    Hostile(
        "brackets",
        "overflow the reader's stack",
        """
import os
os.write(3, b'[' * 400000 + b'\\n')
os._exit(0)
""",
        Status.BAD_OUTPUT,
    ),
    Hostile(
        "closed-brackets",
        "overflow the reader's stack with well-formed JSON",
        """
import os
os.write(3, b'["r"]\\n["v",' + b'[' * 100000 + b']' * 100000 + b']\\n')
os._exit(0)
""",
        Status.BAD_OUTPUT,
    ),
    Hostile(
        "empty-lines",
        "send nothing but line ends",
        """
import os
os.write(3, b'\\n' * 500000)
os._exit(0)
""",
        Status.BAD_OUTPUT,
    ),
    Hostile(
        "bytes",
        "send what is no text",
        """
import os
os.write(3, bytes(range(256)) * 100 + b'\\n')
os._exit(0)
""",
        Status.BAD_OUTPUT,
    ),
    Hostile(
        "half-line",
        "send results whose last line is cut off",
        """
import os
os.write(3, b'["r"]\\n["v",1]\\n["v",')
os._exit(0)
""",
        Status.BAD_OUTPUT,
    ),
    Hostile(
        "constants",
        "send numbers that JSON does not have",
        """
import os
os.write(3, b'["r"]\\n["v",NaN]\\n["v",-Infinity]\\n')
os._exit(0)
""",
        (Status.OK, Status.BAD_OUTPUT),
    ),
    Hostile(
        "surrogates",
        "return a text that no encoding can write, and control characters",
        """
def f(x): return '\\udfff\\ud800\\x1b[2J\\x00\\u202e'
""",
        call=CallStatus.VALUE,
        value={"w": [0xDFFF, 0xD800, 27, 91, 50, 74, 0, 0x202E]},
    ),
    Hostile(
        "flooded-keys",
        "return a dict whose keys collide in the reader",
        """
def f(x): return {n * (2**61 - 1) % 2**62: 0 for n in range(3000)}
""",
        call=CallStatus.VALUE,
    ),
)
