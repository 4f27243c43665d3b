"""Buffers that keep one reward per component, so that weights may change after the experience was collected.

GAE is linear in the reward: the advantage of a weighted sum is the weighted sum of the components' advantages. So a
rollout stores K components and the outer metric apart (index K), advantages are computed for each, and the weights are
applied when the policy is updated (`ComponentRolloutBuffer`). A replay buffer lives longer still: it stores
components and makes the scalar reward when a batch is sampled, with the weights of that moment
(`ComponentReplayBuffer`).
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from stable_baselines3.common.buffers import DictReplayBuffer, DictRolloutBuffer, ReplayBuffer, RolloutBuffer
from stable_baselines3.common.type_aliases import TensorDict

from agents.weighting_history import read_signals
from reward_machines.weighting import Weighting

__all__ = [
    "ComponentReplayBuffer",
    "ComponentRolloutBuffer",
    "ComponentSamples",
    "FlatComponentReplayBuffer",
    "FlatComponentRolloutBuffer",
    "LiveRewards",
    "TaskTable",
]


class TaskTable:
    """Numbers for tasks, so that a buffer stores one integer per step instead of an embedding.

    A task is its embedding and its family. Weights are computed once per task, not once per step.
    """

    def __init__(self) -> None:
        self._numbers: dict[tuple[bytes, str], int] = {}
        self._embeddings: list[np.ndarray] = []
        self._families: list[str] = []

    def __len__(self) -> int:
        return len(self._families)

    def numbers(self, embeddings: np.ndarray, families: Sequence[str]) -> np.ndarray:
        """Numbers of tasks; a new task gets the next one.

        Args:
            embeddings: (E, D) float32.
            families: E names.

        Returns:
            (E,) int64.
        """
        return np.array([self._number(row, family) for row, family in zip(embeddings, families, strict=True)], np.int64)

    def embeddings(self) -> np.ndarray:
        """Embeddings of all tasks, (number of tasks, D) float32."""
        return np.stack(self._embeddings)

    def weights(self, weighting: Weighting) -> np.ndarray:
        """Weights of all tasks, (number of tasks, K) float32."""
        return weighting.weights(self.embeddings(), self._families)

    def families(self, numbers: np.ndarray) -> list[str]:
        """Families of the tasks with these numbers, (N,) int64."""
        return [self._families[number] for number in numbers]

    def _number(self, embedding: np.ndarray, family: str) -> int:
        key = (embedding.tobytes(), family)
        number = self._numbers.setdefault(key, len(self._numbers))
        if number == len(self._families):
            self._embeddings.append(embedding.copy())
            self._families.append(family)
        return number


class ComponentSamples(NamedTuple):
    """A minibatch of B steps: what SB3's has, and what the value heads need."""

    observations: torch.Tensor | TensorDict
    actions: torch.Tensor
    old_values: torch.Tensor
    old_log_prob: torch.Tensor
    advantages: torch.Tensor
    returns: torch.Tensor
    component_values: torch.Tensor
    """(B, K + 1) float32."""
    component_returns: torch.Tensor
    """(B, K + 1) float32."""
    embeddings: torch.Tensor
    """(B, D) float32."""


COMPONENT_ARRAYS = ("component_rewards", "component_values", "component_advantages", "component_returns", "tasks")


