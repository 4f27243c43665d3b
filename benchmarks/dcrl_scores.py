"""From runs of the alignment benchmark to figures: scores, intervals, paired differences, overheads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.evaluation import Interval
from benchmarks.dterm_scores import bootstrap, median, middle

__all__ = ["BOUNDS", "METRIC_KEYS", "common", "gap", "interval", "learning", "overheads", "reached", "scores", "table"]

Record = dict[str, Any]
METRIC_KEYS = {"search": "held_out", "generation": "success", "repair": "success"}
BOUNDS = {"overhead": 1.08, "contrastive": 0.15}
"""The paper's, section 5.5: time of DCRL over that of the static loss, and the share of contrastive updates."""
NEARLY = 0.9


def table(records: Sequence[Record], name: str, problem: str) -> dict[str, list[Record]]:
    """The runs of a table and problem by method, in the order in which they came."""
    found: dict[str, list[Record]] = {}
    for record in records:
        if record["table"] == name and record["problem"] == problem:
            found.setdefault(record["name"], []).append(record)
    return found


def scores(runs: Sequence[Record], key: str = "") -> NDArray[np.float64]:
    """Score of each run, the mean over its tasks, in percent: (num_runs, 1) float64.

    Args:
        runs: Runs of one problem.
        key: "held_out" or "success"; the problem's own metric by default.
    """
    return np.array([[100 * float(np.mean(run["scores"][key or METRIC_KEYS[run["problem"]]]))] for run in runs])


def learning(runs: Sequence[Record]) -> NDArray[np.float64]:
    """The problem's metric in the episodes of training, mean over the run, in percent: (num_runs, 1) float64."""
    return np.array([[100 * float(np.mean(_curve(run)))] for run in runs])


def reached(runs: Sequence[Record]) -> NDArray[np.float64]:
    """Share of the training's episodes until 90 % of its last point is reached, in percent: (num_runs, 1) float64."""
    found = []
    for run in runs:
        curve = _curve(run)
        point = int(np.argmax(curve >= NEARLY * curve[-1]))
        counts = [each["episodes"] for each in run["curve"] if each["success"] is not None]
        found.append([100 * counts[point] / counts[-1]])
    return np.array(found)


def _curve(run: Record) -> NDArray[np.float64]:
    key = METRIC_KEYS[run["problem"]]
    return np.array([each[key] for each in run["curve"] if each[key] is not None], np.float64)


def interval(values: NDArray[np.float64]) -> Interval:
    """Interquartile mean over runs (and problems, if there are several columns), bootstrap over runs.

    Source: Agarwal et al. (2021).
    """
    return bootstrap(values, middle)


def common(first: Sequence[Record], second: Sequence[Record]) -> list[int]:
    """Seeds that both methods have."""
    return sorted({run["seed"] for run in first} & {run["seed"] for run in second})


def gap(
    first: Sequence[Record],
    second: Sequence[Record],
    measure: Callable[[Sequence[Record]], NDArray[np.float64]] = scores,
) -> Interval | None:
    """Interquartile mean of the differences seed by seed, in points; None where no seed is common."""
    seeds = common(first, second)
    if not seeds:
        return None
    ours, theirs = ({run["seed"]: run for run in runs} for runs in (first, second))
    pairs = [[ours[seed] for seed in seeds], [theirs[seed] for seed in seeds]]
    return interval(measure(pairs[0]) - measure(pairs[1]))


def overheads(records: Sequence[Record]) -> dict[str, dict[str, Interval]]:
    """By problem: `ratio` and `cpu_ratio` of DCRL over static, the shares of time of both, and of the hypergradient.

    Medians over seeds.
    """
    found: dict[str, dict[str, Interval]] = {}
    for problem in dict.fromkeys(record["problem"] for record in records if record["table"] == "overhead"):
        runs = [record for record in records if record["table"] == "overhead" and record["problem"] == problem]
        columns = {key: [run[key] for run in runs] for key in ("ratio", "cpu_ratio", "hyper_share")}
        for name in runs[0]["contrastive_share"]:
            columns[f"contrastive_share, {name}"] = [run["contrastive_share"][name] for run in runs]
        found[problem] = {key: bootstrap(np.array(values)[:, None], median) for key, values in columns.items()}
    return found
