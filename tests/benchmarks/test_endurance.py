"""Random steps in every environment, and what the benchmark would catch."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import endurance
from code_envs.registration import ENVIRONMENTS


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_environment_keeps_going(name):
    """A hundred steps, masked actions included, leave nothing behind."""
    assert endurance.endure(name, 100)["descriptors_grown"] <= 0


def test_numbers_that_are_not_finite_are_caught():
    """A nan in an observation, a measurement or a reward is named."""
    info = {"measurements": {"tests": np.nan}, "vector_reward": np.zeros(3)}
    with pytest.raises(AssertionError, match=r"measurements.'tests'"):
        endurance._require_finite("X", 1, {"code": np.zeros(2)}, 0.0, info)
    info["measurements"]["tests"] = 0.0
    with pytest.raises(AssertionError, match="code"):
        endurance._require_finite("X", 1, {"code": np.array([np.inf])}, 0.0, info)


def test_a_leak_is_caught(monkeypatch):
    """Growing memory fails."""
    used = iter([100.0, 100.0, 300.0])
    monkeypatch.setattr(endurance, "_used", lambda: {"memory_mib": next(used), "descriptors": 1.0, "processes": 1.0})
    with pytest.raises(AssertionError, match="memory_mib grew"):
        endurance.endure("CodeGeneration-v0", 20)