class _ComponentRollout(RolloutBuffer):
    """What both rollout buffers share; the other base class stores the observations."""

    def __init__(self, *args: Any, components: int, **kwargs: Any) -> None:
        self.components = components
        super().__init__(*args, **kwargs)

    def reset(self) -> None:
        """Forget the rollout and its tasks."""
        super().reset()
        shape = (self.buffer_size, self.n_envs, self.components + 1)
        self.component_rewards = np.zeros(shape, np.float32)
        self.component_values = np.zeros(shape, np.float32)
        self.component_advantages = np.zeros(shape, np.float32)
        self.component_returns = np.zeros(shape, np.float32)
        self.tasks = np.zeros(shape[:2], np.int64)
        self.table = TaskTable()

    def add_components(self, rewards: np.ndarray, embeddings: np.ndarray, families: Sequence[str]) -> None:
        """Store the components of the step that `add` stores next.

        Args:
            rewards: (E, K + 1) float32, the outer metric last.
            embeddings: Embeddings of the tasks, (E, D) float32.
            families: Families of the tasks, E names.
        """
        self.component_rewards[self.pos] = rewards
        self.tasks[self.pos] = self.table.numbers(embeddings, families)

    def compute_component_advantages(self, values: np.ndarray, last_values: np.ndarray, dones: np.ndarray) -> None:
        """GAE for every component at once.

        Args:
            values: Predicted returns before each step, (n_steps, E, K + 1) float32.
            last_values: Predicted returns after the last step, (E, K + 1) float32.
            dones: Whether the last step ended an episode, (E,) bool.

        Source: Schulman et al. (2016), eq. 16, over the last axis.
        """
        self.component_values = values
        running = np.zeros_like(last_values)
        next_values, going_on = last_values, 1.0 - dones.astype(np.float32)
        for step in reversed(range(self.buffer_size)):
            alive = going_on[:, None]
            delta = self.component_rewards[step] + self.gamma * next_values * alive - values[step]
            running = delta + self.gamma * self.gae_lambda * alive * running
            self.component_advantages[step] = running
            next_values, going_on = values[step], 1.0 - self.episode_starts[step]
        self.component_returns = self.component_advantages + self.component_values

    def weigh(self, weights: np.ndarray, outer_share: float) -> None:
        """Make the scalar advantages, values and returns that the policy learns from.

        Args:
            weights: Weights of every task in `table`, (number of tasks, K) float32.
            outer_share: w_o.
        """
        coefficients = np.empty((len(weights), self.components + 1), np.float32)
        coefficients[:, :-1] = (1.0 - outer_share) * weights
        coefficients[:, -1] = outer_share
        rows = coefficients[self.tasks]  # (T, E, K + 1)
        self.advantages = (rows * self.component_advantages).sum(-1)
        self.values = (rows * self.component_values).sum(-1)
        self.returns = self.advantages + self.values

    def get(self, batch_size: int | None = None) -> Generator[ComponentSamples, None, None]:  # type: ignore[override]
        """Minibatches in random order; flattens the arrays to (E * T, ...) the first time, as SB3 does."""
        if not self.generator_ready:
            for name in COMPONENT_ARRAYS:
                array = self.__dict__[name]
                flat = self.swap_and_flatten(array)
                self.__dict__[name] = flat.reshape(-1) if array.ndim == 2 else flat
            self._task_embeddings = self.to_torch(self.table.embeddings())
        yield from super().get(batch_size)  # type: ignore[misc]

    def _get_samples(self, batch_inds: np.ndarray, env: Any = None) -> ComponentSamples:  # type: ignore[override]
        return ComponentSamples(
            *super()._get_samples(batch_inds, env),
            self.to_torch(self.component_values[batch_inds]),
            self.to_torch(self.component_returns[batch_inds]),
            self._task_embeddings[self.to_torch(self.tasks[batch_inds])],
        )


class ComponentRolloutBuffer(_ComponentRollout, DictRolloutBuffer):  # type: ignore[misc]  # samples have more fields
    """Rollouts of dictionaries with rewards, values, advantages and returns (n_steps, n_envs, K + 1).

    Args:
        *args: Arguments of SB3's `DictRolloutBuffer`.
        components: K.
        **kwargs: Arguments of SB3's `DictRolloutBuffer`.

    Attributes:
        component_rewards: (n_steps, n_envs, K + 1) float32, the outer metric last; so are the next three.
        component_values: What the value heads predicted.
        component_advantages: GAE of each.
        component_returns: What the value heads learn.
        tasks: Number of each step's task in `table`, (n_steps, n_envs) int64.
        table: The tasks of the rollout.
    """


