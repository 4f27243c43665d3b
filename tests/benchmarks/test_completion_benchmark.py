"""The completion benchmark, on lines that nobody here has seen."""

from __future__ import annotations

import itertools
import json
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.completion import chosen_by, complete, fitted, main, ngrams, random_actions, table, train
from code_envs.tasks.gaps import Gap
from code_envs.tasks.task import TaskSet

REPEATED = "import os\nx = os . path . join ( a , b )\ny = 1\nz = os ."


def gaps(count):
    """Lines of which the beginning stands in the file, under other names."""
    names = [f"name{number}" for number in range(count)]
    return tuple(
        Gap(f"t-v0/{name}", REPEATED.replace("path", name) + " ", "", f"{name} . join ( a , b )", tokenised=True)
        for name in names
    )


def task_set(count):
    return TaskSet("t-v0", gaps(count), "MIT", "these tests", "0" * 64)


def test_ngrams_continue_what_the_file_has():
    """A line that stands in the file already is found by its n-grams, and by no random actions."""
    lines = complete(ngrams(), task_set(3), quiet=True)
    assert [line.exact for line in lines] == [True] * 3
    assert [line.written for line in lines] == [f"name{number} . join ( a , b )" for number in range(3)]
    assert not any(line.exact for line in complete(random_actions(np.random.default_rng(0)), task_set(3), quiet=True))


def test_fitted_weights_are_no_worse():
    assert np.mean([line.exact for line in complete(ngrams(fitted(task_set(2), 2)), task_set(2), quiet=True)]) == 1.0


def test_the_table_has_intervals():
    lines = complete(ngrams(), task_set(2), quiet=True)
    row = table({"n-grams": [lines]})["n-grams"]
    assert (row["exact"].estimate, row["writable"].low, row["similarity"].high) == (100, 100, 100)


@pytest.mark.slow
def test_a_policy_learns_to_write(monkeypatch):
    """After thirty rounds of imitation, it writes lines of unseen names by copying."""
    clock = itertools.count()  # each round asks for the time once: rounds are seconds, however busy the machine is
    monkeypatch.setattr("benchmarks.completion.time", SimpleNamespace(perf_counter=lambda: next(clock)))
    policy, curve = train(task_set(64), 0.5, quiet=True)
    assert 20 < len(curve) <= 30
    unseen = TaskSet("t-v0", gaps(70)[64:], "MIT", "these tests", "0" * 64)
    assert curve[-1]["accuracy"] > 0.9
    assert np.mean([line.exact for line in complete(chosen_by(policy), unseen, quiet=True)]) >= 0.5


@pytest.mark.slow
def test_the_command_writes_its_page(tmp_path, capsys):
    """A file of one's own is benchmarked, and the page names its command."""
    path = tmp_path / "dev.json"
    items = [
        {"input": "<s> " + REPEATED.replace("path", f"n{number}").replace("import", f"import m{number} <EOL> import")
         .replace("\n", " <EOL> "), "gt": f"n{number} . join ( a , b )"}
        for number in range(60)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    out = tmp_path / "out.json"
    arguments = [
        "--tasks",
        f"py150:{path}",
        "--quick",
        "--minutes",
        "0.05",
        "--json",
        str(out),
        "--results",
        str(tmp_path),
    ]
    assert main(arguments) == 0
    assert "n-grams of the file | 100.0" in capsys.readouterr().out
    assert set(json.loads(out.read_text())["percent"]) == {"random", "n-grams of the file", "policy"}
    assert "python -m benchmarks.completion" in (tmp_path / "completion.md").read_text()
    assert (tmp_path / "completion.png").stat().st_size > 1000


def test_wrong_arguments_are_named(capsys):
    assert main(["--minutes", "0"]) == 2
    assert "--minutes must be above 0" in capsys.readouterr().err
    assert main(["--tasks", "gaps:builtin"]) == 2
    assert "has tests; exact lines are counted here" in capsys.readouterr().err
