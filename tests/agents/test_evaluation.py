"""Scores and intervals."""

import numpy as np
import pytest

from agents.evaluation import bootstrap_mean, interquartile_mean, within


def test_within_counts_solved_tasks():
    """A task solved at exactly the budget counts; one never solved does not."""
    solved_at = np.array([[1, 10, 11, np.inf]])
    assert within(solved_at, 10).tolist() == [[1, 1, 0, 0]]


def test_interquartile_mean_drops_the_outer_quarters():
    """One extreme value on each side changes nothing."""
    assert interquartile_mean(np.array([[0, 2, 3, 4, 5, 6, 7, 1000.0]])) == 4.5


def test_bootstrap_covers_the_truth():
    """About 95 % of the intervals of fair coins contain one half."""
    rng = np.random.default_rng(0)
    hits = 0
    for seed in range(200):
        interval = bootstrap_mean(rng.integers(0, 2, (1, 60)).astype(float), replicates=500, seed=seed)
        hits += interval.low <= 0.5 <= interval.high
    assert 180 <= hits <= 199


def test_bootstrap_scales_and_repeats():
    """The result is a count where asked, and the same for a seed."""
    scores = np.array([[1.0, 0.0, 1.0, 1.0]])
    first = bootstrap_mean(scores, scale=4, seed=3)
    assert first == bootstrap_mean(scores, scale=4, seed=3)
    assert first.estimate == 3.0
    assert first.low <= 3.0 <= first.high


def test_nothing_to_score_is_an_error():
    """An empty score matrix has no mean."""
    with pytest.raises(ValueError, match="num_runs, num_tasks"):
        bootstrap_mean(np.zeros((1, 0)))
