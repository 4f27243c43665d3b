"""Programs that use up memory, or the stack."""

from __future__ import annotations

from code_envs.execution.executor import CallStatus, Status
from code_envs.testing.hostile.program import LOOPS, Hostile, probe

__all__ = ["PROGRAMS"]

PROGRAMS = (
    Hostile(
        "memory",
        "fill the memory",
        """
def f(x):
    held = []
    while True: held.append(bytearray(1 << 24))
""",
        call=CallStatus.EXCEPTION,
        exception=("MemoryError",),
    ),
    Hostile(
        "memory-at-import",
        "fill the memory while it loads",
        """
held = []
while True: held.append(bytearray(1 << 24))
""",
        Status.MEMORY_LIMIT,
    ),
    Hostile(
        "memory-again",
        "fill the memory, and go on when it is full",
        """
def f(x):
    held = []
    while True:
        try: held.append(bytearray(1 << 24))
        except MemoryError: pass
""",
        Status.CPU_LIMIT,
        limits=LOOPS,
    ),
    Hostile(
        "long-text",
        "ask for ten gigabytes at once",
        """
def f(x): return 'a' * 10**10
""",
        call=CallStatus.EXCEPTION,
        exception=("MemoryError",),
    ),
    Hostile(
        "long-list",
        "ask for a list of ten billion items",
        """
def f(x): return [0] * 10**10
""",
        call=CallStatus.EXCEPTION,
        exception=("MemoryError",),
    ),
    Hostile(
        "wide-format",
        "pad a number to ten billion characters",
        """
def f(x): return f"{x:>{10**10}}"
""",
        call=CallStatus.EXCEPTION,
        exception=("MemoryError",),
    ),
    Hostile(
        "shift",
        "a number of a trillion bits",
        """
def f(x): return 1 << (1 << 40)
""",
        call=CallStatus.EXCEPTION,
        exception=("MemoryError", "OverflowError"),
    ),
    Hostile(
        "mapping",
        "map memory past the limit, without the interpreter's allocator",
        """
import mmap
def f(x):
    held = [mmap.mmap(-1, 1 << 26) for _ in range(64)]
    return len(held)
""",
        call=CallStatus.EXCEPTION,
        exception=("OSError",),
    ),
    Hostile(
        "shared-mapping",
        "fill shared memory, which may not count as its own",
        """
import mmap
def f(x):
    held = []
    for _ in range(64):
        held.append(mmap.mmap(-1, 1 << 23, mmap.MAP_SHARED))
        held[-1].write(bytes(1 << 20))
    return len(held)
""",
        call=CallStatus.EXCEPTION,
        exception=("OSError", "MemoryError"),
    ),
    Hostile(
        "memory-file",
        "fill a file in memory",
        """
import os
def f(x):
    descriptor = os.memfd_create('m')
    return sum(os.write(descriptor, bytes(1 << 20)) for _ in range(256))
""",
        call=CallStatus.EXCEPTION,
        exception=("PermissionError",),
    ),
    probe(
        "reserved-files",
        "reserve memory for files beyond their length, in its report and in the scratch directory",
        """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def f(x):
    reached = []
    descriptors = [3]
    try: descriptors.append(os.open('reserved', os.O_CREAT | os.O_RDWR))
    except OSError: pass
    for descriptor in descriptors:
        for mode in (1, 0):
            # 64 MiB: more than any file may hold, and little for the machine
            if libc.fallocate(descriptor, mode, ctypes.c_long(0), ctypes.c_long(64 << 20)) == 0:
                reached.append(f'{descriptor} {mode}')
    return reached
""",
    ),
    Hostile(
        "pipes",
        "fill pipes, whose memory is the kernel's",
        """
import fcntl, os
def f(x):
    held = []
    for _ in range(64):
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        try: fcntl.fcntl(writer, 1031, 1 << 20)
        except PermissionError: pass
        os.write(writer, bytes(1 << 20))
        held.append(reader)
    return len(held)
""",
        call=CallStatus.EXCEPTION,
        exception=("OSError",),
    ),
    Hostile(
        "recursion",
        "recurse for ever",
        """
def f(x): return f(x)
""",
        call=CallStatus.EXCEPTION,
        exception=("RecursionError",),
    ),
    Hostile(
        "deep-recursion",
        "recurse past the limit",
        """
import sys
sys.setrecursionlimit(10**9)
def f(x): return f(x)
""",
        (Status.OK, Status.CRASHED, Status.CPU_LIMIT, Status.MEMORY_LIMIT),
        limits=LOOPS,
    ),
    Hostile(
        "chained-iterators",
        "overflow the C stack",
        """
import itertools
def f(x):
    chain = iter(())
    for _ in range(150000): chain = itertools.chain(chain, ())
    return list(chain)
""",
        (Status.OK, Status.CRASHED, Status.CPU_LIMIT, Status.MEMORY_LIMIT),
        limits=LOOPS,
    ),
    Hostile(
        "text-recursion",
        "recurse in the text of an exception",
        """
class E(Exception):
    def __str__(self): return str(self)
def f(x): raise E
""",
        call=CallStatus.EXCEPTION,
        exception=("E",),
    ),
    Hostile(
        "deep-value",
        "return what nests a hundred thousand levels deep",
        """
def f(x):
    value = ()
    for _ in range(10**5): value = (value,)
    return value
""",
        call=CallStatus.OPAQUE,
    ),
    Hostile(
        "endless-list",
        "return a list that holds itself",
        """
def f(x):
    value = []
    value.append(value)
    return value
""",
        call=CallStatus.OPAQUE,
    ),
    Hostile(
        "endless-dict",
        "return a dict that holds itself",
        """
def f(x):
    value = {}
    value['v'] = value
    return value
""",
        call=CallStatus.OPAQUE,
    ),
    Hostile(
        "doubling",
        "return a small object that takes 2**60 items to write",
        """
def f(x):
    value = [1]
    for _ in range(60): value = [value, value]
    return value
""",
        call=CallStatus.OPAQUE,
    ),
)
