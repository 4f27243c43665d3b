"""The optimisation benchmark: baselines that spend what they may, and a table of what came of it."""

from __future__ import annotations

import pytest
import torch

from benchmarks.optimization import Played, Settings, climb, play, show, table, train
from code_envs.envs.optimization import CodeOptimizationEnv
from code_envs.tasks.slow_programs import load


@pytest.fixture(scope="module")
def tasks(executor):
    return load(executor, limit=4)


def test_climbing_spends_its_executions_and_keeps_gains(tasks, executor):
    """More executions, more gain; never a loss, as what is dearer is taken back."""
    env = CodeOptimizationEnv(tasks=tasks, executor=executor, expert=True)
    few, many = (play(env, climb(0), [number] * len(tasks)) for number in (1, 12))
    assert [each.executions for each in few] == [1] * len(tasks)
    assert all(each.gain >= -0.01 for each in [*few, *many])
    assert sum(each.gain for each in many) > sum(each.gain for each in few)
    best = play(env, lambda env, observation, info: info["expert_action"])
    assert all(each.success for each in best)
    assert sum(each.gain for each in best) > sum(each.gain for each in few)


def test_table():
    """Means over runs and programs, with the ratio beside the logarithm."""
    run = [Played("a", 0.0, False, 2), Played("b", 2.0, True, 4)]
    rows = table({"policy": [run]})
    assert rows["policy"]["gain"].estimate == 1.0
    assert rows["policy"]["success"].estimate == 50.0
    assert "| policy | 1.00 [0.00, 2.00] | 2.7 | 50.0 [0.0, 100.0] | 3.0 |" in show(rows)


@pytest.mark.slow
def test_training_runs(tasks, executor):
    """Both phases of the training, a few seconds each."""
    torch.set_num_threads(1)
    model, curve = train(tasks, executor, Settings(minutes=0.1, num_envs=4))
    assert {row["phase"] for row in curve} == {0.0, 1.0}
    assert model.num_timesteps > 0
