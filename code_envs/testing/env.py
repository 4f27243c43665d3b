"""`check_env`: does an environment keep Gymnasium's contract, SB3's, and ours?"""

from __future__ import annotations

import importlib.util
import math
import warnings
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import env_checker
from numpy.typing import NDArray

from code_envs.errors import ConfigurationError
from code_envs.events import EVENTS
from code_envs.testing.continuation import check_continuation
from code_envs.testing.evidence import canonical, difference, in_fresh_process
from code_envs.testing.page import check_page, measurements_documented

__all__ = ["check_env", "rollout", "rollout_of"]

INFO_KEYS = {"task_id", "program", "outcome", "measurements", "events", "vector_reward"}
END_KEYS = {"held_out", "is_success"}
EPISODE = 10
MASKED_EVERY = 5
ROUNDING = 1e-6

AnyEnv = gymnasium.Env[Any, Any]


def check_env(
    env: str | AnyEnv, seed: int = 0, walks: int = 3, steps: int = 30, kwargs: Mapping[str, Any] | None = None
) -> None:
    """Check an environment.

    The checks: Gymnasium's and (where installed) Stable-Baselines3's own checkers without a warning; that the class
    docstring is a complete page (`code_envs.testing.page`); on random walks that observations lie in their space,
    rewards in their range, that `info` has its documented keys, that measurements are the same finite floats at
    every step and on the page, and that masks are sound; that the same seed gives the same rollout, `info`
    included, on the same instance and, for an id, in a fresh process; that an episode goes on as it did when it is
    restored, here and, for an id, in a fresh process, or forked; for an id also that its spec survives JSON.

    Args:
        env: A registered id ("module:Id-v0" for one that another module registers), or an environment, which is
            stepped and left open.
        seed: Seed of the walks.
        walks: Number of random walks, of one or more episodes each.
        steps: Length of each walk and of each compared rollout.
        kwargs: Arguments for `gymnasium.make` of an id, JSON values, such as `{"executor": "docker"}`.

    Raises:
        AssertionError: If a check fails; the message names what was expected and what came.
    """
    if not isinstance(env, str):
        if kwargs is not None:
            raise ConfigurationError("kwargs are for an id; an environment that was made has its arguments.")
        _check_instance(env, seed, walks, steps)
        check_continuation(env, seed, steps, None)
        return
    kwargs = dict(kwargs or {})
    made = gymnasium.make(env, **kwargs)
    try:
        _check_spec(made)
        _check_instance(made, seed, walks, steps)
        check_continuation(made, seed, steps, (env, kwargs))
        here = rollout(made, seed, steps)
    finally:
        made.close()
    there = in_fresh_process(f"{__name__}:rollout_of", env, seed, steps, kwargs)
    _same(here, there, f"Seed {seed} gave another rollout of {env!r} in a fresh process")


def _check_instance(env: AnyEnv, seed: int, walks: int, steps: int) -> None:
    check_page(env)
    _check_by_gymnasium(env)
    _check_by_sb3(env)
    for walk in range(walks):
        _check_walk(env, seed + walk, steps)
    first = rollout(env, seed, steps)
    _same(first, rollout(env, seed, steps), f"Seed {seed} gave another rollout the second time")


def _same(first: Any, second: Any, what: str) -> None:
    found = difference(first, second)
    if found:
        raise AssertionError(f"{what}; at {found}.")


def _check_spec(env: AnyEnv) -> None:
    spec = env.spec
    if spec is None:
        raise AssertionError("Expected an environment made from an id to have a spec; it has none.")
    again = gymnasium.envs.registration.EnvSpec.from_json(spec.to_json())
    if again != spec:
        raise AssertionError(f"Expected the spec to survive JSON; {spec} came back as {again}.")


def _check_by_gymnasium(env: AnyEnv) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            env_checker.check_env(env.unwrapped, skip_render_check=env.unwrapped.spec is None)
        except UserWarning as warning:
            raise AssertionError(f"Expected Gymnasium's check_env to be silent; it warned: {warning}") from warning


