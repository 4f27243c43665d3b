"""Continuous actions for environments that offer a list of candidates.

Action k of an environment means another thing at every step, so its number is nothing that SAC or TD3 could learn
to move. What an action does is told by its row in the observation. `LatentAction` gives each row a fixed place in a
cube, and an action is a point of the cube: it stands for the valid candidate that is nearest.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

from code_envs.errors import ConfigurationError

__all__ = ["Embedding", "LatentAction"]

KEYS = ("candidates", "candidate_scores", "action_mask")
POSITION = 3
KIND_WEIGHTS = (1.0, 0.5, 0.5)
POSITION_WEIGHT, TOKEN_WEIGHT, SCORE_WEIGHT = 0.25, 0.3, 0.5
POSITION_SCALE = 64.0

Words = NDArray[np.uint64]


class Embedding:
    """A fixed place in [-1, 1]^dimensions for each candidate: tanh of a weighted sum over its columns.

    Every value of a column has a direction of its own, drawn by hashing column and value (splitmix64), so it is the
    same on every machine and for ever. Kind of action weighs 1, node kind and role 0.5 each, each token id 0.3
    (0, which pads, nothing); the token position, squashed, moves along one direction with weight 0.25, and each
    score along its own with weight 0.5. Rows that are alike in kind and tokens are near each other.

    Args:
        dimensions: Number of dimensions D.
        columns: Columns C of `candidates`.
        vocabulary: Number of values of a column V.
        scores: Columns S of `candidate_scores`.
    """

    def __init__(self, dimensions: int, columns: int, vocabulary: int, scores: int) -> None:
        weights = np.full(columns, TOKEN_WEIGHT)
        weights[: len(KIND_WEIGHTS)] = KIND_WEIGHTS
        table = _directions(columns, vocabulary, dimensions) * weights[:, None, None]
        table[POSITION] = 0
        table[POSITION + 1 :, 0] = 0
        self._table = table.astype(np.float32)  # (C, V, D)
        self._columns = np.arange(columns)
        lines = _directions(scores + 1, 1, dimensions, start=columns)[:, 0]
        self._scores = (SCORE_WEIGHT * lines[:-1]).astype(np.float32)  # (S, D)
        self._position = (POSITION_WEIGHT * lines[-1]).astype(np.float32)  # (D,)

    def __call__(self, rows: NDArray[np.int32], scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Places of candidates.

        Args:
            rows: Their rows in `candidates`, (N, C) int32.
            scores: Their rows in `candidate_scores`, (N, S) float32.

        Returns:
            Places, (N, D) float32.
        """
        total = self._table[self._columns, rows].sum(1)  # (N, D)
        total += scores @ self._scores
        total += np.tanh(rows[:, POSITION, None].astype(np.float32) / POSITION_SCALE) * self._position
        return np.tanh(total)


def _directions(columns: int, values: int, dimensions: int, start: int = 0) -> NDArray[np.float64]:
    """Numbers in [-1, 1) by hash of column, value and dimension, (columns, values, dimensions)."""
    column, value, dimension = np.ogrid[start : start + columns, :values, :dimensions]
    word = (column << 40) + (value << 8) + dimension
    return (_splitmix64(word.astype(np.uint64)) >> np.uint64(11)) / 2.0**52 - 1


def _splitmix64(word: Words) -> Words:
    """The finaliser of splitmix64 (Steele, Lea and Flood, 2014)."""
    word = word + np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


class LatentAction(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Act by a point in a cube: the nearest valid candidate is taken, so no action is ever invalid.

    Distances are Euclidean, between the action and the places that `Embedding` gives; of candidates at the same
    place the first is taken. `info["action"]` is the number of the action that was taken.

    Args:
        env: An environment with `Discrete` actions, whose observation has `candidates`, `candidate_scores` and
            `action_mask`. Wrappers that take these keys away come around this one.
        dimensions: Number of dimensions of the cube.

    Raises:
        ConfigurationError: If the environment has other actions, or a key is missing.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], dimensions: int = 8) -> None:
        RecordConstructorArgs.__init__(self, dimensions=dimensions)
        gymnasium.Wrapper.__init__(self, env)
        if not 1 <= dimensions <= 256:
            raise ConfigurationError(f"dimensions must be in [1, 256], got {dimensions}.")
        space = env.observation_space
        if not isinstance(env.action_space, gymnasium.spaces.Discrete) or not isinstance(space, gymnasium.spaces.Dict):
            raise ConfigurationError(
                f"LatentAction needs Discrete actions and a Dict observation, not {env.action_space} and {space}."
            )
        missing = [key for key in KEYS if key not in space.spaces]
        if missing:
            raise ConfigurationError(
                f"LatentAction needs the observation keys {KEYS}; {missing} are missing. Wrap it at once around the "
                "environment, and the wrappers that take keys away around it."
            )
        rows: Any = space["candidates"]
        scores: Any = space["candidate_scores"]
        self.action_space = gymnasium.spaces.Box(-1, 1, (dimensions,), np.float32)
        self._embedding = Embedding(dimensions, rows.shape[1], int(rows.high.max()) + 1, scores.shape[1])
        self._valid = np.zeros(0, np.int64)
        self._places = np.zeros((0, dimensions), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode; `info["action"]` is -1."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._look(observation)
        return observation, {**info, "action": -1}

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take the valid candidate that is nearest to a point.

        Args:
            action: The point, (dimensions,) float32; a point outside of the cube is as good.

        Raises:
            ConfigurationError: If it has another shape or is not finite.
        """
        number = self.nearest(action)
        observation, reward, terminated, truncated, info = self.env.step(np.int64(number))
        self._look(observation)
        return observation, reward, terminated, truncated, {**info, "action": number}

    def nearest(self, action: Any) -> int:
        """The number of the valid candidate that is nearest to a point; see `step`."""
        point = np.asarray(action, np.float32)
        if point.shape != self.action_space.shape or not np.isfinite(point).all():
            raise ConfigurationError(f"Expected a finite point of {self.action_space}, got {action!r:.200}.")
        if not len(self._valid):
            raise ConfigurationError("No candidate is valid: call reset() before step().")
        return int(self._valid[np.square(self._places - point).sum(1).argmin()])

    def _look(self, observation: Any) -> None:
        self._valid = np.flatnonzero(observation["action_mask"])
        self._places = self._embedding(
            observation["candidates"][self._valid], observation["candidate_scores"][self._valid]
        )
