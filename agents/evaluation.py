"""Scores and intervals: how claims are measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Interval", "bootstrap_mean", "interquartile_mean", "within"]


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its bootstrap interval."""

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.estimate:.1f} [{self.low:.1f}, {self.high:.1f}]"


def within(solved_at: NDArray[np.float64], budget: int) -> NDArray[np.float64]:
    """Which tasks were solved within a budget.

    Args:
        solved_at: Executions until the task was solved, infinity if never, (num_runs, num_tasks) float64.
        budget: Executions.

    Returns:
        1.0 or 0.0 per run and task, (num_runs, num_tasks) float64.
    """
    return (solved_at <= budget).astype(np.float64)


def interquartile_mean(scores: NDArray[np.float64]) -> float:
    """Mean of the middle half of all scores.

    Args:
        scores: (num_runs, num_tasks) float64.

    Source: Agarwal et al. (2021).
    """
    flat = np.sort(scores, axis=None)
    cut = len(flat) // 4
    return float(flat[cut : len(flat) - cut].mean())


def bootstrap_mean(
    scores: NDArray[np.float64], scale: float = 1.0, confidence: float = 0.95, replicates: int = 2000, seed: int = 0
) -> Interval:
    """Mean over runs and tasks, with a percentile bootstrap interval over tasks and runs.

    Tasks are drawn with replacement, because a claim is about programs like these; for each drawn task a
    run is drawn anew, because runs of one task differ by chance.

    Args:
        scores: (num_runs, num_tasks) float64.
        scale: Factor on the result, such as the number of tasks for a count.
        confidence: Coverage of the interval.
        replicates: Bootstrap samples.
        seed: Seeds the samples.

    Raises:
        ValueError: If there is no score.
    """
    if scores.ndim != 2 or not scores.size:
        raise ValueError(f"Expected scores (num_runs, num_tasks) with at least one of each, got shape {scores.shape}.")
    rng = np.random.default_rng(seed)
    runs, tasks = scores.shape
    drawn_tasks = rng.integers(tasks, size=(replicates, tasks))
    drawn_runs = rng.integers(runs, size=(replicates, tasks))
    means = scores[drawn_runs, drawn_tasks].mean(1)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(scale * float(scores.mean()), scale * float(low), scale * float(high))
