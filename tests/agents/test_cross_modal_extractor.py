"""DCRL's extractor under the algorithms of SB3."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import torch
from alignment_toys import ACTIONS, SIZES, FillIn
from sb3_contrib import TRPO, MaskablePPO
from stable_baselines3 import A2C, DQN, PPO, SAC
from stable_baselines3.common.vec_env import DummyVecEnv

from agents.cross_modal_extractor import (
    CONFIGURATIONS,
    CrossModalFusionExtractor,
    CrossModalPointerExtractor,
    extractors_of,
)
from agents.policies import FusionPolicy, MaskableFusionPolicy
from wrappers.latent_action import LatentAction

SPACE = FillIn().observation_space
FLAT = {
    PPO: {"n_steps": 16, "batch_size": 16, "n_epochs": 2},
    A2C: {"n_steps": 8},
    TRPO: {"n_steps": 16, "batch_size": 16, "cg_max_steps": 3, "n_critic_updates": 1},
    DQN: {"learning_starts": 8, "buffer_size": 64, "batch_size": 8},
    MaskablePPO: {"n_steps": 16, "batch_size": 16, "n_epochs": 2},
    SAC: {"learning_starts": 8, "buffer_size": 64, "batch_size": 8},
}


def batch(count=6):
    env = FillIn()
    seen = []
    for seed in range(count):
        observation, _ = env.reset(seed=seed)
        for action in range(seed % 3):
            observation = env.step(action)[0]
        seen.append(observation)
    return {key: torch.from_numpy(np.stack([each[key] for each in seen]).astype(np.float32)) for key in seen[0]}


def extractor(kind=CrossModalFusionExtractor, seed=0, **kwargs):
    torch.manual_seed(seed)
    return kind(SPACE, **(SIZES | kwargs))


def model(algorithm, policy="MultiInputPolicy", kind=CrossModalFusionExtractor, env=None, **kwargs):
    made = {"features_extractor_class": kind, "features_extractor_kwargs": SIZES | kwargs}
    return algorithm(policy, env or FillIn(), policy_kwargs=made, seed=0, device="cpu", **FLAT[algorithm])


@pytest.mark.parametrize("fusion", ["cross", "concat", "mean"])
def test_features_are_flat(fusion):
    """(B, features_dim): the fused vector, the other vectors as they are, and four numbers per candidate."""
    made = extractor(fusion=fusion)
    features = made(batch())
    assert features.shape == (6, made.features_dim) == (6, 16 + 4 + ACTIONS + 4 * ACTIONS)
    assert torch.equal(features[:, 16 : 16 + ACTIONS], batch()["action_mask"])
    assert torch.isfinite(features).all()
    assert extractor(fusion=fusion, row_width=0)(batch()).shape == (6, 16 + 4 + ACTIONS)


def test_rows_of_candidates_follow_them():
    """The features have each valid candidate's row at its place, and zeros for the others."""
    made, observations = extractor(), batch(2)
    observations["action_mask"][1, 2] = 0
    rows = made(observations)[:, -4 * ACTIONS :].unflatten(1, (ACTIONS, 4))
    expected = made.rows(
        observations["candidates"].flatten(0, 1).long(), observations["candidate_scores"].flatten(0, 1)
    )
    assert torch.allclose(rows[0], expected[:ACTIONS])
    assert not rows[1, 2].any()
    assert rows[1, 3].any()


def test_fused_vector_is_equations_12_to_15():
    """z is the gate's blend of both streams' means after the layers."""
    made, observations = extractor(), batch()
    with torch.no_grad():
        made.gate.bias.normal_()
        made.set_alignment(0.4, 0.2, [0.5, -0.5])
        code, code_real = made.code(observations["code"].long())
        text, text_real = made.text(observations["text"].long())
        code, text = made.code_in(code), made.text_in(text)
        for layer in made.layers:
            code, text = layer(code, text, code_real, text_real, torch.tensor((0.4 / 0.1) ** 0.5))
        pooled = [
            torch.stack([each[row, mask].mean(0) for row, mask in enumerate(real)])
            for each, real in ((code, code_real), (text, text_real))
        ]
        gate = torch.sigmoid(made.gate.bias)
        assert torch.allclose(made(observations)[:, :16], gate * pooled[0] + (1 - gate) * pooled[1], atol=1e-5)
    assert torch.allclose(made.last_gate, gate)


