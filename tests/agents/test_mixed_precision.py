"""Mixed precision in agents.PPO: bfloat16 features, float32 everything else."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from alignment_toys import SIZES, FillIn
from component_toys import COMPONENTS, environments
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import DummyVecEnv

from agents.cross_modal_extractor import CrossModalFusionExtractor, CrossModalPointerExtractor
from agents.mixed_precision import bfloat16_features
from agents.policies import FusionPolicy
from agents.ppo import PPO
from reward_machines.weighting import Uniform

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SMALL = {"n_steps": 16, "batch_size": 32, "n_epochs": 2, "seed": 0, "device": DEVICE}


def model(policy="MultiInputPolicy", kind=CrossModalFusionExtractor, **kwargs):
    made = {"features_extractor_class": kind, "features_extractor_kwargs": dict(SIZES)}
    if kind is CrossModalPointerExtractor:
        made["features_extractor_kwargs"]["hidden"] = 16
    return PPO(policy, DummyVecEnv([FillIn] * 2), policy_kwargs=made, **(SMALL | kwargs))


@pytest.mark.parametrize(
    ("policy", "kind"),
    [("MultiInputPolicy", CrossModalFusionExtractor), (FusionPolicy, CrossModalPointerExtractor)],
    ids=["flat", "pointer"],
)
def test_features_are_computed_in_bfloat16(policy, kind):
    """Matrix products inside the extractor give bfloat16, while rollouts are collected and while the policy learns."""
    made, seen = model(policy, kind, amp=True), []
    layer = made.policy.features_extractor.layers[0].code_out
    layer.register_forward_hook(lambda module, inputs, output: seen.append((output.dtype, module.training)))
    made.learn(32)
    assert {dtype for dtype, _ in seen} == {torch.bfloat16}
    assert {training for _, training in seen} == {True, False}
    assert all(each.dtype == torch.float32 for each in made.policy.parameters())


def test_ratios_begin_at_one():
    """Rollout and update see the same features: before the first step nothing has diverged."""
    made = model(amp=True, n_epochs=1, learning_rate=0.0, batch_size=32)
    made.learn(32)
    assert made.logger.name_to_value["train/approx_kl"] == pytest.approx(0.0, abs=1e-6)
    assert made.logger.name_to_value["train/clip_fraction"] == 0


def test_it_is_near_float32_and_switched_off_afterwards():
    """bfloat16 features differ by its rounding; outside the context they are as before."""
    made = model()
    observation = made.policy.obs_to_tensor(made.env.reset())[0]
    extractor = made.policy.features_extractor
    exact = extractor(observation)
    with bfloat16_features(made.policy, made.device):
        rough = extractor(observation)
    assert rough.dtype == torch.float32
    assert not torch.equal(rough, exact)
    assert torch.allclose(rough, exact, atol=0.05, rtol=0.05)
    assert torch.equal(extractor(observation), exact)


def test_it_is_switched_off_after_an_error():
    """A callback that fails leaves no autocast behind."""

    class Fails(BaseCallback):
        def _on_step(self):
            raise RuntimeError("stop")

    made = model(amp=True)
    with pytest.raises(RuntimeError, match="stop"):
        made.learn(32, Fails())
    assert "forward" not in vars(made.policy.features_extractor)


def test_components_train_and_models_keep_the_setting(tmp_path):
    """With a weighting too; a saved model goes on with mixed precision."""
    made = PPO("MultiInputPolicy", environments(spaces="dict"), Uniform(COMPONENTS), amp=True, **SMALL).learn(32)
    assert all(np.isfinite(each.detach().cpu().numpy()).all() for each in made.policy.parameters())
    made.save(tmp_path / "model.zip")
    assert PPO.load(tmp_path / "model.zip", device=DEVICE).amp


def test_a_gpu_without_bfloat16_is_explained(monkeypatch):
    """The error says what is missing and what to write."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Old GPU")
    with (
        pytest.raises(ValueError, match="Old GPU has not; use amp=False"),
        bfloat16_features(torch.nn.Linear(1, 1), torch.device("cuda")),
    ):
        pass
