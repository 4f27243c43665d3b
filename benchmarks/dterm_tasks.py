"""The multi-task code benchmark: five types of tasks, small enough that a run of two minutes learns something.

Tasks are the short ones of the suite's own sources. `Shortlist` narrows an environment to few actions and gives all
five types the same spaces, so that one policy acts in all of them. The splits are those of the sources: by behaviour,
the same program in the same split wherever it is used; translations by pattern and names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from benchmarks.dterm_translations import statements
from code_envs.envs.base import CodeEnv
from code_envs.envs.completion import CodeCompletionEnv
from code_envs.envs.generation import CodeGenerationEnv
from code_envs.envs.repair import CodeRepairEnv
from code_envs.envs.summarization import CodeSummarizationEnv
from code_envs.envs.translation import CodeTranslationEnv
from code_envs.envs.writing import WritingEnv
from code_envs.errors import ConfigurationError
from code_envs.execution.executor import Executor
from code_envs.tasks.described import Described
from code_envs.tasks.gaps import Gap
from code_envs.tasks.sources import load
from code_envs.tasks.task import TaskSet, digest, joined

__all__ = ["ACTIONS", "ENVIRONMENTS", "FAMILIES", "AllOrNothing", "Shortlist", "families", "make"]

ACTIONS = 32
"""Size A of the action space that all types share."""
CODE_TOKENS, TEXT_TOKENS = 96, 64
LONGEST = 8
"""Most tokens of a text to be written, most productions of a program."""


@dataclass(frozen=True, slots=True)
class Family:
    """One type of tasks.

    Args:
        name: Its name in the tables.
        metric: What the paper's Table 1 reports for it.
        environment: The class of its environment.
        tasks: Its tasks, before the long ones are left out.
        settings: Arguments of the environment.
        offered: Actions that are left of those that the environment offers.
    """

    name: str
    metric: str
    environment: type[CodeEnv[Any]]
    tasks: Callable[[Executor], TaskSet[Any]]
    settings: dict[str, Any]
    offered: int


def _summaries(executor: Executor) -> TaskSet[Described]:
    """The curriculum's programs, each with its description to be written."""
    programs = load("curriculum", executor)
    described = tuple(Described(task.task_id, task.description, task.reference) for task in programs)
    return TaskSet(
        "summaries-v0",
        described,
        programs.licence,
        programs.origin,
        digest(programs.sha256.encode()),
        {},
        programs.splits,
    )


def _gaps(executor: Executor) -> TaskSet[Gap]:
    """Lines of short programs."""
    return joined("gaps-short-v0", [load("gaps*2:curriculum", executor), load("gaps*2:builtin", executor)])


FAMILIES = {
    "CodeSummarization": Family(
        "Summarisation", "BLEU-4", CodeSummarizationEnv, _summaries, {"max_tokens": LONGEST + 5}, 12
    ),
    "CodeTranslation": Family(
        "Translation", "BLEU-4", CodeTranslationEnv, lambda _: statements(), {"max_tokens": LONGEST + 2}, 12
    ),
    "CodeCompletion": Family(
        "Completion",
        "exact match",
        CodeCompletionEnv,
        _gaps,
        {"max_tokens": LONGEST},
        12,
    ),
    "CodeRepair": Family(
        "Repair",
        "fix rate",
        CodeRepairEnv,
        lambda executor: load("mutants*2:curriculum", executor),
        {"max_executions": 4},
        ACTIONS,
    ),
    "CodeGeneration": Family(
        "Problems",
        "pass@1",
        CodeGenerationEnv,
        lambda executor: load("curriculum", executor),
        {"max_steps": LONGEST},
        ACTIONS,
    ),
}
"""The five types of the paper's Table 1, by the class of their environment."""

ENVIRONMENTS = {"CodeSummarization": 5, "CodeTranslation": 4, "CodeCompletion": 5, "CodeRepair": 2, "CodeGeneration": 4}
"""Environments of each type in training; repair, the dearest to run and the first to be learned, has the fewest."""


