"""Programs whose text is the attack: encodings, sizes, depths, and entries that are no functions."""

from __future__ import annotations

from code_envs.execution.executor import CallStatus, Status
from code_envs.testing.hostile.program import LOOPS, Hostile

__all__ = ["PROGRAMS"]

# what a compiler makes of a text that is too much for it differs between Python's versions
_TOO_MUCH = (
    Status.OK, Status.COMPILE_ERROR, Status.LOAD_ERROR, Status.MEMORY_LIMIT, Status.CRASHED, Status.CPU_LIMIT,
    Status.NO_ENTRY,
)  # fmt: skip
_WRONG = b"\ndef f(x): return 7\n"


def _compiles_or_not(name: str, attempts: str, source: bytes) -> Hostile:
    return Hostile(name, attempts, source, _TOO_MUCH)


_ENCODINGS = (
    Hostile("null-byte", "hide the end of the text behind a null byte", b"x = 1\0" + _WRONG, Status.COMPILE_ERROR),
    Hostile("bad-utf-8", "bytes that are no UTF-8", b"x = '\xff\xfe\xc3'" + _WRONG, Status.COMPILE_ERROR),
    Hostile("no-encoding", "an encoding that does not exist", b"# coding: no-such" + _WRONG, Status.COMPILE_ERROR),
    Hostile("bytes-encoding", "an encoding of bytes to bytes", b"# coding: zlib_codec" + _WRONG, Status.COMPILE_ERROR),
    Hostile(
        "two-encodings",
        "a mark for UTF-8 and a line for another",
        b"\xef\xbb\xbf# coding: latin-1" + _WRONG,
        Status.COMPILE_ERROR,
    ),
    Hostile("utf-16", "two bytes per character", "def f(x): return 7\n".encode("utf-16"), Status.COMPILE_ERROR),
    Hostile(
        "byte-order-mark", "begin with a mark", b"\xef\xbb\xbfdef f(x): return 7\n", call=CallStatus.VALUE, value=7
    ),
    Hostile(
        "utf-7",
        "hide statements in an encoding that no reader expects",
        b"# coding: utf-7\n+AGkAbQBwAG8AcgB0 os\n#+AAo-os._exit(0)\n" + _WRONG,
        (Status.EXITED, Status.COMPILE_ERROR, Status.OK),
    ),
    Hostile(
        "escaped-line",
        "hide a line end in an encoding with escapes",
        b"# coding: unicode_escape\n#\\x0aimport os\\x0aos._exit(0)" + _WRONG,
        (Status.EXITED, Status.COMPILE_ERROR, Status.OK),
    ),
    Hostile(
        "line-ends",
        "line ends that readers count differently",
        b"#\x0c\rdef f(x):\r\n\treturn 7 #\xc2\x85 \xe2\x80\xa8 return 8\r",
        call=CallStatus.VALUE,
        value=7,
    ),
    Hostile(
        "right-to-left",
        "letters that look like others, in an order that looks like another",
        "def \uff46(x):\n    '''\u202e \u2066if x: return 8\u2069 \u2066'''\n    return 7\n".encode(),
        call=CallStatus.VALUE,
        value=7,
    ),
)

_SIZES = (
    _compiles_or_not("parentheses", "ten thousand parentheses", b"x = " + b"(" * 10**4 + b")" * 10**4 + _WRONG),
    _compiles_or_not("minuses", "a hundred thousand signs", b"x = " + b"-" * 10**5 + b"1" + _WRONG),
    _compiles_or_not("attributes", "a hundred thousand attributes", b"x = f" + b".a" * 10**5 + _WRONG),
    _compiles_or_not("lambdas", "functions in functions", b"x = " + b"lambda:" * 3 * 10**4 + b"1" + _WRONG),
    _compiles_or_not("sums", "a sum of a hundred thousand ones", b"x = " + b"1+" * 10**5 + b"1" + _WRONG),
    _compiles_or_not("long-literal", "a list of 300,000 numbers", b"x = [" + b"1," * 3 * 10**5 + b"]" + _WRONG),
    _compiles_or_not("long-identifier", "a name of a million letters", b"a" * 10**6 + b" = 1" + _WRONG),
    _compiles_or_not("long-comment", "a comment of a million characters", b"#" + b"x" * 10**6 + _WRONG),
    _compiles_or_not("many-lines", "half a million empty lines", b"\n" * 5 * 10**5 + _WRONG),
    _compiles_or_not("many-branches", "ten thousand branches", b"if 0: pass\n" + b"elif 0: pass\n" * 10**4 + _WRONG),
    _compiles_or_not("many-decorators", "ten thousand decorators", b"@id\n" * 10**4 + b"def f(x): return 7\n"),
    _compiles_or_not("nested-formats", "format strings in format strings", b"x = " + b"f'{" * 200 + b"1" + b"}'" * 200),
    Hostile(
        "digits-in-source",
        "a number of a hundred thousand digits",
        b"x = " + b"9" * 10**5 + _WRONG,
        Status.COMPILE_ERROR,
    ),
    Hostile(
        "deep-blocks",
        "blocks in blocks",
        b"".join(b" " * n + b"if 1:\n" for n in range(200)) + _WRONG,
        Status.COMPILE_ERROR,
    ),
    Hostile(
        "constants-of-constants",
        "a constant that the compiler may compute",
        b"x = 9**9**9" + _WRONG,
        Status.CPU_LIMIT,
        limits=LOOPS,
    ),
)

_ENTRIES = (
    Hostile("empty", "nothing", b"", Status.NO_ENTRY),
    Hostile("entry-is-a-number", "an entry that cannot be called", b"f = 42", Status.NO_ENTRY),
    Hostile("entry-removed", "an entry that is gone", b"def f(x): return 7\ndel f", Status.NO_ENTRY),
    Hostile("entry-is-a-class", "a class as entry", b"class f:\n    def __init__(self, x): pass",
            call=CallStatus.OPAQUE),
    Hostile("entry-is-a-coroutine", "a function that must be awaited", b"async def f(x): return 7",
            call=CallStatus.OPAQUE),
    Hostile(
        "entry-is-an-object",
        "an object that is called, and leaves when it is looked at",
        """
import os
class Entry:
    def __call__(self, x): return 7
    def __getattribute__(self, name): os._exit(0)
    __eq__ = __bool__ = __repr__ = lambda *_: os._exit(0)
f = Entry()
""",
        call=CallStatus.VALUE,
        value=7,
    ),
    Hostile(
        "entry-without-arguments",
        "a function that takes none",
        b"def f(): return 42",
        call=CallStatus.EXCEPTION,
        exception=("TypeError",),
    ),
    Hostile("future", "another grammar", b"from __future__ import barry_as_FLUFL\ndef f(x): return x <> 7",
            (Status.OK, Status.COMPILE_ERROR)),
)  # fmt: skip

PROGRAMS = (*_ENCODINGS, *_SIZES, *_ENTRIES)
