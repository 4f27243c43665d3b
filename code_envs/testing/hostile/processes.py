"""Programs that start processes and threads, act on those of others, or ask the kernel for more.

Where a first process can be started, no second one is: it ends at once and the attempt counts as an escape.
"""

from __future__ import annotations

from code_envs.execution.executor import CallStatus, Status
from code_envs.testing.hostile.program import Hostile, denied, probe

__all__ = ["PROGRAMS"]

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
_PRLIMIT = """
import ctypes, os, resource
libc = ctypes.CDLL(None, use_errno=True)
def f(x):
    limits = (ctypes.c_ulong * 2)(1, 1)
    done = []
    for pid in (1, os.getppid(), {client}, os.getpid()):
        if libc.prlimit(pid, resource.RLIMIT_CPU, limits, None) == 0 and pid != os.getpid():
            done.append(pid)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        done.append("raised")
    except (ValueError, OSError):
        pass
    return done
"""
_NUMBERS = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def f(x):
    if os.uname().machine != "x86_64":
        return []
    reached = []
    for number in NUMBERS:
        result = libc.syscall(ctypes.c_long(number), *[ctypes.c_void_p(POINTER)] * 6)
        if result == 0 and number in (56, 57, 58, 322):
            os._exit(0)
        if TEST:
            reached.append(number)
    return reached
"""
_EXOTIC = (
    "(101, 155, 165, 166, 161, 272, 308, 310, 311, 321, 298, 248, 250, 425, 323, 434, 442, 428, 424, 105, 56, 57,"
    " 58, 59, 322, 317, 319, 41, 42, 49, 0x40000000 + 39, 0x40000000 + 520)"
)
# with arguments that make each fail in the kernel, if it gets there: another error than EPERM or ENOSYS tells
_PRIVILEGED = (
    "(167, 168, 169, 172, 173, 175, 176, 179, 246, 313, 320, 304, 429, 430, 431, 432, 433, 438, 440, 312, 425, 426,"
    " 427, 443, 444, 445, 446, 447, 448, 462, 178, 180, 212, 216, 206, 207, 208, 209, 210, 279, 256, 237, 238, 239)"
)
_LET_THROUGH = "result >= 0 or ctypes.get_errno() not in (1, 38)"
_QUEUES = (
    "(29, 30, 31, 64, 65, 66, 67, 68, 69, 70, 71, 220, 240, 241, 242, 243, 244, 245, 248, 249, 250, 222, 282, 289)"
)
_COMPATIBLE = """
import ctypes, mmap, os
def f(x):
    if os.uname().machine != "x86_64":
        raise OSError
    # getpid by its number of 32-bit programs: mov eax, 20; int 0x80; ret
    page = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 7)
    page.write(bytes.fromhex('b814000000cd80c3'))
    return ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
"""
_KILL = """
import os, signal
def f(x):
    ways = (lambda n: os.kill(-1, n), lambda n: os.kill(1, n), lambda n: os.kill(os.getppid(), n),
            lambda n: os.kill({client}, n), lambda n: os.kill(-{client}, n),
            lambda n: os.kill(0, n), lambda n: os.killpg(0, n), lambda n: os.killpg(os.getpgid(os.getppid()), n),
            lambda n: signal.pidfd_send_signal(os.pidfd_open(1), n),
            lambda n: signal.pidfd_send_signal(os.pidfd_open(os.getppid()), n))
    reached = []
    for number, way in enumerate(ways):
        try:
            # signal 0 needs the same right and does nothing: where it is let through, 9 is not sent
            way(0)
            reached.append(number)
            continue
        except BaseException: pass
        try:
            way(9)
            reached.append(number)
        except BaseException: pass
    return reached
"""
_DAEMON = """
import ctypes, os, time
def f(x):
    ctypes.CDLL(None).prctl(15, b"{mark}", 0, 0, 0)
    try: os.setsid()
    except OSError: pass
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(30)
        os._exit(0)
    return 1
