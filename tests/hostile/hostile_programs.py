"""Hostile programs: what each attempts, and how it must end.

`{...}` in a source is filled in by the test with the address of a planted control: a file with a secret,
the name of an environment variable, the port of a listener. `value` is what the call may return where the
attempt fails quietly; it is compared with `==` on the encoded value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from code_envs.execution.executor import CallStatus, Status

__all__ = ["PROGRAMS", "Hostile"]


@dataclass(frozen=True)
class Hostile:
    name: str
    attempts: str
    source: str
    status: Status | tuple[Status, ...] = Status.OK
    call: CallStatus | None = None
    exception: tuple[str, ...] = ()
    value: Any = None


_DENIED = """
import {module}
def f(x):
    tried = []
    for attempt in ({attempts}):
        try:
            tried.append(repr(attempt()))
        except BaseException as error:
            tried.append("denied")
    return tried
"""


def _all_denied(module: str, *attempts: str) -> str:
    calls = "".join(f"lambda: {attempt}, " for attempt in attempts)
    return _DENIED.format(module=module, attempts=calls)


_SIGNALS = (
    "os.kill(-1, 9)",
    "os.kill(1, 9)",
    "os.kill(os.getppid(), 9)",
    "os.kill(0, 9)",
    "os.killpg(0, 9)",
    "signal.pidfd_send_signal(os.pidfd_open(1), 9)",
    "signal.pidfd_send_signal(os.pidfd_open(os.getppid()), 9)",
)
_SIGIO = """
import fcntl, os, socket
def f(x):
    ours, theirs = socket.socketpair()
    done = []
    for target in (1, os.getppid()):
        for command, argument in ((fcntl.F_SETOWN, target), (10, 9), (fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)):
            try:
                fcntl.fcntl(ours.fileno(), command, argument)
                done.append(command)
            except OSError:
                pass
        os.write(theirs.fileno(), b"x")
    return done
"""
_SEARCH = """
import gc, sys
def f(x):
    # spelt backwards, so that only a foreign copy can be found
    needle = "{needle_backwards}"[::-1]
    frame, scopes = sys._getframe(), []
    while frame is not None:
        scopes += [frame.f_locals, frame.f_globals]
        frame = frame.f_back
    found = 0
    for holder in [*scopes, *gc.get_objects()]:
        members = list(holder.values()) if isinstance(holder, dict) else holder
        if isinstance(members, (list, tuple)):
            found += sum(type(each) in (str, bytes) and each is not needle
                         and (needle if type(each) is str else needle.encode()) in each for each in members)
    return found
"""
_READ_FILES = """
import os
def f(x):
    got = []
    for path in ("/etc/passwd", "/etc/shadow", "{secret_file}", "/proc/1/environ", "/proc/self/environ",
                 "/proc/1/mem", f"/proc/{os.getppid()}/mem", f"/proc/{os.getppid()}/maps", "/var/run/docker.sock"):
        try:
            with open(path, "rb") as file:
                got.append(path)
                file.read(1)
        except OSError:
            pass
    return got
"""
_WRITE_FILES = """
import os
def f(x):
    got = []
    for path in ("{secret_file}", "{secret_dir}/new", "/etc/new", "/usr/lib/new", os.__file__, "/dev/shm/new"):
        for act in (lambda: open(path, "ab").close(), lambda: os.chmod(path, 0o777), lambda: os.unlink(path),
                    lambda: os.truncate(path, 0), lambda: os.rename(path, path + "x"), lambda: os.utime(path)):
            try:
                act()
                got.append(path)
            except OSError:
                pass
    return got
"""
_CONNECT = """
import socket, ctypes
def f(x):
    got = []
    for family, address in ((socket.AF_INET, ("127.0.0.1", {port})), (socket.AF_INET, ("8.8.8.8", 53)),
                            (socket.AF_UNIX, "{unix}"), (socket.AF_UNIX, "\\0{abstract}")):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            try:
                with socket.socket(family, kind) as each:
                    each.connect(address)
                    each.send(b"out")
                    got.append(str(address))
            except OSError:
                pass
    return got
"""
_PRLIMIT = """
import ctypes, os, resource
libc = ctypes.CDLL(None, use_errno=True)
def f(x):
    limits = (ctypes.c_ulong * 2)(1, 1)
    done = []
    for pid in (1, os.getppid(), os.getpid()):
        if libc.prlimit(pid, resource.RLIMIT_CPU, limits, None) == 0 and pid != os.getpid():
            done.append(pid)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        done.append("raised")
    except (ValueError, OSError):
        pass
    return done
