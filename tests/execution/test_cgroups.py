"""Control groups around local workers: the sum is bounded, jobs get what they may have, nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from code_envs.execution import cgroups, values
from code_envs.execution.cgroups import ControlGroup
from code_envs.execution.executor import CallStatus, Job, Limits
from code_envs.execution.local import LocalExecutor

FILL = "import sys; sys.stdin.read(1); held = [bytearray(1 << 20) for _ in range({mib})]; print(len(held))"
FORK = """
import os, sys
sys.stdin.read(1)
for number in range({wanted}):
    try:
        if os.fork() == 0:
            sys.stdin.read()
            os._exit(0)
    except OSError:
        break
else:
    number = {wanted}
print(number, flush=True)
"""


@pytest.fixture
def group():
    """A group of 64 MiB and 8 processes."""
    try:
        made = ControlGroup(64, 8)
    except OSError as error:
        pytest.skip(f"this machine gives no control groups: {error}")
    yield made
    made.remove()
    assert not any(folder.exists() for folder in made._folders)


def run(group: ControlGroup, program: str) -> tuple[int, str]:
    """Exit code and output of a Python program that begins when it is in the group."""
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    group.add(process.pid)
    output, _ = process.communicate("go" * 100)
    return process.returncode, output.strip()


def test_memory_is_bounded(group):
    """What does not fit is killed; where more is allowed, it fits."""
    assert run(group, FILL.format(mib=8)) == (0, "8")
    assert run(group, FILL.format(mib=120))[0] == -signal.SIGKILL
    group.allow(256)
    assert run(group, FILL.format(mib=120)) == (0, "120")
    group.allow(32)  # jobs differ: what one was allowed is never taken back
    assert group.memory_mib == 256


def test_processes_are_bounded(group):
    """A program starts no more of them than the group has room for."""
    code, output = run(group, FORK.format(wanted=20))
    assert code == 0
    assert 0 < int(output) < 8


def test_groups_of_dead_clients_are_removed(group):
    """The next group that is made sweeps up after a client that was killed."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = [folder.parent / f"code-envs-{dead.pid}-0" for folder in group._folders]
    for folder in left:
        folder.mkdir()
    ControlGroup(64, 8).remove()
    assert not any(folder.exists() for folder in left)
    assert all(folder.exists() for folder in group._folders)


def test_a_worker_is_in_its_group_and_takes_it_along(group):
    """The runner is in the group, a job may use what its limits say, and closing removes it."""
    with LocalExecutor() as executor:
        assert "cgroup" in executor.capabilities().layers
        worker = executor._workers[0]
        assert f"code-envs-{os.getpid()}" in Path(f"/proc/{worker.pid}/cgroup").read_text()
        large = Job(b"def f(x):\n    return len(bytearray(x))\n", "f", values.encode_calls([[700 << 20]]))
        small = executor.run(large)
        assert small.results[0].exception == "MemoryError"
        roomy = executor.run(Job(large.source, "f", large.calls, Limits(cpu_s=10.0, memory_mib=1024)))
        assert roomy.results[0].status is CallStatus.VALUE
        folders = worker.group._folders
    assert not any(folder.exists() for folder in folders)


def test_no_control_groups(monkeypatch):
    """Without them the worker runs, and says what is missing."""

    def refused():
        raise OSError("no hierarchy here")

    monkeypatch.setattr(cgroups, "_parents", refused)
    with LocalExecutor() as executor:
        capabilities = executor.capabilities()
        assert executor.run(Job(b"def f(x):\n    return x\n", "f", b"[[1]]")).results[0].value == 1
    assert "cgroup" not in capabilities.layers
    assert capabilities.missing["cgroup"] == "no hierarchy here"


def test_version_2(tmp_path, monkeypatch):
    """In the unified hierarchy a group stands where the parent hands its controllers down."""
    scope = tmp_path / "user.slice" / "session.scope"
    scope.mkdir(parents=True)
    (scope / "cgroup.subtree_control").write_text("")
    (scope.parent / "cgroup.subtree_control").write_text("cpu memory pids\n")
    texts = {
        "/proc/mounts": f"cgroup2 {tmp_path} cgroup2 rw 0 0\n",
        "/proc/self/cgroup": "0::/user.slice/session.scope\n",
    }
    read = Path.read_text
    monkeypatch.setattr(Path, "read_text", lambda path, *rest: texts.get(str(path)) or read(path, *rest))
    assert cgroups._parents() == (2, [scope.parent])
    made = ControlGroup(64, 8)
    assert (made._folders[0] / "memory.max").read_text() == str(64 << 20)
    assert (made._folders[0] / "pids.max").read_text() == "8"
