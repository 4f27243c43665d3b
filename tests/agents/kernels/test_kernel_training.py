"""Training with the fused kernel and without it: the same features, gradients and steps of PPO."""

from __future__ import annotations

import pytest
import torch
from alignment_toys import SIZES, FillIn
from kernel_cases import DEVICE
from stable_baselines3.common.vec_env import DummyVecEnv

from agents.cross_modal_extractor import CrossModalFusionExtractor, CrossModalPointerExtractor
from agents.kernels import operators
from agents.policies import FusionPolicy
from agents.ppo import PPO

SPACE = FillIn().observation_space


@pytest.fixture
def calls(monkeypatch):
    """Names of the operators that ran."""
    names = []
    launches = operators._launches()

    class Watched:
        def __getattr__(self, name):
            names.append(name)
            return getattr(launches, name)

    monkeypatch.setattr(operators, "_launches", Watched)
    return names


def observations(count=3):
    env, seen = FillIn(), []
    for seed in range(count):
        observation, _ = env.reset(seed=seed)
        for action in range(seed % 3):
            observation = env.step(action)[0]
        seen.append(observation)
    return {key: torch.stack([torch.as_tensor(each[key]).float() for each in seen]).to(DEVICE) for key in seen[0]}


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        (CrossModalFusionExtractor, {"layers": 2, "content_gate": True}, {"attend", "gradients", "pool"}),
        (CrossModalFusionExtractor, {"expansion": 2}, {"attend", "gradients"}),
        (CrossModalPointerExtractor, {"hidden": 16}, {"attend", "gradients"}),
    ],
    ids=["flat", "feed-forward", "pointer"],
)
def test_features_and_gradients_are_the_same(kind, options, expected, calls):
    """One set of parameters, both paths: the same to float32's rounding, padding and empty texts included."""
    found = []
    for kernel in ("reference", "triton"):
        torch.manual_seed(0)
        made = kind(SPACE, **(SIZES | options), kernel=kernel).to(DEVICE)
        made.set_alignment(0.3, 0.2, [0.1, 0.2])
        batch = observations()
        batch["text"][0] = 0
        features = made(batch)
        loss = sum(
            each.float().square().sum()
            for each in (features.values() if kind is CrossModalPointerExtractor else [features])
        )
        loss.backward()
        found.append([loss.detach(), *(each.grad for each in made.parameters() if each.grad is not None)])
        assert bool(calls) == (kernel == "triton")
    assert expected <= set(calls)
    assert len(found[0]) == len(found[1])
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("policy", "kind"),
    [
        ("MultiInputPolicy", CrossModalFusionExtractor),
        pytest.param(FusionPolicy, CrossModalPointerExtractor, marks=pytest.mark.slow),
    ],
    ids=["flat", "pointer"],
)
def test_training_takes_the_same_steps(policy, kind, calls):
    """Two rollouts and four gradient steps: the same actions, losses and parameters after every step."""
    runs = []
    for kernel in ("reference", "triton"):
        kwargs = SIZES | {"kernel": kernel, "heads": 1} | ({"hidden": 16} if kind is CrossModalPointerExtractor else {})
        made = PPO(
            policy, DummyVecEnv([FillIn] * 2), n_steps=2, batch_size=4, n_epochs=2, seed=0, device=DEVICE,
            policy_kwargs={"features_extractor_class": kind, "features_extractor_kwargs": kwargs},
        )  # fmt: skip
        steps = []
        step = made.policy.optimizer.step

        def watched(*args, _step=step, _made=made, _steps=steps, **kwargs):
            result = _step(*args, **kwargs)
            values = torch.cat([each.detach().flatten() for each in _made.policy.parameters()])
            _steps.append((values.clone(), _made.rollout_buffer.actions.copy(), _made.rollout_buffer.rewards.copy()))
            return result

        made.policy.optimizer.step = watched
        made.learn(8)
        runs.append(steps)
    assert any("gradients" in each for each in calls)
    assert len(runs[0]) == len(runs[1]) == 4
    for (one, actions, rewards), (other, other_actions, other_rewards) in zip(*runs, strict=True):
        assert (actions == other_actions).all()
        assert (rewards == other_rewards).all()
        # Adam divides by the gradient's size, so that rounding of a gradient near zero may move a step by its length
        assert (one - other).abs().mean() < 1e-6
        assert (one - other).abs().max() < 1e-3


def test_unknown_kernels_are_explained():
    """The extractor names the choices."""
    with pytest.raises(ValueError, match="kernel must be one of"):
        CrossModalFusionExtractor(SPACE, **SIZES, kernel="fast")
