"""What does DTERM cost in training, compared with uniform weights?

    python -m benchmarks.dterm_cost --json runs/dterm_cost.json

A DTERM that learns all the time and whose weights nobody heeds pays the rewards of Uniform, so that both train the same
policy on the same episodes, which is checked: two methods that write texts of different lengths differ by far more than
their own cost. Outcomes are remembered from a run before, as another seed's would be in a long training.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import dterm_methods as methods
from benchmarks.dterm_methods import Method
from benchmarks.dterm_runs import Bench, Run, Settings
from code_envs.execution.cache import CachedExecutor
from code_envs.execution.pool import open_executor
from code_envs.execution.stores import MemoryStore
from reward_machines.dterm import DTERM
from reward_machines.weighting import Uniform, Weighting

__all__ = ["Unheeded", "compare", "main"]

BOUND = 1.2


class Unheeded(DTERM):
    """DTERM with all of its work, which pays uniform weights."""

    def weights(self, embeddings: np.ndarray, families: Sequence[str]) -> np.ndarray:
        """Uniform weights, (B, K) float32, after those of DTERM were worked out."""
        return np.full_like(super().weights(embeddings, families), 1 / len(self.components))


class _Costs(Bench):
    """Runs with the weightings compared here."""

    def _weighting(self, run: Run) -> Weighting:
        names = methods.COMPONENTS
        if run.name == "Uniform":
            return Uniform(names, run.method.outer_share)
        return Unheeded(
            names, methods.WIDTH, prior=methods.EXPERT, outer_share=run.method.outer_share, warm_up=256, seed=run.seed
        )


def compare(bench: Bench, seeds: Sequence[int], outer_share: float = 0.3) -> list[dict[str, Any]]:
    """Seconds of both for each seed, the order turned round from seed to seed.

    Raises:
        AssertionError: If they did not train alike.
    """
    method = Method("Uniform", outer_share=outer_share)
    found = []
    for number, seed in enumerate(seeds):
        bench.play(Run("cost", "Uniform", method, seed))  # the outcomes are remembered from here on
        names = ["Uniform", "DTERM"][:: 1 if number % 2 == 0 else -1]
        records = {name: bench.play(Run("cost", name, method, seed)) for name in names}
        if records["Uniform"]["curve"] != records["DTERM"]["curve"]:
            raise AssertionError(f"seed {seed}: the policies differ, so their times cannot be compared")
        seconds = {name: {key: record[key] for key in ("wall_s", "cpu_s")} for name, record in records.items()}
        found.append({"seed": seed, **seconds})
        print(json.dumps(found[-1]), file=sys.stderr, flush=True)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; the exit code is 1 where DTERM costs more than it may."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dterm_cost", description=__doc__.split("\n\n")[0])
    parser.add_argument("--seeds", type=int, default=3, help="pairs of runs")
    parser.add_argument("--steps", type=int, default=16000, help="of a run")
    parser.add_argument("--json", type=Path, help="write the results here")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    with CachedExecutor(open_executor("local:2"), MemoryStore()) as executor:
        found = compare(_Costs(executor, Settings(steps=options.steps, tries=1)), range(options.seeds))
    ratios = {key: [each["DTERM"][key] / each["Uniform"][key] for each in found] for key in ("wall_s", "cpu_s")}
    for key, each in ratios.items():
        spread = f"{min(each):.2f} to {max(each):.2f}"
        print(f"DTERM / Uniform, {key}: {statistics.median(each):.3f} ({spread}, {len(each)} pairs)")
    ok = statistics.median(ratios["wall_s"]) <= BOUND
    print(f"at most {BOUND} of the wall time: {'yes' if ok else 'NO'}")
    if options.json:
        machine = f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}, CPU"
        content = {"command": " ".join(["python -m benchmarks.dterm_cost", *sys.argv[1:]]), "machine": machine}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(content | {"ratios": ratios, "runs": found}, indent=1))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
