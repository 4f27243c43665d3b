"""Does a contrastive loss between code and text help an agent, and does it help to adapt it to the agent's progress?

    python -m benchmarks.dcrl --json runs/dcrl.jsonl --results docs/results
    python -m benchmarks.dcrl --quick --json runs/dcrl_quick.jsonl

Table 1: search, generation and repair, for ways to train the encoders beside PPO. Table 2: ablations of DCRL on search.
Overhead: DCRL against the static loss, in turn in one process. Every finished run is a line of the file `--json`; a run
that is there is not run again, so the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from benchmarks.dcrl_methods import ABLATIONS, DCRL, METHODS, NONE, STATIC
from benchmarks.dcrl_page import report, write
from benchmarks.dcrl_runs import Bench, Run, Settings
from benchmarks.dcrl_tasks import PROBLEMS, Problems
from benchmarks.run_file import RunFile
from code_envs.errors import CodeEnvsError, ConfigurationError
from code_envs.execution.cache import CachedExecutor
from code_envs.execution.pool import open_executor
from code_envs.execution.stores import MemoryStore, SqliteStore

__all__ = ["TABLES", "main", "plan", "quick"]

TABLES = ("table 1", "overhead", "table 2")
ABLATED = "search"
"""The problem of table 2, where the contrastive loss mattered in pilots."""
QUICK = (NONE, STATIC, DCRL)
PACKAGES = ("gymnasium", "stable-baselines3", "numpy", "torch")


def plan(seeds: int, tables: Sequence[str] = TABLES, few: bool = False) -> list[Run]:
    """All runs, problem by problem and seed by seed, so that a file that was stopped early has the same seeds for all.

    Args:
        seeds: Number of seeds.
        tables: Some of `TABLES`.
        few: Three methods, no ablations.
    """
    runs: list[Run] = []
    names = QUICK if few else tuple(METHODS)
    for problem in PROBLEMS:
        if "table 1" in tables:
            runs += [Run("table 1", problem, name, METHODS[name], seed) for seed in range(seeds) for name in names]
        if "overhead" in tables and problem == ABLATED:
            runs += [Run("overhead", problem, DCRL, METHODS[DCRL], seed) for seed in range(seeds)]
    if "table 2" in tables and not few:
        others = [name for name in ABLATIONS if name != DCRL]
        runs += [Run("table 2", ABLATED, name, ABLATIONS[name], seed) for seed in range(seeds) for name in others]
    return runs


def quick(settings: Settings) -> Settings:
    """A third of every budget, for a reader who wants to see the shape of the tables."""
    search, generation, repair = (
        replace(budget, steps=budget.steps // 3) for budget in (settings.search, settings.generation, settings.repair)
    )
    return replace(settings, search=search, generation=generation, repair=repair, blocks=4)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dcrl", description=__doc__.split("\n\n")[0])
    parser.add_argument("--json", type=Path, required=True, help="file of runs, a line each; gone on with if it exists")
    parser.add_argument("--results", type=Path, help="folder for dcrl.md and its pictures")
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES, help="what to run")
    parser.add_argument("--minutes", type=float, help="begin no run after so long; go on with the same command")
    parser.add_argument("--cache", type=Path, help="file that remembers outcomes of programs between calls")
    parser.add_argument("--split", choices=("test", "validation"), default="test", help="tasks to report on")
    parser.add_argument("--quick", action="store_true", help="one seed, three methods, a third of the steps")
    options = parser.parse_args(arguments)
    try:
        return _run(options)
    except CodeEnvsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    if options.seeds < 1:
        raise ConfigurationError(f"--seeds must be at least 1, got {options.seeds}.")
    torch.set_num_threads(1)  # the networks are too small for two
    settings = Settings(split=options.split)
    if options.quick:
        settings = quick(settings)
    runs = plan(1 if options.quick else options.seeds, options.tables, options.quick)
    file = RunFile(options.json, _head(settings))
    file.play(runs, partial(_player, settings, options.cache), options.minutes)
    records = file.of(runs)
    made = {record["key"] for record in records}
    if records:
        print(report(records))
    if options.results and records:
        write(
            options.results, file.head, records, [f"{run.table} {run.problem}" for run in runs if run.key not in made]
        )
    return 0


def _player(settings: Settings, cache: Path | None) -> Callable[[Run], dict[str, Any]]:
    store = SqliteStore(cache) if cache else MemoryStore()
    bench, commit = (
        Bench(Problems(CachedExecutor(open_executor("local:2"), store), settings.split), settings),
        _commit(),
    )
    return lambda run: bench.play(run) | {"commit": commit}


def _head(settings: Settings) -> dict[str, Any]:
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return {
        "settings": asdict(settings),
        "command": " ".join(["python -m benchmarks.dcrl", *sys.argv[1:]]),
        "commit": _commit(),
        "machine": f"{platform.machine()}, CPU, one thread; Python {platform.python_version()}, {versions}",
    }


def _commit() -> str:
    """Of the source, "unknown" where it is no repository."""
    try:
        done = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
