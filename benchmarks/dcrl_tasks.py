"""The three problems of the alignment benchmark: search, generation and repair, small enough for runs of seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from agents.pairs import Pairs
from benchmarks.dterm_tasks import Shortlist, families, make
from code_envs.envs.search import CodeSearchEnv
from code_envs.errors import ConfigurationError
from code_envs.execution.executor import Executor
from code_envs.tasks.search_set import SearchSet
from code_envs.tasks.sources import load
from code_envs.tasks.task import TaskSet, digest

__all__ = ["METRICS", "PROBLEMS", "SHOWN", "SIZES", "Problem", "Problems", "Sizes", "demonstrated", "play"]

Observation = dict[str, NDArray[Any]]
PROBLEMS = ("search", "repair", "generation")
METRICS = {"search": "MRR", "generation": "pass@1", "repair": "fix rate"}
"""What `info["held_out"]` (search) and `info["is_success"]` (the others) measure at the end of an episode."""
FAMILY = {"generation": "CodeGeneration", "repair": "CodeRepair"}
ACTIONS = 8
"""Actions that `dterm_tasks.Shortlist` leaves of those that generation and repair offer."""
POOL, WORDS = 8, 12
"""Functions in a pool; words of a text, and of a function."""
SHOWN = 64
"""Pairs of code and text of the split that is reported, for figures."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many tasks a problem has.

    Args:
        train: Tasks that PPO is trained on.
        demonstrations: Others that only the warm start and the contrastive loss see.
        test: Most tasks of the split that is reported.
    """

    train: int
    demonstrations: int
    test: int


SIZES = {"search": Sizes(2048, 0, 256), "generation": Sizes(48, 48, 24), "repair": Sizes(48, 48, 24)}


@dataclass(frozen=True, slots=True)
class Problem:
    """Tasks of one kind, and what is known of them before training.

    Args:
        name: One of `PROBLEMS`.
        tasks: With the splits "train", "demonstrations", "validation" and "test".
        executor: Shared by all environments.
        split: What is reported, "test" or "validation".
    """

    name: str
    tasks: TaskSet[Any]
    executor: Executor
    split: str = "test"

    def environment(self, split: str) -> gymnasium.Env[Any, Any]:
        """An environment over a split."""
        if self.name == "search":
            return CodeSearchEnv(
                self.tasks, split, pool_size=POOL, code_tokens=WORDS, text_tokens=WORDS, function_tokens=WORDS,
                executor=self.executor, expert=True,
            )  # fmt: skip
        narrow = make(FAMILY[self.name], self.tasks, split, self.executor)
        return Shortlist(narrow.env, ACTIONS, ACTIONS)  # type: ignore[arg-type]

    def pairs(self, splits: Sequence[str], limit: int | None = None) -> Pairs:
        """Reference programs with their texts, as observations show them."""
        rows: list[tuple[NDArray[np.int32], NDArray[np.int32], str]] = []
        for split in splits:
            env = self.environment(split)
            for task in islice(self.tasks.split(split), limit):
                rows.append((*_reference(env, task.task_id), task.task_id))
        code, text, names = zip(*rows, strict=True)
        return Pairs(np.stack(code), np.stack(text), names)


class Problems:
    """The problems of one process; each is loaded when it is asked for.

    Args:
        executor: Runs programs.
        split: What is reported.
        sizes: How many tasks each problem has.
        corpus: Source of described functions for search.

    Raises:
        ConfigurationError: If the split is neither "test" nor "validation".
    """

    def __init__(
        self,
        executor: Executor,
        split: str = "test",
        sizes: Mapping[str, Sizes] | None = None,
        corpus: str = "stdlib",
    ) -> None:
        if split not in ("test", "validation"):
            raise ConfigurationError(f"The split to report is 'test' or 'validation', got {split!r}.")
        self.executor, self.split, self.sizes, self.corpus = executor, split, sizes or SIZES, corpus
        self._known: dict[str, Problem] = {}

    def __getitem__(self, name: str) -> Problem:
        """A problem of `PROBLEMS`."""
        if name not in self._known:
            tasks = _tasks(name, self.sizes[name], self.executor, self.corpus)
            self._known[name] = Problem(name, tasks, self.executor, self.split)
        return self._known[name]


def _tasks(name: str, sizes: Sizes, executor: Executor, corpus: str) -> TaskSet[Any]:
    if name == "search":
        whole = SearchSet.of(load(corpus))
        splits = {split: _first(whole.splits[split], sizes, split) for split in ("train", "validation", "test")}
        kept = {task_id for ids in splits.values() for task_id in ids}
        return replace(whole, tasks=tuple(task for task in whole.tasks if task.task_id in kept), splits=splits)
    family = FAMILY[name]
    tasks = families(executor, sizes.train + sizes.demonstrations, sizes.test, [family])[family]
    order = tasks.splits["train"]
    shown = order[sizes.train :] or order
    return replace(tasks, splits={**tasks.splits, "train": order[: sizes.train], "demonstrations": shown})


def _first(ids: Sequence[str], sizes: Sizes, split: str) -> tuple[str, ...]:
    """Some tasks, in an order that has nothing to do with where they come from."""
    ordered = sorted(ids, key=lambda task_id: digest(task_id.encode()))
    return tuple(ordered[: sizes.train if split == "train" else sizes.test])


def _reference(env: gymnasium.Env[Any, Any], task_id: str) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Code and text of the reference."""
    observation, info = env.reset(seed=0, options={"task_id": task_id})
    if isinstance(env, CodeSearchEnv):
        return observation["pool"][info["expert_action"]], observation["text"]
    *_, (_, _, last) = _expert(env, observation, info)
    return last["code"], last["text"]


