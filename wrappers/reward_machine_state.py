"""A reward machine around an environment: its state is seen, its reward is paid."""

from __future__ import annotations

from itertools import product
from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

from code_envs.errors import ConfigurationError
from code_envs.events import EVENTS
from reward_machines.machine import RewardMachine
from reward_machines.shaping import PROBABILITY, Method, ShapedMachine, ShapedStep, events_of
from reward_machines.text_formats import load

__all__ = ["TASK_MACHINES", "RewardMachineState"]

TASK_MACHINES = {
    "CodeRepair-v0": "repair",
    "CodeGeneration-v0": "generation",
    "CodeCompletion-v0": "completion",
    "CodeTranslation-v0": "translation",
    "CodeSummarization-v0": "summarization",
    "CodeSearch-v0": "search",
    "CodeOptimization-v0": "optimization",
    "TextToSQL-v0": "text_to_sql",
}
"""The machine that comes with Code Envs for each environment."""
KEY = "rm_state"
REWARDS = ("replace", "add")


class RewardMachineState(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Put a machine's state into the observation and its reward in place of the environment's.

    The machine reads `info["events"]` and nothing else. Its state is the key `rm_state` of the observation, one-hot in
    the order of `machine.states`, (|U|,) float32; an observation that is no `Dict` becomes one, under the key `obs`.
    A terminal state of the machine ends the episode (`terminated`); facts that the environment reports only when it
    ends an episode itself, such as `held_out`, are then missing.

    The reward is the sum of the terms `reward_terms`: the machine's components, or `machine` where its rewards are
    numbers; with `reward="add"` the `environment`; and with shaping the `shaping`. `info["vector_reward"]` holds them,
    (K,) float32, `reward_space` their box.

    A step of which nothing is known, because the sandbox failed, moves no machine and pays nothing but shaping.

    `info` has beside these `rm_state` (the state's name), `rm_reward` (what the machine pays, shaping included),
    `original_reward`, `original_vector_reward` (where there is one), `original_terminated` and `original_truncated`.
    `agents.counterfactual` reads them.

    Args:
        env: An environment with `info["events"]`.
        machine: A machine's name (`reward_machines.text_formats.available()`), its file, or its text. A
            `RewardMachine` is taken as well, and recorded as text.
        shaping: Add gamma Phi(u') - Phi(u): False, True for `"probability"`, or a method of
            `reward_machines.shaping.potentials`.
        gamma: Discount of the shaping; give the agent's.
        reward: "replace" or "add".
        chance: For the shaping `"probability"`: the chance of an edge that goes one rung ahead.

    Raises:
        ConfigurationError: If an argument cannot be used.
        RewardMachineError: If the machine cannot be read, or names events that do not exist.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        machine: str | RewardMachine,
        *,
        shaping: bool | Method = False,
        gamma: float = 0.99,
        reward: Literal["replace", "add"] = "replace",
        chance: float = PROBABILITY,
    ) -> None:
        recorded = machine if isinstance(machine, str) else machine.to_json()
        RecordConstructorArgs.__init__(
            self, machine=recorded, shaping=shaping, gamma=gamma, reward=reward, chance=chance
        )
        gymnasium.Wrapper.__init__(self, env)
        if reward not in REWARDS:
            raise ConfigurationError(f"reward must be one of {REWARDS}, got {reward!r}.")
        self.machine = load(machine) if isinstance(machine, str) else machine
        self.machine.require(EVENTS)
        self.shaped = ShapedMachine.of(self.machine, shaping, gamma, chance)
        self._added = reward == "add"
        self._is_dict = isinstance(env.observation_space, gymnasium.spaces.Dict)
        self.observation_space = self._observed()
        self.reward_terms = (
            *(self.machine.components or ("machine",)),
            *(("environment",) if self._added else ()),
            *(("shaping",) if self.shaped.shaping else ()),
        )
        self.reward_space = self._box()
        self.state: str | None = None

    # the loop -------------------------------------------------------------------------------------

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode, with the machine in its initial state."""
        observation, info = self.env.reset(seed=seed, options=options)
        self.state = self.machine.initial
        vector = np.zeros(len(self.reward_terms), np.float32)
        return self._see(observation), self._information(info, vector, 0.0, 0.0, False, False)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the environment, then the machine by the step's events.

        Raises:
            ConfigurationError: If no episode runs, or the environment reports no events.
        """
        if self.state is None or self.state in self.machine.terminal:
            raise ConfigurationError("The machine is not running; call reset() before step().")
        observation, reward, terminated, truncated, info = self.env.step(action)
        done = self.shaped.step(self.state, self._events(info), terminated)
        self.state = done.state
        vector = self._vector(done, float(reward))
        info = self._information(info, vector, done.total, float(reward), terminated, truncated)
        over = done.terminated
        return self._see(observation), float(vector.sum()), over, truncated and not over, info

    def _events(self, info: dict[str, Any]) -> frozenset[str] | None:
        if "events" not in info:
            raise ConfigurationError(
                "A reward machine needs info['events'], which this environment does not give; wrap one that does, "
                "such as those of Code Envs."
            )
        return events_of(info)

    def _vector(self, step: ShapedStep, reward: float) -> NDArray[np.float32]:
        own = step.reward if isinstance(step.reward, tuple) else (step.reward,)
        added = (reward,) if self._added else ()
        bonus = (step.bonus,) if self.shaped.shaping else ()
        return np.array([*own, *added, *bonus], np.float32)

    def _information(
        self,
        info: dict[str, Any],
        vector: NDArray[np.float32],
        paid: float,
        reward: float,
        terminated: bool,
        truncated: bool,
    ) -> dict[str, Any]:
        before = {"original_vector_reward": info["vector_reward"]} if "vector_reward" in info else {}
        return {
            **info,
            **before,
            "vector_reward": vector,
            "rm_state": self.state,
            "rm_reward": paid,
            "original_reward": reward,
            "original_terminated": terminated,
            "original_truncated": truncated,
        }

    def _see(self, observation: Any) -> dict[str, Any]:
        place = np.zeros(len(self.machine.states), np.float32)
        place[self.machine.states.index(self.state or self.machine.initial)] = 1
        return {**(observation if self._is_dict else {"obs": observation}), KEY: place}

    # the spaces -----------------------------------------------------------------------------------

    def _observed(self) -> gymnasium.spaces.Dict:
        space: Any = self.env.observation_space
        seen = dict(space.spaces) if self._is_dict else {"obs": space}
        if KEY in seen:
            raise ConfigurationError(f"The observation has the key {KEY!r} already; wrap with one machine only.")
        return gymnasium.spaces.Dict({**seen, KEY: gymnasium.spaces.Box(0, 1, (len(self.machine.states),), np.float32)})

    def _box(self) -> gymnasium.spaces.Box:
        """The range of each term of the reward."""
        rewards = [self.machine.nothing, *(each.reward for each in self.machine.transitions)]
        rows = np.array([each if isinstance(each, tuple) else (each,) for each in rewards], np.float32)
        low, high = list(rows.min(0)), list(rows.max(0))
        if self._added:
            space = getattr(self.env.unwrapped, "reward_space", None)
            low.append(-np.inf if space is None else space.low.sum())
            high.append(np.inf if space is None else space.high.sum())
        shaping = self.shaped.shaping
        if shaping is not None:
            pairs = product(self.machine.leaving, self.machine.states, (False, True))
            bonuses = np.array([shaping(*each) for each in pairs], np.float32)
            low.append(bonuses.min())
            high.append(bonuses.max())
        return gymnasium.spaces.Box(np.array(low, np.float32), np.array(high, np.float32), dtype=np.float32)
