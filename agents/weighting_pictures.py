"""Pictures of a weighting over training: weights and component shares by family, and the meta loss.

The shares are the paper's figure 3, the meta loss its figure 4. Shares mix weight and level, so the weights are drawn
as well. Figures are made without pyplot: nothing global is touched and no window is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from agents.weighting_history import Record, WeightingHistory

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["meta_loss_figure", "save_pictures", "shares_figure", "weights_figure"]

META_LOSS = "meta_loss"
"""Name of the figure that `Weighting.update` reports."""
COLUMNS = 3
"""Families side by side."""


def weights_figure(history: WeightingHistory) -> Figure:
    """Mean weights over training, one panel per family, one line per component.

    Args:
        history: With at least one record.

    Raises:
        ValueError: If nothing is recorded.
    """
    return _panels(history, lambda record, family: record.weights[family], "weight", stacked=False)


def shares_figure(history: WeightingHistory) -> Figure:
    """Component shares alpha_i E[R_i] / sum_j alpha_j E[R_j] over training, stacked, one panel per family.

    Args:
        history: With at least one record.

    Raises:
        ValueError: If nothing is recorded.

    Source: DTERM, figure 3.
    """
    return _panels(history, Record.shares, "share of the reward", stacked=True)


def meta_loss_figure(history: WeightingHistory) -> Figure:
    """The meta loss over training.

    Args:
        history: With at least one record that has a meta loss.

    Raises:
        ValueError: If there is none, because the weighting does not learn.

    Source: DTERM, figure 4.
    """
    points = [(each.timesteps, each.figures[META_LOSS]) for each in history.records if META_LOSS in each.figures]
    if not points:
        raise ValueError("No record has a meta loss: this weighting does not learn, or was never updated.")
    figure = _figure(5.0, 3.0)
    axes = figure.subplots()
    axes.plot(*zip(*points, strict=True), color="tab:blue")
    axes.set_xlabel("timesteps")
    axes.set_ylabel("meta loss")
    return figure


def save_pictures(history: WeightingHistory, folder: str | Path) -> list[Path]:
    """Write `weights.png`, `shares.png` and, if the weighting learns, `meta_loss.png`.

    Args:
        history: Nothing is written if it is empty.
        folder: Must exist.

    Returns:
        The files.
    """
    if not history.records:
        return []
    figures = {"weights": weights_figure(history), "shares": shares_figure(history)}
    if any(META_LOSS in record.figures for record in history.records):
        figures["meta_loss"] = meta_loss_figure(history)
    paths = [Path(folder) / f"{name}.png" for name in figures]
    for path, figure in zip(paths, figures.values(), strict=True):
        figure.savefig(path, dpi=120)
    return paths


def _figure(width: float, height: float) -> Figure:
    """An empty figure with its own canvas, inches."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("Pictures need matplotlib: pip install 'code-envs[agents]'") from error
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _panels(history: WeightingHistory, read: Callable[[Record, str], list[float]], label: str, stacked: bool) -> Figure:
    """One panel per family; `read` gives K numbers of a record and a family."""
    families = history.families
    if not families:
        raise ValueError("The history is empty: no episode ended yet.")
    columns = min(COLUMNS, len(families))
    rows = -(-len(families) // columns)
    figure = _figure(4.0 * columns + 1.0, 2.8 * rows)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for number, axes in enumerate(grid.flat):
        if number >= len(families):
            axes.set_axis_off()
            continue
        family = families[number]
        records = [record for record in history.records if family in record.weights]
        steps = [record.timesteps for record in records]
        lines = list(zip(*[read(record, family) for record in records], strict=True))
        if stacked:
            axes.stackplot(steps, lines, labels=history.components)
        else:
            for name, line in zip(history.components, lines, strict=True):
                axes.plot(steps, line, label=name)
        axes.set_title(family)
        axes.set_ylim(0.0, 1.0)
    figure.supxlabel("timesteps")
    figure.supylabel(label)
    handles, names = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right upper")
    return figure
