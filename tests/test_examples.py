"""Every example runs as a script, with a tiny budget."""

from __future__ import annotations

import json
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
    command = [sys.executable, "-m", "examples.repair_demo", "--out", str(tmp_path), *TINY]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "| policy |" in done.stdout
    assert {"policy.zip", "table.md", "learning_curve.png", "run.json"} <= {path.name for path in tmp_path.iterdir()}
    curve = json.loads((tmp_path / "run.json").read_text())["curve"]
    assert {row["phase"] for row in curve} == {0.0, 1.0} or curve[-1]["phase"] == 0.0
    assert curve[0]["demonstrations"] > 0


def test_examples_have_a_run_line():
    """Each example says on top how it is run."""
    for path in (ROOT / "examples").glob("[!_]*.py"):
        assert f"python -m examples.{path.stem}" in path.read_text()[:400], path.name
