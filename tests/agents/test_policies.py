"""FusionPolicy: a pointer policy that any SB3 on-policy algorithm accepts."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import torch
from sb3_contrib import TRPO, MaskablePPO
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.vec_env import DummyVecEnv

from agents.policies import FusionPolicy, MaskableFusionPolicy

VOCABULARY, TOKENS, WORDS, ACTIONS = 300, 24, 12, 20


class PickTheMark(gymnasium.Env):
    """A one-step task with the spaces of CodeRepair: the right candidate carries the first token of the code."""

    def __init__(self) -> None:
        ids = lambda *shape: gymnasium.spaces.Box(0, VOCABULARY - 1, shape, np.int32)  # noqa: E731
        unit = lambda *shape: gymnasium.spaces.Box(0, 1, shape, np.float32)  # noqa: E731
        self.observation_space = gymnasium.spaces.Dict(
            {
                "code": ids(TOKENS),
                "text": ids(WORDS),
                "feedback": unit(4),
                "candidates": ids(ACTIONS, 12),
                "candidate_scores": unit(ACTIONS, 3),
                "action_mask": gymnasium.spaces.Box(0, 1, (ACTIONS,), np.int8),
            }
        )
        self.action_space = gymnasium.spaces.Discrete(ACTIONS)

    def action_masks(self):
        return self.mask.astype(bool)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        rng = self.np_random
        self.mask = (rng.random(ACTIONS) < 0.5).astype(np.int8)
        self.right = int(rng.integers(ACTIONS))
        self.mask[self.right] = 1
        code = np.zeros(TOKENS, np.int32)
        code[: rng.integers(1, TOKENS)] = rng.integers(1, 8)
        rows = rng.integers(10, 20, (ACTIONS, 12)).astype(np.int32)
        rows[:, 3] = 0
        rows[:, 7] = 9
        rows[self.right, 7] = 8
        observation = {
            "code": code,
            "text": np.pad(rng.integers(1, 9, WORDS - 4), (0, 4)).astype(np.int32),
            "feedback": rng.random(4, np.float32),
            "candidates": rows,
            "candidate_scores": rng.random((ACTIONS, 3), np.float32),
            "action_mask": self.mask.copy(),
        }
        return observation, {}

    def step(self, action):
        assert self.mask[action], "the policy chose an invalid action"
        reward = float(action == self.right)
        observation, _ = self.reset()
        return observation, reward, True, False, {}


def batch(count: int) -> dict[str, torch.Tensor]:
    env = PickTheMark()
    seen = [env.reset(seed=seed)[0] for seed in range(count)]
    return {key: torch.from_numpy(np.stack([each[key] for each in seen]).astype(np.float32)) for key in seen[0]}


def small(algorithm, env, policy=FusionPolicy, **kwargs):
    widths = {"width": 16, "hidden": 32, "code_layers": 1}
    return algorithm(policy, env, policy_kwargs={"features_extractor_kwargs": widths}, seed=0, device="cpu", **kwargs)


@pytest.fixture
def env():
    return DummyVecEnv([PickTheMark] * 4)


def test_invalid_actions_have_no_probability(env):
    """Masked actions get probability zero, valid ones a positive one."""
    observations = batch(16)
    probabilities = small(PPO, env).policy.get_distribution(observations).distribution.probs
    valid = observations["action_mask"] > 0
    assert probabilities[~valid].max() == 0
    assert probabilities[valid].min() > 0
    assert torch.allclose(probabilities.sum(1), torch.ones(16))


def test_scores_follow_their_candidates(env):
    """Reordering the candidates reorders the probabilities: index k has no meaning of its own."""
    observations = batch(8)
    policy = small(PPO, env).policy
    order = torch.randperm(ACTIONS, generator=torch.Generator().manual_seed(1))
    moved = dict(observations)
    for key in ("candidates", "candidate_scores", "action_mask"):
        moved[key] = observations[key][:, order]
    first = policy.get_distribution(observations).distribution.probs
    second = policy.get_distribution(moved).distribution.probs
    assert torch.allclose(first[:, order], second, atol=1e-6)


def test_padding_does_not_change_anything(env):
    """A program alone and beside a longer one gives the same probabilities and value."""
    observations = batch(8)
    policy = small(PPO, env).policy
    together = policy.get_distribution(observations).distribution.probs
    values = policy.predict_values(observations)
    for number in range(8):
        alone = {key: value[number : number + 1] for key, value in observations.items()}
        assert torch.allclose(policy.get_distribution(alone).distribution.probs[0], together[number], atol=1e-5)
        assert torch.allclose(policy.predict_values(alone)[0], values[number], atol=1e-5)


def test_empty_text_and_code_are_finite(env):
    """An empty program or description gives no NaN."""
    observations = batch(2)
    observations["code"][:] = 0
    observations["text"][:] = 0
    assert torch.isfinite(small(PPO, env).policy.predict_values(observations)).all()


def test_every_parameter_learns(env):
    """The loss of PPO reaches every parameter of the policy."""
    policy = small(PPO, env).policy
    observations = batch(16)
    actions = observations["action_mask"].argmax(1)
    values, log_probability, entropy = policy.evaluate_actions(observations, actions)
    (values.sum() + log_probability.sum() + entropy.sum()).backward()
    without = [name for name, value in policy.named_parameters() if value.grad is None or not value.grad.any()]
    assert without == []


@pytest.mark.parametrize("algorithm", [PPO, A2C, TRPO])
def test_saves_loads_and_predicts_the_same(algorithm, env, tmp_path):
    """A trained policy predicts the same after a round trip through a file."""
    batches = {} if algorithm is A2C else {"batch_size": 32}
    model = small(algorithm, env, n_steps=16, **batches)
    model.learn(64)
    model.save(tmp_path / "model.zip")
    again = algorithm.load(tmp_path / "model.zip", device="cpu")
    observations = {key: value.numpy() for key, value in batch(16).items()}
    assert np.array_equal(
        model.predict(observations, deterministic=True)[0], again.predict(observations, deterministic=True)[0]
    )


def test_maskable_ppo_accepts_the_policy(env):
    """MaskablePPO trains with the variant of the policy; its own mask agrees with the observation's."""
    small(MaskablePPO, env, MaskableFusionPolicy, n_steps=16, batch_size=32).learn(64)


