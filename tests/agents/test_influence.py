"""Influences by finite differences against per-sample gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from component_toys import COMPONENTS, environments

from agents.influence import component_gradients, influence, log_probabilities
from agents.ppo import PPO
from reward_machines.weighting import Uniform

N = 40


@pytest.fixture
def setting():
    policy = PPO("MlpPolicy", environments(), Uniform(COMPONENTS), seed=0, device="cpu").policy
    generator = torch.Generator().manual_seed(0)
    for each in policy.action_net.parameters():  # away from the almost uniform start
        each.data += 0.3 * torch.randn(each.shape, generator=generator)
    observations = torch.rand(N, 3, generator=generator)
    actions = torch.randint(3, (N,), generator=generator)
    inner, outer = torch.randn(2, N, generator=generator)
    return policy, observations, actions, inner, outer


def per_sample(policy, observations, actions):
    """Gradients of log-probabilities, (N, parameters), the slow way."""
    parameters = [each for each in policy.parameters() if each.requires_grad]
    rows = []
    for log_prob in log_probabilities(policy, observations, actions):
        gradients = torch.autograd.grad(log_prob, parameters, retain_graph=True, allow_unused=True)
        parts = [
            torch.zeros(each.numel()) if gradient is None else gradient.flatten()
            for gradient, each in zip(gradients, parameters, strict=True)
        ]
        rows.append(torch.cat(parts))
    return torch.stack(rows)


def test_influence_is_the_derivative_of_the_cosine(setting):
    """c_s = <grad log pi_s, v_out - cos v_in>, v the unit gradients of the two objectives."""
    policy, observations, actions, inner, outer = setting
    rows = per_sample(policy, observations, actions)
    units = [(rows * (each - each.mean())[:, None]).mean(0) for each in (inner, outer)]
    inward, outward = [each / each.norm() for each in units]
    expected = rows @ (outward - (inward @ outward) * inward)
    found = influence(policy, observations, actions, inner, outer)
    assert np.corrcoef(found, expected)[0, 1] > 0.9999
    np.testing.assert_allclose(found, expected, atol=2e-3 * float(expected.abs().max()))


def test_the_policy_is_left_as_it_was(setting):
    """Parameters to the last bit, gradients and mode."""
    policy, observations, actions, inner, outer = setting
    policy.set_training_mode(True)
    before = [each.detach().clone() for each in policy.parameters()]
    influence(policy, observations, actions, inner, outer)
    assert all(torch.equal(one, other) for one, other in zip(before, policy.parameters(), strict=True))
    assert all(each.grad is None for each in policy.parameters())
    assert policy.training


def test_an_error_leaves_the_policy_as_it_was(setting, monkeypatch):
    """Also when a forward pass fails half way."""
    policy, observations, actions, inner, outer = setting
    before = [each.detach().clone() for each in policy.parameters()]
    calls = []

    def failing(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("planned")
        return log_probabilities(*arguments)

    monkeypatch.setattr("agents.influence.log_probabilities", failing)
    with pytest.raises(RuntimeError, match="planned"):
        influence(policy, observations, actions, inner, outer)
    assert all(torch.equal(one, other) for one, other in zip(before, policy.parameters(), strict=True))


def test_no_outer_signal_has_no_influence(setting):
    """A constant outer advantage, or the same one twice, asks for no change."""
    policy, observations, actions, inner, _ = setting
    assert influence(policy, observations, actions, inner, torch.ones(N)).tolist() == [0.0] * N
    same = influence(policy, observations, actions, inner, 2 * inner)
    assert same.abs().max() < 1e-4


def test_norms_are_those_of_each_components_gradient(setting):
    """Against the per-sample gradients of the last layer."""
    policy, observations, actions, inner, outer = setting
    advantages = torch.stack([inner, outer], 1)
    layer = policy.last_shared_layer()
    assert layer is policy.action_net.weight
    rows = torch.stack([
        torch.autograd.grad(each, layer, retain_graph=True)[0].flatten()
        for each in log_probabilities(policy, observations, actions)
    ])  # fmt: skip
    centred = advantages - advantages.mean(0)
    expected = ((centred[:, :, None] * rows[:, None]).mean(0)).norm(dim=-1)
    np.testing.assert_allclose(
        component_gradients(policy, observations, actions, advantages, layer), expected, rtol=1e-4
    )
