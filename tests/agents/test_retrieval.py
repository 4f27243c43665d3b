"""RetrievalPolicy: learns which words matter, never picks what is masked, works under PPO and MaskablePPO."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv

import code_envs  # noqa: F401  registers the ids
from agents.imitation import Imitation, ImitationConfig
from agents.pointer import INVALID
from agents.policies import FusionPolicy
from agents.retrieval import MaskableRetrievalPolicy, PoolHead, RetrievalExtractor, RetrievalPolicy

VOCABULARY, MEMBERS, LENGTH, WORDS = 60, 6, 5, 8
NOISE = 30
"""Words from here on are in texts and in functions alike and mean nothing."""


class FindTheWord(gymnasium.Env):
    """One pick: the right member has the only telling word of the text; all share words that tell nothing."""

    def __init__(self, kinds: int = 1) -> None:
        ids = lambda *shape: gymnasium.spaces.Box(0, VOCABULARY - 1, shape, np.int32)  # noqa: E731
        unit = lambda *shape: gymnasium.spaces.Box(0, 1, shape, np.float32)  # noqa: E731
        self.kinds = kinds
        self.observation_space = gymnasium.spaces.Dict(
            {
                "text": ids(WORDS),
                "pool": ids(MEMBERS, LENGTH),
                "feedback": unit(3),
                "candidate_scores": unit(kinds * MEMBERS, 2),
                "action_mask": gymnasium.spaces.Box(0, 1, (kinds * MEMBERS,), np.int8),
            }
        )
        self.action_space = gymnasium.spaces.Discrete(kinds * MEMBERS)

    def action_masks(self):
        return self.mask.astype(bool)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        rng = self.np_random
        self.right = int(rng.integers(MEMBERS))
        self.mask = (rng.random(self.kinds * MEMBERS) < 0.8).astype(np.int8)
        self.mask[self.right] = 1
        telling = rng.permutation(np.arange(1, NOISE))[:MEMBERS]
        pool = rng.integers(NOISE, VOCABULARY, (MEMBERS, LENGTH)).astype(np.int32)
        pool[:, 1] = telling
        pool[:, -1] = 0
        text = rng.integers(NOISE, VOCABULARY, WORDS).astype(np.int32)
        text[2] = telling[self.right]
        text[-2:] = 0
        observation = {
            "text": text,
            "pool": pool,
            "feedback": rng.random(3, np.float32),
            "candidate_scores": rng.random((self.kinds * MEMBERS, 2), np.float32),
            "action_mask": self.mask.copy(),
        }
        return observation, {"expert_action": self.right}

    def step(self, action):
        assert self.mask[action], "the policy chose a masked action"
        reward = float(action == self.right)
        observation, info = self.reset()
        return observation, reward, True, False, info | {"is_success": bool(reward)}


def small(algorithm, env, policy=RetrievalPolicy, **kwargs):
    widths = {"features_extractor_kwargs": {"width": 16, "hidden": 24, "heads": 2, "dropout": 0.0}}
    return algorithm(policy, env, policy_kwargs=widths, seed=0, device="cpu", **kwargs)


def batch(count, kinds=1):
    env = FindTheWord(kinds)
    seen = [env.reset(seed=seed)[0] for seed in range(count)]
    return {key: torch.from_numpy(np.stack([each[key] for each in seen]).astype(np.float32)) for key in seen[0]}


def logits(model, observations):
    model.policy.set_training_mode(False)
    with torch.no_grad():
        return model.policy.get_distribution(observations).distribution.logits


def test_imitation_learns_which_words_matter():
    """What all members share is learnt to be noise: the telling word decides, also in pools never seen."""
    env = DummyVecEnv([FindTheWord] * 8)
    env.seed(0)
    model = small(PPO, env)
    rows = []
    config = ImitationConfig(
        learning_rate=2e-2, updates=16, batch_size=48, always_compared=(), negatives=None, expert_share=1.0
    )

    def progress(row):
        rows.append(row)
        return len(rows) / 8

    Imitation(model.policy, env, config, seed=0).learn(progress)
    assert rows[-1]["accuracy"] > 0.95
    fresh = batch(100)
    right = [FindTheWord() for _ in range(100)]
    answers = [each.reset(seed=seed)[1]["expert_action"] for seed, each in enumerate(right)]
    assert (logits(model, fresh).argmax(1).numpy() == answers).mean() > 0.9


@pytest.mark.parametrize(("algorithm", "policy"), [(PPO, RetrievalPolicy), (MaskablePPO, MaskableRetrievalPolicy)])
def test_algorithms_train_it(algorithm, policy, tmp_path):
    """No masked action in rollouts, every parameter that the loss can reach moves, and a saved model is the same."""
    env = DummyVecEnv([FindTheWord] * 2)
    model = small(algorithm, env, policy, n_steps=16, batch_size=16, n_epochs=1)
    before = {name: value.clone() for name, value in model.policy.named_parameters()}
    model.learn(64)
    same = [name for name, value in model.policy.named_parameters() if torch.equal(value, before[name])]
    assert same == []
    model.save(tmp_path / "model.zip")
    again = algorithm.load(tmp_path / "model.zip", device="cpu")
    assert torch.equal(logits(model, batch(4)), logits(again, batch(4)))


def test_the_order_of_the_pool_does_not_matter():
    """Permuted members have permuted logits, for every kind of action."""
    model = small(PPO, DummyVecEnv([lambda: FindTheWord(2)]))
    observations = batch(5, kinds=2)
    order = torch.tensor([3, 1, 0, 5, 4, 2])
    both = torch.cat([order, order + MEMBERS])
    permuted = dict(observations) | {
        "pool": observations["pool"][:, order],
        "candidate_scores": observations["candidate_scores"][:, both],
        "action_mask": observations["action_mask"][:, both],
    }
    assert torch.allclose(logits(model, observations)[:, both], logits(model, permuted), atol=1e-5)


def test_words_that_mean_the_same_ids_match_and_padding_never_does():
    """The exact match counts what text and member share; empty texts and members are no error."""
    extractor = RetrievalExtractor(FindTheWord().observation_space, width=8, hidden=8, heads=1, dropout=0.0)
    text = torch.tensor([[5, 7, 0, 0]])
    pool = torch.tensor([[[5, 7, 9], [7, 0, 0], [9, 0, 0], [0, 0, 0]]])
    importance = torch.tensor([[[0.75], [0.25], [0.0], [0.0]]])
    weight = torch.full((1, 4, 3, 1), 1 / 3)
    exactly, nearly, covered = extractor._overlaps(text, pool, importance, weight)
    assert exactly.flatten().tolist() == [1.0, 0.25, 0.0, 0.0]
    assert covered.flatten().tolist() == pytest.approx([2 / 3, 1 / 3, 0, 0])
    assert nearly[0, 0].item() == pytest.approx(1)
    assert nearly[0, 3].item() == pytest.approx(-1)
    empty = {key: torch.zeros_like(value) for key, value in batch(2).items()} | {"action_mask": torch.ones(2, MEMBERS)}
    features = extractor(empty)
    assert torch.isfinite(features["base"]).all()
    assert torch.isfinite(features["members"]).all()


def test_masked_actions_are_impossible():
    model = small(PPO, DummyVecEnv([FindTheWord]))
    observations = batch(8)
    probabilities = logits(model, observations).exp()
    assert probabilities[observations["action_mask"] == 0].max() == 0
    assert INVALID < -1e6


def test_a_second_kind_of_action_has_scores_of_its_own():
    head = PoolHead(8, 12, kinds=2)
    features = {
        "state": torch.randn(3, 8),
        "members": torch.randn(3, 6, 8),
        "base": torch.zeros(3, 6),
        "valid": torch.ones(3, 12, dtype=torch.bool),
    }
    found = head.forward_actor(features)
    assert found.shape == (3, 12)
    assert not torch.allclose(found[:, :6], found[:, 6:])
    assert [part.shape for part in head(features)] == [(3, 12), (3, 8)]


def test_spaces_that_do_not_fit_are_refused():
    env = FindTheWord()
    space = gymnasium.spaces.Dict({key: box for key, box in env.observation_space.items() if key != "pool"})
    with pytest.raises(ValueError, match=r"needs the observation keys .*; \['pool'\] are missing"):
        RetrievalExtractor(space)
    with pytest.raises(ValueError, match=r"as many actions as members of the pool \(6\)"):
        RetrievalPolicy(env.observation_space, gymnasium.spaces.Discrete(7), lambda _: 1e-3)


@pytest.mark.parametrize("kwargs", [{}, {"inspect": True}])
def test_it_acts_in_code_search(kwargs):
    """The policy fits the environment that it was made for, with and without BM25, also where bodies are hidden."""
    env = gymnasium.make("CodeSearch-v0", pool_size=8, **kwargs)
    model = small(PPO, env, n_steps=16, batch_size=16, n_epochs=1)
    model.learn(16)
    assert model.num_timesteps == 16


@pytest.mark.parametrize("policy", [FusionPolicy, "MultiInputPolicy"])
def test_policies_of_other_environments_act_in_code_search(policy):
    """Rows, ids and lengths are those that every environment has."""
    env = gymnasium.make("CodeSearch-v0", pool_size=4)
    model = PPO(policy, env, n_steps=8, batch_size=8, n_epochs=1, seed=0, device="cpu")
    model.learn(8)
    assert model.num_timesteps == 8