def _expert(env: Any, observation: Observation, info: dict[str, Any]) -> Any:
    """Observation, action and next observation of an episode that the expert plays."""
    over = False
    while not over and info["expert_action"] >= 0:
        action = info["expert_action"]
        if hasattr(env, "kept"):
            action = np.flatnonzero(env.kept == action)[0]
        after, _, terminated, truncated, info = env.step(int(action))
        yield observation, int(action), after
        observation, over = after, terminated or truncated


def demonstrated(problem: Problem) -> list[tuple[Observation, int]]:
    """Observations and the expert's actions on the tasks of the split "demonstrations"."""
    env = problem.environment("demonstrations")
    found = []
    for task in problem.tasks.split("demonstrations"):
        observation, info = env.reset(seed=0, options={"task_id": task.task_id})
        found += [(seen, action) for seen, action, _ in _expert(env, observation, info)]
    return found


def play(
    envs: Sequence[gymnasium.Env[Any, Any]], tasks: Sequence[tuple[int, str]], model: Any, deterministic: bool
) -> list[dict[str, Any]]:
    """One episode of each task, as many side by side as there are environments.

    Args:
        envs: Environments of one problem.
        tasks: Seed and task of each episode.
        model: Gives actions for a batch of observations.
        deterministic: Whether it takes the most probable action.

    Returns:
        The last `info` of each episode, in the order of `tasks`.
    """
    ended: dict[int, dict[str, Any]] = {}
    waiting = iter(enumerate(tasks))
    running: dict[int, tuple[int, Observation]] = {}
    free = list(range(len(envs)))
    while len(ended) < len(tasks):
        for number, (seed, task_id) in islice(waiting, len(free)):
            lane = free.pop()
            running[lane] = number, envs[lane].reset(seed=seed, options={"task_id": task_id})[0]
        batch = {key: np.stack([seen[key] for _, seen in running.values()]) for key in next(iter(running.values()))[1]}
        actions = model.predict(batch, deterministic=deterministic)[0]
        for (lane, (number, _)), action in zip(list(running.items()), actions, strict=True):
            seen, _, terminated, truncated, info = envs[lane].step(int(action))
            running[lane] = number, seen
            if terminated or truncated:
                ended[number] = info
                free.append(lane)
                del running[lane]
    return [ended[number] for number in range(len(tasks))]
