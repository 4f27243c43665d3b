"""From runs to tables: scores by type, interquartile means with intervals, and differences between paired seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.evaluation import Interval
from benchmarks.dterm_tasks import FAMILIES

__all__ = [
    "Cell",
    "bootstrap",
    "cell",
    "learning",
    "mean",
    "median",
    "metric_of",
    "middle",
    "overall",
    "overhead",
    "paired",
    "scores",
    "table",
    "verdicts",
]

Record = dict[str, Any]
Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
METRICS = {"BLEU-4": "held_out", "exact match": "exact", "fix rate": "success", "pass@1": "success"}
REPLICATES = 2000
LEAST_SEEDS = 5
"""Fewer seeds have an interval, but a bootstrap over them is too narrow to say anything."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One entry of a table, in percent.

    Args:
        iqm: Interquartile mean over runs and tasks.
        mean: Mean over them. Where most tasks are never solved the interquartile mean is 0 and says little.
    """

    iqm: Interval
    mean: Interval

    def __str__(self) -> str:
        return f"{self.mean} ({self.iqm.estimate:.1f})"


def metric_of(family: str) -> str:
    """The key of an evaluation that the paper's metric for a type is."""
    return METRICS[FAMILIES[family].metric]


def scores(records: Sequence[Record], family: str, key: str, split: str = "test") -> NDArray[np.float64]:
    """Scores of some runs, (num_runs, num_tasks) float64; each is the mean over the episodes of a task.

    Args:
        records: Runs.
        family: Type of tasks.
        key: "success", "held_out" or "exact".
        split: "test" or "train".
    """
    return np.array([[float(np.mean(tries)) for tries in record[split][family][key]] for record in records])


def bootstrap(scores: NDArray[np.float64], statistic: Statistic, seed: int = 0, confidence: float = 0.95) -> Interval:
    """A statistic with its stratified bootstrap interval: for each task, runs are drawn with replacement.

    The tasks stay as they are: the interval tells how much another set of seeds would change the figure, not another
    set of tasks. Whole runs are drawn, for a seed moves all tasks together.

    Args:
        scores: (num_runs, num_tasks) float64.
        statistic: From R such arrays, (R, num_runs, num_tasks), to R numbers: `mean`, `middle` or `median`.
        seed: Seeds the samples.
        confidence: Coverage.

    Raises:
        ValueError: If there is no score.

    Source: Agarwal et al. (2021), with runs drawn as a whole.
    """
    if scores.ndim != 2 or not scores.size:
        raise ValueError(f"Expected scores (num_runs, num_tasks) with at least one of each, got shape {scores.shape}.")
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(scores), size=(REPLICATES, len(scores)))
    low, high = np.quantile(statistic(scores[drawn]), [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(statistic(scores[None])[0]), float(low), float(high))


def mean(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over runs and tasks, (R, num_runs, num_tasks) to (R,)."""
    return np.asarray(scores.mean((1, 2)))


def middle(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """`agents.evaluation.interquartile_mean` of each sample, (R, num_runs, num_tasks) to (R,)."""
    flat = np.sort(scores.reshape(len(scores), -1), 1)
    cut = flat.shape[1] // 4
    return np.asarray(flat[:, cut : flat.shape[1] - cut].mean(1))


def median(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median over runs and tasks, (R, num_runs, num_tasks) to (R,)."""
    return np.asarray(np.median(scores, (1, 2)))


def cell(scores: NDArray[np.float64]) -> Cell:
    """Interquartile mean and mean of scores (num_runs, num_tasks), in percent."""
    return Cell(bootstrap(100 * scores, middle), bootstrap(100 * scores, mean))


def overall(records: Sequence[Record], split: str = "test", key: str = "success") -> NDArray[np.float64]:
    """Scores of all types side by side, each type counting the same: (num_runs, num_types) float64."""
    families = list(records[0][split])
    return np.stack([scores(records, family, key, split).mean(1) for family in families], 1)


def learning(records: Sequence[Record]) -> NDArray[np.float64]:
    """Success while training, mean over the run, by type: (num_runs, num_types) float64."""
    rows = []
    for record in records:
        families = list(record["train"])
        points = [[point["means"].get(family, [np.nan])[0] for family in families] for point in record["curve"]]
        rows.append(np.nan_to_num(np.nanmean(np.array(points, np.float64), 0)))
    return np.array(rows)


def table(records: Sequence[Record], name: str, sparse: bool) -> dict[str, list[Record]]:
    """The runs of a table and regime by method, in the order in which they came."""
    found: dict[str, list[Record]] = {}
    for record in records:
        if record["table"] == name and record["sparse"] == sparse:
            found.setdefault(record["name"], []).append(record)
    return found


def paired(first: Sequence[Record], second: Sequence[Record], split: str = "train") -> Interval:
    """Difference in success between two methods, seed by seed, in percent, with a bootstrap over seeds.

    Args:
        first: Runs of one method.
        second: Runs of the other.
        split: "test" or "train".

    Raises:
        ValueError: If they have no seed in common.
    """
    ours, theirs = ({record["seed"]: record for record in runs} for runs in (first, second))
    seeds = sorted(set(ours) & set(theirs))
    if not seeds:
        raise ValueError("The two methods have no seed in common.")
    gaps = [overall([ours[seed]], split).mean() - overall([theirs[seed]], split).mean() for seed in seeds]
    return bootstrap(100 * np.array(gaps)[:, None], mean)


def overhead(records: Sequence[Record], clock: str = "wall_s") -> Interval | None:
    """Time of training with DTERM / with Uniform, median over seeds; None where one of them is missing.

    Args:
        records: Runs; those of the same seed ran one after the other in one process.
        clock: "wall_s" or "cpu_s".
    """
    found = table(records, "table 1", sparse=False)
    times = [{record["seed"]: record[clock] for record in found.get(name, [])} for name in ("DTERM", "Uniform")]
    seeds = sorted(set(times[0]) & set(times[1]))
    if not seeds:
        return None
    ratios = np.array([[times[0][seed] / times[1][seed]] for seed in seeds])
    return bootstrap(ratios, median)


def _common(first: Sequence[Record], second: Sequence[Record]) -> int:
    """Number of seeds that both have."""
    return len({record["seed"] for record in first} & {record["seed"] for record in second})


def verdicts(records: Sequence[Record]) -> list[str]:
    """What the runs say of DTERM against each other method, in words."""
    lines = []
    for sparse in (False, True):
        found = table(records, "table 1", sparse)
        if "DTERM" not in found:
            continue
        regime = "too sparse to start alone" if sparse else "learnable alone"
        for name, runs in found.items():
            if name == "DTERM":
                continue
            if _common(found["DTERM"], runs) < LEAST_SEEDS:
                lines.append(
                    f"{name}, {regime}: fewer than {LEAST_SEEDS} seeds in common with DTERM, so nothing is said."
                )
                continue
            for split in ("train", "test"):
                gap = paired(found["DTERM"], runs, split)
                told = "above" if gap.low > 0 else "below" if gap.high < 0 else "not separable from"
                lines.append(f"Success {regime}, {split} tasks: DTERM is {told} {name}, difference {gap} points.")
    return lines