class Shortlist(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Few of the actions that an environment offers, always with the one of the reference.

    Where an agent writes, the list is the same in all of an episode: the end, the tokens of the reference, and others
    evenly from the vocabulary. Elsewhere it is made anew in each state: submit and undo, the expert's action where
    there is one, and others evenly. This makes tasks much easier than those of the suite, for all methods alike.

    Args:
        env: An environment of `FAMILIES` with `expert=True`.
        size: Size A of the action space.
        offered: Most valid actions, at most A.
    """

    def __init__(self, env: CodeEnv[Any], size: int = ACTIONS, offered: int = ACTIONS) -> None:
        super().__init__(env)
        if not 3 <= offered <= size:
            raise ConfigurationError(f"offered must be from 3 to size = {size}, got {offered}.")
        self.size, self.offered = size, offered
        self.action_space = gymnasium.spaces.Discrete(size)
        space = env.observation_space
        assert isinstance(space, gymnasium.spaces.Dict)
        self.observation_space = gymnasium.spaces.Dict(
            {key: _narrowed(box, size) if key in _PER_ACTION else box for key, box in space.spaces.items()}
        )
        self.kept: NDArray[np.int64] = np.zeros(0, np.int64)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode."""
        observation, info = self.env.reset(seed=seed, options=options)
        self.kept = self._chosen(observation, info)
        return self._narrow(observation), info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take an action of the list; one beyond it is a masked one."""
        number = int(self.kept[action]) if action < len(self.kept) else self.unwrapped.action_space.n - 1  # type: ignore[attr-defined]
        observation, reward, terminated, truncated, info = self.env.step(number)
        if not isinstance(self.unwrapped, WritingEnv):
            self.kept = self._chosen(observation, info)
        if truncated and "executor_error" not in info:
            # the budget is part of the task and in the observation; PPO would add the value of what comes after it,
            # and so learnt never to end: success in translation fell from 0.6 to 0
            terminated, truncated = True, False
        return self._narrow(observation), reward, terminated, truncated, info

    def action_masks(self) -> NDArray[np.bool_]:
        """Valid actions, (A,) bool."""
        mask = np.zeros(self.size, np.bool_)
        mask[: len(self.kept)] = self.unwrapped.action_masks()[self.kept]  # type: ignore[attr-defined]
        return mask

    def _chosen(self, observation: dict[str, NDArray[Any]], info: dict[str, Any]) -> NDArray[np.int64]:
        """Numbers of the environment's actions, in order."""
        there = np.flatnonzero(observation["candidates"][:, 0])
        env = self.unwrapped
        wanted = {int(action) for action in there[: 2 if isinstance(env, CodeRepairEnv) else 1]}
        if isinstance(env, WritingEnv):
            assert env.state is not None
            wanted |= set(env.state.way)
        elif isinstance(env, CodeGenerationEnv):
            wanted = set()
        wanted |= {int(info["expert_action"])}
        wanted -= {-1}
        rest = np.setdiff1d(there, list(wanted))
        places = np.linspace(0, len(rest) - 1, min(max(self.offered - len(wanted), 0), len(rest))).astype(np.int64)
        return np.sort(np.concatenate([np.array(sorted(wanted), np.int64), rest[places]]))

    def _narrow(self, observation: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        narrow = dict(observation)
        for key in _PER_ACTION:
            rows = observation[key]
            narrow[key] = np.zeros((self.size, *rows.shape[1:]), rows.dtype)
            narrow[key][: len(self.kept)] = rows[self.kept]
        return narrow


_PER_ACTION = ("candidates", "candidate_scores", "action_mask")


def _narrowed(box: gymnasium.Space[Any], size: int) -> gymnasium.spaces.Box:
    assert isinstance(box, gymnasium.spaces.Box)
    return gymnasium.spaces.Box(box.low[:size], box.high[:size], dtype=box.dtype.type)


class AllOrNothing(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Held-out tests count only when all of them pass: success that is too sparse to start alone."""

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """As the environment does it, with `held_out` 1 or 0."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        if "is_success" in info:
            info = {**info, "held_out": float(info["is_success"])}
        return observation, reward, terminated, truncated, info


def families(
    executor: Executor, train: int = 16, test: int = 8, names: Sequence[str] = tuple(FAMILIES)
) -> dict[str, TaskSet[Any]]:
    """The tasks of each type: the short ones whose reference can be written.

    Args:
        executor: Runs test code and programs.
        train: Most tasks of the split "train".
        test: Most tasks of "validation" and of "test".
        names: Some types.
    """
    return {name: _short(FAMILIES[name], FAMILIES[name].tasks(executor), executor, train, test) for name in names}


def _short(family: Family, tasks: TaskSet[Any], executor: Executor, train: int, test: int) -> TaskSet[Any]:
    env = _plain(family, tasks, "all", executor)
    splits = {}
    for split, ids in tasks.splits.items():
        order = sorted(ids, key=lambda task_id: digest(task_id.encode()))
        fit = (task_id for task_id in order if _fits(env, task_id))
        splits[split] = tuple(islice(fit, train if split == "train" else test))
    kept = {task_id for ids in splits.values() for task_id in ids}
    return replace(tasks, tasks=tuple(task for task in tasks if task.task_id in kept), splits=splits)


def _fits(env: CodeEnv[Any], task_id: str) -> bool:
    """Whether the expert solves a task in few steps."""
    _, info = env.reset(options={"task_id": task_id})
    over = False
    while not over and info["expert_action"] >= 0:
        _, _, terminated, truncated, info = env.step(info["expert_action"])
        over = terminated or truncated
    return over and bool(info["is_success"])


def _plain(family: Family, tasks: TaskSet[Any], split: str, executor: Executor) -> CodeEnv[Any]:
    arguments: dict[str, Any] = {
        "tasks": tasks, "split": split, "executor": executor, "expert": True, "code_tokens": CODE_TOKENS,
        "text_tokens": TEXT_TOKENS, **family.settings,
    }  # fmt: skip
    return family.environment(**arguments)


def make(name: str, tasks: TaskSet[Any], split: str, executor: Executor) -> Shortlist:
    """An environment of one type.

    Args:
        name: Key of `FAMILIES`.
        tasks: What `families` gave for it.
        split: "train", "validation" or "test".
        executor: Shared by all environments; one that remembers makes repair three times as fast.
    """
    family = FAMILIES[name]
    return Shortlist(_plain(family, tasks, split, executor), offered=family.offered)
