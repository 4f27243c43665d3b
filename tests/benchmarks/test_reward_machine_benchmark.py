"""The benchmark of reward machines counts what it says it counts."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from benchmarks.reward_machine import (
    ARMS,
    Settings,
    area,
    hard_tasks,
    interval,
    main,
    page,
    reached_at,
    smooth,
    table,
    train,
)
from code_envs.execution.cache import CachedExecutor
from code_envs.tasks.sources import load
from code_envs.tasks.task import TaskSet

RUN = {"at": list(range(10, 4010, 10)), "solved": [0] * 200 + [1] * 200, "seconds": 1.0}


def test_curves_and_areas():
    """Half of the episodes are solved, from the 201st on."""
    assert area(RUN) == 0.5
    assert smooth(RUN, np.array([0, 5, 2000, 2500, 3000, 4000])).tolist() == [0, 0, 0, 0.5, 1, 1]
    assert reached_at(RUN, 0.5, 5000) == 2500
    assert reached_at({**RUN, "solved": [0] * 400}, 0.5, 5000) == 5000
    assert reached_at({**RUN, "solved": [1] * 400}, 0.5, 5000) == 1000  # not before there are 100 episodes


def test_intervals_and_table():
    """The interquartile mean ignores the outer quarters; the table has a row per arm."""
    assert interval(np.array([0.0, 2.0, 2.0, 10.0])).estimate == 2.0
    text = table({"sparse": [RUN] * 4}, 4000)
    assert "| sparse | 50.0 [50.0, 50.0] | 100.0 [100.0, 100.0] | 2,250 [2,250, 2,250] | 2,500 " in text
    assert text.endswith("| 4 of 4 |")
    shown = page(text, Settings(steps=4000), range(10, 14), 9, 1.0)
    assert text in shown
    assert "--steps 4000 --seeds 4" in shown


@pytest.fixture(scope="module")
def tasks(executor):
    every = load("builtin", executor)
    one = tuple(task for task in every if task.task_id.endswith("/kth_missing"))
    return hard_tasks(TaskSet("one", one, every.licence, every.origin, every.sha256), executor, Settings(per_task=2))


def test_tasks_are_hard(tasks):
    """Two faults and no test passed at first."""
    assert tasks.ids == ("mutants-one/kth_missing/0",)


@pytest.mark.parametrize("arm", ARMS)
def test_a_run_of_each_arm(arm, tasks, executor):
    """A few steps; episodes end and are counted."""
    settings = Settings(steps=64, environments=2, rollout=32, executions=4)
    counted = []
    run = train(arm, 0, tasks, CachedExecutor(executor), settings, counted.append)
    assert sum(counted) == 64
    assert len(run["at"]) == len(run["solved"]) >= 4
    assert list(run["at"]) == sorted(run["at"])


def test_kept_runs_are_not_repeated(tmp_path, capsys):
    """A file with all runs is read; one with other settings is refused."""
    path = tmp_path / "runs.json"
    kept = {"settings": asdict(Settings(steps=4000)), "tasks": ["t"], "runs": {"sparse/0": RUN, "shaped/0": RUN}}
    path.write_text(json.dumps(kept))
    arguments = [
        "--first-seed",
        "0",
        "--seeds",
        "1",
        "--arms",
        "sparse",
        "shaped",
        "--json",
        str(path),
        "--out",
        str(tmp_path),
    ]
    assert main(["--steps", "4000", *arguments]) == 0
    assert "| shaped | 50.0" in capsys.readouterr().out
    assert (tmp_path / "reward_machine.png").exists()
    assert "| shaped | 50.0" in (tmp_path / "reward_machine.md").read_text()
    with pytest.raises(SystemExit, match="other settings"):
        main(["--steps", "5000", *arguments])