@pytest.mark.parametrize("kind", [CrossModalFusionExtractor, CrossModalPointerExtractor])
def test_padding_does_not_change_anything(kind):
    """A program alone and beside longer ones gives the same features and embeddings."""
    made, observations = extractor(kind).eval(), batch()
    together, embedded = made(observations), made.embed(observations)
    for number in range(6):
        alone = {key: value[number : number + 1] for key, value in observations.items()}
        features = made(alone)
        if isinstance(features, dict):
            assert torch.allclose(features["state"][0], together["state"][number], atol=1e-5)
            features, expected = features["candidates"], together["candidates"].unflatten(0, (6, ACTIONS))[number]
        else:
            features, expected = features[0], together[number]
        assert torch.allclose(features, expected, atol=1e-5)
        assert torch.allclose(made.embed(alone)[0][0], embedded[0][number], atol=1e-5)


def test_empty_code_and_text_are_finite():
    """Observations without any token give features and gradients without NaN."""
    made, observations = extractor(), batch(2)
    observations["code"][:], observations["text"][:] = 0, 0
    made(observations).sum().backward()
    grads = [each.grad for each in made.parameters() if each.grad is not None]
    assert grads
    assert all(torch.isfinite(each).all() for each in grads)


def test_embeddings_are_unimodal():
    """Another text leaves the embedding of the code as it was: no negative leaks."""
    made, observations = extractor(), batch(4)
    code, text = made.embed(observations)
    moved = observations | {"text": observations["text"].roll(1, 0)}
    other_code, other_text = made.embed(moved)
    assert torch.equal(code, other_code)
    assert not torch.equal(text, other_text)
    assert torch.equal(code, made.embed_code(observations["code"]))


def test_gate_is_one_half_in_a_new_policy():
    """SB3's orthogonal initialisation of a policy does not reach the gate."""
    policy = model(PPO).policy
    policy.predict_values(batch())
    assert (policy.features_extractor.last_gate == 0.5).all()
    assert policy.ortho_init


def test_every_parameter_learns():
    """Features reach all but the projections, embeddings reach these; the gate learns from progress."""
    for kind, kwargs in (
        (CrossModalFusionExtractor, {"content_gate": True, "expansion": 2}),
        (CrossModalFusionExtractor, {"fusion": "concat"}),
        (CrossModalPointerExtractor, {}),
    ):
        made = extractor(kind, **kwargs)
        features = made(batch())
        found = [features] if torch.is_tensor(features) else [features["state"], features["candidates"]]
        loss = sum(each.square().sum() for each in (*found, *made.embed(batch())))
        loss.backward()
        without = [name for name, each in made.named_parameters() if each.grad is None or not each.grad.any()]
        assert without == []


@pytest.mark.parametrize("algorithm", [PPO, A2C, pytest.param(TRPO, marks=pytest.mark.slow), DQN, MaskablePPO])
def test_algorithms_train_save_load_and_predict_the_same(algorithm, tmp_path):
    """A few steps change the extractor; a loaded model predicts the same, with its buffers."""
    made = model(algorithm)
    before = {key: value.clone() for key, value in extractors_of(made.policy)[0].state_dict().items()}
    made.learn(32)
    after = extractors_of(made.policy)[0].state_dict()
    assert any(not torch.equal(before[key], after[key]) for key in before)
    for each in extractors_of(made.policy):
        each.set_alignment(0.7, 0.2, [0.1, 0.3])
    made.save(tmp_path / "model.zip")
    again = algorithm.load(tmp_path / "model.zip", device="cpu")
    found = extractors_of(again.policy)[0]
    assert (found.temperature.item(), found.margin.item()) == pytest.approx((0.7, 0.2))
    assert found.progress.tolist() == pytest.approx([0.1, 0.3])
    observations = {key: value.numpy() for key, value in batch().items()}
    for deterministic in (True, False):
        torch.manual_seed(5)
        np.random.seed(5)
        expected = made.predict(observations, deterministic=deterministic)[0]
        torch.manual_seed(5)
        np.random.seed(5)
        assert np.array_equal(expected, again.predict(observations, deterministic=deterministic)[0])


