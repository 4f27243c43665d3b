"""The observation that every environment shares: one policy can learn in all of them.

Sequences of token ids (`code_envs.syntax.tokens`) for code and text, a few figures of feedback, and one row per
action that says what the action does. What a column means is told on the page of each environment.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from code_envs.syntax.candidates import CANDIDATE_WIDTH
from code_envs.syntax.tokens import VOCABULARY_SIZE

__all__ = ["FEEDBACK", "SCORES", "Observation", "ids", "observation_space", "padded", "unit"]

# The first column of `candidates` says what kind of action a row is. Edits have 1 to 23 (`syntax.rewrite.Operator`);
# every other family of actions begins at a number of its own, so that one policy can act in several environments.
FIRST_WRITING, FIRST_GRAMMAR, FIRST_SEARCH, FIRST_SQL, FIRST_TRANSFORMATION, FIRST_TOKEN_EDIT = 32, 48, 64, 72, 80, 104
LAST_KIND = 127

Observation = dict[str, NDArray[Any]]
SCORES = 8
"""Columns of `candidate_scores`."""
FEEDBACK = 12
"""Entries of `feedback`."""


def observation_space(
    actions: int, code_tokens: int, text_tokens: int, **more: gymnasium.spaces.Box
) -> gymnasium.spaces.Dict:
    """The space of an environment with so many actions.

    Args:
        actions: Number of actions A.
        code_tokens: Length T of `code`.
        text_tokens: Length M of `text`.
        more: What the environment shows beside.
    """
    return gymnasium.spaces.Dict(
        {
            "code": ids(code_tokens),
            "text": ids(text_tokens),
            "feedback": unit(FEEDBACK),
            "candidates": ids(actions, CANDIDATE_WIDTH),
            "candidate_scores": unit(actions, SCORES),
            "action_mask": gymnasium.spaces.Box(0, 1, (actions,), np.int8),
            **more,
        }
    )


def ids(*shape: int) -> gymnasium.spaces.Box:
    """Token ids, int32."""
    return gymnasium.spaces.Box(0, VOCABULARY_SIZE - 1, shape, np.int32)


def unit(*shape: int) -> gymnasium.spaces.Box:
    """Numbers from 0 to 1, float32."""
    return gymnasium.spaces.Box(0, 1, shape, np.float32)


def padded(tokens: Sequence[int] | NDArray[np.int32], length: int) -> NDArray[np.int32]:
    """The first token ids of a sequence, then zeros, (length,) int32."""
    row = np.zeros(length, np.int32)
    first = tokens[:length]
    row[: len(first)] = first
    return row