"""
_EXOTIC = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
NUMBERS = (101, 155, 165, 166, 161, 272, 308, 310, 311, 321, 298, 248, 250, 425, 323, 434, 442, 428, 424, 105, 56, 57,
           58, 59, 322, 317, 319, 41, 42, 49, 0x40000000 + 39, 0x40000000 + 520)
def f(x):
    return [number for number in NUMBERS
            if libc.syscall(ctypes.c_long(number), *[ctypes.c_void_p(0)] * 6) >= 0]
"""
_FORGED_LINES = """
import json, os
os.write(3, b'["r"]\\n' + b'["v",1]\\n' * 50)
def f(x): return 0
"""
_FORGED_FRAMES = """
import os, struct
frame = struct.pack("<4sIBBHQQIIII", b"SBX1", 0, 0, 0, 0, 1, 1, 1, 1, 0, 14) + b'["r"]\\n["v",1]\\n'
def f(x):
    for descriptor in range(64):
        try:
            os.write(descriptor, frame)
        except OSError:
            pass
    return 0
"""
_ALWAYS_EQUAL = """
class Equal:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
    def __bool__(self): return True
    __class__ = int
def f(x): return Equal()
"""
_LYING_INT = """
class Lie(int):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __int__(self): return 42
    def __index__(self): return 42
    def __add__(self, other): return 42
    def __repr__(self): return "42"
    __str__ = __hash__ = __repr__
def f(x): return Lie(7)
"""
_PATCHED = """
import builtins, json, json.encoder, sys
for name, module in list(sys.modules.items()):
    for key in ("encode", "dumps", "matches", "Program", "Report", "plain_call"):
        if hasattr(module, key):
            try: setattr(module, key, lambda *a, **k: '["v",42]')
            except Exception: pass
json.JSONEncoder.encode = json.JSONEncoder.iterencode = lambda self, value: '["v",42]'
builtins.isinstance = lambda *a: True
builtins.type = builtins.len = builtins.issubclass = lambda *a: int
builtins.__build_class__ = None
def f(x): return 7
"""

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
    ),
    Hostile(
        "sleep",
        "sleep past the wall clock",
        """
import time
def f(x): time.sleep(100)
""",
        Status.WALL_LIMIT,
    ),
    Hostile(
        "stop",
        "stop itself",
        """
import os, signal
def f(x): os.kill(os.getpid(), signal.SIGSTOP)
""",
        Status.WALL_LIMIT,
    ),
    Hostile(
        "power",
        "one C call that never ends",
        """
def f(x): return 10**10**8
""",
        Status.CPU_LIMIT,
    ),
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
        "long-text",
        "ask for ten gigabytes at once",
        """
def f(x): return 'a' * 10**10
""",
        call=CallStatus.EXCEPTION,
        exception=("MemoryError",),
    ),
    Hostile(
        "fork",
        "start a process",
        """
import os
def f(x):
    if os.fork() == 0: os._exit(0)
    return 1
""",
        call=CallStatus.EXCEPTION,
        exception=(
            "PermissionError",
            "BlockingIOError",
        ),
    ),
    Hostile(
        "threads",
        "start threads",
        """
import threading, time
def f(x):
    for _ in range(1000): threading.Thread(target=time.sleep, args=(9,)).start()
""",
        call=CallStatus.EXCEPTION,
        exception=("RuntimeError",),
    ),
    Hostile(
        "exec",
        "become another program",
        """
import os
def f(x): os.execv('/bin/sh', ['sh', '-c', 'true'])
""",
        call=CallStatus.EXCEPTION,
        exception=(
            "PermissionError",
            "FileNotFoundError",
        ),
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
        "system-exit-at-import",
        "leave politely at import",
        """
raise SystemExit(0)
def f(x): return 1
""",
        Status.LOAD_ERROR,
    ),
    Hostile(
        "always-equal",
        "equal everything",
        _ALWAYS_EQUAL,
        call=CallStatus.OPAQUE,
    ),
    Hostile(
        "lying-int",
        "be whatever is compared",
        _LYING_INT,
        call=CallStatus.VALUE,
        value=7,
    ),
    Hostile(
        "patched",
        "replace what reports",
        _PATCHED,
        (Status.OK, Status.BAD_OUTPUT, Status.EXITED),
    ),
    Hostile(
        "forged-lines",
        "write more results than calls",
        _FORGED_LINES,
        Status.BAD_OUTPUT,
    ),
    Hostile(
        "forged-frames",
        "write reply frames to every descriptor",
        _FORGED_FRAMES,
        Status.BAD_OUTPUT,
    ),
    Hostile(
        "search",
        "find the expected value in frames and memory",
        _SEARCH,
        call=CallStatus.VALUE,
        value=0,
    ),
    Hostile(
        "read-files",
        "read the machine's files and processes",
        _READ_FILES,
        call=CallStatus.VALUE,
        value=[],
    ),
    Hostile(
        "write-files",
        "change the machine's files",
        _WRITE_FILES,
        call=CallStatus.VALUE,
        value=[],
    ),
    Hostile(
        "environment",
        "read a secret of the environment",
        """
import os
def f(x): return [v for v in os.environ.values() if '{environment_secret}' in v]
""",
        call=CallStatus.VALUE,
        value=[],
    ),
    Hostile(
        "connect",
        "reach a listener of the machine",
        _CONNECT,
        call=CallStatus.VALUE,
        value=[],
    ),
    Hostile(
        "signals",
        "kill everything else",
        _all_denied("os, signal", *_SIGNALS),
        call=CallStatus.VALUE,
        value=["denied"] * len(_SIGNALS),
    ),
    Hostile(
        "sigio",
        "have the kernel kill the parent",
        _SIGIO,
        call=CallStatus.VALUE,
        value=[],
    ),
    Hostile(
        "prlimit",
        "starve the parent",
        _PRLIMIT,
        call=CallStatus.VALUE,
        value=[],
    ),
    Hostile(
        "exotic",
        "ptrace, mount, keys, bpf, io_uring, sockets and x32 numbers",
        _EXOTIC,
        call=CallStatus.VALUE,
        value=[],
    ),
    Hostile(
        "flood",
        "print without end",
        """
def f(x):
    while True: print('x' * 10000)
""",
        Status.CPU_LIMIT,
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
    ),
    Hostile(
        "scratch",
        "leave files behind",
        """
import os
def f(x):
    for n in range(50):
        try:
            os.mkdir('d'); os.chdir('d'); open('f', 'w').close()
        except OSError: break
    try: os.chmod('.', 0)
    except OSError: pass
    raise KeyError
""",
        call=CallStatus.EXCEPTION,
        exception=("KeyError",),
    ),
)
