"""Counterfactual experience for reward machines: one real step teaches what every state of the machine would have paid.

What an environment does does not depend on the machine, so from one step it is known how each state of the machine
would have moved and what it would have paid (CRM; Toro Icarte et al. 2022, section 4.2). Off-policy algorithms may
learn from all of these. It helps where the state of the machine depends on history or one step serves several goals;
where the state follows from the observation alone, the invented experiences never occur and only fill the buffer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.buffers import DictReplayBuffer

from reward_machines.machine import RewardMachine
from reward_machines.shaping import PROBABILITY, Method, ShapedMachine, events_of
from reward_machines.text_formats import load

__all__ = ["CounterfactualReplayBuffer"]

KEY = "rm_state"
TOLERANCE = 1e-5

Observations = dict[str, NDArray[Any]]


class CounterfactualReplayBuffer(DictReplayBuffer):
    """A replay buffer that adds one experience per non-terminal state of the machine for each real step.

    Use it with DQN, QR-DQN, SAC, TD3, DDPG, TQC or CrossQ around an environment in `wrappers.RewardMachineState`::

        DQN("MultiInputPolicy", RewardMachineState(env, "repair", shaping=True), gamma=0.99,
            replay_buffer_class=CounterfactualReplayBuffer, replay_buffer_kwargs=dict(machine="repair", shaping=True))

    `buffer_size` counts all experiences, the invented ones included. A step of which nothing is known
    (`info["executor_error"]` without events) is stored as it was, once per state and without a move.

    Args:
        buffer_size: Experiences.
        observation_space: `Dict` with the key `rm_state`, (|U|,) float32.
        action_space: Any.
        device: Of the samples.
        n_envs: Environments side by side.
        optimize_memory_usage: Not supported by SB3 for `Dict` observations.
        handle_timeout_termination: Learn on beyond a truncation, as SB3 does.
        machine: The machine, as `RewardMachineState` got it.
        shaping: As there.
        gamma: As there.
        chance: As there.

    Raises:
        ValueError: If the observation has no place for the machine's state, or, when the first steps come, if the
            environment runs another machine or shaping.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Dict,
        action_space: spaces.Space[Any],
        device: torch.device | str = "auto",
        n_envs: int = 1,
        optimize_memory_usage: bool = False,
        handle_timeout_termination: bool = True,
        *,
        machine: str | RewardMachine,
        shaping: bool | Method = False,
        gamma: float = 0.99,
        chance: float = PROBABILITY,
    ) -> None:
        super().__init__(
            buffer_size,
            observation_space,
            action_space,
            device,
            n_envs,
            optimize_memory_usage,
            handle_timeout_termination,
        )
        self.machine = load(machine) if isinstance(machine, str) else machine
        self._shaped = ShapedMachine.of(self.machine, shaping, gamma, chance)
        self._places = {state: place for place, state in enumerate(self.machine.states)}
        shape = observation_space[KEY].shape if KEY in observation_space.spaces else None
        if shape != (len(self.machine.states),):
            raise ValueError(
                f"Expected the observation key {KEY!r} of shape ({len(self.machine.states)},), got {shape}. Wrap the "
                "environment in wrappers.RewardMachineState with the same machine."
            )

    def add(  # type: ignore[override]
        self,
        obs: Observations,
        next_obs: Observations,
        action: NDArray[Any],
        reward: NDArray[Any],
        done: NDArray[Any],
        infos: list[dict[str, Any]],
    ) -> None:
        """Store a step of each environment, and then what the other states of the machine would have seen.

        Args:
            obs: Observations, (n_envs, ...) each.
            next_obs: Those after the step, not of the next episode.
            action: (n_envs, ...).
            reward: (n_envs,).
            done: (n_envs,) bool.
            infos: As `RewardMachineState` gives them.

        Raises:
            ValueError: If the environment runs another machine or shaping.
        """
        super().add(obs, next_obs, action, reward, done, infos)
        states = [self.machine.states[place] for place in obs[KEY].argmax(1)]
        ended = [_ended(*each) for each in zip(done, infos, strict=True)]
        base = [self._base(*each) for each in zip(states, reward, ended, infos, strict=True)]
        others = [[state for state in self.machine.leaving if state != real] for real in states]
        for row in zip(*others, strict=True):
            self._add_row(row, base, ended, (obs, next_obs, action), infos)

    def _add_row(
        self,
        row: tuple[str, ...],
        base: list[float],
        ended: list[tuple[bool, bool]],
        step: tuple[Observations, Observations, NDArray[Any]],
        infos: list[dict[str, Any]],
    ) -> None:
        """One experience of each environment, as if the machine had been in the states of the row."""
        obs, next_obs, action = step
        moves = [
            self._shaped.step(state, events_of(info), terminated)
            for state, info, (terminated, _) in zip(row, infos, ended, strict=True)
        ]
        timeouts = [
            {"TimeLimit.truncated": truncated and not move.terminated}
            for move, (_, truncated) in zip(moves, ended, strict=True)
        ]
        super().add(
            {**obs, KEY: self._one_hot(row)},
            {**next_obs, KEY: self._one_hot(move.state for move in moves)},
            action,
            np.array([paid + move.total for paid, move in zip(base, moves, strict=True)], np.float32),
            np.array([move.terminated or truncated for move, (_, truncated) in zip(moves, ended, strict=True)]),
            timeouts,
        )

    def _base(self, state: str, reward: float, ended: tuple[bool, bool], info: dict[str, Any]) -> float:
        """What was paid besides the machine's reward, the environment's own where it is added."""
        move = self._shaped.step(state, events_of(info), ended[0])
        if move.state != info["rm_state"] or abs(move.total - info["rm_reward"]) > TOLERANCE:
            raise ValueError(
                f"The buffer's machine goes from {state!r} to {move.state!r} and pays {move.total:.6g}, the "
                f"environment's went to {info['rm_state']!r} and paid {info['rm_reward']:.6g}. Give both the same "
                "machine, shaping, gamma and chance."
            )
        return float(reward) - move.total

    def _one_hot(self, states: Any) -> NDArray[np.float32]:
        """(n_envs, |U|) float32."""
        return np.eye(len(self.machine.states), dtype=np.float32)[[self._places[state] for state in states]]


def _ended(done: bool, info: dict[str, Any]) -> tuple[bool, bool]:
    """Whether the environment itself terminated, and whether the episode was truncated.

    The machine may have ended the episode: another state of it would have gone on. A truncation by a wrapper around
    the machine is told by SB3's key.
    """
    if "rm_state" not in info or "original_terminated" not in info:
        raise ValueError("info has no 'rm_state': wrap the environment in wrappers.RewardMachineState.")
    return bool(info["original_terminated"]), bool(
        info["original_truncated"] or (done and info.get("TimeLimit.truncated", False))
    )
