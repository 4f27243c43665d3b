"""Programs that leave something for the next job: the honest job after each must find the state as it was."""

from __future__ import annotations

from code_envs.execution.executor import Status
from code_envs.testing.hostile.program import Hostile

__all__ = ["PROGRAMS"]


def _leaves(name: str, attempts: str, body: str) -> Hostile:
    """A program whose statements may fail or work; only what comes after them counts."""
    lines = "".join(f"    try: {line}\n    except BaseException: pass\n" for line in body.strip().splitlines())
    source = f"import os, sys\ndef f(x):\n{lines}    return 7\n"
    return Hostile(name, attempts, source, (Status.OK, Status.EXITED))


PROGRAMS = (
    _leaves(
        "left-environment",
        "another environment",
        """
os.environ.update(PYTHONPATH='/tmp', LD_PRELOAD='/tmp/x.so', PYTHONSTARTUP='/tmp/x.py', HOME='/tmp')
os.environ.pop('PATH', None)
os.putenv('PYTHONHASHSEED', '0')
""",
    ),
    _leaves(
        "left-directory",
        "another working directory, root and mask",
        """
os.chdir('/usr/lib')
os.umask(0o777)
os.chroot('/tmp')
""",
    ),
    _leaves(
        "left-modules",
        "modules of its own in the place of others",
        """
sys.modules.update(json=sys, math=None, os=None, decimal=sys)
sys.path[:] = ['/tmp']
sys.meta_path.clear()
sys.path_importer_cache.clear()
""",
    ),
    _leaves(
        "left-builtins",
        "other built-in functions",
        """
import builtins; builtins.len = builtins.print = builtins.isinstance = lambda *_: 42
import builtins; builtins.left = 42; del builtins.sorted
""",
    ),
    _leaves(
        "left-json",
        "another way to write numbers",
        """
import json; json.dumps = lambda *_, **__: '42'
import json.encoder; json.encoder.c_make_encoder = json.encoder.INFINITY = None
import json.decoder; json.decoder.JSONDecoder.decode = lambda *_: 42
""",
    ),
    _leaves(
        "left-interpreter",
        "other settings of the interpreter",
        """
sys.setrecursionlimit(60)
sys.setswitchinterval(100)
sys.set_int_max_str_digits(0)
sys.setdlopenflags(2)
import gc; gc.disable(); gc.set_threshold(1, 1, 1); gc.set_debug(0)
sys.settrace(lambda *_: None)
""",
    ),
    _leaves(
        "left-signals",
        "other signal handlers, masks and timers",
        """
import signal; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 10, 12, 13, 14, 15, 17, 24, 25)]
import signal; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
import signal; signal.setitimer(signal.ITIMER_REAL, 0.05)
import signal; signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)
""",
    ),
    _leaves(
        "left-limits",
        "lower limits",
        """
import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4))
import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
import resource; resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, 1 << 20))
import resource; resource.setrlimit(resource.RLIMIT_DATA, (1 << 28, 1 << 28))
import resource; resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))
""",
    ),
    _leaves(
        "left-priority",
        "a lower priority and fewer processors",
        """
os.nice(19)
os.sched_setaffinity(0, {0})
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
""",
    ),
    _leaves(
        "left-numbers",
        "another context for decimals, another random state, other texts of numbers",
        """
import decimal; decimal.getcontext().prec = 1; decimal.DefaultContext.prec = 1
import random; random.seed(42); random.random = lambda: 0.5
import locale; locale.setlocale(locale.LC_ALL, 'C')
import warnings; warnings.simplefilter('error')
import fractions; fractions.Fraction.__eq__ = lambda *_: True
""",
    ),
    _leaves(
        "left-classes",
        "other methods of the standard library's classes",
        """
import collections; collections.Counter.__eq__ = lambda *_: True
import abc; abc.ABCMeta.__instancecheck__ = lambda *_: True
import enum, re; re.compile = lambda *_: None; re.RegexFlag = None
import functools; functools.lru_cache = functools.cache = None
import threading; threading.excepthook = threading.Thread = None
""",
    ),
    _leaves(
        "left-hooks",
        "hooks that run when others come or go",
        """
import atexit; atexit.register(os._exit, 0)
os.register_at_fork(before=os.abort, after_in_parent=os.abort, after_in_child=os.abort)
sys.addaudithook(lambda *_: os._exit(0)) if x > 2 else None
sys.excepthook = sys.unraisablehook = sys.displayhook = lambda *_: os._exit(0)
import gc; gc.callbacks.append(lambda *_: None)
""",
    ),
    _leaves(
        "left-streams",
        "closed and replaced streams",
        """
sys.stdin.close(); sys.stdout.close(); sys.stderr.close()
sys.stdout = sys.stderr = sys.__stdout__ = None
[os.close(n) for n in (0, 1, 2)]
""",
    ),
    _leaves(
        "left-files",
        "files and folders in the scratch directory",
        """
open('/tmp/json.py', 'w').write('import os; os._exit(0)')
open('/tmp/sitecustomize.py', 'w').write('import os; os._exit(0)')
os.makedirs('/tmp/__pycache__/.hidden/deeper')
os.symlink('/tmp', '/tmp/__pycache__/up')
""",
    ),
    _leaves(
        "left-locks",
        "locks on files that others read, and held locks of modules",
        """
import fcntl; fcntl.flock(os.open(os.__file__, 0), fcntl.LOCK_EX | fcntl.LOCK_NB)
import fcntl; fcntl.lockf(os.open(os.__file__, 0), fcntl.LOCK_SH | fcntl.LOCK_NB)
import threading; threading._active_limbo_lock.acquire()
import _imp; _imp.acquire_lock()
import random; random._inst.getrandbits(1)
""",
    ),
    _leaves(
        "left-code",
        "other machine code in pages that processes share until they write",
        """
import ctypes; ctypes.memset(id(None) + 8, 255, 1) if x > 2 else None
import ctypes; libc = ctypes.CDLL(None); libc.mprotect(ctypes.c_void_p(id(7) >> 12 << 12), ctypes.c_size_t(4096), 7)
import ctypes; ctypes.c_int.from_address(id(1000) + 24).value = 42
import mmap; page = mmap.mmap(-1, 4096, mmap.MAP_SHARED); page[:] = b'x' * 4096
""",
    ),
    _leaves(
        "closed-scratch",
        "a scratch directory that not even the runner may enter",
        """
os.chmod('.', 0)
os.chmod('/tmp', 0) if os.getcwd() == '/tmp' else None
""",
    ),
    Hostile(
        "left-audit",
        "a hook that ends the process at its next import",
        """
import os, sys
sys.addaudithook(lambda event, _: os._exit(0) if event == 'import' else None)
def f(x):
    import colorsys
    return 7
""",
        Status.EXITED,
    ),
)
