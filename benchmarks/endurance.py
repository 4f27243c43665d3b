"""Do environments keep going: many random steps without an error, a leak or a number that is not finite?

    python -m benchmarks.endurance --steps 10000 --json runs/endurance.json

One action in ten is a masked one. Memory, descriptors and processes are compared with those after a tenth of the
steps, when all that is remembered on purpose has been seen.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import psutil
from tqdm import tqdm

import code_envs  # noqa: F401  registers the ids
from code_envs.execution.executor import Job
from code_envs.registration import ENVIRONMENTS

__all__ = ["endure"]

MASKED = 0.1
MEMORY_MIB = 64.0
"""Memory may grow by this much: caches of parsed programs fill slowly."""


def endure(name: str, steps: int, seed: int = 0, **kwargs: Any) -> dict[str, float]:
    """Take random steps; what was used before and after, and how many episodes there were.

    Args:
        name: Id of the environment.
        steps: Number of steps.
        seed: Seeds the actions and the tasks.
        kwargs: Arguments of the environment.

    Raises:
        AssertionError: If an observation lies outside its space, a number is not finite, or something leaks.
    """
    env = gymnasium.make(name, **kwargs)
    rng = np.random.default_rng(seed)
    observation, _ = env.reset(seed=seed)
    base: Any = env.unwrapped
    base.executor.run(Job(b"def f(): pass", "f", b"[[]]"))  # a worker starts with its first program
    episodes, failures, before = 0, 0, _used()
    for step in tqdm(range(1, steps + 1), desc=name, file=sys.stderr):
        observation, reward, terminated, truncated, info = env.step(_action(observation["action_mask"], rng))
        _require_finite(name, step, observation, float(reward), info)
        if terminated or truncated:
            episodes += 1
            failures += "executor_error" in info
            observation, _ = env.reset()
        if step == max(steps // 10, 1):
            before = _used()
    after = _used()
    env.close()
    if failures:
        raise AssertionError(f"{name}: the sandbox failed in {failures} of {episodes} episodes.")
    for what, limit in (("memory_mib", MEMORY_MIB), ("descriptors", 0), ("processes", 0)):
        if after[what] > before[what] + limit:
            raise AssertionError(f"{name}: {what} grew from {before[what]} to {after[what]} in {steps} steps.")
    return {"episodes": episodes, **{f"{key}_grown": after[key] - before[key] for key in after}}


def _action(mask: Any, rng: np.random.Generator) -> np.int64:
    masked = rng.random() < MASKED and not mask.all()
    return np.int64(rng.choice(np.flatnonzero(mask == 0 if masked else mask)))


def _require_finite(name: str, step: int, observation: Any, reward: float, info: dict[str, Any]) -> None:
    numbers = {f"observation[{key!r}]": value for key, value in observation.items()}
    numbers |= {f"measurements[{key!r}]": value for key, value in info["measurements"].items()}
    numbers |= {"reward": reward, "vector_reward": info["vector_reward"]}
    wrong = [key for key, value in numbers.items() if not np.isfinite(value).all()]
    if wrong:
        raise AssertionError(f"{name}: {wrong} are not finite after step {step}.")


def _used() -> dict[str, float]:
    gc.collect()
    here = psutil.Process()
    tree = here.children(recursive=True)
    memory = here.memory_info().rss / 2**20
    return {"memory_mib": memory, "descriptors": float(here.num_fds()), "processes": float(len(tree))}


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.endurance", description=__doc__.split("\n\n")[0])
    parser.add_argument("--ids", default=",".join(ENVIRONMENTS), help="comma-separated")
    parser.add_argument("--steps", type=int, default=10_000, help="per id")
    parser.add_argument("--json", type=Path, help="write the results here")
    options = parser.parse_args(arguments)
    rows = {}
    for name in options.ids.split(","):
        began = time.perf_counter()
        rows[name] = endure(name, options.steps)
        rate = options.steps / (time.perf_counter() - began)
        print(f"{name}: {options.steps} steps, {rate:.0f}/s, {rows[name]}", flush=True)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps({"steps": options.steps, "results": rows}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
