"""Many episodes in one process, their executions overlapped on the executor's pool.

A step begins every environment, hands all executions to the pool, and finishes the environments in
order while later executions still run. What follows an execution, the held-out tests at the end of an
episode and the start of the next one, is handed to the pool at once as well.
"""

from __future__ import annotations

import importlib
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array, iterate
from numpy.typing import NDArray

from code_envs.envs.base import CodeEnv, Observation, Transition
from code_envs.errors import ConfigurationError, ExecutorError
from code_envs.execution.executor import Job, Pending

__all__ = ["CodeVectorEnv"]

Batch = dict[str, NDArray[Any]]


class CodeVectorEnv(VectorEnv[Batch, NDArray[np.int64], NDArray[Any]]):
    """A native vector environment over one environment class.

    Args:
        num_envs: Number of episodes.
        env: Environment class, or "module:Class".
        autoreset_mode: When a finished episode starts anew: Gymnasium's NEXT_STEP, SAME_STEP, or DISABLED, where
            `reset(options={"reset_mask": ended})` does it.
        render_mode: Handed to every environment.
        env_kwargs: Arguments of the environment class.

    Raises:
        ConfigurationError: If an argument cannot be used.
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        env: type[CodeEnv[Any]] | str,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        **env_kwargs: Any,
    ) -> None:
        if num_envs < 1:
            raise ConfigurationError(f"num_envs must be at least 1, got {num_envs}.")
        mode = AutoresetMode(autoreset_mode)
        maker: Any = env
        if isinstance(env, str):
            module, _, name = env.partition(":")
            maker = getattr(importlib.import_module(module), name)
        first: CodeEnv[Any] = maker(render_mode=render_mode, **env_kwargs)
        shared = env_kwargs | {"tasks": first.tasks, "executor": first.executor, "split": "all"}
        self.envs = [first, *(maker(render_mode=render_mode, **shared) for _ in range(num_envs - 1))]
        self.executor = first.executor
        self.num_envs = num_envs
        self._numbers = range(num_envs)
        self.render_mode = render_mode
        self.metadata = {**first.metadata, "autoreset_mode": mode}
        self.single_observation_space = first.observation_space
        self.single_action_space = first.action_space
        self.observation_space = batch_space(first.observation_space, num_envs)
        self.action_space = batch_space(first.action_space, num_envs)
        self._mode = mode
        self._ended = np.zeros(num_envs, np.bool_)
        self._seen: list[Observation] = []

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Batch, dict[str, Any]]:
        """Start every episode, or those of a mask.

        Args:
            seed: An integer gives environment k the seed `seed + k`.
            options: Handed to every environment, but for `reset_mask`, (num_envs,) bool: the episodes to start.

        Raises:
            ConfigurationError: If there are too few seeds, or the mask is no such array.
            ExecutorError: If the sandbox failed.
        """
        seeds: Sequence[int | None]
        if seed is None or isinstance(seed, int):
            seeds = [None if seed is None else seed + number for number in self._numbers]
        else:
            seeds = seed
        if len(seeds) != self.num_envs:
            raise ConfigurationError(f"Expected {self.num_envs} seeds, got {len(seeds)}.")
        options = dict(options or {})
        chosen = self._chosen(options.pop("reset_mask", None))
        pending = {
            number: self._submit(self.envs[number].begin_reset(seed=seeds[number], options=options))
            for number in chosen
        }
        started = {number: self._opened(self.envs[number], each) for number, each in pending.items()}
        self._ended[chosen] = False
        self._seen = [started[number][0] if number in started else self._seen[number] for number in self._numbers]
        return self._batch(self._seen), self._infos({number: info for number, (_, info) in started.items()})

    def _chosen(self, mask: NDArray[np.bool_] | None) -> list[int]:
        """The environments to reset."""
        if mask is None:
            return list(self._numbers)
        if not isinstance(mask, np.ndarray) or mask.shape != (self.num_envs,) or mask.dtype != np.bool_:
            raise ConfigurationError(f"reset_mask must be an array ({self.num_envs},) bool, got {mask!r}.")
        if len(self._seen) != self.num_envs:
            raise ConfigurationError("The first reset must start every episode; call it without reset_mask.")
        if not mask.any():
            raise ConfigurationError("reset_mask chooses no environment.")
        return [int(number) for number in np.flatnonzero(mask)]

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[Batch, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Step every episode; finished ones start anew as `autoreset_mode` says.

        Raises:
            ConfigurationError: If an action is not in the space, or a finished episode was not reset (DISABLED).
            ExecutorError: If the sandbox failed at the start of an episode.
        """
        if self._mode is AutoresetMode.DISABLED and self._ended.any():
            raise ConfigurationError(
                f"Episodes {np.flatnonzero(self._ended).tolist()} are over; call reset(options={{'reset_mask': ...}})."
            )
        resets = self._ended.tolist() if self._mode is AutoresetMode.NEXT_STEP else [False] * self.num_envs
        waiting = deque(
            _Waiting(number, reset, self._submit(env.begin_reset() if reset else env.begin(action)))
            for number, (env, reset, action) in enumerate(
                zip(self.envs, resets, iterate(self.action_space, actions), strict=True)
            )
        )
        steps: dict[int, Transition] = {}
        started: dict[int, Transition] = {}
        while waiting:
            number, reset, pending = waiting.popleft()
            if waiting:
                waiting[-1].pending.done()  # lets the executor feed its workers while this process is busy
            result = self._finish(self.envs[number], pending, reset)
            if isinstance(result, Job):
                waiting.append(_Waiting(number, False, self._submit(result)))
            elif number in steps:
                started[number] = result
            else:
                steps[number] = result
                if self._mode is AutoresetMode.SAME_STEP and (result[2] or result[3]):
                    waiting.append(_Waiting(number, True, self._submit(self.envs[number].begin_reset())))
        return self._results([steps[number] for number in self._numbers], started)

    def _results(
        self, steps: list[Transition], started: dict[int, Transition]
    ) -> tuple[Batch, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Transitions as arrays; `started` holds the episodes that followed finished ones within this step."""
        terminated = np.array([step[2] for step in steps], np.bool_)
        truncated = np.array([step[3] for step in steps], np.bool_)
        rewards = np.array([step[1] for step in steps], np.float64)
        self._ended = terminated | truncated
        infos: dict[str, Any] = {}
        if started:
            ended = sorted(started)
            infos["final_obs"] = np.full(self.num_envs, None, object)
            for number in ended:
                infos["final_obs"][number] = steps[number][0]
            infos["final_info"] = self._infos({number: steps[number][4] for number in ended})
            infos["_final_obs"] = infos["_final_info"] = self._ended.copy()
        current = [started.get(number, step) for number, step in enumerate(steps)]
        self._seen = [each[0] for each in current]
        infos |= self._infos({number: each[4] for number, each in enumerate(current)})
        return self._batch(self._seen), rewards, terminated, truncated, infos

    def action_masks(self) -> NDArray[np.bool_]:
        """Valid actions of every episode, (num_envs, A) bool."""
        return np.stack([env.action_masks() for env in self.envs])

    def render(self) -> tuple[Any, ...] | None:
        """One picture or text per environment."""
        return None if self.render_mode is None else tuple(env.render() for env in self.envs)

    def close_extras(self, **_: Any) -> None:
        """Close the environments; a shared executor lives on."""
        for env in self.envs:
            env.close()

    def _submit(self, job: Job | None) -> Pending:
        return _NOTHING if job is None else self.executor.submit(job)

    def _opened(self, env: CodeEnv[Any], pending: Pending) -> tuple[Observation, dict[str, Any]]:
        return env.finish_reset(None if pending is _NOTHING else pending.result())

    def _finish(self, env: CodeEnv[Any], pending: Pending, reset: bool) -> Transition | Job:
        if not pending.done():
            env.prepare()
        if reset:
            observation, info = self._opened(env, pending)
            return observation, 0.0, False, False, info
        if pending is _NOTHING:
            return env.finish(None)
        try:
            outcome = pending.result()
        except ExecutorError as error:
            return env.abandon(error)
        return env.finish(outcome)

    def _infos(self, each: dict[int, dict[str, Any]]) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for number, info in each.items():
            merged = self._add_info(merged, info, number)
        return merged

    def _batch(self, observations: list[Observation]) -> Batch:
        empty: Any = create_empty_array(self.single_observation_space, n=self.num_envs, fn=np.zeros)
        batch: Any = concatenate(self.single_observation_space, observations, empty)
        return batch


class _Waiting(NamedTuple):
    """An environment whose execution is under way; `reset` says whether it starts an episode."""

    number: int
    reset: bool
    pending: Pending


class _Nothing:
    """Stands for a step without an execution."""

    def done(self) -> bool:
        return True

    def result(self) -> Any:
        raise RuntimeError("A step without an execution has no outcome.")

    def cancel(self) -> bool:
        return False


_NOTHING = _Nothing()

repair = partial(CodeVectorEnv, env="code_envs.envs.repair:CodeRepairEnv")
generation = partial(CodeVectorEnv, env="code_envs.envs.generation:CodeGenerationEnv")
completion = partial(CodeVectorEnv, env="code_envs.envs.completion:CodeCompletionEnv")
translation = partial(CodeVectorEnv, env="code_envs.envs.translation:CodeTranslationEnv")
summarization = partial(CodeVectorEnv, env="code_envs.envs.summarization:CodeSummarizationEnv")
search = partial(CodeVectorEnv, env="code_envs.envs.search:CodeSearchEnv")
optimization = partial(CodeVectorEnv, env="code_envs.envs.optimization:CodeOptimizationEnv")
text_to_sql = partial(CodeVectorEnv, env="code_envs.envs.text_to_sql:TextToSQLEnv")
"""The `vector_entry_point` of each id is one of these."""
