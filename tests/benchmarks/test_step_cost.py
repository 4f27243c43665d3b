"""The step-cost benchmark counts what it says it counts."""

from __future__ import annotations

import pytest

from benchmarks.step_cost import compare_throughput, step_cost
from code_envs.tasks.sources import load


@pytest.fixture(scope="module")
def tasks(executor):
    return load("mutants:builtin", executor, limit=4)


def test_a_step_costs_more_than_its_execution(tasks, executor):
    """Every part is measured, and the ratio is that of the whole to the execution."""
    found = step_cost(tasks, executor, steps=12)
    assert 0 < found["runner_ms"] < found["execution_ms"]
    assert 0 < found["rest_of_step_ms"] <= found["rest_of_step_p90_ms"]
    assert found["step_to_execution_ratio"] > 1


def test_both_sides_run_the_same_jobs(tasks, executor):
    """Environments and executor are compared on jobs that were really executed."""
    found = compare_throughput(tasks, executor, num_envs=4, steps=3, rounds=1)
    assert found["num_envs"] == 4
    assert found["environments_per_s"] > 0
    assert found["executor_per_s"] > 0
    assert found["share"] == pytest.approx(found["environments_per_s"] / found["executor_per_s"])