def _check_by_sb3(env: AnyEnv) -> None:
    if importlib.util.find_spec("stable_baselines3") is None:
        return
    from stable_baselines3.common import env_checker as sb3

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # SB3 takes every array of two or three axes for a picture; ours are tables for our own extractor
        warnings.filterwarnings("ignore", message=".*(unconventional shape|image)", category=UserWarning)
        try:
            sb3.check_env(env, skip_render_check=True)
        except UserWarning as warning:
            raise AssertionError(f"Expected SB3's check_env to be silent; it warned: {warning}") from warning


# random walks -------------------------------------------------------------------------------------


def _check_walk(env: AnyEnv, seed: int, steps: int) -> None:
    random = np.random.default_rng(seed)
    env.action_space.seed(seed)
    observation, info = env.reset(seed=seed)
    _check_observation(env, observation)
    _check_info(info, INFO_KEYS, f"reset with seed {seed}")
    documented = measurements_documented(env)
    names = _check_measurements(info, None, documented, f"reset with seed {seed}")
    for number in range(steps):
        mask = _mask(env, observation)
        masked = mask is not None and not mask.all() and number % MASKED_EVERY == MASKED_EVERY - 1
        action = _draw(env, random, mask, masked)
        before = info
        observation, reward, terminated, truncated, info = env.step(action)
        where = f"step {number + 1} of the walk with seed {seed}, action {action}"
        over = _check_flags(terminated, truncated, where)
        _check_observation(env, observation)
        _check_info(info, INFO_KEYS | (END_KEYS if over and "executor_error" not in info else set()), where)
        _check_measurements(info, names, documented, where)
        _check_reward(env, reward, info, where)
        if mask is not None:
            _check_validity(masked, before, info, where)
        if over:
            observation, info = env.reset()
            _check_observation(env, observation)
            _check_info(info, INFO_KEYS, f"the reset after {where}")


def _check_observation(env: AnyEnv, observation: Any) -> None:
    space = env.observation_space
    if space.contains(observation):
        return
    if isinstance(space, gymnasium.spaces.Dict) and isinstance(observation, dict):
        wrong = [key for key in space if key not in observation or not space[key].contains(observation[key])]
        wrong += sorted(observation.keys() - set(space))
        details = "; ".join(f"{key!r} is {canonical(observation.get(key))}" for key in wrong)
        raise AssertionError(f"Expected an observation of {space}; wrong in {details}.")
    raise AssertionError(f"Expected an observation of {space}, got {observation!r}.")


def _check_info(info: dict[str, Any], keys: set[str], where: str) -> None:
    missing = keys - info.keys()
    if missing:
        raise AssertionError(f"Expected info to have {sorted(missing)} after {where}; it has {sorted(info)}.")
    unknown = set(info["events"]) - EVENTS.keys()
    if unknown:
        raise AssertionError(f"Expected events of code_envs.events.EVENTS after {where}; got {sorted(unknown)} too.")


def _check_measurements(info: dict[str, Any], names: list[str] | None, documented: set[str], where: str) -> list[str]:
    """Finite floats, the same ones at every step, each on the page; returns their names."""
    found = info["measurements"]
    wrong = {name: value for name, value in found.items() if type(value) is not float or not math.isfinite(value)}
    if wrong:
        raise AssertionError(f"Expected finite floats as measurements after {where}, got {wrong}.")
    if names is not None and list(found) != names:
        raise AssertionError(f"Expected the measurements {names} at every step; after {where} they are {list(found)}.")
    missing = sorted(found.keys() - documented)
    if missing:
        raise AssertionError(f"Expected the measurements {missing} to be named under 'Information' on the page.")
    return list(found)


