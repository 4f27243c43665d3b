"""Token ids of another tokenizer in the observation, such as those that a pretrained encoder reads."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

from code_envs.envs.base import CodeEnv
from code_envs.envs.search import CodeSearchEnv
from code_envs.errors import ConfigurationError
from wrappers.task_card import card_of, family_of

__all__ = ["TokenIds"]

Info = dict[str, Any]
KEYS = ("code", "text", "pool")
REMEMBERED = 16384


class TokenIds(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Replace rows of token ids in the observation by those that another tokenizer makes of the same text.

    | key | shape | dtype | range | the ids of |
    |---|---|---|---|---|
    | `code` | (L,) | int32 | [0, vocabulary) | `info["program"]` |
    | `text` | (L,) | int32 | [0, vocabulary) | the task's description |
    | `pool` | (K, L) | int32 | [0, vocabulary) | CodeSearch: what is seen of each function of the pool |

    `agents.pretrained_encoder.HuggingFaceEncoder` has an `ids` and a `vocabulary` that fit. Wrap twice for keys of
    different lengths. Rows of texts that were seen are remembered.

    Args:
        env: An environment of Code Envs, in any wrappers that keep its `info`.
        ids: From N texts to padded rows of ids, (N, L) of integers; L is always the same.
        vocabulary: Number of ids.
        keys: The keys to replace. None: those of the three that the observation has.

    Raises:
        ConfigurationError: If the environment has no such key, or the rows are not as described.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        ids: Callable[[Sequence[str]], Any],
        vocabulary: int,
        keys: Sequence[str] | None = None,
    ) -> None:
        # not copied: `ids` may belong to a large model
        RecordConstructorArgs.__init__(self, _disable_deepcopy=True, ids=ids, vocabulary=vocabulary, keys=keys)
        gymnasium.Wrapper.__init__(self, env)
        self._family = family_of(env)
        space = env.observation_space
        assert isinstance(space, gymnasium.spaces.Dict)  # family_of
        known = [key for key in KEYS if key in space.spaces]
        if keys is not None and (isinstance(keys, str) or not keys or set(keys) - set(known)):
            raise ConfigurationError(f"keys must be some of {known}, which this environment shows; got {keys!r}.")
        self.ids, self.vocabulary = ids, vocabulary
        self.keys = tuple(known if keys is None else dict.fromkeys(keys))
        self._row = functools.lru_cache(REMEMBERED)(self._made)
        length = len(self._row(""))
        changed = {key: _rows(space[key], length, vocabulary) for key in self.keys}
        self.observation_space = gymnasium.spaces.Dict({**space.spaces, **changed})

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Info]:
        """Start an episode."""
        observation, info = self.env.reset(seed=seed, options=options)
        return self._shown(observation, info), info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, Info]:
        """Take an action."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        return self._shown(observation, info), reward, terminated, truncated, info

    def _shown(self, observation: Any, info: Info) -> Any:
        return {**observation, **{key: self._of(key, info) for key in self.keys}}

    def _of(self, key: str, info: Info) -> NDArray[np.int32]:
        base = self.env.unwrapped
        if key == "code":
            return self._row(info["program"]).copy()
        if key == "text":
            assert isinstance(base, CodeEnv)
            return self._row(card_of(self._family, base.tasks[info["task_id"]]).description).copy()
        assert isinstance(base, CodeSearchEnv)  # the only one with a pool
        return np.stack([self._row(each) for each in base.seen_functions()])

    def _made(self, text: str) -> NDArray[np.int32]:
        rows = np.asarray(self.ids([text]))
        if rows.ndim != 2 or len(rows) != 1 or not np.issubdtype(rows.dtype, np.integer):
            raise ConfigurationError(f"ids(texts) must give rows of integers, (1, L) of one text; got {rows!r:.200}.")
        if text and rows.shape[1] != len(self._row("")):
            raise ConfigurationError(
                f"ids(texts) must give rows of one length; got {rows.shape[1]} after {len(self._row(''))}."
            )
        if rows.min(initial=0) < 0 or rows.max(initial=0) >= self.vocabulary:
            raise ConfigurationError(
                f"ids(texts) must be in [0, vocabulary={self.vocabulary}); got {rows.min()} to {rows.max()}."
            )
        return rows[0].astype(np.int32)


def _rows(space: gymnasium.Space[Any], length: int, vocabulary: int) -> gymnasium.spaces.Box:
    """The space of a key's new rows."""
    assert space.shape is not None
    return gymnasium.spaces.Box(0, vocabulary - 1, (*space.shape[:-1], length), np.int32)
