"""What an environment remembers of an episode, and what an action did in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from code_envs.envs.snapshot import Moment

__all__ = ["Episode", "Step"]

Info = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Episode:
    """What every environment remembers of an episode; each adds its own."""

    task: Any
    reward: float = 0.0
    over: bool = False
    ending: tuple[bool, Info] | None = None
    """Whether the episode terminated, and its last `info`, while its last job runs."""
    origin: Mapping[str, Any] = field(default_factory=dict)
    """State of `np_random` when the episode began, its task chosen."""
    history: list[Moment] = field(default_factory=list)
    """The start of the episode and each step so far."""


class Step(NamedTuple):
    """What an action did."""

    vector: NDArray[np.float32]
    """The terms of the reward, (K,) float32; the reward is their sum."""
    events: set[str]
    terminated: bool = False
    truncated: bool = False