class FlatComponentRolloutBuffer(_ComponentRollout):
    """The same for observations that are no dictionaries.

    Args:
        *args: Arguments of SB3's `RolloutBuffer`.
        components: K.
        **kwargs: Arguments of SB3's `RolloutBuffer`.
    """


class LiveRewards:
    """Looks like a replay buffer's array of rewards, holds components, and gives rewards under the present weights.

    Args:
        weighting: Weighs the components.
        shape: Steps and environments of the buffer.
    """

    def __init__(self, weighting: Weighting, shape: tuple[int, int]) -> None:
        self.weighting = weighting
        self.components = np.zeros((*shape, len(weighting.components)), np.float32)
        self.outer = np.zeros(shape, np.float32)
        self.tasks = np.zeros(shape, np.int64)
        self.table = TaskTable()

    def store(self, step: int, infos: Sequence[dict[str, Any]]) -> None:
        """Keep the components of one step of every environment.

        Args:
            step: Row of the buffer.
            infos: Infos of the step, with the keys that `wrappers.WeightedReward` sets.
        """
        signals = read_signals(infos, self.components.shape[-1])
        self.components[step] = signals.rewards[:, :-1]
        self.outer[step] = signals.rewards[:, -1]
        self.tasks[step] = self.table.numbers(signals.embeddings, signals.families)

    def __setitem__(self, index: Any, value: Any) -> None:
        """The environment's scalar was made with the weights of that moment; it is not kept."""

    def __getitem__(self, index: Any) -> np.ndarray:
        """Rewards of steps: `w_o * outer + (1 - w_o) * sum_i alpha_i R_i`, float32."""
        tasks = self.tasks[index]
        present, position = np.unique(tasks, return_inverse=True)
        embeddings, families = self.table.embeddings()[present], self.table.families(present)
        weights = self.weighting.weights(embeddings, families)[position.reshape(tasks.shape)]
        share = self.weighting.outer_share
        inner = (weights * self.components[index]).sum(-1)
        return (share * self.outer[index] + (1.0 - share) * inner).astype(np.float32)

    @property
    def nbytes(self) -> int:
        """Memory of the arrays, bytes."""
        return self.components.nbytes + self.outer.nbytes + self.tasks.nbytes


class _ComponentReplay(ReplayBuffer):
    """What both replay buffers share; the other base class stores the observations."""

    def __init__(self, *args: Any, weighting: Weighting, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rewards = LiveRewards(weighting, (self.buffer_size, self.n_envs))  # type: ignore[assignment]

    def add(self, obs: Any, next_obs: Any, action: Any, reward: Any, done: Any, infos: list[dict[str, Any]]) -> None:
        """Store a step of every environment; the scalar reward is not kept.

        Raises:
            ValueError: If the infos lack what `wrappers.WeightedReward` sets.
        """
        self.rewards.store(self.pos, infos)  # type: ignore[attr-defined]
        super().add(obs, next_obs, action, reward, done, infos)


class ComponentReplayBuffer(_ComponentReplay, DictReplayBuffer):
    """Replay buffer of dictionaries that weighs its rewards when they are sampled, so that none is stale.

    `DQN(..., replay_buffer_class=ComponentReplayBuffer, replay_buffer_kwargs={"weighting": weighting})`.

    Args:
        *args: Arguments of SB3's `DictReplayBuffer`.
        weighting: Weighs the components; the same object that `WeightingCallback` updates.
        **kwargs: Arguments of SB3's `DictReplayBuffer`.
    """


class FlatComponentReplayBuffer(_ComponentReplay):
    """The same for observations that are no dictionaries.

    Args:
        *args: Arguments of SB3's `ReplayBuffer`.
        weighting: Weighs the components; the same object that `WeightingCallback` updates.
        **kwargs: Arguments of SB3's `ReplayBuffer`.
    """
