"""Do weights of reward components that adapt to the task (DTERM) help an agent that learns five types of code tasks?

    python -m benchmarks.dterm --json runs/dterm.jsonl --results docs/results
    python -m benchmarks.dterm --quick --json runs/dterm_quick.jsonl

Table 1: success by type for ways to weigh the components, where success can be learned alone and where it is too
sparse to start alone. Table 2: ablations of DTERM. Figure 2: a type of tasks that the weights never saw. Every finished
run is a line of the file `--json`; a run that is there is not run again, so the same command goes on where it was
stopped.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from benchmarks.dterm_methods import ABLATIONS, METHODS
from benchmarks.dterm_page import report, write
from benchmarks.dterm_runs import Bench, Run, Settings
from benchmarks.dterm_tasks import ENVIRONMENTS
from code_envs.errors import CodeEnvsError, ConfigurationError
from code_envs.execution.cache import CachedExecutor
from code_envs.execution.pool import open_executor
from code_envs.execution.stores import MemoryStore, SqliteStore

__all__ = ["TABLES", "finished", "main", "mend", "plan"]

TABLES = ("table 1", "table 2", "figure 2")
SPARSE = ("Success only", "Uniform", "Expert", "GradNorm", "DTERM", "Oracle")
UNSEEN = ("Success only", "Uniform", "Expert", "DTERM", "Oracle")
QUICK = {
    "table 1": ("Success only", "Uniform", "Expert", "GradNorm", "DTERM", "Uniform, gate"),
    "table 2": ("no hypernetwork", "no task embedding"),
    "figure 2": ("Uniform", "DTERM"),
}


def plan(seeds: int, tables: Sequence[str] = TABLES, quick: bool = False) -> list[Run]:
    """All runs, seed by seed, so that a file that was stopped early has the same seeds for most methods.

    Args:
        seeds: Number of seeds.
        tables: Some of `TABLES`.
        quick: A few methods, one unseen type.
    """
    runs = []
    for seed in range(seeds):
        if "table 1" in tables:
            names = QUICK["table 1"] if quick else METHODS
            runs += [Run("table 1", name, METHODS[name], seed) for name in names]
            sparse = [Run("table 1", name, METHODS[name], seed, sparse=True) for name in SPARSE if name in names]
            runs += sparse
            runs.append(Run("table 1", "DTERM, frozen", METHODS["DTERM"], seed, sparse=True, transfer="all"))
        if "table 2" in tables:
            names = QUICK["table 2"] if quick else tuple(name for name in ABLATIONS if name != "DTERM")
            runs += [Run("table 2", name, ABLATIONS[name], seed) for name in names]
        if "figure 2" in tables:
            names = QUICK["figure 2"] if quick else UNSEEN
            for family in list(ENVIRONMENTS)[:1] if quick else ENVIRONMENTS:
                for name in names:
                    transfer = "others" if name == "DTERM" else ""
                    runs.append(
                        Run("figure 2", name, METHODS[name], seed, sparse=True, only=(family,), transfer=transfer)
                    )
    return runs


def finished(path: Path) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """The head of a file of runs and the runs; None and no run where there is no file.

    A last line that was cut off, because the process was killed, is left out.

    Raises:
        ConfigurationError: If it is another kind of file.
    """
    if not path.exists():
        return None, []
    lines = path.read_text().split("\n")
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            rows += [json.loads(line)] if line else []
        except json.JSONDecodeError as error:
            if number < len(lines):
                raise ConfigurationError(f"{path}, line {number}: expected a run as JSON: {error}.") from error
    if rows and "settings" not in rows[0]:
        raise ConfigurationError(f"{path}: expected a file that this benchmark wrote; its first line has no settings.")
    return (rows[0], rows[1:]) if rows else (None, [])


def mend(path: Path) -> None:
    """Take away a last line that was cut off, so that the next run has a line of its own."""
    text = path.read_text()
    if not text.endswith("\n"):
        path.write_text(text[: text.rfind("\n") + 1])


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dterm", description=__doc__.split("\n\n")[0])
    parser.add_argument("--json", type=Path, required=True, help="file of runs, a line each; gone on with if it exists")
    parser.add_argument("--results", type=Path, help="folder for dterm.md and its pictures")
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds")
    parser.add_argument("--steps", type=int, default=Settings().steps, help="of a training run over all types")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES, help="what to run")
    parser.add_argument("--minutes", type=float, help="begin no run after so long; go on with the same command")
    parser.add_argument("--cache", type=Path, help="file that remembers outcomes of programs between calls")
    parser.add_argument("--threads", type=int, default=1, help="of torch; the networks are too small for two")
    parser.add_argument("--quick", action="store_true", help="one seed, few methods, 4,000 steps: at most ten minutes")
    options = parser.parse_args(arguments)
    try:
        return _run(options)
    except CodeEnvsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    if options.seeds < 1 or options.steps < 1:
        raise ConfigurationError(f"--seeds and --steps must be at least 1, got {options.seeds} and {options.steps}.")
    torch.set_num_threads(options.threads)
    settings = Settings(steps=options.steps)
    if options.quick:
        settings = replace(settings, steps=min(options.steps, 4000), tries=2)
    head, records = finished(options.json)
    if options.json.exists():
        mend(options.json)
    if head is None:
        head = _head(settings)
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(head) + "\n")
    elif head["settings"] != asdict(settings):
        raise ConfigurationError(
            f"{options.json} holds runs with other settings, {head['settings']}. Give another file, or those settings."
        )
    runs = plan(1 if options.quick else options.seeds, options.tables, options.quick)
    records += _play(runs, records, settings, options)
    keys = {run.key for run in runs}
    records = [record for record in records if record["key"] in keys]
    if records:
        print(report(records))
    if options.results and records:
        write(options.results, head, records)
    return 0


def _play(
    runs: list[Run], records: list[dict[str, Any]], settings: Settings, options: argparse.Namespace
) -> list[dict[str, Any]]:
    """Run what is missing; each run is written as soon as it is over."""
    known = {record["key"] for record in records}
    missing = [run for run in runs if run.key not in known]
    if not missing:
        return []
    began = time.perf_counter()
    store = SqliteStore(options.cache) if options.cache else MemoryStore()
    bench = Bench(CachedExecutor(open_executor("local:2"), store), settings)
    found: list[dict[str, Any]] = []
    with tqdm(total=len(runs), initial=len(runs) - len(missing), unit="run", file=sys.stderr) as bar:
        for run in missing:
            if options.minutes is not None and time.perf_counter() - began > 60 * options.minutes:
                print(f"{len(missing) - len(found)} runs are left; the same command goes on.", file=sys.stderr)
                break
            bar.set_postfix_str(run.key)
            found.append(bench.play(run))
            with options.json.open("a") as file:
                file.write(json.dumps(found[-1]) + "\n")
            bar.update()
    return found


def _head(settings: Settings) -> dict[str, Any]:
    return {
        "settings": asdict(settings),
        "command": " ".join(["python -m benchmarks.dterm", *sys.argv[1:]]),
        "machine": f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}, CPU",
        "numpy": np.__version__,
    }


if __name__ == "__main__":
    sys.exit(main())
