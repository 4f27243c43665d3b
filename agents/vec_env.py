"""Stable-Baselines3's VecEnv over a Gymnasium vector environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from stable_baselines3.common.env_util import is_wrapped
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvObs, VecEnvStepReturn

__all__ = ["VectorEnvAdapter"]


class VectorEnvAdapter(VecEnv):
    """A Gymnasium `VectorEnv` with autoreset mode SAME_STEP, as SB3 wants it.

    Episode return and length are reported in `info["episode"]`, as SB3's Monitor does.

    Args:
        env: The vector environment.

    Raises:
        ValueError: If its autoreset mode is another one.
    """

    def __init__(self, env: VectorEnv) -> None:
        mode = env.metadata.get("autoreset_mode")
        if mode is not AutoresetMode.SAME_STEP:
            raise ValueError(
                f"SB3 resets within the step: make the vector environment with autoreset_mode=SAME_STEP, not {mode}."
            )
        self.env = env
        self.render_mode = env.render_mode
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)
        self._actions = np.zeros(env.num_envs, np.int64)
        self._returns = np.zeros(env.num_envs)
        self._lengths = np.zeros(env.num_envs, np.int64)

    def reset(self) -> VecEnvObs:
        """Start every episode, with the seeds and options set before."""
        seed: Any = None if all(each is None for each in self._seeds) else self._seeds
        options = self._options[0] if any(self._options) else None
        observations, infos = self.env.reset(seed=seed, options=options)
        self.reset_infos = [_of(infos, number) for number in range(self.num_envs)]
        self._reset_seeds()
        self._reset_options()
        self._returns[:] = 0
        self._lengths[:] = 0
        return observations

    def step_async(self, actions: np.ndarray) -> None:
        """Remember the actions; `step_wait` takes them."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Take the step."""
        observations, rewards, terminated, truncated, infos = self.env.step(self._actions)
        dones = terminated | truncated
        self._returns += rewards
        self._lengths += 1
        each = [
            self._info(infos, number, bool(dones[number]), bool(terminated[number])) for number in range(self.num_envs)
        ]
        self._returns[dones] = 0
        self._lengths[dones] = 0
        return observations, rewards.astype(np.float32), dones, each

    def _info(self, infos: dict[str, Any], number: int, done: bool, terminated: bool) -> dict[str, Any]:
        single = _of(infos, number)
        if not done:
            return single | {"TimeLimit.truncated": False}
        self.reset_infos[number] = single
        info = _of(infos["final_info"], number)
        info["terminal_observation"] = infos["final_obs"][number]
        info["TimeLimit.truncated"] = not terminated
        info["episode"] = {"r": float(self._returns[number]), "l": int(self._lengths[number]), "t": 0.0}
        return info

    def close(self) -> None:
        """Close the vector environment."""
        self.env.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """An attribute of the single environments."""
        return [env.get_wrapper_attr(attr_name) for env in self._single(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of the single environments."""
        for env in self._single(indices):
            setattr(env, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any) -> list[Any]:
        """Call a method of the single environments."""
        return [env.get_wrapper_attr(method_name)(*args, **kwargs) for env in self._single(indices)]

    def env_is_wrapped(self, wrapper_class: type, indices: VecEnvIndices = None) -> list[bool]:
        """Whether the single environments are wrapped in such a wrapper; those of the native vector never are."""
        return [is_wrapped(env, wrapper_class) for env in self._single(indices)]

    def _single(self, indices: VecEnvIndices) -> Sequence[Any]:
        envs: Sequence[Any] = self.env.envs  # type: ignore[attr-defined]
        return [envs[number] for number in self._get_indices(indices)]


def _of(infos: dict[str, Any], number: int) -> dict[str, Any]:
    """The entries of one environment in a vector environment's infos."""
    single: dict[str, Any] = {}
    for key, value in infos.items():
        if key.startswith("_") or key in ("final_obs", "final_info") or not infos.get(f"_{key}", _ALL)[number]:
            continue
        single[key] = _of(value, number) if isinstance(value, dict) else value[number]
    return single


class _All:
    def __getitem__(self, _: int) -> bool:
        return True


_ALL: Any = _All()
