"""The page of the alignment benchmark: tables in Markdown, and pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.evaluation import Interval
from benchmarks.dcrl_methods import DCRL, NONE, STATIC
from benchmarks.dcrl_scores import BOUNDS, common, gap, interval, learning, overheads, reached, scores, table
from benchmarks.dcrl_tasks import METRICS, PROBLEMS, SIZES
from benchmarks.dterm_scores import LEAST_SEEDS

__all__ = ["report", "verdicts", "write"]

Record = dict[str, Any]
Measure = Callable[[Sequence[Record]], NDArray[np.float64]]
PICTURED = (NONE, STATIC, "curriculum", "closed form", DCRL, "CURL-style", "TACO-style", "static at 0.5")
GATED = STATIC, DCRL


def report(records: Sequence[Record]) -> str:
    """All tables of some runs, in Markdown."""
    parts = []
    for problem in PROBLEMS:
        found = table(records, "table 1", problem)
        if found:
            parts += [f"**Table 1, {problem}**", _table(found, problem, (NONE, STATIC)), ""]
    for problem in PROBLEMS:
        found = table(records, "table 2", problem)
        full = table(records, "table 1", problem).get(DCRL, [])
        if found and full:
            parts += [f"**Table 2, ablations on {problem}**", _table({DCRL: full, **found}, problem, (DCRL,)), ""]
    costs = _cost_table(records)
    if costs:
        parts += ["**Overheads**", costs, ""]
    return "\n".join([*parts, *[f"- {line}" for line in verdicts(records)]])


def _table(found: dict[str, list[Record]], problem: str, against: Sequence[str]) -> str:
    accuracy = problem == "search"
    names = [METRICS[problem], *(["accuracy"] if accuracy else []), "while training", "episodes to 90 %"]
    lines = [
        f"| method | seeds | {' | '.join(names)} | {' | '.join(f'{METRICS[problem]} - {name}' for name in against)} | "
        f"while training - {against[-1]} |",
        "|---|---|" + "---|" * (len(names) + len(against) + 1),
    ]
    for method, runs in found.items():
        values = [scores(runs), *([scores(runs, "success")] if accuracy else []), learning(runs), reached(runs)]
        cells = [str(interval(each)) for each in values]
        cells += ["" if other == method else _gap(runs, found.get(other, [])) for other in against]
        cells.append("" if method == against[-1] else _gap(runs, found.get(against[-1], []), learning))
        lines.append(f"| {method} | {len(runs)} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", "Percent: interquartile mean over seeds [95 % bootstrap]. Differences seed by seed."])


def _gap(runs: Sequence[Record], others: Sequence[Record], measure: Measure = scores) -> str:
    found = gap(runs, others, measure)
    return "" if found is None else f"{found.estimate:+.1f} [{found.low:+.1f}, {found.high:+.1f}]"


def _cost_table(records: Sequence[Record]) -> str:
    found = overheads(records)
    if not found:
        return ""
    lines = [
        "| problem | DCRL / static, wall | CPU | contrastive updates, static | DCRL, with hypergradient | "
        "hypergradient alone |",
        "|---|---|---|---|---|---|",
    ]
    for problem, row in found.items():
        shares = [row[f"contrastive_share, {name}"] for name in (STATIC, DCRL)]
        cells = [*(f"{_plain(row[key])}" for key in ("ratio", "cpu_ratio"))]
        cells += [_percent(each) for each in (*shares, row["hyper_share"])]
        lines.append(f"| {problem} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", "Medians over seeds [95 % bootstrap]. Bounds: 1.08 for the ratio, 15 % for updates."])


def _plain(each: Interval) -> str:
    return f"{each.estimate:.3f} [{each.low:.3f}, {each.high:.3f}]"


def _percent(each: Interval) -> str:
    return f"{100 * each.estimate:.1f} % [{100 * each.low:.1f}, {100 * each.high:.1f}]"


def verdicts(records: Sequence[Record]) -> list[str]:
    """What the intervals say, in words."""
    lines = []
    for problem in PROBLEMS:
        found = table(records, "table 1", problem)
        lines += [_verdict(problem, METRICS[problem], found, other) for other in (NONE, STATIC) if other in found]
        if STATIC in found:
            lines.append(_verdict(problem, "while training", found, STATIC, learning))
        found = {DCRL: found.get(DCRL, []), **table(records, "table 2", problem)}
        if found[DCRL] and len(found) > 1:
            lines.append(_verdict(problem, METRICS[problem], found, DCRL))
    for problem, row in overheads(records).items():
        ratio, share = row["ratio"], row[f"contrastive_share, {STATIC}"]
        lines.append(f"Overhead, {problem}: DCRL / static {_plain(ratio)} is {_within(ratio, BOUNDS['overhead'])}.")
        lines.append(
            f"Contrastive updates, {problem}: {_percent(share)} of the time is {_within(share, BOUNDS['contrastive'])}."
        )
    return lines


def _verdict(problem: str, metric: str, found: dict[str, list[Record]], other: str, measure: Measure = scores) -> str:
    """Which methods are above and below another, and which cannot be told apart from it."""
    told: dict[str, list[str]] = {"above": [], "below": [], "not separable": [], "too few seeds": []}
    for name, runs in found.items():
        each = gap(runs, found[other], measure)
        if name == other or each is None:
            continue
        few = len(common(runs, found[other])) < LEAST_SEEDS
        kind = "above" if each.low > 0 else "below" if each.high < 0 else "not separable"
        told["too few seeds" if few else kind].append(f"{name} ({each.estimate:+.1f})")
    parts = [f"{kind}: {', '.join(names)}" for kind, names in told.items() if names]
    return f"{problem}, {metric}, against {other}: {'; '.join(parts)}."


def _within(each: Interval, bound: float) -> str:
    if each.high <= bound:
        return f"within the bound of {bound:g}"
    return f"above the bound of {bound:g}" if each.low > bound else f"not separable from the bound of {bound:g}"


def write(folder: Path, head: Record, records: Sequence[Record], missing: Sequence[str] = ()) -> None:
    """Write dcrl.md and its three pictures.

    Args:
        folder: Where to.
        head: First line of the file of runs.
        records: The runs.
        missing: Table and problem of each run that was not made yet.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in (("dcrl", _learning), ("dcrl_alignment", _alignment), ("dcrl_gate", _gates)):
        _picture(folder / f"{name}.png", records, draw)
    budgets = "\n".join(_budget(problem, head["settings"]) for problem in PROBLEMS)
    seeds = sorted({record["seed"] for record in records})
    spent = [sum(record[key] for record in records) / 60 for key in ("whole_s", "whole_cpu_s")]
    settings = head["settings"]
    commits = dict.fromkeys([head["commit"], *(record["commit"] for record in records if "commit" in record)])
    text = PAGE.format(
        report=report(records), head=head, budgets=budgets, seeds=", ".join(map(str, seeds)), runs=len(records),
        wall=spent[0], cpu=spent[1], learning_rate=settings["learning_rate"], rate=settings["contrastive_rate"],
        split=settings["split"], commits=", ".join(commits), missing=_missing(missing),
    )  # fmt: skip
    (folder / "dcrl.md").write_text(text)


