"""Every example runs as a script, with a tiny budget."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TINY = "--minutes 0.2 --builtin-mutants 1 --mbpp-mutants 1 --test-programs 3 --num-envs 4 --shuffles 2".split()


@pytest.mark.slow
def test_repair_demo(tmp_path, monkeypatch):
    """The demo trains, evaluates and leaves checkpoint, table, curve and run record; the benchmark reads them."""
    monkeypatch.delenv("CODE_ENVS_DATA", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # two threads spin against the other tests: 169 s instead of 105
    command = [sys.executable, "-m", "examples.repair_demo", "--out", str(tmp_path), *TINY]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "| policy |" in done.stdout
    assert {"policy.zip", "table.md", "learning_curve.png", "run.json"} <= {path.name for path in tmp_path.iterdir()}
    curve = json.loads((tmp_path / "run.json").read_text())["curve"]
    assert {row["phase"] for row in curve} == {0.0, 1.0} or curve[-1]["phase"] == 0.0
    assert curve[0]["demonstrations"] > 0


def last_line(name, *words):
    """Run an example; the last line that it prints."""
    command = [sys.executable, "-m", f"examples.{name}", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_tree_search():
    """Best-first search by forks repairs some of the programs, and the same ones every time."""
    words = ["--programs", "8", "--executions", "60", "--seed", "5"]
    line = last_line("tree_search", *words)
    assert re.fullmatch(r"[1-8] of 8 programs repaired, [1-8] plausibly, 60 executions each", line)
    assert last_line("tree_search", *words) == line


@pytest.mark.slow
def test_restart_from_failure():
    """With restarts, fewer tests are lost than without: the line of restarts says how many pass."""
    line = last_line("restart_from_failure", "--programs", "4", "--edits", "4")
    assert re.fullmatch(r"8 restarts: \d of 4 programs repaired, \d+% of held-out tests pass, \d+ executions", line)


def test_examples_have_a_run_line():
    """Each example says on top how it is run."""
    for path in (ROOT / "examples").glob("[!_]*.py"):
        assert f"python -m examples.{path.stem}" in path.read_text()[:400], path.name
