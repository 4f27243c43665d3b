"""The repair benchmark, on a folder that nobody here has seen."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.repair import NEVER, Candidates, main, ordered, table
from code_envs.syntax.enumeration import Enumerator
from code_envs.syntax.program import Program

CORRECT = (
    "def lowest(values):\n    best = values[0]\n    for each in values:\n"
    "        if each < best:\n            best = each\n    return best\n"
)
CASES = [[[[3, 1, 2]], 1], [[[5]], 5], [[[2, 2]], 2], [[[4, 9, -1]], -1], [[[0, 7]], 0], [[[8, 6, 6, 7]], 6]]


@pytest.fixture
def folder(tmp_path):
    """One faulty program in the layout of the QuixBugs repository."""
    for name in ("python_programs", "correct_python_programs", "json_testcases"):
        (tmp_path / name).mkdir()
    (tmp_path / "python_programs" / "lowest.py").write_text(CORRECT.replace("<", ">"))
    (tmp_path / "correct_python_programs" / "lowest.py").write_text(CORRECT)
    (tmp_path / "json_testcases" / "lowest.json").write_text("\n".join(map(json.dumps, CASES)))
    return tmp_path


def test_an_unseen_folder_is_benchmarked(folder, tmp_path, capsys):
    """Every method tries the same candidates, and the faulty comparison is found."""
    out = tmp_path / "out.json"
    assert main(["--tasks", str(folder), "--budgets", "5,500", "--seeds", "3", "--json", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "1 programs; one candidate edit repairs 1 of them" in printed
    result = json.loads(out.read_text())
    assert result["repaired"]["random"]["500"][0] == 1.0
    assert result["repaired"]["ochiai"]["500"][0] == 1.0
    ((offered, listed),) = result["candidates"].values()
    assert listed == len(Enumerator(program := Program(CORRECT.replace("<", ">").encode()))(program))
    assert offered == min(listed, 510)


def test_wrong_arguments_are_explained(folder, capsys):
    """Missing checkpoints and sources end with one line that says what to do."""
    assert main(["--tasks", str(folder), "--policy", "nowhere.zip"]) == 2
    assert "make demo" in capsys.readouterr().err
    assert main(["--tasks", "humanevil"]) == 2
    assert "humaneval" in capsys.readouterr().err


def test_order_by_hand():
    """Ochiai tries the most suspicious lines first; a plausible but wrong program ends the search unrepaired."""
    suspicion = np.array([0.1, 0.9, 0.5], np.float32)
    right = Candidates("a", np.array([True, False, False]), np.array([True, False, False]), suspicion, 3)
    trap = Candidates("b", np.array([True, False, True]), np.array([True, False, False]), suspicion, 3)
    ((first, second),) = ordered([right, trap], seeds=1, by_suspicion=True)
    assert (first.plausible_at, first.solved_at) == (3, 3)
    assert (second.plausible_at, second.solved_at) == (2, NEVER)
    assert table({"ochiai": [[first, second]]}, [2, 3])["ochiai"]["3"].estimate == 1
    assert table({"ochiai": [[first, second]]}, [2, 3])["ochiai"]["2"].estimate == 0


def test_random_order_is_uniform():
    """With one winner among ten, a random order finds it within five executions half of the time."""
    one = np.zeros(10, np.bool_)
    one[3] = True
    each = Candidates("a", one, one, np.zeros(10, np.float32), 10)
    runs = ordered([each], seeds=2000, by_suspicion=False)
    assert np.mean([run[0].solved_at <= 5 for run in runs]) == pytest.approx(0.5, abs=0.04)
