"""The shipped conformance checks on everything that is ours: registering an id subjects it to them."""

import pytest

from code_envs.registration import ENVIRONMENTS
from code_envs.testing import check_env, check_executor, check_task_set, check_vector_env


@pytest.mark.slow
@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("kind", ["local", pytest.param("docker", marks=pytest.mark.docker)])
def test_environment(environment, kind):
    """Every registered id keeps Gymnasium's contract, SB3's and ours, also in a fresh process, on each executor."""
    check_env(environment, kwargs={"executor": kind})


@pytest.mark.slow
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_vector_environment(environment, executor):
    """The vector environment of every id equals Gymnasium's over single ones, in each autoreset mode."""
    check_vector_env(environment, executor=executor)


@pytest.mark.usefixtures("few_attacks")
def test_local_executor(executor):
    """The local executor reports the truth about every program and leaves nothing behind."""
    check_executor(executor)


@pytest.mark.slow
@pytest.mark.parametrize("source", ["builtin", "mutants:builtin"])
def test_tasks(source, executor):
    """The tasks that come with Code Envs are sound, and the same in every process."""
    check_task_set(source, executor)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("source", ["humanevalpack"])
def test_benchmark_tasks(source, executor):
    """Tasks read from benchmark files are sound, and the same in every process."""
    check_task_set(source, executor)
