"""A system without Linux's own calls: programs run under resource limits, and everybody is told what that means.

No such system runs these tests. It is imitated: the runner is sent with a first module that takes away what a Mac
does not have.
"""

from __future__ import annotations

import time

import psutil
import pytest

from code_envs.errors import ProtectionError
from code_envs.execution import boot
from code_envs.execution.executor import Limits, Status
from code_envs.execution.local import LocalExecutor
from tests.execution.test_local import ADD, job

LESS = """
import ctypes, os, resource, signal, sys, time
sys.platform = "darwin"
del os.memfd_create, os.sendfile, signal.sigtimedwait, signal.sigwaitinfo
del resource.RLIMIT_MSGQUEUE, resource.RLIMIT_NICE, resource.RLIMIT_RTPRIO
clock, opened, limited = time.clock_gettime, os.open, ctypes.CDLL(None).setrlimit
def clock_gettime(number):
    if number < 0:
        raise OSError(22, "Invalid argument")
    return clock(number)
def open_(path, *rest, **options):
    if str(path).startswith("/proc"):
        raise FileNotFoundError(path)
    return opened(path, *rest, **options)
class Library:
    def setrlimit(self, kind, pair):
        return -1 if kind.value == resource.RLIMIT_AS else limited(kind, pair)
    def __getattr__(self, name):
        if name == "syscall":
            return lambda *arguments: -1
        raise AttributeError(name)
time.clock_gettime, os.open = clock_gettime, open_
ctypes.CDLL = lambda *arguments, **options: Library()
"""


@pytest.fixture
def elsewhere(monkeypatch):
    """Runners that start on a system with less."""
    modules = [["before", LESS], *boot.modules()]
    monkeypatch.setattr(boot, "modules", lambda: modules)


def test_it_is_refused_and_says_why(elsewhere):
    """Without being asked for, no program runs where nothing keeps it in."""
    with LocalExecutor() as executor, pytest.raises(ProtectionError, match=r"darwin.*reach your files and the network"):
        executor.run(job(ADD, 1))


def test_programs_run_under_resource_limits(elsewhere):
    """Every way to end has its status, and no process of a program is left."""
    with LocalExecutor(level="weak") as executor:
        capabilities = executor.capabilities()
        assert capabilities.level == "weak"
        assert {*capabilities.layers} - {"cgroup"} == {"rlimits"}
        assert executor.run(job(ADD, 1, 2)).results[1].value == 3
        endings = {
            "def f(x):\n    while True: pass\n": Status.CPU_LIMIT,
            "import time\ndef f(x):\n    time.sleep(60)\n": Status.WALL_LIMIT,
            "import os\ndef f(x):\n    os._exit(3)\n": Status.EXITED,
            "import os\ndef f(x):\n    os.abort()\n": Status.CRASHED,
            "def f(x)\n": Status.COMPILE_ERROR,
        }
        limits = Limits(cpu_s=1.0, wall_s=6.0)
        found = executor.run_many(job(source, 1, limits=limits) for source in endings)
        assert [each.status for each in found] == list(endings.values())
        large = executor.run(job("def f(x):\n    return 'y' * x\n", 900_000))
        assert len(large.results[0].value) == 900_000
        starts = "import subprocess\ndef f(x):\n    return subprocess.Popen(['/bin/sleep', '60']).pid\n"
        pid = executor.run(job(starts, 1)).results[0].value
        end = time.monotonic() + 5.0
        while psutil.pid_exists(pid) and time.monotonic() < end:
            time.sleep(0.05)
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        assert executor.run(job(ADD, 4)).results[0].value == 5