"""
_NAMED = """
import ctypes
ctypes.CDLL(None).prctl(15, b"{mark}", 0, 0, 0)
"""

PROGRAMS = (
    Hostile(
        "fork",
        "start a process",
        _NAMED
        + """
import os
def f(x):
    if os.fork() == 0: os._exit(0)
    return 1
""",
        call=CallStatus.EXCEPTION,
        exception=("PermissionError", "BlockingIOError"),
    ),
    Hostile(
        "daemon",
        "start a process that outlives it, in a session of its own",
        _DAEMON,
        call=CallStatus.EXCEPTION,
        exception=("PermissionError", "BlockingIOError"),
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
        exception=("PermissionError", "FileNotFoundError"),
    ),
    denied(
        "commands",
        "run a command, in every way that the standard library has",
        "pty, subprocess, sys",
        "subprocess.run(['true'])",
        "subprocess.Popen('true', shell=True).wait()",
        "check(-bool(os.system('true')))",
        "os.popen('true').close()",
        "os.posix_spawn(sys.executable, [sys.executable, '-V'], {})",
        "os.spawnv(os.P_WAIT, '/bin/true', ['true'])",
        "ends(pty.fork()[0])",
        "ends(os.forkpty()[0])",
        "check(-bool(libc.system(b'true')))",
    ),
    denied(
        "pools",
        "start workers, in every way that the standard library has",
        "_thread, asyncio, concurrent.futures, multiprocessing, threading, time",
        "concurrent.futures.ThreadPoolExecutor(1).submit(len, 'a').result(0.2)",
        "concurrent.futures.ProcessPoolExecutor(1).submit(len, 'a').result(0.2)",
        "multiprocessing.get_context('fork').Process(target=len, args=('a',)).start()",
        "multiprocessing.get_context('spawn').Process(target=len, args=('a',)).start()",
        "multiprocessing.get_context('fork').Pool(1)",
        "_thread.start_new_thread(len, ('a',))",
        "threading.Timer(0, len, ('a',)).start()",
        "asyncio.run(asyncio.to_thread(len, 'a'))",
    ),
    denied(
        "raw-forks",
        "start a process by system calls that libraries do not use",
        "signal",
        "ends(raw(57))",
        "ends(raw(56, 17, 0, 0, 0, 0))",
        "ends(raw(56, 0x10000011, 0, 0, 0, 0))",  # in a user namespace of its own, where other limits hold
        "ends(raw(56, 0x30000011, 0, 0, 0, 0))",
        "ends(raw(56, 0x8011, 0, 0, 0, 0))",  # as a sibling
        "ends(raw(435, (ctypes.c_uint64 * 11)(0, 0, 0, 0, 17), ctypes.c_size_t(88)))",
        "ends(check(libc.fork()))",
    ),
    denied(
        "memory-program",
        "run a program from memory",
        "sys",
        "os.memfd_create('program')",
        "raw(319, b'p', 0)",
        "check(libc.fexecve(os.open(sys.executable, 0), (ctypes.c_char_p * 2)(b'p'), (ctypes.c_char_p * 1)()))",
        "raw(322, -100, b'/bin/true', 0, 0, 0)",
        "raw(450, 0)",
    ),
    probe("signals", "kill everything else", _KILL),
    denied(
        "queued-signals",
        "send signals in unusual ways",
        "signal, struct",
        "check(libc.sigqueue(os.getppid(), 0, 0))",
        "check(libc.sigqueue(1, 0, 0))",
        "raw(129, os.getppid(), 0, ctypes.create_string_buffer(128))",
        "raw(297, os.getppid(), os.getppid(), 0, ctypes.create_string_buffer(128))",
        "raw(234, os.getppid(), os.getppid(), 0)",
        "raw(200, os.getppid(), 0)",
    ),
    probe("sigio", "have the kernel kill the parent", _SIGIO),
    probe("prlimit", "starve the parent", _PRLIMIT),
    probe(
        "exotic",
        "ptrace, mount, keys, bpf, io_uring, sockets and x32 numbers",
        _NUMBERS.replace("NUMBERS", _EXOTIC).replace("POINTER", "0").replace("TEST", "result >= 0"),
    ),
    probe(
        "privileged",
        "system calls of administrators and of new kernels",
        _NUMBERS.replace("NUMBERS", _PRIVILEGED).replace("POINTER", "-1").replace("TEST", _LET_THROUGH),
    ),
    probe(
        "queues",
        "shared memory, semaphores, message queues, keys and timers, which outlive a process",
        _NUMBERS.replace("NUMBERS", _QUEUES).replace("POINTER", "-1").replace("TEST", _LET_THROUGH),
    ),
    Hostile(
        "compatible",
        "a system call of 32-bit programs, whose numbers mean other calls",
        _COMPATIBLE,
        (Status.OK, Status.CRASHED),
        (CallStatus.EXCEPTION, CallStatus.NOT_RUN),
    ),
    denied(
        "parent-memory",
        "read and trace the runner",
        "sys",
        "check(libc.ptrace(16, os.getppid(), 0, 0))",
        "check(libc.ptrace(0x4206, os.getppid(), 0, 0))",
        "check(libc.process_vm_readv(os.getppid(), ctypes.create_string_buffer(16), 0, 0, 0, 0))",
        "raw(312, os.getpid(), os.getppid(), 0, 0, 0)",
        "raw(438, os.pidfd_open(os.getppid()), 10, 0)",
        "os.pidfd_open(os.getppid())",
        "os.open(f'/proc/{os.getppid()}/mem', 0)",
    ),
    denied(
        "priorities",
        "slow the runner down, or get ahead of it",
        "resource",
        "os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)",
        "os.setpriority(os.PRIO_PROCESS, 0, -5)",
        "os.nice(-5)",
        "os.sched_setaffinity(os.getppid(), {0})",
        "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))",
        "os.sched_setscheduler(os.getppid(), os.SCHED_IDLE, os.sched_param(0))",
        "raw(251, 1, os.getppid(), 0)",
        "check(libc.mlockall(3))",
    ),
    denied(
        "identities",
        "become somebody else, or get capabilities",
        "sys",
        "os.setuid(0)",
        "os.setgid(0)",
        "os.seteuid(0)",
        "os.setresuid(0, 0, 0)",
        "os.setgroups([0])",
        "raw(126, b'\\x22\\x05\\x08\\x20' + bytes(4), bytes([255]) * 24)",
        "raw(272, 0x10000000)",
        "check(libc.unshare(0x20000))",
        "check(libc.personality(0x0040000))",
        "os.setsid()",
        "os.setpgid(0, 0)",
    ),
    denied(
        "own-rules",
        "change the rules that bind it: death signal, dumps, filters, tracers",
        "sys",
        "check(libc.prctl(1, 0, 0, 0, 0))",
        "check(libc.prctl(4, 1, 0, 0, 0))",
        "check(libc.prctl(22, 1, 0, 0, 0))",
        "check(libc.prctl(36, 1, 0, 0, 0))",
        "check(libc.prctl(0x59616d61, -1, 0, 0, 0))",
        "check(libc.prctl(8, 1, 0, 0, 0))",
        "check(libc.prctl(47, 2, 0, 0, 0))",
        "check(libc.prctl(35, 1, 0, 0, 0))",
        "raw(317, 1, 0, 0)",
        "raw(317, 1, 8, 0)",
    ),
    denied(
        "clocks",
        "change the time of the machine; the arguments make each fail if it gets there",
        "time",
        "time.clock_settime(time.CLOCK_REALTIME, time.clock_gettime(time.CLOCK_REALTIME))",
        "raw(159, ctypes.create_string_buffer(400))",
        "raw(305, 0, ctypes.create_string_buffer(400))",
        "check(libc.sethostname(b'', -1))",
    ),
)