def _check_flags(terminated: Any, truncated: Any, where: str) -> bool:
    if type(terminated) is not bool or type(truncated) is not bool:
        raise AssertionError(f"Expected two bools after {where}, got {terminated!r} and {truncated!r}.")
    if terminated and truncated:
        raise AssertionError(f"Expected an episode to be terminated or truncated after {where}, not both.")
    return terminated or truncated


def _check_reward(env: AnyEnv, reward: Any, info: dict[str, Any], where: str) -> None:
    """The scalar reward against `reward_space`, whose terms the environment adds up."""
    if not isinstance(reward, (int, float)) or not math.isfinite(reward):
        raise AssertionError(f"Expected a finite number as reward after {where}, got {reward!r}.")
    space = getattr(env.unwrapped, "reward_space", None)
    if not isinstance(space, gymnasium.spaces.Box):
        raise AssertionError("Expected the environment to document its rewards in `reward_space`, a Box.")
    if not space.contains(info["vector_reward"]):
        raise AssertionError(f"Expected a vector reward of {space} after {where}, got {info['vector_reward']!r}.")
    if isinstance(env, gymnasium.RewardWrapper):
        return
    low, high = float(space.low.sum()) - ROUNDING, float(space.high.sum()) + ROUNDING
    if not low <= reward <= high:
        raise AssertionError(f"Expected a reward in [{low}, {high}] after {where}, got {reward!r}.")


def _check_validity(masked: bool, before: dict[str, Any], info: dict[str, Any], where: str) -> None:
    invalid = "invalid" in info["events"]
    if invalid and not masked:
        raise AssertionError(f"Expected a valid action to have an effect; the event 'invalid' came after {where}.")
    if masked and not invalid and "executor_error" not in info:
        raise AssertionError(f"Expected the event 'invalid' after a masked action; got {info['events']} after {where}.")
    if masked and before["program"] != info["program"]:
        raise AssertionError(f"Expected a masked action to change nothing; the program changed after {where}.")


def _mask(env: AnyEnv, observation: Any = None) -> NDArray[np.bool_] | None:
    """Valid actions; None where the environment has no mask. Also compares the two places it is given in."""
    if not hasattr(env.unwrapped, "action_masks") or not isinstance(env.action_space, gymnasium.spaces.Discrete):
        return None
    mask: NDArray[np.bool_] = env.unwrapped.action_masks()
    if mask.shape != (env.action_space.n,) or mask.dtype != np.bool_:
        raise AssertionError(f"Expected a mask ({env.action_space.n},) bool, got {mask.shape} {mask.dtype}.")
    if not mask.any():
        raise AssertionError("Expected at least one valid action while an episode runs; the mask has none.")
    shown = observation.get("action_mask") if isinstance(observation, dict) else None
    if shown is not None and not np.array_equal(mask, shown):
        raise AssertionError("Expected action_masks() and the observation's 'action_mask' to be the same; they differ.")
    return mask


def _draw(env: AnyEnv, random: np.random.Generator, mask: NDArray[np.bool_] | None, masked: bool = False) -> Any:
    if mask is None:
        return env.action_space.sample()
    return np.int64(random.choice(np.flatnonzero(mask != masked)))


def rollout(env: AnyEnv, seed: int, steps: int) -> list[Any]:
    """What a seed gives: every observation, reward, flag and info of random valid actions, canonical."""
    random = np.random.default_rng(seed)
    env.action_space.seed(seed)
    observation, info = env.reset(seed=seed)
    record = [canonical([observation, info])]
    for number in range(1, steps + 1):
        action = _draw(env, random, _mask(env))
        transition = env.step(action)
        record.append(canonical([action, *transition]))
        if transition[2] or transition[3] or number % EPISODE == 0:
            record.append(canonical(list(env.reset())))
    return record


def rollout_of(environment: str, seed: int, steps: int, kwargs: dict[str, Any]) -> list[Any]:
    """`rollout` of a registered id; what the fresh process calls."""
    env = gymnasium.make(environment, **kwargs)
    try:
        return rollout(env, seed, steps)
    finally:
        env.close()
