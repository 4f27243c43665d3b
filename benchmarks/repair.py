"""How many programs are repaired within a budget of test executions?

    python -m benchmarks.repair --tasks humanevalpack --policy runs/repair_demo/policy.zip --budgets 10,50,100,500

The trained policy, random order and spectrum-based order (Ochiai) choose among the same candidates. Random
and Ochiai try single edits of the faulty program; the policy acts in CodeRepair-v0, sees the result of
every try and may build repairs of several edits. For all, the first program that passes every reward
test is the answer, and it counts as a repair when the held-out tests pass too.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.policies import BasePolicy
from tqdm import tqdm

from agents.evaluation import Interval, bootstrap_mean, within
from code_envs.envs.repair import SUBMIT, CodeRepairEnv
from code_envs.errors import CodeEnvsError, ConfigurationError
from code_envs.execution.executor import Executor
from code_envs.execution.pool import open_executor
from code_envs.tasks.sources import load
from code_envs.tasks.task import Task, TaskSet

__all__ = ["Candidates", "Trace", "load_policy", "ordered", "rollout", "survey", "table"]

NEVER = np.inf
IN_FLIGHT = 64


@dataclass(frozen=True, slots=True)
class Candidates:
    """What every candidate edit of one faulty program does.

    Args:
        task_id: The task.
        plausible: Passes every reward test, (N,) bool.
        correct: Passes the held-out tests too, (N,) bool.
        suspicion: Ochiai value of the edited line, (N,) float32.
        listed: Candidates before the list was cut to the size of the action space.
    """

    task_id: str
    plausible: NDArray[np.bool_]
    correct: NDArray[np.bool_]
    suspicion: NDArray[np.float32]
    listed: int

    @property
    def reachable(self) -> bool:
        """Whether one candidate edit repairs the program."""
        return bool(self.correct.any())


@dataclass(frozen=True, slots=True)
class Trace:
    """One episode of a policy: executions until a plausible program (infinity: none), and whether it is correct."""

    task_id: str
    plausible_at: float
    correct: bool
    edits: int

    @property
    def solved_at(self) -> float:
        """Executions until the program was repaired, infinity if it was not."""
        return self.plausible_at if self.correct else NEVER


def survey(tasks: TaskSet, executor: Executor, timeout_s: float = 1.0, quiet: bool = False) -> list[Candidates]:
    """Execute every candidate edit of every task's faulty program.

    Raises:
        ExecutorError: If the sandbox failed.
    """
    env = CodeRepairEnv(tasks=tasks, executor=executor, timeout_s=timeout_s)
    found = []
    for task in tqdm(tasks, desc="candidates", unit="program", disable=quiet, file=sys.stderr):
        env.reset(options={"task_id": task.task_id})
        assert env.state is not None
        version = env.state.path[-1]
        edits = [version.candidates.edit(int(number)) for number in version.kept]
        programs = [version.program.source[: e.start] + e.text + version.program.source[e.end :] for e in edits]
        limits = env.state.limits
        plausible = np.array(list(_passing(task.reward_tests, programs, executor, limits)), np.bool_)
        correct = np.zeros(len(programs), np.bool_)
        winners = np.flatnonzero(plausible)
        held_out = _passing(task.held_out_tests, [programs[number] for number in winners], executor, limits)
        correct[winners] = list(held_out)
        suspicion = version.suspicion.value[version.candidates.lines[version.kept]]
        found.append(Candidates(task.task_id, plausible, correct, suspicion, len(version.candidates)))
    return found


def _passing(suite: Any, programs: Sequence[bytes], executor: Executor, limits: Any) -> Iterator[bool]:
    for first in range(0, len(programs), IN_FLIGHT):
        jobs = [suite.job(program, limits) for program in programs[first : first + IN_FLIGHT]]
        for outcome in executor.run_many(jobs):
            yield suite.grade(outcome, executor).all_passed


def ordered(surveyed: Sequence[Candidates], seeds: int, by_suspicion: bool) -> list[list[Trace]]:
    """Try the candidates in random order, or in Ochiai order with random ties, once per seed.

    Returns:
        Traces, one list per seed.
    """
    runs = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        runs.append([_try_in_order(each, rng, by_suspicion) for each in surveyed])
    return runs


def _try_in_order(each: Candidates, rng: np.random.Generator, by_suspicion: bool) -> Trace:
    order = rng.permutation(len(each.plausible))
    if by_suspicion:
        order = order[np.argsort(-each.suspicion[order], kind="stable")]
    hits = np.flatnonzero(each.plausible[order])
    if not len(hits):
        return Trace(each.task_id, NEVER, False, 0)
    return Trace(each.task_id, float(hits[0] + 1), bool(each.correct[order[hits[0]]]), 1)


def rollout(
    policy: BasePolicy,
    tasks: TaskSet,
    executor: Executor,
    budget: int,
    timeout_s: float = 1.0,
    width: int = 32,
    quiet: bool = False,
) -> list[Trace]:
    """Let a policy repair every task once, choosing its best action in each state.

    It may not give up before the budget is spent, as the baselines do not: submit is masked while an edit is left.

    Args:
        policy: A policy on the spaces of `CodeRepair-v0`.
        tasks: Tasks with faulty programs.
        executor: Where programs run.
        budget: Executions per task.
        timeout_s: CPU time of one execution, s.
        width: Episodes side by side.
        quiet: No progress bar.

    Raises:
        ExecutorError: If the sandbox failed; a failure is never scored as an unrepaired program.
    """
    queue = list(reversed(tasks.tasks))
    envs = [
        CodeRepairEnv(tasks=tasks, executor=executor, max_executions=budget, timeout_s=timeout_s)
        for _ in range(min(width, len(queue)))
    ]
    running: list[tuple[CodeRepairEnv, Any]] = [(env, _begin(env, queue.pop())) for env in envs]
    traces: dict[str, Trace] = {}
    with tqdm(total=len(tasks), desc="policy", unit="program", disable=quiet, file=sys.stderr) as bar:
        while running:
            batch = {key: np.stack([observation[key] for _, observation in running]) for key in running[0][1]}
            batch["action_mask"][:, SUBMIT] = batch["action_mask"][:, SUBMIT + 1 :].sum(1) == 0
            actions, _ = policy.predict(batch, deterministic=True)
            jobs = [env.begin(action) for (env, _), action in zip(running, actions, strict=True)]
            pending = [executor.submit(job) if job is not None else None for job in jobs]
            following = []
            for (env, _), each in zip(running, pending, strict=True):
                observation, _, terminated, truncated, info = env.settle(None if each is None else each.result())
                if not (terminated or truncated):
                    following.append((env, observation))
                    continue
                if "executor_error" in info:
                    raise ConfigurationError(f"The sandbox failed on {info['task_id']}: {info['executor_error']}")
                traces[info["task_id"]] = _trace(info)
                bar.update()
                if queue:
                    following.append((env, _begin(env, queue.pop())))
            running = following
    return [traces[task.task_id] for task in tasks]


def _begin(env: CodeRepairEnv, task: Task) -> Any:
    return env.reset(options={"task_id": task.task_id})[0]


def _trace(info: dict[str, Any]) -> Trace:
    plausible = "all_tests" in info["events"]
    executions = info["measurements"]["executions"] if plausible else NEVER
    return Trace(info["task_id"], executions, bool(info["is_success"]), int(info["measurements"]["edits"]))


def load_policy(path: str) -> BasePolicy:
    """The policy of a checkpoint written by SB3's `PPO.save`; it is unpickled, so it must be one you trust.

    Raises:
        ConfigurationError: If there is no such file.
    """
    if not Path(path).is_file():
        raise ConfigurationError(
            f"No checkpoint at {path!r}. Give a file that PPO.save wrote (`make demo` writes "
            "runs/repair_demo/policy.zip), or one of 'random', 'ochiai'."
        )
    return PPO.load(path, device="cpu").policy


def table(runs: dict[str, list[list[Trace]]], budgets: Sequence[int]) -> dict[str, dict[str, Interval]]:
    """Programs repaired within each budget, by method, as counts with 95 % bootstrap intervals."""
    return {method: {str(budget): _count(traces, budget) for budget in budgets} for method, traces in runs.items()}


def _count(runs: list[list[Trace]], budget: int) -> Interval:
    solved = np.array([[trace.solved_at for trace in run] for run in runs])
    return bootstrap_mean(within(solved, budget), scale=solved.shape[1])


def show(runs: dict[str, list[list[Trace]]], budgets: Sequence[int], surveyed: Sequence[Candidates]) -> str:
    """The table as Markdown."""
    lines = ["| repaired within | " + " | ".join(f"{budget} executions" for budget in budgets) + " | plausible |"]
    lines.append("|---" * (len(budgets) + 2) + "|")
    for method, row in table(runs, budgets).items():
        plausible = np.mean([[trace.plausible_at <= budgets[-1] for trace in run] for run in runs[method]])
        cells = [str(row[str(budget)]) for budget in budgets]
        lines.append(f"| {method} | " + " | ".join(cells) + f" | {plausible * len(surveyed):.1f} |")
    reachable = sum(each.reachable for each in surveyed)
    listed = np.median([each.listed for each in surveyed])
    lines.append("")
    lines.append(
        f"{len(surveyed)} programs; one candidate edit repairs {reachable} of them; median {listed:.0f} candidates, at "
        f"most {max(len(each.plausible) for each in surveyed)} offered. Brackets: 95 % bootstrap over programs."
    )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.repair", description=__doc__.split("\n\n")[0])
    parser.add_argument("--tasks", required=True, help="task source with faulty programs, or a file or folder")
    parser.add_argument("--split", default="all", help="split of the source")
    parser.add_argument("--policy", default="random", help="checkpoint, 'random' or 'ochiai'; the baselines always run")
    parser.add_argument("--budgets", default="10,50,100,500", help="executions, comma-separated")
    parser.add_argument("--seeds", type=int, default=20, help="shuffles of the random and Ochiai orders")
    parser.add_argument("--timeout", type=float, default=1.0, help="CPU time of one execution, s")
    parser.add_argument("--json", type=Path, help="write the results here")
    options = parser.parse_args(arguments)
    try:
        return _run(options)
    except CodeEnvsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    budgets = sorted({int(budget) for budget in options.budgets.split(",")})
    if options.seeds < 1 or budgets[0] < 1:
        raise ConfigurationError(f"--seeds and --budgets must be at least 1, got {options.seeds} and {budgets}.")
    torch.set_num_threads(2)
    policy = None if options.policy in ("random", "ochiai") else load_policy(options.policy)
    executor = open_executor("local:2")
    tasks = load(options.tasks, executor).split(options.split)
    began = time.perf_counter()
    surveyed = survey(tasks, executor, options.timeout)
    runs = {
        "random": ordered(surveyed, options.seeds, by_suspicion=False),
        "ochiai": ordered(surveyed, options.seeds, by_suspicion=True),
    }
    if policy is not None:
        runs["policy"] = [rollout(policy, tasks, executor, budgets[-1], options.timeout)]
    print(show(runs, budgets, surveyed))
    for task_id, reason in tasks.left_out.items():
        print(f"left out: {task_id}: {reason}")
    if options.json:
        options.json.write_text(json.dumps(_record(options, tasks, surveyed, runs, budgets, began), indent=1))
    return 0


def _record(
    options: argparse.Namespace,
    tasks: TaskSet,
    surveyed: Sequence[Candidates],
    runs: dict[str, list[list[Trace]]],
    budgets: Sequence[int],
    began: float,
) -> dict[str, Any]:
    rows = table(runs, budgets)
    return {
        "command": " ".join(["python -m benchmarks.repair", *sys.argv[1:]]),
        "tasks": tasks.name,
        "sha256": tasks.sha256,
        "programs": len(surveyed),
        "reachable": [each.task_id for each in surveyed if each.reachable],
        "candidates": {each.task_id: [len(each.plausible), each.listed] for each in surveyed},
        "seeds": options.seeds,
        "timeout_s": options.timeout,
        "machine": f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}",
        "wall_s": round(time.perf_counter() - began, 1),
        "repaired": {
            method: {budget: [cell.estimate, cell.low, cell.high] for budget, cell in row.items()}
            for method, row in rows.items()
        },
        "policy": [
            {"task_id": t.task_id, "plausible_at": _finite(t.plausible_at), "correct": t.correct, "edits": t.edits}
            for run in runs.get("policy", [])
            for t in run
        ],
        "left_out": dict(tasks.left_out),
    }


def _finite(value: float) -> float | None:
    return None if np.isinf(value) else value


if __name__ == "__main__":
    sys.exit(main())