def test_sac_trains_by_latent_actions(tmp_path):
    """Continuous actions, and an extractor in the actor, the critics and their targets."""
    made = model(SAC, env=LatentAction(FillIn(), 3))
    made.learn(24)
    assert len(extractors_of(made.policy)) == 3
    made.save(tmp_path / "model.zip")
    observations = {key: value.numpy() for key, value in batch().items()}
    again = SAC.load(tmp_path / "model.zip", device="cpu")
    assert np.array_equal(
        made.predict(observations, deterministic=True)[0], again.predict(observations, deterministic=True)[0]
    )


@pytest.mark.parametrize(("algorithm", "policy"), [(PPO, FusionPolicy), (MaskablePPO, MaskableFusionPolicy)])
def test_pointer_policies_take_the_extractor(algorithm, policy):
    """FusionPolicy trains with DCRL's fusion; its scores follow the candidates."""
    made = model(algorithm, policy, CrossModalPointerExtractor, DummyVecEnv([FillIn] * 2), hidden=16)
    made.learn(32)
    observations = batch()
    observations["candidates"][:, :, 3] = torch.arange(ACTIONS) % 3
    order = torch.randperm(ACTIONS, generator=torch.Generator().manual_seed(1))
    moved = dict(observations)
    for key in ("candidates", "candidate_scores", "action_mask"):
        moved[key] = observations[key][:, order]
    first = made.policy.get_distribution(observations).distribution.probs
    assert torch.allclose(first[:, order], made.policy.get_distribution(moved).distribution.probs, atol=1e-6)


@pytest.mark.slow
def test_a_real_environment(executor):
    """The default extractor takes an observation of CodeRepair-v0."""
    env = gymnasium.make("CodeRepair-v0", executor=executor, max_candidates=64)
    made = PPO(
        "MultiInputPolicy",
        env,
        n_steps=4,
        batch_size=4,
        n_epochs=1,
        device="cpu",
        policy_kwargs={"features_extractor_class": CrossModalFusionExtractor},
    )
    made.learn(4)


def test_the_papers_configuration():
    """Six layers of width 768 are a named configuration; made on the meta device, for it is large."""
    with torch.device("meta"):
        paper = CrossModalFusionExtractor(SPACE, **CONFIGURATIONS["paper"])
    default = CrossModalFusionExtractor(SPACE, **CONFIGURATIONS["default"])
    assert (len(paper.layers), paper.width) == (6, 768)
    assert (len(default.layers), default.width) == (2, 256)


def test_what_does_not_fit_is_explained():
    """Other spaces, unknown fusions and policies without the extractor get a sentence each."""
    with pytest.raises(ValueError, match="needs a Dict observation space"):
        CrossModalFusionExtractor(gymnasium.spaces.Box(0, 1, (3,)))
    with pytest.raises(ValueError, match=r"\['text'\] are missing"):
        CrossModalFusionExtractor(gymnasium.spaces.Dict({"code": SPACE["code"]}))
    with pytest.raises(ValueError, match="fusion must be one of"):
        extractor(fusion="sum")
    with pytest.raises(ValueError, match="must be positive"):
        extractor(temperature=0.0)
    with pytest.raises(ValueError, match="leave row_width out"):
        extractor(CrossModalPointerExtractor, row_width=2)
    with pytest.raises(ValueError, match="has no CrossModalFusionExtractor"):
        extractors_of(torch.nn.Linear(1, 1))
