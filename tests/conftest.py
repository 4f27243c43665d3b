"""Fixtures and markers of all tests: a shared executor, the benchmark files, the Docker engine."""

import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from code_envs.execution.local import LocalExecutor
from code_envs.testing import HOSTILE, attack

# one thread of torch, which is imported later: the spinning threads of several processes on two cores made a ten-second
# test take minutes
os.environ.setdefault("OMP_NUM_THREADS", "1")

NO_DATA = "CODE_ENVS_DATA is not set: it names the folder with the benchmark files"


@pytest.fixture(scope="session")
def executor():
    """Two workers of this machine, shared by all tests."""
    with LocalExecutor(2) as opened:
        yield opened


@pytest.fixture
def few_attacks(monkeypatch):
    """`check_executor` runs every sixteenth hostile program: tests/hostile runs them all."""
    monkeypatch.setattr("code_envs.testing.executor.attack", lambda executor: attack(executor, HOSTILE[::16]))


@pytest.fixture
def data():
    """The folder with the benchmark files."""
    if not os.environ.get("CODE_ENVS_DATA"):
        pytest.skip(NO_DATA)
    return Path(os.environ["CODE_ENVS_DATA"])


@functools.cache
def docker_problem() -> str:
    """Why no Docker engine answers, or "" if one does."""
    program = shutil.which("docker")
    if program is None:
        return "there is no docker program on PATH"
    try:
        answer = subprocess.run([program, "info"], capture_output=True, text=True, timeout=20)
    except subprocess.TimeoutExpired:
        return "`docker info` gave no answer in 20 s"
    return "" if answer.returncode == 0 else f"`docker info` said: {answer.stderr.strip()}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Where tests run side by side, those of Docker stay together, for one kills the engine, and so does each file."""
    for item in items:
        group = "docker" if item.get_closest_marker("docker") else item.path.name
        item.add_marker(pytest.mark.xdist_group(group))


def pytest_runtest_setup(item):
    """Skip what this machine cannot run, with the reason; in CI a missing Docker engine is a failure."""
    if item.get_closest_marker("data") and not os.environ.get("CODE_ENVS_DATA"):
        pytest.skip(NO_DATA)
    if item.get_closest_marker("docker") and docker_problem():
        reason = f"no Docker engine: {docker_problem()}"
        if os.environ.get("CI"):
            pytest.fail(f"{reason}; CI is set, so tests of Docker must run", pytrace=False)
        pytest.skip(reason)
