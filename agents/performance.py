"""How well an agent does at present: normalised return and share of solved tasks, both in [-1, 1]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.callbacks import BaseCallback

__all__ = ["Performance", "PerformanceTracker"]

TASK_REWARD_KEYS = ("task_reward", "environment_reward")


class Performance:
    """Moving averages of return and success over finished episodes, corrected for their start.

    Args:
        anchors: Returns that count as -1 and 1, such as those of a random and of a perfect agent. None: the lowest and
            the highest average so far, which makes every agent that improves look perfect; give anchors if you can.
        window: Episodes that the averages remember; each takes the share 1 / window.

    Raises:
        ValueError: If the anchors are not in order, or the window is below 1.
    """

    def __init__(self, anchors: tuple[float, float] | None = None, window: int = 100) -> None:
        if anchors is not None and not anchors[0] < anchors[1]:
            raise ValueError(f"anchors must be (low, high) with low < high, got {anchors!r}.")
        if window < 1:
            raise ValueError(f"window must be at least 1, got {window!r}.")
        self.anchors, self.window = anchors, window
        self.episodes = 0
        self._sums = np.zeros(2)
        self._weights = np.zeros(2)
        self._range = (np.inf, -np.inf)

    def add(self, episode_return: float, success: float | None) -> None:
        """Count an episode.

        Args:
            episode_return: Sum of its task rewards.
            success: 1 if it was solved, 0 if not; None if that is not known.
        """
        self.episodes += 1
        for number, value in enumerate((episode_return, success)):
            if value is not None:
                share = 1 / self.window
                self._sums[number] += share * (value - self._sums[number])
                self._weights[number] += share * (1 - self._weights[number])
        mean = self._mean(0)
        self._range = min(self._range[0], mean), max(self._range[1], mean)

    def _mean(self, number: int) -> float:
        return float(self._sums[number] / self._weights[number])

    @property
    def progress(self) -> NDArray[np.float32]:
        """[R, eta], (2,) float32; -1 where nothing is known yet."""
        found = np.full(2, -1.0, np.float32)
        low, high = self.anchors or self._range
        if self._weights[0] and high > low:
            found[0] = 2 * np.clip((self._mean(0) - low) / (high - low), 0, 1) - 1
        if self._weights[1]:
            found[1] = 2 * self._mean(1) - 1
        return found

    def state(self) -> dict[str, Any]:
        """What is to be saved."""
        return {
            "episodes": self.episodes,
            "sums": self._sums.tolist(),
            "weights": self._weights.tolist(),
            "range": list(self._range),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.episodes = int(state["episodes"])
        self._sums, self._weights = np.array(state["sums"]), np.array(state["weights"])
        self._range = (float(state["range"][0]), float(state["range"][1]))


class PerformanceTracker(BaseCallback):
    """Keeps a `Performance` over the episodes of all environments.

    Returns are of the task's reward: where `info` has `task_reward` (`wrappers.AlignmentBonus`) or
    `environment_reward` (`wrappers.WeightedReward`), that is counted instead of what the agent is paid, for a bonus or
    a weight that follows the progress must not move it. Episodes that the sandbox broke off do not count.

    Args:
        anchors: As for `Performance`; None asks the environments for `reference_returns`.
        window: As for `Performance`.
        keys: Keys of `info` to count, the first that is there.
        verbose: As for SB3's callbacks.

    Attributes:
        performance: The averages.
    """

    def __init__(
        self,
        anchors: tuple[float, float] | None = None,
        window: int = 100,
        keys: Sequence[str] = TASK_REWARD_KEYS,
        verbose: int = 0,
    ) -> None:
        super().__init__(verbose)
        self.keys = tuple(keys)
        self.performance = Performance(anchors, window)
        self._returns = np.zeros(0)

    @property
    def progress(self) -> NDArray[np.float32]:
        """[R, eta], (2,) float32, in [-1, 1]."""
        return self.performance.progress

    def _on_training_start(self) -> None:
        self._returns = np.zeros(self.training_env.num_envs)
        if self.performance.anchors is None:
            self.performance.anchors = self._declared()

    def _declared(self) -> tuple[float, float] | None:
        if not self.training_env.has_attr("reference_returns"):
            return None
        low, high = self.training_env.get_attr("reference_returns", 0)[0]
        return float(low), float(high)

    def _on_step(self) -> bool:
        infos, rewards = self.locals["infos"], self.locals["rewards"]
        for number, (info, done) in enumerate(zip(infos, self.locals["dones"], strict=True)):
            key = next((each for each in self.keys if each in info), None)
            self._returns[number] += rewards[number] if key is None else info[key]
            if not done:
                continue
            if "executor_error" not in info:
                success = info.get("is_success")
                self.performance.add(float(self._returns[number]), None if success is None else float(success))
            self._returns[number] = 0.0
        return True
