"""How near an encoder finds the text and each function of a pool, beside the scores of BM25."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

from code_envs.envs.search import CodeSearchEnv
from code_envs.errors import ConfigurationError
from wrappers.task_card import card_of

__all__ = ["EncoderScores"]

Info = dict[str, Any]
KEY = "pool_scores"


class EncoderScores(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Add a column to `pool_scores` of CodeSearch: how near each function is to the text, against the nearest of all.

    | key | shape | dtype | range | meaning |
    |---|---|---|---|---|
    | `pool_scores` | (K, S + 1) | float32 | [0, 1] | the S columns that were there, and the nearness |

    The nearness is exp((cosine - highest cosine of the pool) / temperature), for cosines of one pool lie close
    together: the nearest function has 1, and what is much farther about 0, as with the other scores.

    A function that is hidden (`inspect=True`) is judged by its name, until it is opened. The vectors are asked for in
    each step, so `embed` should remember them, as `agents.sentence_encoder.SentenceEncoder.embed` does.

    Args:
        env: CodeSearch, in any wrappers.
        embed: From N texts to their vectors, (N, D) float32, each of length 1.
        temperature: Above 0.

    Raises:
        ConfigurationError: If it is another environment, or vectors or temperature are not as described.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        embed: Callable[[Sequence[str]], NDArray[np.float32]],
        temperature: float = 0.1,
    ) -> None:
        # not copied: `embed` may be an encoder with what it remembers, and every environment has this wrapper
        RecordConstructorArgs.__init__(self, _disable_deepcopy=True, embed=embed, temperature=temperature)
        gymnasium.Wrapper.__init__(self, env)
        base, space = env.unwrapped, env.observation_space
        if not isinstance(base, CodeSearchEnv) or not isinstance(space, gymnasium.spaces.Dict):
            raise ConfigurationError(f"EncoderScores needs CodeSearch, which has a pool; got {type(base).__name__}.")
        if not temperature > 0:
            raise ConfigurationError(f"temperature must be above 0, got {temperature!r}.")
        self._base, self.embed, self.temperature = base, embed, temperature
        there = space[KEY].shape if KEY in space.spaces else (base.pool_size, 0)
        assert there is not None
        scores = gymnasium.spaces.Box(0, 1, (there[0], there[1] + 1), np.float32)
        self.observation_space = gymnasium.spaces.Dict({**space.spaces, KEY: scores})

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Info]:
        """Start an episode."""
        observation, info = self.env.reset(seed=seed, options=options)
        return self._scored(observation, info), info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, Info]:
        """Take an action."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        return self._scored(observation, info), reward, terminated, truncated, info

    def _scored(self, observation: Any, info: Info) -> Any:
        text = card_of("CodeSearch", self._base.tasks[info["task_id"]]).description
        vectors = np.asarray(self.embed([text, *self._base.seen_functions()]), np.float32)
        if vectors.ndim != 2 or len(vectors) != 1 + self._base.pool_size or not np.isfinite(vectors).all():
            raise ConfigurationError(
                f"embed(texts) must give a finite vector for each of the {1 + self._base.pool_size} texts; got an "
                f"array of shape {vectors.shape}."
            )
        cosines = vectors[1:] @ vectors[0]
        scores = np.exp((cosines - cosines.max()) / self.temperature).astype(np.float32)[:, None]
        before = [observation[KEY]] if KEY in observation else []
        return {**observation, KEY: np.concatenate([*before, scores], 1)}