def _missing(parts: Sequence[str]) -> str:
    if not parts:
        return ""
    return f"Unfinished, runs that are missing: {', '.join(f'{k} {n}' for k, n in Counter(parts).items())}.\n\n"


def _budget(problem: str, settings: Record) -> str:
    budget, sizes = settings[problem], SIZES[problem]
    cells = [
        f"{sizes.train} + {sizes.demonstrations} / {sizes.test}",
        budget["warm_start"],
        budget["steps"],
        f"{budget['envs']} x {budget['rollout']}",
        f"{budget['n_steps']} / {budget['k']}",
        budget["tries"],
    ]
    return f"| {problem} | {' | '.join(map(str, cells))} |"


# pictures -----------------------------------------------------------------------------------------


def _picture(path: Path, records: Sequence[Record], draw: Callable[[Any, dict[str, list[Record]], str], None]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(PROBLEMS))
    for axis, problem in zip(axes, PROBLEMS, strict=True):
        draw(axis, table(records, "table 1", problem), problem)
        axis.set(xlabel="steps", title=problem)
        axis.grid(alpha=0.3)
    labels: dict[str, Any] = {}
    for axis in axes:
        labels |= dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
    figure.legend(labels.values(), labels, loc="outside lower center", ncols=8, fontsize=7)
    figure.savefig(path, dpi=110)


