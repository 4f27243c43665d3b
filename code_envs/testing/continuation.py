"""Does an episode go on as if nothing had happened: restored, restored in another process, forked?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np

from code_envs.canonical import digest
from code_envs.envs.base import CodeEnv
from code_envs.testing.evidence import canonical, difference, in_fresh_process

__all__ = ["check_continuation", "continuation", "continuation_of"]

BEFORE = 4
"""Steps before the snapshot, as far as the episode lasts."""

AnyEnv = gymnasium.Env[Any, Any]


def check_continuation(env: AnyEnv, seed: int, steps: int, made_from: tuple[str, Mapping[str, Any]] | None) -> None:
    """Check `snapshot`, `restore` and `fork` of an environment of Code Envs; of another there is nothing to check.

    Args:
        env: The environment, wrapped or not; its base is stepped.
        seed: Seed of the walk.
        steps: Steps that are compared.
        made_from: Id and arguments, for a fresh process to make it again; None leaves that out.

    Raises:
        AssertionError: If an episode goes on in another way; the message says where.
    """
    base = env.unwrapped
    if not isinstance(base, CodeEnv):
        return
    moment = _walk_to_the_middle(base, seed)
    data = base.snapshot()
    _check_fork(base, data, seed, steps)
    here = continuation(base, seed, steps)
    _same(moment, canonical(list(base.restore(data))), "Expected restore() to give the moment of the snapshot")
    _same(here, continuation(base, seed, steps), "Expected a restored episode to go on as it did")
    if made_from is not None:
        environment, kwargs = made_from
        function = f"{__name__}:continuation_of"
        there = in_fresh_process(function, environment, dict(kwargs), data.decode(), seed, steps)
        _same(here, there, "Expected an episode restored in a fresh process to go on as it did here")


def _same(first: Any, second: Any, what: str) -> None:
    found = difference(first, second)
    if found:
        raise AssertionError(f"{what}; at {found}.")


def _walk_to_the_middle(env: CodeEnv[Any], seed: int) -> Any:
    """Steps without an end; returns the observation and info after them, canonical."""
    for length in range(BEFORE, -1, -1):
        random = np.random.default_rng(seed)
        env.action_space.seed(seed)
        moment: Any = env.reset(seed=seed)
        for _ in range(length):
            observation, _, terminated, truncated, info = env.step(_draw(env, random))
            if terminated or truncated:
                break
            moment = observation, info
        else:
            return canonical(list(moment))
    raise AssertionError("Unreachable: no step at all is always possible.")


def _check_fork(env: CodeEnv[Any], data: bytes, seed: int, steps: int) -> None:
    """A fork goes on as its origin does, and neither changes the other."""
    before = digest(_sight(env))
    twin = env.fork()
    there = continuation(twin, seed, steps)
    if env.snapshot() != data or digest(_sight(env)) != before:
        raise AssertionError("Expected steps of a fork to leave its origin as it was; the origin changed.")
    other = env.fork()
    origin = continuation(env, seed, steps)
    _same(origin, there, "Expected a fork to go on as its origin does")
    _same(origin, continuation(other, seed, steps), "Expected steps of the origin to leave a fork as it was")
    env.restore(data)


def _sight(env: CodeEnv[Any]) -> Any:
    """What the state shows without a step."""
    masks = getattr(env, "action_masks", None)
    return [env.state is not None and env.state.over, None if masks is None else masks()]


def _draw(env: Any, random: np.random.Generator) -> Any:
    if not hasattr(env, "action_masks") or not isinstance(env.action_space, gymnasium.spaces.Discrete):
        return env.action_space.sample()
    return np.int64(random.choice(np.flatnonzero(env.action_masks())))


def continuation(env: Any, seed: int, steps: int) -> list[Any]:
    """What random valid actions give from here on, the next episodes included; canonical."""
    random = np.random.default_rng(seed + 1)
    env.action_space.seed(seed + 1)
    record = []
    for number in range(1, steps + 1):
        transition = env.step(_draw(env, random))
        record.append(canonical(list(transition)))
        if transition[2] or transition[3] or number == steps:
            record.append(canonical(list(env.reset())))
    return record


def continuation_of(environment: str, kwargs: dict[str, Any], data: str, seed: int, steps: int) -> list[Any]:
    """`continuation` of a registered id from a snapshot; what the fresh process calls."""
    env: Any = gymnasium.make(environment, **kwargs)
    try:
        env.unwrapped.restore(data.encode())
        return continuation(env.unwrapped, seed, steps)
    finally:
        env.close()
