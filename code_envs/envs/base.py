"""The episode loop that every environment shares.

An environment splits its step, so that one process can step many environments and overlap their
executions: `begin` applies the action and says what must be executed, `prepare` does what need not wait for
the outcome, `finish` turns the outcome into the transition, or says what must be executed as well. `step` is
one after the other.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Generic, TypeVar

import gymnasium
import numpy as np
from numpy.typing import NDArray

from code_envs.errors import ConfigurationError, ExecutorError
from code_envs.execution.executor import Executor, Job, Limits, Outcome
from code_envs.execution.pool import open_executor
from code_envs.tasks.sources import load
from code_envs.tasks.task import Task, TaskSet

__all__ = ["CodeEnv", "Observation"]

Observation = dict[str, NDArray[Any]]
State = TypeVar("State")
Transition = tuple[Observation, float, bool, bool, dict[str, Any]]


class CodeEnv(gymnasium.Env[Observation, np.int64], Generic[State]):
    """Episode loop over tasks and an executor; a concrete environment defines state and transition.

    Args:
        tasks: Task source (`code_envs.tasks.sources.load`) or a task set.
        split: Which split of it: "all", "train", "validation" or "test".
        executor: "local", "local:N", or an executor. Environments of one process share a pool.
        timeout_s: CPU time of one execution, s.
        memory_mib: Address space of one execution, MiB.
        render_mode: "ansi", "rgb_array" or None.

    Raises:
        ConfigurationError: If an argument cannot be used.
        TaskError: If the task source cannot be read.
    """

    metadata = {"render_modes": ["ansi", "rgb_array"], "render_fps": 2}  # noqa: RUF012  Gymnasium's name and type

    def __init__(
        self,
        tasks: str | TaskSet,
        split: str,
        executor: str | Executor,
        timeout_s: float,
        memory_mib: int,
        render_mode: str | None,
    ) -> None:
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise ConfigurationError(f"render_mode {render_mode!r} is not one of {self.metadata['render_modes']}.")
        self.render_mode = render_mode
        self.executor = open_executor(executor)
        self.limits = Limits(cpu_s=timeout_s, memory_mib=memory_mib)
        self.tasks = (load(tasks, self.executor) if isinstance(tasks, str) else tasks).split(split)
        if not len(self.tasks):
            raise ConfigurationError(f"Task set {self.tasks.name!r} has no task in split {split!r}.")
        self.state: State | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode.

        Args:
            seed: Seeds `np_random`, which picks the task.
            options: `{"task_id": id}` picks a task instead.

        Raises:
            ConfigurationError: If an option is unknown or no task has the id.
            ExecutorError: If the sandbox failed.
        """
        pending = self.executor.submit(self.begin_reset(seed=seed, options=options))
        self.prepare()
        return self.finish_reset(pending.result())

    def step(self, action: Any) -> Transition:
        """Take an action; see the environment's own page for what it does.

        A sandbox failure ends the episode with `truncated` and `info["executor_error"]`.
        """
        job = self.begin(action)
        if job is None:
            return self.settle(None)
        try:
            pending = self.executor.submit(job)
            self.prepare()
            outcome = pending.result()
        except ExecutorError as error:
            return self.abandon(error)
        return self.settle(outcome)

    def settle(self, outcome: Outcome | None) -> Transition:
        """`finish`, executing at once what it asks for."""
        result = self.finish(outcome)
        while isinstance(result, Job):
            try:
                outcome = self.executor.run(result)
            except ExecutorError as error:
                return self.abandon(error)
            result = self.finish(outcome)
        return result

    def begin_reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Job:
        """First half of `reset`: choose the task; returns what must be executed."""
        super().reset(seed=seed)
        return self._start(self._choose(options or {}))

    def _choose(self, options: dict[str, Any]) -> Task:
        unknown = set(options) - {"task_id"}
        if unknown:
            raise ConfigurationError(f"Reset options {sorted(unknown)} are not known; expected 'task_id'.")
        if "task_id" in options:
            return self.tasks[options["task_id"]]
        return self.tasks[int(self.np_random.integers(len(self.tasks)))]

    @abstractmethod
    def _start(self, task: Task) -> Job:
        """Begin an episode of a task."""

    @abstractmethod
    def finish_reset(self, outcome: Outcome) -> tuple[Observation, dict[str, Any]]:
        """Second half of `reset`."""

    @abstractmethod
    def begin(self, action: Any) -> Job | None:
        """First half of `step`: apply the action; returns what must be executed, or None."""

    @abstractmethod
    def prepare(self) -> None:
        """What `finish` or `finish_reset` needs beside the outcome, worked out while the program runs; optional."""

    @abstractmethod
    def finish(self, outcome: Outcome | None) -> Transition | Job:
        """Second half of `step`; a job must be executed too, and its outcome handed to another call."""

    @abstractmethod
    def abandon(self, error: ExecutorError) -> Transition:
        """End the episode because the sandbox failed: `truncated`, the error in `info`."""
