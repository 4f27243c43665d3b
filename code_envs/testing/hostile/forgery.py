"""Programs that forge: objects that lie about themselves, and reports that nobody computed."""

from __future__ import annotations

from code_envs.execution.executor import CallStatus, Status
from code_envs.testing.hostile.program import Hostile, probe

__all__ = ["PROGRAMS"]

_ANY_END = (Status.OK, Status.EXITED, Status.BAD_OUTPUT, Status.OUTPUT_LIMIT, Status.CRASHED)

_OBJECTS = (
    Hostile(
        "always-equal",
        "equal everything",
        """
class Equal:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
    def __bool__(self): return True
    __class__ = int
def f(x): return Equal()
""",
        call=CallStatus.OPAQUE,
    ),
    Hostile(
        "always-equal-inside",
        "equal everything, inside a list, a tuple and a dict",
        """
class Equal:
    def __eq__(self, other): return True
    def __hash__(self): return 0
def f(x): return [Equal(), (Equal(),), {Equal(): Equal()}]
""",
        call=CallStatus.OPAQUE,
    ),
    Hostile(
        "equal-class",
        "a class, not an object, that equals everything",
        """
class Meta(type):
    def __eq__(cls, other): return True
    def __hash__(cls): return 0
    def __instancecheck__(cls, other): return True
class Equal(metaclass=Meta): pass
def f(x): return Equal
""",
        call=CallStatus.OPAQUE,
    ),
    Hostile(
        "lying-int",
        "be whatever is compared",
        """
class Lie(int):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __int__(self): return 42
    def __index__(self): return 42
    def __add__(self, other): return 42
    def __repr__(self): return "42"
    __str__ = __hash__ = __repr__
def f(x): return Lie(7)
""",
        call=CallStatus.VALUE,
        value=7,
    ),
    Hostile(
        "lying-text",
        "a text that equals and contains everything",
        """
class Lie(str):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __contains__(self, other): return True
    def __len__(self): return 5
    def encode(self, *_): return b'right'
    def __str__(self): return 'right'
    __hash__ = str.__hash__
    __repr__ = __format__ = __str__
def f(x): return Lie('wrong')
""",
        call=CallStatus.VALUE,
        value="wrong",
    ),
    Hostile(
        "lying-list",
        "a list that shows other items than it has, without end",
        """
import itertools
class Lie(list):
    def __eq__(self, other): return True
    def __iter__(self): return itertools.count()
    def __len__(self): return 0
    def __getitem__(self, index): return self
def f(x): return Lie([7])
""",
        call=CallStatus.VALUE,
        value=[7],
    ),
    Hostile(
        "lying-dict",
        "a dict that has every key",
        """
class Lie(dict):
    def __eq__(self, other): return True
    def __missing__(self, key): return key
    def items(self): return [('right', 1)] * 10**9
    def keys(self): return self
def f(x): return Lie(a=7)
""",
        call=CallStatus.VALUE,
        value={"d": [["a", 7]]},
    ),
    Hostile(
        "lying-set",
        "a set that holds everything",
        """
class Lie(frozenset):
    def __eq__(self, other): return True
    def __contains__(self, other): return True
    def __len__(self): return 1
    def __iter__(self): return iter('right')
def f(x): return Lie()
""",
        call=CallStatus.VALUE,
        value={"S": []},
    ),
    Hostile(
        "not-a-number",
        "a number that every comparison fails on",
        """
def f(x): return float('nan')
""",
        call=CallStatus.VALUE,
        value={"f": "nan"},
    ),
    Hostile(
        "lying-class",
        "say to be of another class, and leave when asked",
        """
class Lie:
    @property
    def __class__(self): raise SystemExit(0)
    def __getattribute__(self, name): raise SystemExit(0)
def f(x): return Lie()
""",
        call=CallStatus.OPAQUE,
    ),
    Hostile(
        "pickled",
        "an object that runs a command where it is unpickled",
        """
import os
class Command:
    def __reduce__(self): return (os.system, ('touch {secret_dir}/pickled',))
    __getstate__ = __reduce_ex__ = lambda self, *_: self.__reduce__()
def f(x): return Command()
""",
        call=CallStatus.OPAQUE,
    ),
    Hostile(
        "answer-as-exception",
        "raise instead of returning, with an exception that equals everything",
        """
class Right(AssertionError):
    def __eq__(self, other): return True
    def __hash__(self): return 0
    def __str__(self): return 'all tests passed'
def f(x): raise Right(x)
""",
        call=CallStatus.EXCEPTION,
        exception=("Right",),
    ),
    Hostile(
        "generator",
        "a generator in place of a result",
        """
def f(x):
    while True: yield x
""",
        call=CallStatus.OPAQUE,
    ),
    Hostile(
        "line-in-text",
        "a result that holds a line of the report",
        """
def f(x): return 'a\\n["v",42]\\r\\n["r"]\\u2028["v",42]\\x00'
""",
        call=CallStatus.VALUE,
        value='a\n["v",42]\r\n["r"]\u2028["v",42]\x00',
    ),
    Hostile(
        "line-in-name",
        "a class whose name holds a line of the report",
        """
def f(x): return type('A\\n["v",42]\\n', (), {})()
""",
        call=CallStatus.OPAQUE,
    ),
    Hostile(
        "tagged",
        "a dict that looks like an encoded value",
        """
def f(x): return {'t': [1, 2], 'i': '0x2a'}
""",
        call=CallStatus.VALUE,
        value={"d": [["t", [1, 2]], ["i", "0x2a"]]},
    ),
)

