"""Imitation on the states that the policy visits."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv

from agents.imitation import DemonstrationBuffer, Imitation, ImitationConfig
from tests.agents.test_policies import ACTIONS, PickTheMark, small


class Taught(PickTheMark):
    """The same task; the expert's action stands in `info`."""

    def reset(self, *, seed=None, options=None):
        observation, info = super().reset(seed=seed, options=options)
        return observation, info | {"expert_action": self.right}

    def step(self, action):
        reward = float(action == self.right)
        observation, info = self.reset()
        return observation, reward, True, False, info | {"is_success": bool(reward)}


def test_imitation_learns_the_expert():
    """After some rounds the policy finds the expert's action almost always."""
    env = DummyVecEnv([Taught] * 4)
    env.seed(0)
    model = small(PPO, env)
    rows = []

    def progress(row):
        rows.append(row)
        return len(rows) / 30

    Imitation(model.policy, env, ImitationConfig(learning_rate=3e-3, updates=16, batch_size=32), seed=0).learn(progress)
    assert len(rows) == 30
    assert rows[-1]["accuracy"] > 0.9 > rows[0]["accuracy"]
    assert rows[-1]["success"] > 0.7


def test_the_experts_share_falls_from_one():
    """In the first round the expert acts alone; at the end it acts as often as the configuration says."""
    env = DummyVecEnv([Taught] * 8)
    env.seed(0)
    led = []
    taken = env.step_async

    def recorded(actions):
        led.append(np.mean(actions == np.array([single.right for single in env.envs])))
        taken(actions)

    env.step_async = recorded
    rows = []

    def progress(row):
        rows.append(row)
        return len(rows) / 2

    config = ImitationConfig(updates=1, expert_share=0.0, learning_rate=0.0)
    Imitation(small(PPO, env).policy, env, config, seed=0).learn(progress)
    first, second = led[: config.collect_steps], led[config.collect_steps :]
    assert set(first) == {1.0}
    assert 0.4 < np.mean(second) < 0.75


def test_dropout_works_while_learning_only():
    """The policy learns in training mode and acts in evaluation mode."""
    env = DummyVecEnv([Taught] * 2)
    policy = small(PPO, env).policy
    teacher = Imitation(policy, env, ImitationConfig(updates=1, expert_share=0.0), seed=0)
    learning, acting = [], []
    update, predict = teacher._update, policy._predict
    teacher._update = lambda *batch: (learning.append(policy.training), update(*batch))[1]
    policy._predict = lambda *state, **how: (acting.append(policy.training), predict(*state, **how))[1]
    rows = iter([0.9, 1.0])
    teacher.learn(lambda row: next(rows))
    assert learning == [True, True]
    assert acting
    assert not any(acting)
    assert not policy.training


def test_the_policy_is_asked_only_where_the_expert_does_not_act():
    """In the first round the expert acts alone."""
    env = DummyVecEnv([Taught] * 2)
    policy = small(PPO, env).policy
    teacher = Imitation(policy, env, ImitationConfig(updates=1, expert_share=0.0), seed=0)
    asked = []
    predict = policy.predict
    policy.predict = lambda states, **how: (asked.append(len(states["code"])), predict(states, **how))[1]
    rows = iter([1.0])
    teacher.learn(lambda row: next(rows))
    assert asked == []
    rows = iter([0.5, 1.0])
    teacher.learn(lambda row: next(rows))
    assert set(asked) == {1, 2}


def test_thinned_masks_keep_the_expert():
    """Fewer negatives are compared, never fewer than the expert's action."""
    env = DummyVecEnv([Taught] * 2)
    teacher = Imitation(small(PPO, env).policy, env, seed=0)
    mask = torch.ones(50, ACTIONS)
    actions = torch.arange(50) % ACTIONS
    teacher._thin_out(mask, actions, 5)
    assert (mask[torch.arange(50), actions] == 1).all()
    assert 3 < mask.sum(1).mean() < 8


def test_buffer_keeps_the_newest_exactly():
    """Small integers and halves survive storage; the oldest demonstrations go first."""
    space = gymnasium.spaces.Dict(
        {"a": gymnasium.spaces.Box(0, 999, (2,), np.int32), "b": gymnasium.spaces.Box(0, 1, (1,), np.float32)}
    )
    buffer = DemonstrationBuffer(space, 3)
    for number in range(5):
        buffer.add({"a": np.array([[number, 999]]), "b": np.array([[0.5]])}, 0, number)
    assert len(buffer) == 3
    ((batch, actions),) = buffer.batches(1, 64, np.random.default_rng(0))
    assert set(actions.tolist()) == {2, 3, 4}
    assert torch.equal(batch["a"][:, 0], actions.float())
    assert (batch["b"] == 0.5).all()


def test_batches_hold_programs_of_one_length():
    """Sequences of a batch are of similar length; all demonstrations are still drawn."""
    space = gymnasium.spaces.Dict({"code": gymnasium.spaces.Box(0, 9, (40,), np.int32)})
    buffer = DemonstrationBuffer(space, 40)
    for number in range(40):
        code = np.zeros((1, 40), np.int32)
        code[0, : number + 1] = 1
        buffer.add({"code": code}, 0, number)
    seen = [actions for _, actions in buffer.batches(8, 20, np.random.default_rng(0))]
    assert max(int(actions.max() - actions.min()) for actions in seen) < 15
    assert len(set(torch.cat(seen).tolist())) > 30


def test_too_wide_integers_are_refused():
    """Token ids beyond 16 bits would be stored wrongly."""
    space = gymnasium.spaces.Dict({"a": gymnasium.spaces.Box(0, 2**15, (2,), np.int32)})
    with pytest.raises(ValueError, match="16-bit"):
        DemonstrationBuffer(space, 3)


def test_an_environment_without_expert_is_refused():
    """The error says which argument is missing."""
    env = DummyVecEnv([PickTheMark])
    with pytest.raises(ValueError, match="expert=True"):
        Imitation(small(PPO, env).policy, env).learn(lambda row: 1.0)
