"""Spectrum-based fault localisation."""

import numpy as np
import pytest

from code_envs.envs.localisation import ochiai


def test_ochiai_by_hand():
    """A line run by the one failing test and one of two passing ones has 1 / sqrt(1 * 2)."""
    suspicion = ochiai([(1, 2), (1, 3), (1,)], [False, True, True], 3)
    assert suspicion.value[1:] == pytest.approx([1 / np.sqrt(3), 1.0, 0.0])
    assert suspicion.failing[1:] == pytest.approx([1, 1, 0])
    assert suspicion.highest.tolist() == [False, False, True, False]
    assert suspicion.rank[1:].tolist() == [1, 0, 2]


def test_nothing_failing_means_nothing_suspicious():
    """Without a failing test every line is alike."""
    suspicion = ochiai([(1,)], [True], 2)
    assert not suspicion.value.any()
    assert not suspicion.highest.any()


def test_lines_outside_the_program_are_ignored():
    """The candidate reports its own lines; nonsense must not hurt."""
    assert ochiai([(-3, 0, 9, 1)], [False], 2).value.tolist() == [0, 1, 0]