_REPORTS = (
    Hostile(
        "forged-lines",
        "write more results than calls",
        """
import json, os
os.write(3, b'["r"]\\n' + b'["v",1]\\n' * 50)
def f(x): return 0
""",
        Status.BAD_OUTPUT,
    ),
    Hostile(
        "forged-frames",
        "write reply frames to every descriptor",
        """
import os, struct
frame = struct.pack("<4sIBBHQQIIII", b"SBX1", 0, 0, 0, 0, 1, 1, 1, 1, 0, 14) + b'["r"]\\n["v",1]\\n'
def f(x):
    for descriptor in range(64):
        try:
            os.write(descriptor, frame)
        except OSError:
            pass
    return 0
""",
        Status.BAD_OUTPUT,
    ),
    Hostile(
        "forged-hello",
        "greet the client as a new runner would",
        """
import os, struct
hello = b'{"level":"strong","layers":[],"missing":{},"python":"3"}'
def f(x):
    for descriptor in range(64):
        try: os.write(descriptor, b'SBXH' + struct.pack('<I', len(hello)) + hello)
        except OSError: pass
    os._exit(0)
""",
        Status.BAD_OUTPUT,
    ),
    Hostile(
        "forged-verdict",
        "write verdicts of all fashions to every descriptor",
        """
import os
def f(x):
    for text in (b'OK', b'PASSED', b'{"passed": true}', b'ok 1 - f', b'[true, true]', b'1 passed in 0.01s'):
        for descriptor in range(64):
            try: os.write(descriptor, text + b'\\n')
            except OSError: pass
    os._exit(0)
""",
        Status.BAD_OUTPUT,
    ),
    Hostile(
        "printed-verdict",
        "print that all tests passed, and leave",
        """
import os
print('.' * 9 + ' [100%]\\n9 passed in 0.01s')
os._exit(0)
""",
        Status.EXITED,
    ),
    Hostile(
        "forged-load-error",
        "blame the compiler, so that nobody counts a failed call",
        """
import os
def f(x):
    os.ftruncate(3, 0)
    os.lseek(3, 0, os.SEEK_SET)
    os.write(3, bytes(44) + b'["c","SyntaxError","the task is broken",1]\\n')
    os._exit(0)
""",
        (Status.COMPILE_ERROR, *_ANY_END),
    ),
    Hostile(
        "forged-tags",
        "write results with tags that mean nothing, or twice",
        """
import os
os.write(3, b'["r"]\\n["v",{"i":"0x2a","i":[1],"t":{}}]\\n["v",{"q":[1,0]}]\\n')
os._exit(0)
""",
    ),
    Hostile(
        "rewound-report",
        "overwrite the measurements at the head of its report",
        """
import os, struct
def f(x):
    os.lseek(3, 0, os.SEEK_SET)
    os.write(3, struct.pack("<4sIBBHQQIIII", b"SBX1", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
    return 7
""",
        _ANY_END,
    ),
    Hostile(
        "mapped-report",
        "rewrite earlier lines of its report through a mapping",
        """
import mmap
def f(x):
    view = mmap.mmap(3, 0)
    view[:] = view[:].replace(b'["v",7]', b'["v",8]')
    return 7
""",
        _ANY_END,
    ),
    Hostile(
        "emptied-report",
        "take back what it reported",
        """
import os
def f(x):
    os.ftruncate(3, 0)
    return 7
""",
        _ANY_END,
    ),
    Hostile(
        "grown-report",
        "make its report a terabyte long, without writing it",
        """
import os
def f(x):
    os.ftruncate(3, 1 << 40)
    return 7
""",
        _ANY_END,
    ),
    Hostile(
        "hole-in-report",
        "leave a hole of zeros in its report",
        """
import os
def f(x):
    os.lseek(3, 1 << 19, os.SEEK_CUR)
    return 7
""",
        _ANY_END[1:],
    ),
    Hostile(
        "closed-report",
        "close its report",
        """
import os
def f(x):
    os.close(3)
    return 7
""",
        Status.EXITED,
    ),
    Hostile(
        "replaced-report",
        "put a pipe of its own in the report's place",
        """
import os
def f(x):
    reader, writer = os.pipe()
    os.dup2(writer, 3)
    return 7
""",
        Status.EXITED,
    ),
    Hostile(
        "appended-report",
        "make the runner append its measurements, where it writes them to the head of the report",
        """
import fcntl, os
def f(x):
    return fcntl.fcntl(3, fcntl.F_SETFL, os.O_APPEND | os.O_NONBLOCK)
""",
        call=CallStatus.EXCEPTION,
        exception=("PermissionError",),
    ),
    Hostile(
        "sealed-report",
        "forbid the runner to write into the report",
        """
import fcntl
def f(x):
    fcntl.fcntl(3, 1033, 15)
    return 7
""",
        call=CallStatus.EXCEPTION,
        exception=("PermissionError",),
    ),
)

PROGRAMS = (
    *_OBJECTS,
    *_REPORTS,
    probe(
        "silent-report",
        "read what is not its own from the report, before its first line",
        """
import os
def f(x): return [] if not any(os.pread(3, 44, 0)) else [os.pread(3, 44, 0).hex()]
""",
    ),
)