def _learning(axis: Any, found: dict[str, list[Record]], problem: str) -> None:
    """Figure 2: what is gained in training."""
    key = "held_out" if problem == "search" else "success"
    for name in PICTURED:
        _line(axis, found.get(name, []), key, name)
    axis.set_ylabel(f"{METRICS[problem]}, training")


def _alignment(axis: Any, found: dict[str, list[Record]], problem: str) -> None:
    """Figure 3: cosine of held-out pairs that belong together minus that of others."""
    for name in PICTURED:
        _line(axis, found.get(name, []), "separation", name)
    axis.set_ylabel("separation, held-out pairs")


def _gates(axis: Any, found: dict[str, list[Record]], problem: str) -> None:
    """Figure 4: 5 % to 95 % of the gate's components."""
    for name in GATED:
        runs = found.get(name, [])
        if not runs:
            continue
        steps, quantiles = _points(runs, "gate")
        line = axis.plot(steps, quantiles[:, 2], label=name)[0]
        axis.fill_between(steps, quantiles[:, 0], quantiles[:, 4], alpha=0.2, color=line.get_color())
    axis.set_ylabel("gate, 5 % to 95 %")


def _line(axis: Any, runs: Sequence[Record], key: str, name: str) -> None:
    if runs:
        steps, values = _points(runs, key)
        axis.plot(steps, values, label=name)


def _points(runs: Sequence[Record], key: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps, and means over runs, of the points that have a figure."""
    kept = [number for number, point in enumerate(runs[0]["curve"]) if point.get(key) is not None]
    rows = np.array([[run["curve"][number][key] for number in kept] for run in runs], np.float64)
    return np.array([runs[0]["curve"][number]["steps"] for number in kept]), rows.mean(0)


PAGE = """# Code and text aligned while the agent learns (DCRL)

`{head[command]}`

{missing}{report}

Figure 2, learning curves, means over seeds:

![metric while training](dcrl.png)

Figure 3, cosine of held-out pairs that belong together minus that of pairs that do not:

![separation over training](dcrl_alignment.png)

Figure 4, the gate between code and text:

![gate over training](dcrl_gate.png)

| problem | tasks: train + shown / {split} | imitation | steps | environments x rollout | n_steps / k | tries |
|---|---|---|---|---|---|---|
{budgets}

- Search: CodeSearch-v0 on the standard library, pools of 8, 12 words of a function and of a text. The overlaps of
  words that the environment offers are hidden from the policy, which has to learn what fits. One try, the most
  probable picks. Repair: CodeRepair-v0, faults in the curriculum's programs. Generation: CodeGeneration-v0, grammar,
  the curriculum. In these two `benchmarks.dterm_tasks.Shortlist` leaves 8 actions, the reference's among them, and
  episodes are sampled. Levels say nothing about the full environments, differences between methods do.
- All methods of a seed begin with the same weights: those of the same fusion, after the same gradient steps of
  imitation on the tasks "shown", which PPO never sees. Extractor of width 64, one layer; learning rates
  {learning_rate} (PPO) and {rate} (objectives beside it). Before each rollout come n_steps contrastive steps, or as
  many of CURL or TACO, which embeds two states and so takes longer; the schedule adapts every k of them, for the
  paper's 100 are more than a run has.
- The margin is to a random negative. To the hardest one of the batch, as in the paper, all embeddings fell
  together at temperatures near 1, where the dynamic methods begin (separation 0.0003 after 56 steps, against 0.19).
- CURL's views of a function in search lack 30 % of its words, for names are no slots there; TACO looks one action
  ahead. The reward is the task's alone but in the row "with alignment reward", eq. 7 in the form "progress".
- Budgets were chosen in pilots of seed 100 on the split "validation"; reported are seeds {seeds} on "{split}".
- Intervals draw seeds, tasks fixed: they tell what other seeds would do, not other tasks.
- Commit {commits}, {head[machine]}. {runs} runs, {wall:.0f} minutes of wall and {cpu:.0f} of CPU time.
"""
