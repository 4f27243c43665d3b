"""Repair programs by best-first search: the environment itself is the model, forked at every node.

    python -m examples.tree_search

A node is an environment in some state, a branch is a valid action of it. The branch that looks best is taken on a
fork, so the node stays as it is for its other branches: no game of undoing, and no second execution of anything.
What looks best: many tests pass at the node, few edits led there, and failing tests run the line to be edited (Ochiai).
"""

from __future__ import annotations

import argparse
import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import gymnasium
import numpy as np

import code_envs  # noqa: F401  registers the environments

FIRST_EDIT = 2
"""Actions 0 and 1 are submit and undo."""
DEPTH_COST = 0.5
"""Share of tests that an edit should bring, to be worth another one."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that shapes a run."""

    tasks: str = "mutants:builtin"
    programs: int = 10
    executions: int = 100
    depth: int = 3
    seed: int = 0


def branches(env: Any, observation: Any, info: Any, number: Iterator[int]) -> list[tuple[float, int, Any, int]]:
    """The valid edits of a node, the best first when sorted; ties by their number."""
    edits = np.flatnonzero(observation["action_mask"][FIRST_EDIT:]) + FIRST_EDIT
    facts = info["measurements"]
    worth = facts["tests"] - DEPTH_COST * facts["edits"] + observation["candidate_scores"][edits, 0]
    return [(-float(each), next(number), env, int(edit)) for each, edit in zip(worth, edits, strict=True)]


def search(env: Any, seed: int, executions: int) -> tuple[int, bool]:
    """Search from a start; returns executions spent, and whether the held-out tests pass as well, or (-1, False)."""
    number = itertools.count()
    observation, info = env.reset(seed=seed)
    frontier = branches(env, observation, info, number)
    heapq.heapify(frontier)
    for spent in range(1, executions + 1):
        if not frontier:
            break
        _, _, parent, action = heapq.heappop(frontier)
        node = parent.fork()
        observation, _, terminated, truncated, info = node.step(action)
        if terminated:
            return spent, bool(info["is_success"])
        if not truncated:
            for branch in branches(node, observation, info, number):
                heapq.heappush(frontier, branch)
    return -1, False


def main(settings: Settings) -> None:
    """Search for a repair of each program, and say what came of it."""
    env = gymnasium.make("CodeRepair-v0", tasks=settings.tasks, max_executions=settings.depth).unwrapped
    found = []
    for program in range(settings.programs):
        spent, right = search(env, settings.seed + program, settings.executions)
        task = env.state.task.task_id  # type: ignore[attr-defined]
        print(f"{task}: {f'repaired after {spent} executions' if spent > 0 else 'not repaired'}")
        found.append((spent, right))
    plausible = [spent for spent, _ in found if spent > 0]
    repaired, budget = sum(each for _, each in found), settings.executions
    print(f"{repaired} of {len(found)} programs repaired, {len(plausible)} plausibly, {budget} executions each")


def read_settings() -> Settings:
    """The settings of the command line."""
    parser = argparse.ArgumentParser(description="Best-first search over CodeRepair-v0.")
    for each in fields(Settings):
        parser.add_argument(f"--{each.name}", type=type(each.default), default=each.default)
    return Settings(**vars(parser.parse_args()))


if __name__ == "__main__":
    main(read_settings())
