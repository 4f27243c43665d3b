"""`check_vector_env`: is a native vector environment the same as Gymnasium's SyncVectorEnv over single ones?"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

from code_envs.testing.evidence import canonical, difference

__all__ = ["check_vector_env"]

AFTER = 3
"""Steps after the first end: what follows is compared as well."""

AnyVectorEnv = VectorEnv[Any, Any, Any]


def check_vector_env(
    environment: str, num_envs: int = 3, seed: int = 0, steps: int = 40, most: int = 800, **kwargs: Any
) -> None:
    """Check the native vector environment of an id in each of Gymnasium's three autoreset modes.

    Random valid actions are given to it and to a `SyncVectorEnv` of single environments; observations, rewards,
    ends and infos must be the same, key by key. In mode DISABLED finished episodes are started by a mask.

    Args:
        environment: A registered id.
        num_envs: Number of episodes.
        seed: Seed of the first reset and of the actions.
        steps: Number of steps in each mode; more are taken until an episode has ended.
        most: Number of steps within which an episode must end.
        **kwargs: Arguments of the environment; a small budget makes episodes end sooner.

    Raises:
        AssertionError: If the two differ or no episode ended; the message says in which mode, where and how.
    """
    for mode in AutoresetMode:
        native = gymnasium.make_vec(environment, num_envs=num_envs, autoreset_mode=mode, **kwargs)
        sync = SyncVectorEnv([lambda: gymnasium.make(environment, **kwargs)] * num_envs, autoreset_mode=mode)
        try:
            _check_declared(native, sync, mode)
            ended = _check_walk(native, sync, seed, (steps, most), mode)
        finally:
            native.close()
            sync.close()
        if not ended:
            raise AssertionError(
                f"Expected an episode to end within {most} steps in mode {mode.name}, so that autoreset is seen; none "
                "did. Ask for more steps, or for a smaller budget by the environment's arguments."
            )


def _check_declared(native: AnyVectorEnv, sync: AnyVectorEnv, mode: AutoresetMode) -> None:
    for name in ("num_envs", "single_observation_space", "single_action_space", "observation_space", "action_space"):
        ours, theirs = getattr(native, name), getattr(sync, name)
        if ours != theirs:
            raise AssertionError(f"Expected {name} of the vector environment to be {theirs}, got {ours}.")
    found = native.metadata.get("autoreset_mode")
    if found is not mode:
        raise AssertionError(f"Expected metadata['autoreset_mode'] to be {mode}, got {found!r}.")


def _check_walk(
    native: AnyVectorEnv, sync: AnyVectorEnv, seed: int, lengths: tuple[int, int], mode: AutoresetMode
) -> int:
    """A walk of at least and at most so many steps; returns the number of episodes that ended."""
    random = np.random.default_rng(seed)
    native.action_space.seed(seed)
    ours: tuple[Any, ...] = native.reset(seed=seed)
    _same(ours, sync.reset(seed=seed), f"the reset in mode {mode.name}")
    ended = 0
    steps, most = lengths
    for number in range(1, most + AFTER + 1):
        if number > (steps if ended else most):
            break
        actions = _draw(native, ours[0], random)
        where = f"step {number} in mode {mode.name}"
        ours, theirs = native.step(actions), sync.step(actions)
        _same(ours, theirs, where)
        over = theirs[2] | theirs[3]
        if over.any() and not ended:
            steps = max(steps, number + AFTER)
        ended += int(over.sum())
        if mode is AutoresetMode.DISABLED and over.any():
            ours = native.reset(options={"reset_mask": over.copy()})
            _same(ours, sync.reset(options={"reset_mask": over.copy()}), f"the masked reset after {where}")
    return ended


_PARTS = ("observation", "reward", "terminated", "truncated", "info")


def _same(ours: tuple[Any, ...], theirs: tuple[Any, ...], where: str) -> None:
    names = _PARTS if len(ours) == len(_PARTS) else ("observation", "info")
    for name, mine, other in zip(names, ours, theirs, strict=True):
        found = difference(canonical(other), canonical(mine), name)
        if found:
            raise AssertionError(f"Expected what SyncVectorEnv gives at {where}, got another {found}.")


def _draw(env: AnyVectorEnv, observation: Any, random: np.random.Generator) -> Any:
    """Random actions, valid ones where the observation has a mask."""
    masks = observation.get("action_mask") if isinstance(observation, dict) else None
    if masks is None:
        return env.action_space.sample()
    return np.array([random.choice(np.flatnonzero(mask)) if mask.any() else 0 for mask in masks], np.int64)