def test_ppo_learns_to_point(env):
    """PPO finds the marked candidate among about ten valid ones; chance is a tenth."""
    model = small(PPO, env, n_steps=64, batch_size=64, n_epochs=4, learning_rate=3e-3, gamma=0.0, ent_coef=0.01)
    model.learn(6000)
    observations, right = [], []
    single = PickTheMark()
    for seed in range(1000, 1100):
        observations.append(single.reset(seed=seed)[0])
        right.append(single.right)
    stacked = {key: np.stack([each[key] for each in observations]) for key in observations[0]}
    assert (model.predict(stacked, deterministic=True)[0] == right).mean() > 0.8


def test_other_spaces_are_refused():
    """A space without the keys of CodeRepair is named in the error."""
    space = gymnasium.spaces.Dict({"code": gymnasium.spaces.Box(0, 9, (3,), np.int32)})
    with pytest.raises(ValueError, match=r"'action_mask'.* are missing"):
        FusionPolicy(space, gymnasium.spaces.Discrete(3), lambda _: 1e-3)


@pytest.mark.parametrize("algorithm", [PPO, A2C, DQN])
def test_plain_algorithms_train_on_the_environment(algorithm, executor):
    """SB3's own MultiInputPolicy trains on CodeRepair-v0 with nothing in between."""
    env = gymnasium.make("CodeRepair-v0", executor=executor, max_candidates=64)
    extra = {
        PPO: {"n_steps": 16, "batch_size": 16},
        A2C: {"n_steps": 16},
        DQN: {"learning_starts": 8, "buffer_size": 64},
    }[algorithm]
    algorithm("MultiInputPolicy", env, seed=0, device="cpu", **extra).learn(32)


def test_maskable_ppo_trains_on_the_environment(executor):
    """sb3-contrib's MaskablePPO finds `action_masks()` on CodeRepair-v0."""
    env = gymnasium.make("CodeRepair-v0", executor=executor, max_candidates=64)
    MaskablePPO("MultiInputPolicy", env, n_steps=16, batch_size=16, seed=0, device="cpu").learn(32)
