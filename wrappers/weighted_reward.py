"""A reward of weighted components, for any algorithm (DTERM, eq. 6, with an outer term that no weight touches)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

from code_envs.errors import ConfigurationError
from reward_machines import embedding as embeddings
from reward_machines import weighting as weightings
from reward_machines.components import Components
from reward_machines.embedding import TaskEmbedding
from reward_machines.weighting import Weighting
from wrappers.task_card import card_of, family_of

__all__ = ["WeightedReward"]

Info = dict[str, Any]
Vector = NDArray[np.float32]
HELD_OUT_SHARE = 0.5
END_KEYS = ("held_out", "is_success")


class WeightedReward(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Pay w_o * outer + (1 - w_o) * sum_i alpha_i R_i in place of the environment's reward.

    R_i is the change of component i since the last step, so its return is its last value minus its first, and a long
    episode earns no more than a short one. The outer metric is 0 until the episode ends and then half `held_out`, half
    `is_success`; weights do not touch it. The weights alpha are those of the task, fixed when the episode begins.

    `info` has, beside what it had:

    | key | type | range | meaning |
    |---|---|---|---|
    | `vector_reward` | (K,) float32 | [-1, 1] | the R_i of the step, in place of the environment's own terms |
    | `component_values` | (K,) float32 | [0, 1] | the components; without `components`, the sum of the R_i |
    | `weights` | (K,) float32 | simplex | the alpha_i of the episode |
    | `outer_reward` | float | [0, 1] | the outer metric |
    | `task_embedding` | (D,) float32 | | embedding of the task |
    | `family` | str | | kind of task, such as "CodeRepair" |
    | `environment_reward` | float | | what the environment paid |

    Arrays are fresh. `reward_space` is the range of `vector_reward`, as in mo-gymnasium.

    An episode that the sandbox broke off (`info["executor_error"]`) pays nothing in that step, and the weighting does
    not observe it. One that another wrapper breaks off, such as `TimeLimit`, has no outer metric: it pays its
    components, and is not observed either. `weighting.update()` is for the training loop to call. Give environments
    of one process the same weighting object to learn from all of them; those of other processes learn for themselves.

    Args:
        env: An environment of Code Envs, mostly in `wrappers.measured.Measured`.
        weighting: A `reward_machines.weighting.Weighting`, or its spec.
        components: `Components`, their spec, or a list of names; the names are those of the weighting. None takes the
            environment's own `info["vector_reward"]` for the R_i, such as that of a reward machine.
        embedding: A task embedding, or its spec; None tells no tasks apart: one zero.
        gate: Multiply the components that say nothing of a broken program (style, efficiency, size) by the share of
            tests that pass.

    Raises:
        ConfigurationError: If weighting and components do not fit, or are something else.
        ValueError: If a spec cannot be used.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        weighting: Weighting | Mapping[str, Any],
        components: Components | Mapping[str, Any] | Sequence[Any] | None,
        embedding: TaskEmbedding | Mapping[str, Any] | None = None,
        *,
        gate: bool = True,
    ) -> None:
        self.weighting = _weighting(weighting)
        self.components = _components(components)
        self.embedding = _embedding(embedding)
        RecordConstructorArgs.__init__(
            self,
            weighting=_recorded(weighting, self.weighting),
            components=_recorded(components, self.components),
            embedding=_recorded(embedding, self.embedding),
            gate=gate,
        )
        gymnasium.Wrapper.__init__(self, env)
        self.gate = gate
        self._family = family_of(env)
        count = len(self.weighting.components)
        self.reward_space = self._fitting(count)
        self._known = (True,) * count
        self._embeddings: dict[str, Vector] = {}
        self._before = self._returns = self._weights = np.zeros(count, np.float32)
        self._embedded: Vector = np.zeros(1, np.float32)

    def _fitting(self, count: int) -> gymnasium.spaces.Box:
        """The range of `vector_reward`, once weighting and components fit."""
        if self.components is not None:
            if self.components.names != self.weighting.components:
                raise ConfigurationError(
                    f"The weighting is for {list(self.weighting.components)}, the components are "
                    f"{list(self.components.names)}; give both the same names in the same order."
                )
            return gymnasium.spaces.Box(-1, 1, (count,), np.float32)
        space = self.env.get_wrapper_attr("reward_space")
        if space.shape != (count,):
            raise ConfigurationError(
                f"The environment's vector_reward has the shape {space.shape}, the weighting has {count} components; "
                "give components, or a weighting with a name for each term."
            )
        return gymnasium.spaces.Box(space.low, space.high, dtype=np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Info]:
        """Start an episode; the weights of its task are chosen.

        Raises:
            ValueError: If a component needs a measurement that is not there.
            ExecutorError: If the sandbox failed.
        """
        observation, info = self.env.reset(seed=seed, options=options)
        self._mask()
        self._embedded = self._embed(info["task_id"])
        self._weights = self.weighting.weights(self._embedded[None], [self._family])[0]
        self._before = self._values(info)
        self._returns = np.zeros(len(self._weights), np.float32)
        return observation, self._told(info, np.zeros(len(self._weights), np.float32), 0.0, 0.0)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, Info]:
        """Take an action; the reward is the weighted one."""
        observation, paid, terminated, truncated, info = self.env.step(action)
        if "executor_error" in info:
            nothing = np.zeros(len(self._weights), np.float32)
            return observation, 0.0, terminated, truncated, self._told(info, nothing, 0.0, float(paid))
        vector = self._vector(info)
        self._returns = self._returns + vector
        over = (terminated or truncated) and all(key in info for key in END_KEYS)
        outer = _outer(info) if over else 0.0
        if over:
            self.weighting.observe(self._embedded.copy(), self._family, info["task_id"], self._returns.copy(), outer)
        share = self.weighting.outer_share
        reward = share * outer + (1 - share) * float(self._weights @ vector)
        return observation, reward, terminated, truncated, self._told(info, vector, outer, float(paid))

    def _values(self, info: Info) -> Vector:
        """Component values; without components, the sum of what the environment paid so far."""
        if self.components is None:
            return np.zeros(len(self._weights), np.float32)
        facts = info["measurements"]
        return self.components.gated(facts) if self.gate else self.components.values(facts)

    def _vector(self, info: Info) -> Vector:
        if self.components is None:
            vector = np.array(info["vector_reward"], np.float32)
            self._before = self._before + vector
            return vector
        values = self._values(info)
        vector = values - self._before
        self._before = values
        return vector

    def _told(self, info: Info, vector: Vector, outer: float, paid: float) -> Info:
        return {
            **info,
            "vector_reward": vector,
            "component_values": self._before.copy(),
            "weights": self._weights.copy(),
            "outer_reward": outer,
            "task_embedding": self._embedded.copy(),
            "family": self._family,
            "environment_reward": paid,
        }

    def _mask(self) -> None:
        """Tell the weighting which components began or ceased to count, such as a preference head."""
        if self.components is None:
            return
        active = self.components.active
        for name, now, before in zip(self.components.names, active, self._known, strict=True):
            if now != before:
                self.weighting.set_active(name, now)
        self._known = active

    def _embed(self, task_id: str) -> Vector:
        if self.embedding is None:
            return np.zeros(1, np.float32)
        if task_id not in self._embeddings:
            tasks: Any = self.get_wrapper_attr("tasks")
            card = card_of(self._family, tasks[task_id])
            self._embeddings[task_id] = np.asarray(self.embedding(card.description, card.attributes), np.float32)
        return self._embeddings[task_id]


def _outer(info: Info) -> float:
    """The outer metric: half of the share of held-out tests, half of success."""
    return HELD_OUT_SHARE * float(info["held_out"]) + (1 - HELD_OUT_SHARE) * float(info["is_success"])


def _weighting(given: Any) -> Weighting:
    if isinstance(given, Mapping):
        return weightings.from_spec(given)
    if not isinstance(given, Weighting):
        raise ConfigurationError(f"weighting must be a Weighting or its spec, got {given!r:.200}.")
    return given


def _components(given: Any) -> Components | None:
    if given is None or isinstance(given, Components):
        return given
    return Components.from_spec(given)


def _embedding(given: Any) -> TaskEmbedding | None:
    if given is None or isinstance(given, TaskEmbedding):
        return given
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"embedding must be a task embedding, its spec or None, got {given!r:.200}.")
    return embeddings.from_spec(given)


def _recorded(given: Any, made: Any) -> Any:
    """The JSON form of an argument; the object itself where it has none, which `EnvSpec.to_json` refuses."""
    if made is None or not hasattr(made, "spec"):
        return given
    try:
        return made.spec()
    except (ValueError, TypeError):
        return given
