"""The page of the multi-task benchmark: tables in Markdown, and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.dterm_scores import (
    Cell,
    cell,
    learning,
    metric_of,
    overall,
    overhead,
    paired,
    scores,
    table,
    verdicts,
)  # fmt: skip
from benchmarks.dterm_tasks import FAMILIES

__all__ = ["report", "write"]

Record = dict[str, Any]


def report(records: Sequence[Record]) -> str:
    """All tables of some runs, in Markdown."""
    parts = []
    for sparse, title in ((False, "success learnable alone"), (True, "success too sparse to start alone")):
        found = table(records, "table 1", sparse)
        if found:
            parts += [f"**Table 1, {title}**", _main_table(found), ""]
    ablations = table(records, "table 2", sparse=False)
    full = table(records, "table 1", sparse=False).get("DTERM")
    if ablations and full:
        parts += ["**Table 2, ablations**", _ablation_table({"DTERM": full, **ablations}), ""]
    unseen = table(records, "figure 2", sparse=True)
    if unseen:
        parts += ["**Figure 2, a type of tasks that the weights never saw**", _unseen_table(unseen), ""]
    weights = _weight_table(records)
    if weights:
        parts += ["**Weights that DTERM learned** (mean over seeds and training tasks)", weights, ""]
    ratio = overhead(records)
    if ratio is not None:
        cpu = overhead(records, "cpu_s")
        parts += [
            f"DTERM / Uniform, training time, median over seeds: {ratio.estimate:.2f} [{ratio.low:.2f}, "
            f"{ratio.high:.2f}] wall, {cpu.estimate if cpu else float('nan'):.2f} CPU.",
            "",
        ]
    return "\n".join([*parts, *[f"- {line}" for line in verdicts(records)]])


def _main_table(found: dict[str, list[Record]]) -> str:
    names = [f"{family.name}, {family.metric}" for family in FAMILIES.values()]
    lines = [
        f"| method | seeds | {' | '.join(names)} | success, test | success, trained tasks | while training |",
        "|---|---|" + "---|" * (len(names) + 3),
    ]
    for name, runs in found.items():
        cells: list[Cell] = [cell(scores(runs, family, metric_of(family))) for family in FAMILIES]
        cells += [cell(overall(runs)), cell(overall(runs, "train")), cell(learning(runs))]
        lines.append(f"| {name} | {len(runs)} | {' | '.join(map(str, cells))} |")
    return "\n".join([*lines, "", "Percent: mean [95 % over seeds] (interquartile mean)."])


def _ablation_table(found: dict[str, list[Record]]) -> str:
    lines = [
        "| configuration | seeds | success, test | success, trained tasks | against DTERM, same seeds |",
        "|---|---|---|---|---|",
    ]
    for name, runs in found.items():
        gap = "" if name == "DTERM" else str(paired(runs, found["DTERM"]))
        lines.append(f"| {name} | {len(runs)} | {cell(overall(runs))} | {cell(overall(runs, 'train'))} | {gap} |")
    return "\n".join(lines)


def _unseen_table(found: dict[str, list[Record]]) -> str:
    """Held-out score of trained tasks, by the type left out."""
    lines = [f"| weights | {' | '.join(FAMILIES[name].name for name in FAMILIES)} |", "|---|" + "---|" * len(FAMILIES)]
    for name, runs in found.items():
        cells = []
        for family in FAMILIES:
            some = [run for run in runs if run["only"] == [family]]
            cells.append(str(cell(scores(some, family, "held_out", "train"))) if some else "")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", "Held-out score of the tasks trained on, percent."])


def _weight_table(records: Sequence[Record]) -> str:
    runs = table(records, "table 1", sparse=False).get("DTERM", [])
    if not runs:
        return ""
    names = runs[0]["components"]
    lines = [f"| type | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    for family in FAMILIES:
        rows = np.array([run["weights"][family] for run in runs])
        lines.append(f"| {FAMILIES[family].name} | {' | '.join(f'{value:.2f}' for value in rows.mean(0))} |")
    return "\n".join(lines)


def write(folder: Path, head: Record, records: Sequence[Record]) -> None:
    """Write dterm.md and dterm.png."""
    folder.mkdir(parents=True, exist_ok=True)
    _draw(folder / "dterm.png", records)
    settings = head["settings"]
    (folder / "dterm.md").write_text(PAGE.format(report=report(records), head=head, **settings))


def _draw(path: Path, records: Sequence[Record]) -> None:
    """Success while training, and how the weights differ by type."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 3)
    for axis, sparse, title in zip(axes, (False, True), ("learnable alone", "too sparse alone"), strict=False):
        for name, runs in table(records, "table 1", sparse).items():
            if "," not in name or name == "DTERM, frozen":
                curves = np.array(
                    [[np.mean([m[0] for m in p["means"].values()]) for p in run["curve"]] for run in runs]
                )
                axis.plot([point["steps"] for point in runs[0]["curve"]], curves.mean(0), label=name)
        axis.set(title=f"success {title}", xlabel="steps", ylabel="success, training tasks", ylim=(0, 1))
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=7)
    runs = table(records, "table 1", sparse=False).get("DTERM", [])
    if runs:
        rows = np.array([[run["weights"][family] for family in FAMILIES] for run in runs]).mean(0)
        below = np.zeros(len(rows))
        for number, name in enumerate(runs[0]["components"]):
            axes[2].bar([family.name[:6] for family in FAMILIES.values()], rows[:, number], bottom=below, label=name)
            below += rows[:, number]
        axes[2].set(title="weights learned by DTERM")
        axes[2].legend(fontsize=7)
    figure.savefig(path, dpi=110)


PAGE = """# Weights of reward components that adapt to the task (DTERM)

`{head[command]}`

{report}

![success while training, and weights](dterm.png)

- Tasks: {train} of each type to train on, {demonstrations} others for the warm start, at most {test} for the test, from
  the sources that come with Code Envs. `benchmarks.dterm_tasks.Shortlist` leaves 12 (where the agent writes) or 32
  actions, the reference's among them: levels say nothing about the full environments, differences between methods do.
- A run: {warm_start} gradient steps of imitation, the same for all methods of a seed, then {steps} steps of PPO in all
  five types at once (learning rate {learning_rate}, entropy {entropy}, minibatches of {batch}), then {tries} sampled
  episodes of each task. Outer metric: half held-out score, half success; w_o = 0.3 unless the row says otherwise.
- Sparse: the held-out score counts only if it is full, tasks that no other run trains on, a third of the warm start.
  "DTERM, frozen" has the weights that it learned on the other tasks.
- Figure 2: weights learned on four types, frozen, then a new policy on the fifth, in the sparse setting.
- Expert and oracle weights were set by hand before any run; nothing was tuned for a single method.
- Intervals draw runs, tasks fixed: they tell what other seeds would do, not other tasks. {head[machine]}.
"""
