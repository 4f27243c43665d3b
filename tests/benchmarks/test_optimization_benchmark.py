"""The optimisation benchmark: baselines that spend what they may, and a table of what came of it."""

from __future__ import annotations

import pytest
import torch

from benchmarks.optimization import Settings, climb, divided, play, train
from benchmarks.optimization_page import differences, show, table, write
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


def test_folds_share_no_program(tasks):
    """Every program is played once, by a policy that never saw it."""
    parts = [divided(tasks, fold, 3) for fold in range(3)]
    assert sorted(each for _, played in parts for each in played.ids) == sorted(tasks.ids)
    assert all(not set(trained.ids) & set(played.ids) for trained, played in parts)
    assert all(len(trained) + len(played) == len(tasks) for trained, played in parts)


def _record(fold, gains):
    def run(gain):
        return [{"task_id": f"t{fold}", "gain": gain, "success": gain > 0, "executions": 3}]

    methods = ("climb, 2", "climb, 4", "climb, 8")
    played = {"random": [run(0.0), run(1.0)], "policy": [run(gains)]}
    played |= {name: [run(0.5)] for each in methods for name in (each, each.replace(",", " in the policy's order,"))}
    curve = [{"phase": phase, "minutes": 1.0, "success": 0.5} for phase in (0, 1)]
    return {"key": str(fold), "fold": fold, "seed": 0, "played": played, "curve": curve}


def test_table(tmp_path):
    """Folds stand side by side: means over runs and programs, and differences program by program."""
    records = [_record(1, 2.0), _record(0, 0.0)]
    rows = table(records)
    assert rows["policy"]["gain"].estimate == 1.0
    assert rows["policy"]["success"].estimate == 50.0
    assert rows["random"]["gain"].estimate == 0.5
    assert "| policy | 1.00 [0.00, 2.00] | 2.7 | 50.0 [0.0, 100.0] | 3.0 |" in show(records)
    assert differences(records)["policy - random"].estimate == 0.5
    write(tmp_path, {"settings": {"folds": 2, "minutes": 1.0, "shuffles": 2}, "machine": "here"}, records)
    assert "each of the 2 programs of" in " ".join((tmp_path / "optimization.md").read_text().split())
    assert (tmp_path / "optimization.png").stat().st_size > 1000


@pytest.mark.slow
def test_training_runs(tasks, executor):
    """Both phases of the training, a few seconds each."""
    torch.set_num_threads(1)
    model, curve = train(tasks, executor, Settings(minutes=0.1, num_envs=4), seed=0)
    assert {row["phase"] for row in curve} == {0.0, 1.0}
    assert model.num_timesteps > 0
