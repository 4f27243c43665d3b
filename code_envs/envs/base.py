"""The episode loop that every environment shares.

An environment splits its step, so that one process can step many environments and overlap their executions:
`begin` applies the action and says what must be executed, `prepare` does what need not wait for the outcome,
`finish` turns the outcome into the transition, or says what must be executed as well. `step` is one after the
other. A concrete environment defines the hooks at the end of `CodeEnv`; each episode keeps what happened in it,
so that it can be saved, restored and told again (`code_envs.envs.snapshot`).
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import gymnasium
import numpy as np
from numpy.typing import NDArray

from code_envs.envs.arguments import at_least, kept_arguments
from code_envs.envs.episode import Episode, Info, Step
from code_envs.envs.observation import Observation, observation_space
from code_envs.envs.rendering import Frame, render_ansi, render_rgb
from code_envs.envs.snapshot import Moment, Snapshot, random_numbers
from code_envs.errors import ConfigurationError, ExecutorError
from code_envs.execution.executor import Executor, Job, Limits, Outcome
from code_envs.execution.pool import open_executor
from code_envs.tasks.sources import load
from code_envs.tasks.task import Task, TaskSet

__all__ = ["CodeEnv", "Transition"]

Transition = tuple[Observation, float, bool, bool, Info]

E = TypeVar("E", bound=Episode)


class CodeEnv(gymnasium.Env[Observation, Any], Generic[E]):
    """Episode loop over tasks and an executor; a concrete environment defines state and transition.

    An environment keeps each argument of its constructor as an attribute of the same name, as in scikit-learn.

    Args:
        tasks: Task source (`code_envs.tasks.sources.load`) or a task set.
        split: Which split of it: "all", "train", "validation" or "test".
        code_tokens: Length T of `code`.
        text_tokens: Length M of `text`.
        executor: "local", "local:N", or an executor. Environments of one process share a pool.
        timeout_s: CPU time of one execution, s.
        memory_mib: Address space of one execution, MiB.
        expert: Report `expert_action`.
        render_mode: "ansi", "rgb_array" or None.

    Raises:
        ConfigurationError: If an argument cannot be used.
        TaskError: If the task source cannot be read.
    """

    metadata = {"render_modes": ["ansi", "rgb_array"], "render_fps": 2}  # noqa: RUF012  Gymnasium's name and type
    reward_bounds: tuple[Sequence[float], Sequence[float]]
    """The least and the most of each term of the reward: of `info["vector_reward"]`."""
    task_type: type = Task
    """The kind of tasks that the environment needs."""
    shortest: tuple[int, int] = 1, 1
    """Least lengths of `code` and of `text`."""

    def __init__(
        self,
        tasks: str | TaskSet[Any],
        split: str,
        code_tokens: int,
        text_tokens: int,
        executor: str | Executor,
        timeout_s: float,
        memory_mib: int,
        expert: bool,
        render_mode: str | None,
    ) -> None:
        at_least("code_tokens", code_tokens, self.shortest[0])
        at_least("text_tokens", text_tokens, self.shortest[1])
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise ConfigurationError(f"render_mode {render_mode!r} is not one of {self.metadata['render_modes']}.")
        self.code_tokens, self.text_tokens, self.expert = code_tokens, text_tokens, expert
        self.render_mode = render_mode
        least, most = np.array(self.reward_bounds, np.float32)
        self.reward_space = gymnasium.spaces.Box(least, most, dtype=np.float32)
        self.executor = open_executor(executor)
        self.limits = Limits(cpu_s=timeout_s, memory_mib=memory_mib)
        self.tasks = (load(tasks, self.executor) if isinstance(tasks, str) else tasks).split(split)
        if not len(self.tasks):
            raise ConfigurationError(f"Task set {self.tasks.name!r} has no task in split {split!r}.")
        if not isinstance(self.tasks[0], self.task_type):
            raise ConfigurationError(
                f"{type(self).__name__} needs tasks of the kind {self.task_type.__name__!r}; those of "
                f"{self.tasks.name!r} are of the kind {type(self.tasks[0]).__name__!r}. `python -m code_envs list` "
                "shows which sources have which."
            )
        self.state: E | None = None

    # Gymnasium's loop -----------------------------------------------------------------------------

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, Info]:
        """Start an episode.

        Args:
            seed: Seeds `np_random`, which picks the task.
            options: `{"task_id": id}` picks a task instead.

        Raises:
            ConfigurationError: If an option is unknown or no task has the id.
            ExecutorError: If the sandbox failed.
        """
        job = self.begin_reset(seed=seed, options=options)
        if job is None:
            return self.finish_reset(None)
        pending = self.executor.submit(job)
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

    # the loop in halves ---------------------------------------------------------------------------

    def begin_reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Job | None:
        """First half of `reset`: choose the task; returns what must be executed, or None."""
        super().reset(seed=seed)
        return self._begin(self._choose(options or {}))

    def _begin(self, task: Any) -> Job | None:
        origin = self.np_random.bit_generator.state
        job = self._start(task)
        self._running().origin = origin
        return job

    def finish_reset(self, outcome: Outcome | None) -> tuple[Observation, Info]:
        """Second half of `reset`."""
        episode = self._running()
        episode.history.append(Moment(None, [] if outcome is None else [outcome]))
        self._open(episode, outcome)
        return self._observation(episode), self._information(
            episode, set(), np.zeros(self.reward_space.shape, np.float32)
        )

    def begin(self, action: Any) -> Job | None:
        """First half of `step`: apply the action; returns what must be executed, or None.

        Raises:
            ConfigurationError: If no episode runs, or the action is not in the action space.
        """
        episode = self._running()
        if episode.over:
            raise ConfigurationError("The episode is over; call reset() before step().")
        action = self._checked(action)
        episode.history.append(Moment(action, []))
        return self._act(episode, action)

    def prepare(self) -> None:
        """What `finish` or `finish_reset` needs beside the outcome, worked out while the program runs; optional."""

    def finish(self, outcome: Outcome | None) -> Transition | Job:
        """Second half of `step`; at the end of an episode, a last job may come first."""
        episode = self._running()
        if outcome is not None:
            episode.history[-1].outcomes.append(outcome)
        if episode.ending is not None:
            return self._end(episode, outcome)
        try:
            step = self._advance(episode, outcome)
        except ExecutorError as error:
            return self.abandon(error)
        episode.reward = float(step.vector.sum())
        info = self._information(episode, step.events, step.vector)
        if not (step.terminated or step.truncated):
            return self._observation(episode), episode.reward, False, False, info
        episode.over = True
        episode.ending = step.terminated, info
        job = self._last_job(episode)
        return self._end(episode, None) if job is None else job

    def _end(self, episode: E, outcome: Outcome | None) -> Transition:
        """The last transition."""
        assert episode.ending is not None
        try:
            facts = self._conclude(episode, outcome)
        except ExecutorError as error:
            return self.abandon(error)
        terminated, info = episode.ending
        episode.ending = None
        return self._observation(episode), episode.reward, terminated, not terminated, info | facts

    def abandon(self, error: ExecutorError) -> Transition:
        """End the episode because the sandbox failed: `truncated`, the error in `info`.

        The reward is 0 where the program could not be executed, and what it was where only the last job could not.
        """
        episode = self._running()
        episode.history[-1] = episode.history[-1]._replace(error=str(error))
        failure = {"executor_error": str(error)}
        if episode.ending is not None:
            _, info = episode.ending
            episode.ending = None
            return self._observation(episode), episode.reward, False, True, info | failure
        self._withdraw(episode)
        episode.over = True
        episode.reward = 0.0
        info = self._information(episode, set(), np.zeros(self.reward_space.shape, np.float32))
        return self._observation(episode), 0.0, False, True, info | failure

    # saving and restoring -------------------------------------------------------------------------

    def snapshot(self) -> bytes:
        """The episode as it stands, between two steps: versioned JSON, which `restore` reads in any process.

        It holds the task's id, the actions and the outcomes of their executions, and the state of `np_random`.

        Raises:
            ConfigurationError: If no episode runs.
        """
        episode = self._running()
        return Snapshot(
            type(self).__name__, self._identity(), episode.task.task_id, episode.origin,
            self.np_random.bit_generator.state, episode.history,
        ).encode()  # fmt: skip

    def restore(self, data: bytes) -> tuple[Observation, Info]:
        """Continue an episode where `snapshot` was taken; no program is executed again.

        Args:
            data: What `snapshot` gave, here or in another process.

        Returns:
            The observation and the info of that moment.

        Raises:
            ConfigurationError: If it is no snapshot, or of an environment with other tasks or arguments.
        """
        snapshot = Snapshot.decode(data)
        snapshot.require(type(self).__name__, self._identity())
        self.np_random = random_numbers(snapshot.origin)
        self._begin(self.tasks[snapshot.task_id])
        first, *steps = snapshot.history
        observation, info = self.finish_reset(first.outcomes[0] if first.outcomes else None)
        for moment in steps:
            observation, _, _, _, info = self._again(moment)
        self.np_random = random_numbers(snapshot.random)
        return observation, info

    def _again(self, moment: Moment) -> Transition:
        """A step whose outcomes are known."""
        outcomes = iter(moment.outcomes)
        failure = ExecutorError(moment.error or "")
        job = self.begin(moment.action)
        self.prepare()
        outcome = None if job is None else next(outcomes, None)
        if job is not None and outcome is None:
            return self.abandon(failure)
        result = self.finish(outcome)
        while isinstance(result, Job):
            outcome = next(outcomes, None)
            result = self.abandon(failure) if outcome is None else self.finish(outcome)
        return result

    def fork(self) -> CodeEnv[E]:
        """A second environment in the same state, with the same tasks and executor; neither affects the other."""
        twin = copy.copy(self)
        twin.action_space = copy.deepcopy(self.action_space)
        twin.observation_space = copy.deepcopy(self.observation_space)
        twin.restore(self.snapshot())
        return twin

    def _identity(self) -> dict[str, Any]:
        """What must be the same for an episode to go on in another instance."""
        return {
            "tasks": f"{self.tasks.name} {self.tasks.sha256}",
            "timeout_s": self.limits.cpu_s,
            "memory_mib": self.limits.memory_mib,
            **kept_arguments(self, CodeEnv),
        }

    # shared by the hooks --------------------------------------------------------------------------

    def render(self) -> Any:
        """The episode as it stands, with the verdict and the reward; text or (H, W, 3) uint8."""
        if self.render_mode is None:
            modes = " or ".join(repr(mode) for mode in self.metadata["render_modes"])
            gymnasium.logger.warn(f"render() needs render_mode={modes} in gymnasium.make().")
            return None
        frame = self._frame(self._running())
        draw = render_ansi if self.render_mode == "ansi" else render_rgb
        return frame if isinstance(frame, str) else draw(frame)

    def _offer(self, actions: int, **more: gymnasium.spaces.Box) -> None:
        """Set the spaces of numbered actions, each a row of `candidates`; `more` is shown beside."""
        self.action_space = gymnasium.spaces.Discrete(actions)
        space = observation_space(actions, self.code_tokens, self.text_tokens, **more)
        self.observation_space: gymnasium.spaces.Dict = space  # type: ignore[assignment]

    def _choose(self, options: dict[str, Any]) -> Any:
        unknown = set(options) - {"task_id"}
        if unknown:
            raise ConfigurationError(f"Reset options {sorted(unknown)} are not known; expected 'task_id'.")
        if "task_id" in options:
            return self.tasks[options["task_id"]]
        return self.tasks[int(self.np_random.integers(len(self.tasks)))]

    def _running(self) -> E:
        if self.state is None:
            raise ConfigurationError("No episode is running; call reset() first.")
        return self.state

    def _checked(self, action: Any) -> Any:
        """The action in the form that the history keeps: an int for `Discrete`, a text for `Text`."""
        space = self.action_space
        if not isinstance(space, gymnasium.spaces.Discrete):
            if not space.contains(action):
                raise ConfigurationError(f"Action {action!r:.200} is not in {space}.")
            return action
        if not space.contains(np.int64(action)):
            raise ConfigurationError(f"Action {action!r} is not in {space}.")
        return int(action)

    def _information(self, episode: E, events: set[str], vector: NDArray[np.float32]) -> Info:
        expert = {"expert_action": self._expert_action(episode)} if self.expert else {}
        return {
            "task_id": episode.task.task_id,
            **self._facts(episode),
            **expert,
            "events": frozenset(events),
            "vector_reward": vector.copy(),
        }

    # what an environment defines ------------------------------------------------------------------

    @abstractmethod
    def _start(self, task: Any) -> Job | None:
        """Set `self.state` to a new episode of a task; returns what must be executed before the first observation."""

    @abstractmethod
    def _open(self, episode: E, outcome: Outcome | None) -> None:
        """Take the outcome of the first job, so that the episode can be observed."""

    @abstractmethod
    def _act(self, episode: E, action: Any) -> Job | None:
        """Apply an action of the action space; returns what must be executed, or None."""

    @abstractmethod
    def _advance(self, episode: E, outcome: Outcome | None) -> Step:
        """Complete the action with the outcome of its execution, if it had one."""

    def _last_job(self, episode: E) -> Job | None:
        """What is executed when an episode has ended: its held-out tests, for example."""
        return None

    @abstractmethod
    def _conclude(self, episode: E, outcome: Outcome | None) -> Info:
        """`held_out` and `is_success`, from the outcome of the last job, if there is one."""

    def _withdraw(self, episode: E) -> None:
        """Take back an action whose execution failed."""

    @abstractmethod
    def _observation(self, episode: E) -> Observation:
        """What the agent sees: fresh arrays."""

    @abstractmethod
    def _facts(self, episode: E) -> Info:
        """`program`, `outcome`, `measurements` and what else the environment reports."""

    @abstractmethod
    def _expert_action(self, episode: E) -> int:
        """What an expert would do, -1 where that is not known; asked only with `expert=True`."""

    @abstractmethod
    def _frame(self, episode: E) -> Frame | str:
        """What a picture shows, or the picture as text where nothing is drawn."""
