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
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.dterm_methods import ABLATIONS, METHODS
from benchmarks.dterm_page import report, write
from benchmarks.dterm_runs import Bench, Run, Settings
from benchmarks.dterm_tasks import ENVIRONMENTS
from benchmarks.run_file import RunFile
from code_envs.errors import CodeEnvsError, ConfigurationError
from code_envs.execution.cache import CachedExecutor
from code_envs.execution.pool import open_executor
from code_envs.execution.stores import MemoryStore, SqliteStore

__all__ = ["TABLES", "main", "plan"]

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
    runs = plan(1 if options.quick else options.seeds, options.tables, options.quick)
    file = RunFile(options.json, _head(settings))
    file.play(runs, partial(_player, settings, options.cache), options.minutes)
    records = file.of(runs)
    if records:
        print(report(records))
    if options.results and records:
        write(options.results, file.head, records)
    return 0


def _player(settings: Settings, cache: Path | None) -> Callable[[Run], dict[str, Any]]:
    store = SqliteStore(cache) if cache else MemoryStore()
    return Bench(CachedExecutor(open_executor("local:2"), store), settings).play


def _head(settings: Settings) -> dict[str, Any]:
    return {
        "settings": asdict(settings),
        "command": " ".join(["python -m benchmarks.dterm", *sys.argv[1:]]),
        "machine": f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}, CPU",
        "numpy": np.__version__,
    }


if __name__ == "__main__":
    sys.exit(main())
