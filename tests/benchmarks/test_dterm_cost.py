"""The cost of DTERM: a weighting that learns and is not heeded."""

import json

import numpy as np
import pytest

from benchmarks import dterm_cost
from benchmarks.dterm_cost import Unheeded, compare, main
from benchmarks.dterm_methods import COMPONENTS, EXPERT


def test_it_learns_and_pays_uniform_weights():
    """What is paid stays uniform while the weights behind it move."""
    weighting = Unheeded(COMPONENTS, 4, prior=EXPERT, warm_up=8, seed=0)
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(3, 4)).astype(np.float32)
    before = super(Unheeded, weighting).weights(rows, ["CodeRepair"] * 3)
    for number in range(64):
        returns = rng.random(len(COMPONENTS))
        weighting.observe(rows[number % 3], "CodeRepair", f"task {number % 3}", returns, float(returns[0]))
    weighting.update()
    assert (weighting.weights(rows, ["CodeRepair"] * 3) == np.float32(0.2)).all()
    assert not np.array_equal(super(Unheeded, weighting).weights(rows, ["CodeRepair"] * 3), before)


class Played:
    """A bench whose runs take as long as they are told."""

    def __init__(self, seconds, curves=None):
        self.seconds, self.curves = seconds, curves or {}

    def play(self, run):
        return {"wall_s": self.seconds[run.name], "cpu_s": 1.0, "curve": self.curves.get(run.name, [])}


def test_runs_that_differ_are_not_compared():
    """Policies that wrote other texts say nothing of the cost."""
    assert [each["seed"] for each in compare(Played({"Uniform": 1.0, "DTERM": 1.1}), range(2))] == [0, 1]
    with pytest.raises(AssertionError, match="the policies differ"):
        compare(Played({"Uniform": 1.0, "DTERM": 1.1}, {"DTERM": [1]}), [0])


@pytest.mark.parametrize(("wall_s", "code"), [(1.1, 0), (1.3, 1)])
def test_the_bound(wall_s, code, tmp_path, monkeypatch, capsys):
    """The exit code says whether DTERM costs more than it may."""
    monkeypatch.setattr(dterm_cost, "_Costs", lambda *_: Played({"Uniform": 1.0, "DTERM": wall_s}))
    assert main(["--seeds", "2", "--json", str(tmp_path / "cost.json")]) == code
    assert json.loads((tmp_path / "cost.json").read_text())["ratios"]["wall_s"] == [wall_s, wall_s]
    assert ("NO" in capsys.readouterr().out) == (code == 1)


@pytest.mark.slow
def test_both_train_the_same_policy():
    """The real runs: not heeded, DTERM changes nothing."""
    assert main(["--seeds", "1", "--steps", "1000"]) in (0, 1)
