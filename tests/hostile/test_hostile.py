"""Every hostile program ends as it must, earns nothing, and leaves its worker and the machine as they were."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from code_envs.execution.local import LocalExecutor
from code_envs.testing import HOSTILE, AttackReport, Fault, attack, attacks, check_executor
from code_envs.testing.campaign import missing_tools
from code_envs.testing.hostile import CLASSES

ROOT = Path(__file__).parents[2]
NOBODY = 65534


@pytest.fixture(params=["root", "user", "none"])
def placement(request):
    """A worker in each placement that this machine allows, one after the other."""
    if request.param == "root" and os.geteuid() != 0:
        pytest.skip("namespaces without a user namespace need root")
    with LocalExecutor(level="weak", namespaces=request.param) as made:
        capabilities = made.capabilities()
        if capabilities.level == "weak" or (request.param != "none" and capabilities.level != "strong"):
            pytest.skip(f"this machine does not give the placement {request.param!r}: {capabilities.missing}")
        yield made


@pytest.mark.slow
def test_no_program_has_its_way(placement):
    """None is paid, escapes, hangs, survives or spoils the next job, and the worker is the same after each."""
    executor = placement
    missing = missing_tools(executor)
    done, lost = [], set()
    workers = pids(executor)
    for each in attacks(executor):
        done.append(each)
        if pids(executor) != workers:
            workers = pids(executor)
            lost.add(each.name)
    report = AttackReport(tuple(done))
    assert not report.failures, "\n".join([report.summary(), *map(str, report.failures)])
    assert len(done) == len(HOSTILE) - sum(missing.values())
    assert not missing or executor._namespaces == "none", missing
    assert lost == set()


def pids(executor):
    """Processes of the worker for Python and of that for other languages, where there is one."""
    other = executor._other._workers if executor._other is not None else []
    return [worker.pid for worker in (*executor._workers, *other)]


def as_nobody(*words):
    """Run Python as a user without any right, by the first interpreter that this user can run."""
    packages = os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "PYTHONPATH": packages, "PYTHONDONTWRITEBYTECODE": "1"}
    given = {"cwd": "/tmp", "env": environment, "user": NOBODY, "group": NOBODY, "extra_groups": []}
    version = f"import sys, code_envs, gymnasium, numpy; assert sys.version_info[:2] == {sys.version_info[:2]}"
    for interpreter in (sys.executable, "/usr/bin/python3"):
        try:
            subprocess.run([interpreter, "-c", version], **given, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return subprocess.run([interpreter, *words], **given, capture_output=True, text=True, timeout=280)
    pytest.skip(f"neither {sys.executable} nor /usr/bin/python3 can import this project as user {NOBODY}")


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="all other tests run as an ordinary user already")
def test_no_program_has_its_way_with_an_ordinary_user():
    """As above, where the client has no right that it could hand on, and so other protections than root's."""
    done = as_nobody("-m", "code_envs", "attack", "--executor", "local")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert f"{len(HOSTILE)} programs, 0 paid, 0 escaped, 0 hung, 0 survived" in done.stdout


@pytest.mark.slow
@pytest.mark.docker
def test_no_program_has_its_way_in_a_container():
    """As above, in a container of a Docker engine."""
    from code_envs.execution.docker import DockerExecutor

    with DockerExecutor() as executor:
        report = attack(executor)
    assert not report.failures, "\n".join([report.summary(), *map(str, report.failures)])
    assert report.count(Fault.PAID) == 0


@pytest.mark.slow
def test_no_program_has_its_way_on_a_node_of_ray():
    """As above, below an actor of a Ray that this process starts, which passes every other check as well."""
    from code_envs.execution.ray import RayExecutor

    with RayExecutor(1) as executor:
        executor.capabilities()
        worker = executor._workers[0]
        report = check_executor(executor)
        assert executor._workers == [worker]
    assert len(report.attacks) == len(HOSTILE)


def test_corpus_is_well_formed():
    """Names are unique, each program says in one line what it attempts, and each class has several."""
    assert len(HOSTILE) >= 350
    languages = [each.language for each in HOSTILE]
    assert min(languages.count(each) for each in ("c", "javascript")) >= 40
    assert min(languages.count(each) for each in ("cpp", "java")) >= 5
    assert len({each.name for each in HOSTILE}) == len(HOSTILE)
    assert len({each.source for each in HOSTILE}) == len(HOSTILE)
    assert all(each.attempts and "\n" not in each.attempts for each in HOSTILE)
    assert min(map(len, CLASSES.values())) >= 8
