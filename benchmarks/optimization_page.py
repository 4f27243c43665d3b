"""What the folds of `benchmarks.optimization` add up to: the table, the differences and the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from agents.evaluation import Interval, bootstrap_mean

__all__ = ["differences", "show", "table", "write"]

mpl.use("Agg")
from matplotlib import pyplot

Record = dict[str, Any]
PAIRS = (
    ("policy", "random"),
    ("climb in the policy's order, 2", "climb, 2"),
    ("climb in the policy's order, 4", "climb, 4"),
    ("climb in the policy's order, 8", "climb, 8"),
)
"""Methods that are compared program by program."""


def _scores(records: Sequence[Record], method: str, figure: str) -> NDArray[np.float64]:
    """A figure of every run and program, (num_runs, num_programs) float64; the folds of a seed stand side by side."""
    by_seed: dict[int, list[Record]] = {}
    for record in sorted(records, key=lambda each: (each["seed"], each["fold"])):
        by_seed.setdefault(record["seed"], []).append(record)
    folds = max(map(len, by_seed.values()))
    whole = [each for each in by_seed.values() if len(each) == folds]  # the last seed may have been stopped
    return np.concatenate([np.concatenate([_runs(each, method, figure) for each in seed], axis=1) for seed in whole])


def _runs(record: Record, method: str, figure: str) -> NDArray[np.float64]:
    return np.array([[float(program[figure]) for program in run] for run in record["played"][method]])


def table(records: Sequence[Record]) -> dict[str, dict[str, Interval]]:
    """Mean log cost ratio, success in per cent, and executions per program, by method."""
    return {
        method: {
            "gain": bootstrap_mean(_scores(records, method, "gain")),
            "success": bootstrap_mean(_scores(records, method, "success"), scale=100.0),
            "executions": bootstrap_mean(_scores(records, method, "executions")),
        }
        for method in records[0]["played"]
    }


def differences(records: Sequence[Record]) -> dict[str, Interval]:
    """Of log cost ratios, program by program: each run of the first method less the mean run of the second."""
    found = {}
    for first, second in PAIRS:
        scores = _scores(records, first, "gain") - _scores(records, second, "gain").mean(0)
        found[f"{first} - {second}"] = bootstrap_mean(scores)
    return found


def show(records: Sequence[Record]) -> str:
    """Both as Markdown."""
    lines = [
        "| method | log(first cost / final cost) | times cheaper | success, % | executions per program |",
        "|---|---|---|---|---|",
    ]
    for method, row in table(records).items():
        gain = row["gain"]
        lines.append(
            f"| {method} | {_two(gain)} | {math.exp(gain.estimate):.1f} "
            f"| {row['success']} | {row['executions'].estimate:.1f} |"
        )
    lines += ["", "| difference, program by program | log cost ratio |", "|---|---|"]
    lines += [f"| {pair} | {_two(gain)} |" for pair, gain in differences(records).items()]
    return "\n".join(lines)


def _two(interval: Interval) -> str:
    return f"{interval.estimate:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def write(folder: Path, head: dict[str, Any], records: Sequence[Record]) -> None:
    """Write the page `optimization.md` and its picture into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    _plot(folder / "optimization.png", records)
    settings = head["settings"]
    minutes = f"{settings['minutes']:g}"
    seeds, programs = _scores(records, "policy", "gain").shape
    text = f"""# CodeOptimization-v0: programs that were never trained on

`python -m benchmarks.optimization --seeds {seeds} --minutes {minutes} --json FILE --results docs/results`

{head["machine"]} (2 shared x86-64 cores). Cross-validation over {settings["folds"]} folds: each of the {programs}
programs of `slow-v0` is played by a policy that was trained for {minutes} minutes on the other folds; runs of
the policy: {seeds}. Random and climb are means over {settings["shuffles"] * seeds} runs. Brackets: 95 % bootstrap over
programs and runs. Cost is counted in steps (`code_envs.syntax.costing`), so these figures come again; training is
limited by time, so the policy's row does not exactly. A program that fails a held-out test counts as no gain.

{show(records)}

`climb` tries candidates in random order, or in the policy's, and keeps what lowers the cost, up to so many executions
per program; `look-ahead` executes every candidate of every state, which the column of executions does not count, and
is what the policy imitates before PPO. The policy decides itself when to submit.

![success while training](optimization.png)

Sizes of the network and lengths of training were chosen on a third of these programs (the split "test"), as the better
of two configurations with one seed each; nothing was chosen after the folds were run.
"""
    (folder / "optimization.md").write_text(text)


def _plot(path: Path, records: Sequence[Record]) -> None:
    figure, axes = pyplot.subplots(figsize=(6, 3.4), layout="constrained")
    for phase, (name, colour) in enumerate((("imitation", "tab:blue"), ("PPO", "tab:orange"))):
        for number, record in enumerate(records):
            rows = [row for row in record["curve"] if row["phase"] == phase]
            minutes, success = [row["minutes"] for row in rows], [row["success"] for row in rows]
            axes.plot(minutes, success, marker=".", color=colour, alpha=0.7, label=None if number else name)
    axes.set(xlabel="minutes", ylabel="success, training tasks", ylim=(0, 1))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
