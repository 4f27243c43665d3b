"""What does a step of CodeRepair-v0 cost beside the execution it needs?

    python -m benchmarks.step_cost --json runs/step_cost.json

Two questions, each answered within one run, side by side, because absolute times are noisy: the CPU time of
a step with one uncached execution against the executor's own cost of that execution, and the executions per
second of 32 environments against those of the executor alone, on the same jobs with 1 and 2 workers. With as
many workers as cores, enumeration and executions share the cores; with fewer, the trainer has one for itself.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from code_envs.envs.repair import FIRST_EDIT, CodeRepairEnv
from code_envs.execution.executor import Executor, Job
from code_envs.execution.pool import open_executor
from code_envs.tasks.sources import load
from code_envs.tasks.task import TaskSet
from code_envs.vector import CodeVectorEnv

__all__ = ["Recorder", "compare_throughput", "step_cost"]

WORKERS = (1, 2)


def step_cost(tasks: TaskSet, executor: Executor, steps: int, seed: int = 0) -> dict[str, float]:
    """CPU time of steps with one uncached execution, in ms, and their ratio to the execution's own cost.

    The execution's cost is this process's CPU time for handing it over and taking its outcome, the candidate's
    CPU time as measured by the sandbox from outside, and the runner's own, which forks and replies (its mean: a
    process's CPU clock is too coarse for one execution). The rest of the step is enumeration, encoding and reward.
    """
    env = CodeRepairEnv(tasks=tasks, executor=executor)
    rng = np.random.default_rng(seed)
    observation, _ = env.reset(seed=seed)
    rows: list[tuple[float, float]] = []
    executions = 0
    before = _runners_cpu_s()
    while len(rows) < steps:
        action = _edit(observation["action_mask"], rng)
        first = time.process_time()
        job = env.begin(action)
        second = time.process_time()
        pending = None if job is None else executor.submit(job)
        third = time.process_time()
        if pending is not None:
            env.prepare()
        fourth = time.process_time()
        outcome = None if pending is None else pending.result()
        executions += outcome is not None
        fifth = time.process_time()
        result = env.finish(outcome)
        last = time.process_time()
        if isinstance(result, Job):  # the episode is over
            observation, _ = env.reset()
            executions += 1
            continue
        observation = result[0]
        if outcome is not None:
            execution = third - second + fifth - fourth + outcome.cpu_s
            rows.append((execution, second - first + fourth - third + last - fifth))
    costs = 1000 * np.array(rows)
    runner = 1000 * (_runners_cpu_s() - before) / executions
    costs[:, 0] += runner
    ratio = (costs[:, 0] + costs[:, 1]) / costs[:, 0]
    return {
        "runner_ms": runner,
        "execution_ms": float(np.median(costs[:, 0])),
        "rest_of_step_ms": float(np.median(costs[:, 1])),
        "rest_of_step_p90_ms": float(np.quantile(costs[:, 1], 0.9)),
        "step_to_execution_ratio": float(np.median(ratio)),
    }


def _runners_cpu_s() -> float:
    """CPU time of the runner processes themselves so far, without the candidates they forked, s."""
    times = [process.cpu_times() for process in psutil.Process().children(recursive=True)]
    return sum(each.user + each.system for each in times)


def compare_throughput(
    tasks: TaskSet, executor: Executor, num_envs: int, steps: int, rounds: int, seed: int = 0
) -> dict[str, Any]:
    """Executions per second of environments and of the executor alone on the same jobs, in turns."""
    vector = CodeVectorEnv(num_envs, env=CodeRepairEnv, tasks=tasks, executor=executor)
    rng = np.random.default_rng(seed)
    observations, _ = vector.reset(seed=seed)
    recorder = Recorder(executor)
    vector.executor = recorder  # type: ignore[assignment]  # only `submit` is used
    alone, together = [], []
    for _ in range(rounds):
        recorder.jobs.clear()
        began = time.perf_counter()
        for _ in range(steps):
            actions = np.array([_edit(mask, rng) for mask in observations["action_mask"]])
            observations, *_ = vector.step(actions)
        together.append(len(recorder.jobs) / (time.perf_counter() - began))
        began = time.perf_counter()
        for first in range(0, len(recorder.jobs), num_envs):
            executor.run_many(recorder.jobs[first : first + num_envs])
        alone.append(len(recorder.jobs) / (time.perf_counter() - began))
    return {
        "num_envs": num_envs,
        "executor_per_s": float(np.median(alone)),
        "environments_per_s": float(np.median(together)),
        "share": float(np.median(np.array(together) / np.array(alone))),
    }


class Recorder:
    """Stands for a vector environment's executor: hands jobs to it and remembers them."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.jobs: list[Job] = []

    def submit(self, job: Job) -> Any:
        """Hand a job to the executor."""
        self.jobs.append(job)
        return self.executor.submit(job)


def _edit(mask: Any, rng: np.random.Generator) -> int:
    """A random valid edit, or submit where none is left."""
    edits = np.flatnonzero(mask[FIRST_EDIT:])
    return int(rng.choice(edits)) + FIRST_EDIT if len(edits) else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.step_cost", description=__doc__.split("\n\n")[0])
    parser.add_argument("--tasks", default="mutants:builtin", help="task source with faulty programs")
    parser.add_argument("--steps", type=int, default=400, help="steps of the single environment")
    parser.add_argument("--rounds", type=int, default=7, help="turns of the comparison")
    parser.add_argument("--json", type=Path, help="write the results here")
    options = parser.parse_args(arguments)
    executor = open_executor("local:2")
    tasks = load(options.tasks, executor)
    one = step_cost(tasks, executor, options.steps)
    print(f"One environment, CPU time, median of {options.steps} steps on {tasks.name}:")
    print(f"  execution alone      {one['execution_ms']:.2f} ms, of which runner {one['runner_ms']:.2f} ms")
    print(f"  rest of the step     {one['rest_of_step_ms']:.2f} ms (90 %: {one['rest_of_step_p90_ms']:.2f} ms)")
    print(f"  step / execution     {one['step_to_execution_ratio']:.2f}")
    many = []
    for workers in WORKERS:
        found = compare_throughput(tasks, open_executor(f"local:{workers}"), 32, 16, options.rounds)
        many.append({"workers": workers, **found})
        print(f"{found['num_envs']} environments, workers: {workers}, median of {options.rounds} turns:")
        print(f"  executor alone       {found['executor_per_s']:.0f} executions/s")
        print(f"  environments         {found['environments_per_s']:.0f} executions/s")
        print(f"  share                {found['share']:.2f}")
    if options.json:
        machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(
            json.dumps({"tasks": tasks.name, "machine": machine, "step": one, "many": many}, indent=1)
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
