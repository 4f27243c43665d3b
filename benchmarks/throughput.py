"""How many steps per second do N environments take: our vector environment, Gymnasium's two, and SB3's?

    python -m benchmarks.throughput --json runs/throughput.json

For every id, with 1 to 128 environments, all in one run and in turns, because absolute times are noisy. All take
random valid actions on the same tasks. The native vector environment steps everything in one process and overlaps the
executions on a pool of two workers; Gymnasium's `SyncVectorEnv` has the same pool and waits for each environment;
`AsyncVectorEnv` and SB3's `SubprocVecEnv` have a process and a worker for each environment. The ceiling is what the
native one would reach if environments cost nothing: the same executions, given to the pool of two workers alone.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv
from stable_baselines3.common.vec_env import SubprocVecEnv
from tqdm import tqdm

import code_envs  # noqa: F401  registers the ids
from benchmarks.step_cost import Recorder
from code_envs.registration import ENVIRONMENTS

__all__ = ["CEILING", "METHODS", "ceiling", "measure"]

CEILING = "executions alone"


def _native(name: str, count: int) -> Any:
    return gymnasium.make_vec(name, count, vectorization_mode="vector_entry_point", executor="local:2")


def _sync(name: str, count: int) -> Any:
    return SyncVectorEnv([_maker(name, "local:2")] * count)


def _async(name: str, count: int) -> Any:
    return AsyncVectorEnv([_maker(name, "local:1")] * count, context="fork")


def _subproc(name: str, count: int) -> Any:
    return SubprocVecEnv([_maker(name, "local:1")] * count, start_method="fork")


METHODS: dict[str, Callable[..., Any]] = {
    "native": _native,
    "gymnasium sync": _sync,
    "gymnasium async": _async,
    "SB3 subproc": _subproc,
}
"""What makes a vector environment, by name."""


def _maker(name: str, executor: str) -> Callable[[], Any]:
    return lambda: gymnasium.make(name, executor=executor)


def measure(method: str, name: str, count: int, seconds: float) -> float:
    """Steps per second of all environments together.

    Args:
        method: Name in `METHODS`.
        name: Id of the environment.
        count: Number of environments.
        seconds: How long to step.
    """
    env = METHODS[method](name, count)
    try:
        rng = np.random.default_rng(0)
        found = env.reset() if method == "SB3 subproc" else env.reset(seed=0)[0]
        found = env.step(_actions(found, rng))[0]
        taken, spent_s = _stepped(env, found, rng, count, seconds)
        return taken / spent_s
    finally:
        env.close()


def ceiling(name: str, count: int, seconds: float) -> float:
    """Steps per second of the native environment if only its executions took time; NaN where a step has none.

    Args:
        name: Id of the environment.
        count: Number of environments.
        seconds: How long to gather executions.
    """
    env = _native(name, count)
    try:
        rng = np.random.default_rng(0)
        found, _ = env.reset(seed=0)
        executor = env.executor
        env.executor = recorder = Recorder(executor)
        taken, _ = _stepped(env, found, rng, count, seconds)
        if not recorder.jobs:
            return float("nan")
        began = time.perf_counter()
        for first in range(0, len(recorder.jobs), count):
            executor.run_many(recorder.jobs[first : first + count])
        return taken / (time.perf_counter() - began)
    finally:
        env.close()


def _stepped(env: Any, found: Any, rng: np.random.Generator, count: int, seconds: float) -> tuple[int, float]:
    """Random steps for so long: how many all environments took together, and the time, s."""
    taken, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        found = env.step(_actions(found, rng))[0]
        taken += count
    return taken, time.perf_counter() - began


def _actions(observations: Any, rng: np.random.Generator) -> np.ndarray:
    """A random valid action for each environment."""
    noise = rng.random(observations["action_mask"].shape)
    actions: np.ndarray = np.argmax(noise * observations["action_mask"], axis=1)
    return actions


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__.split("\n\n")[0])
    parser.add_argument("--ids", default=",".join(ENVIRONMENTS), help="comma-separated")
    parser.add_argument("--counts", default="1,8,32,128", help="numbers of environments, comma-separated")
    parser.add_argument("--seconds", type=float, default=3.0, help="of one turn")
    parser.add_argument("--rounds", type=int, default=3, help="turns; the median counts")
    parser.add_argument("--json", type=Path, help="write the results here")
    options = parser.parse_args(arguments)
    ids, counts = options.ids.split(","), [int(count) for count in options.counts.split(",")]
    unknown = sorted(set(ids) - set(ENVIRONMENTS))
    if unknown:
        print(f"error: no ids {unknown}; there are {list(ENVIRONMENTS)}", file=sys.stderr)
        return 2
    cells = [(name, count) for name in ids for count in counts]
    rows: dict[str, list[float]] = {}
    for name, count in tqdm(cells, unit="cell", file=sys.stderr):
        for _ in range(options.rounds):
            for method in METHODS:
                rows.setdefault(f"{name} {count} {method}", []).append(measure(method, name, count, options.seconds))
            rows.setdefault(f"{name} {count} {CEILING}", []).append(ceiling(name, count, options.seconds))
    print(_table(ids, counts, rows))
    if options.json:
        machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps({"machine": machine, "steps_per_s": rows}, indent=1))
    return 0


def _table(ids: Sequence[str], counts: Sequence[int], rows: dict[str, list[float]]) -> str:
    """Medians as Markdown, with what native reaches, and could reach at most, of the best other."""
    columns = [*METHODS, CEILING]
    lines = ["| id | environments | " + " | ".join(columns) + " | native / best other | ceiling / best other |"]
    lines.append("|---" * (len(columns) + 4) + "|")
    for name in ids:
        for count in counts:
            *rates, most = [statistics.median(rows[f"{name} {count} {column}"]) for column in columns]
            cells = " | ".join("" if np.isnan(rate) else f"{rate:.0f}" for rate in [*rates, most])
            shares = [figure / max(rates[1:]) for figure in (rates[0], most)]
            last = " | ".join("" if np.isnan(share) else f"{share:.2f}" for share in shares)
            lines.append(f"| `{name}` | {count} | {cells} | {last} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
