"""Counterfactual experience: each stored row is what the machine would have seen and paid from that state."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3 import DQN, SAC, TD3
from stable_baselines3.common.vec_env import DummyVecEnv

from agents.counterfactual import CounterfactualReplayBuffer
from reward_machines.shaping import ShapedMachine
from reward_machines.text_formats import load, loads
from wrappers.compatibility import suited
from wrappers.reward_machine_state import RewardMachineState

MACHINE = """\
states start some lost done
initial start
terminal lost done
start -> some when some_tests & !all_tests & !crashed
start -> done when all_tests & !crashed reward 1
start -> lost when crashed reward -0.5
some -> done when all_tests reward 2
"""
SCRIPT = [
    ({"runs"}, False, False),
    ({"some_tests"}, False, False),
    ({"some_tests"}, False, False),
    ({"some_tests", "all_tests"}, False, False),
    ({"crashed"}, False, False),
    ({"crashed"}, False, True),
    ({"runs"}, True, False),
    ({"some_tests"}, False, True),
]
"""Events of a step, and whether the environment terminated and was truncated; the machine ends episodes of its own."""


class Scripted(gymnasium.Env):
    """Counts its steps; what they make true is written down."""

    observation_space = gymnasium.spaces.Box(0, 100, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, script=SCRIPT):
        self.script = script
        self.count = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.array([self.count], np.float32), {"events": frozenset()}

    def step(self, action):
        events, terminated, truncated = self.script[self.count % len(self.script)]
        self.count += 1
        return np.array([self.count], np.float32), 0.125, terminated, truncated, {"events": frozenset(events)}


def buffer_of(steps, environments=1, **kwargs):
    """The buffer of DQN after some steps."""
    settings = {"machine": MACHINE, "shaping": "rank", "gamma": 0.9}
    env = DummyVecEnv([lambda: RewardMachineState(Scripted(), **settings, **kwargs)] * environments)
    model = DQN(
        "MultiInputPolicy", env, buffer_size=64 * environments, learning_starts=1000, seed=0, device="cpu",
        replay_buffer_class=CounterfactualReplayBuffer, replay_buffer_kwargs=settings,
    )  # fmt: skip
    model.learn(steps * environments)
    return model.replay_buffer


def rows(buffer):
    """Everything stored, as (count, u, u', reward, done, timeout)."""
    states = buffer.machine.states
    for row in range(buffer.pos):
        for env in range(buffer.n_envs):
            yield (
                int(buffer.observations["obs"][row, env, 0]),
                states[buffer.observations["rm_state"][row, env].argmax()],
                states[buffer.next_observations["rm_state"][row, env].argmax()],
                float(buffer.rewards[row, env]),
                bool(buffer.dones[row, env]),
                bool(buffer.timeouts[row, env]),
            )


@pytest.mark.parametrize("environments", [1, 3])
@pytest.mark.parametrize("reward", ["replace", "add"])
def test_every_row_is_what_the_machine_says(reward, environments):
    """For each step and each non-terminal state: target, reward, end and timeout follow from the step's events."""
    buffer = buffer_of(len(SCRIPT), environments, reward=reward)
    shaped = ShapedMachine.of(loads(MACHINE), "rank", 0.9)
    found = list(rows(buffer))
    assert len(found) == 2 * len(SCRIPT) * environments
    for count, state, target, paid, done, timeout in found:
        events, terminated, truncated = SCRIPT[count]
        move = shaped.step(state, events, terminated)
        assert target == move.state
        assert paid == pytest.approx(move.total + (0.125 if reward == "add" else 0))
        assert done == (move.terminated or truncated)
        assert timeout == (truncated and not move.terminated)
    assert sorted({row[:2] for row in found}) == [(count, each) for count in range(8) for each in ("some", "start")]
    assert not np.array_equal(buffer.observations["rm_state"][0], buffer.observations["rm_state"][1])


def test_an_ending_of_the_machine_is_not_one_for_other_states():
    """`crashed` ends the episode from `start`, but another state goes on; a real termination ends it for all."""
    found = {(count, state): (done, timeout) for count, state, _, _, done, timeout in rows(buffer_of(len(SCRIPT)))}
    assert found[4, "start"] == (True, False)
    assert found[4, "some"] == (False, False)
    assert found[5, "start"] == (True, False)
    assert found[5, "some"] == (True, True)
    assert found[6, "start"] == found[6, "some"] == (True, False)
    assert found[7, "start"] == (True, True)


def test_an_outer_time_limit_is_a_truncation():
    """A limit around the machine is told by SB3 alone, and counts for every state."""
    settings = {"machine": MACHINE}
    env = gymnasium.wrappers.TimeLimit(RewardMachineState(Scripted([({"runs"}, False, False)]), **settings), 3)
    model = DQN(
        "MultiInputPolicy", env, buffer_size=64, learning_starts=1000, seed=0, device="cpu",
        replay_buffer_class=CounterfactualReplayBuffer, replay_buffer_kwargs=settings,
    )  # fmt: skip
    model.learn(8)
    found = list(rows(model.replay_buffer))
    assert [row[4:] for row in found[:12]] == ([(False, False)] * 4 + [(True, True)] * 2) * 2


def test_it_learns_a_state_that_was_never_visited():
    """From steps that all begin in `start`, DQN learns what the same steps would pay in `some`."""
    settings = {"machine": MACHINE}
    env = RewardMachineState(Scripted([({"some_tests", "all_tests"}, False, False)]), **settings)
    model = DQN(
        "MultiInputPolicy", env, buffer_size=512, learning_starts=8, train_freq=1, learning_rate=1e-2, batch_size=32,
        target_update_interval=20, seed=0, device="cpu", policy_kwargs={"net_arch": [32]},
        replay_buffer_class=CounterfactualReplayBuffer, replay_buffer_kwargs=settings,
    )  # fmt: skip
    model.learn(250)
    visited = {row[1] for row in list(rows(model.replay_buffer))[::2]}
    assert visited == {"start"}
    places = np.eye(4, dtype=np.float32)[[0, 1]]
    seen = {"obs": torch.full((2, 1), 100.0), "rm_state": torch.as_tensor(places)}
    with torch.no_grad():
        values = model.q_net(seen).max(1).values.numpy()
    assert values == pytest.approx([1.0, 2.0], abs=0.25)


@pytest.mark.parametrize("kind", [DQN, SAC, TD3])
def test_it_works_in_code_repair(kind, executor):
    """Around the environments of Code Envs, with algorithms for numbers and for points."""
    base = gymnasium.make("CodeRepair-v0", executor=executor, max_candidates=64, code_tokens=64)
    _, inner = suited(kind, base)
    settings = {"machine": "repair", "shaping": True}
    model = kind(
        "MultiInputPolicy", RewardMachineState(inner, **settings), seed=0, device="cpu", buffer_size=128,
        learning_starts=4, batch_size=4, policy_kwargs={"net_arch": [16]},
        replay_buffer_class=CounterfactualReplayBuffer, replay_buffer_kwargs=settings,
    )  # fmt: skip
    model.learn(12)
    assert model.replay_buffer.pos == 12 * len(load("repair").leaving)


def test_what_does_not_fit_is_explained():
    """Another machine, another shaping, or no wrapper at all."""
    space = gymnasium.spaces.Dict({"rm_state": gymnasium.spaces.Box(0, 1, (4,), np.float32)})
    action = gymnasium.spaces.Discrete(2)
    with pytest.raises(ValueError, match=r"of shape \(5,\), got \(4,\)"):
        CounterfactualReplayBuffer(8, space, action, machine="repair")
    with pytest.raises(ValueError, match="got None"):
        CounterfactualReplayBuffer(8, gymnasium.spaces.Dict({"x": action}), action, machine="repair")
    env = RewardMachineState(Scripted(), MACHINE, shaping="rank", gamma=0.9)
    for settings in ({"machine": MACHINE}, {"machine": MACHINE.replace("2", "3"), "shaping": "rank", "gamma": 0.9}):
        model = DQN(
            "MultiInputPolicy", env, buffer_size=64, learning_starts=1000, device="cpu",
            replay_buffer_class=CounterfactualReplayBuffer, replay_buffer_kwargs=settings,
        )  # fmt: skip
        with pytest.raises(ValueError, match="Give both the same machine, shaping, gamma and chance"):
            model.learn(8)
    buffer = CounterfactualReplayBuffer(8, space, action, machine=MACHINE)
    seen = {"rm_state": np.eye(4, dtype=np.float32)[:1]}
    with pytest.raises(ValueError, match="wrap the environment in wrappers"):
        buffer.add(seen, seen, np.zeros((1, 1)), np.zeros(1), np.zeros(1, bool), [{"events": frozenset()}])
