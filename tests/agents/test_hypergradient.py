"""The hypergradient of temperature and margin, against steps that are really taken."""

from __future__ import annotations

import pytest
import torch

from agents.contrastive import contrastive_loss
from agents.hypergradient import cosine, hypergradient, preconditioner


@pytest.fixture
def problem():
    """Two small encoders in float64, a batch, and a policy's loss that depends on the encoders."""
    torch.manual_seed(0)
    code, text = torch.randn(12, 5, dtype=torch.float64), torch.randn(12, 5, dtype=torch.float64)
    encoders = torch.nn.ModuleList(
        torch.nn.Sequential(torch.nn.Linear(5, 6), torch.nn.Tanh(), torch.nn.Linear(6, 4)) for _ in range(2)
    ).double()
    target = torch.randn(12, 4, dtype=torch.float64)

    def embed():
        return encoders[0](code), encoders[1](text)

    def policy_loss():
        one, two = embed()
        return ((one * two) - target).square().mean()

    return list(encoders.parameters()), embed, policy_loss


def loss(form):
    return lambda code, text, tau, margin: contrastive_loss(code, text, tau, margin, margin_form=form).total


def after_a_step(problem, tau, margin, rate, factors):
    """The policy's loss after one preconditioned contrastive step; the parameters are put back."""
    parameters, embed, policy_loss = problem
    saved = [each.detach().clone() for each in parameters]
    gradient = torch.autograd.grad(loss("softplus")(*embed(), tau, margin), parameters)
    with torch.no_grad():
        for each, along, factor in zip(parameters, gradient, factors, strict=True):
            each.sub_(rate * factor * along)
        value = policy_loss().item()
        for each, start in zip(parameters, saved, strict=True):
            each.copy_(start)
    return value


@pytest.mark.parametrize("method", ["exact", "central"])
@pytest.mark.parametrize("preconditioned", [False, True])
def test_it_is_the_derivative_of_a_step_that_is_taken(problem, method, preconditioned):
    """Finite differences of the policy's loss after a short contrastive step, in temperature and in margin."""
    parameters, embed, policy_loss = problem
    generator = torch.Generator().manual_seed(1)
    factors = [
        0.5 + torch.rand(each.shape, generator=generator, dtype=torch.float64)
        if preconditioned
        else torch.ones_like(each)
        for each in parameters
    ]
    policy = torch.autograd.grad(policy_loss(), parameters)
    direction = [factor * along for factor, along in zip(factors, policy, strict=True)]
    tau, margin = (torch.tensor(value, dtype=torch.float64) for value in (0.3, 0.2))
    rate, small = 1e-5, 1e-3
    found = hypergradient(embed, loss("softplus"), parameters, direction, tau, margin, rate=rate, method=method)
    for number, derivative in enumerate(found):
        moved = [
            after_a_step(
                problem, tau + sign * small * (number == 0), margin + sign * small * (number == 1), rate, factors
            )
            for sign in (1, -1)
        ]
        assert derivative == pytest.approx((moved[0] - moved[1]) / (2 * small), rel=1e-2)
        assert derivative != 0


def test_parameters_are_left_bit_by_bit(problem):
    """Neither method changes them, and neither leaves gradients."""
    parameters, embed, policy_loss = problem
    before = [each.detach().clone() for each in parameters]
    direction = torch.autograd.grad(policy_loss(), parameters)
    for method in ("exact", "central"):
        hypergradient(
            embed, loss("softplus"), parameters, direction, torch.tensor(0.3), torch.tensor(0.2), method=method
        )
    assert all(map(torch.equal, before, parameters))
    assert all(each.grad is None for each in parameters)


@pytest.mark.parametrize("method", ["exact", "central"])
def test_a_hinge_says_nothing_of_the_margin(problem, method):
    """With the paper's hinge the derivative in the margin is zero, that in the temperature is not."""
    parameters, embed, policy_loss = problem
    direction = torch.autograd.grad(policy_loss(), parameters)
    found = hypergradient(
        embed, loss("hinge"), parameters, direction, torch.tensor(0.3), torch.tensor(0.2), method=method, step=1e-4
    )
    assert found.margin == 0
    assert found.temperature != 0


def test_no_direction_no_hypergradient(problem):
    """A policy whose gradient is zero says nothing; unknown methods are refused."""
    parameters, embed, _ = problem
    nothing = [torch.zeros_like(each) for each in parameters]
    at = torch.tensor(0.3), torch.tensor(0.2)
    assert hypergradient(embed, loss("softplus"), parameters, nothing, *at) == (0, 0)
    with pytest.raises(ValueError, match="method must be one of"):
        hypergradient(embed, loss("softplus"), parameters, nothing, *at, method="neumann")


def test_preconditioner_is_adams():
    """One step of Adam without momentum is -rate * P * gradient."""
    torch.manual_seed(0)
    parameter = torch.nn.Parameter(torch.randn(4))
    optimizer = torch.optim.Adam([parameter], lr=0.1, betas=(0.0, 0.9))
    assert torch.equal(preconditioner(optimizer, [parameter])[0], torch.ones(4))
    for _ in range(3):
        before = parameter.detach().clone()
        parameter.grad = torch.randn(4)
        optimizer.step()
        expected = before - 0.1 * preconditioner(optimizer, [parameter])[0] * parameter.grad
        assert torch.allclose(parameter, expected)


def test_damping_keeps_rounding_errors_out():
    """A parameter whose gradients are rounding errors has no large factor."""
    parameters = [torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(2))]
    optimizer = torch.optim.Adam(parameters)
    parameters[0].grad, parameters[1].grad = torch.ones(2), torch.full((2,), 1e-9)
    optimizer.step()
    plain, damped = preconditioner(optimizer, parameters), preconditioner(optimizer, parameters, 0.1)
    assert plain[1].min() > 1e7
    assert damped[1].tolist() == pytest.approx([20, 20], rel=1e-3)
    assert damped[0].tolist() == pytest.approx([1 / 1.05] * 2, rel=1e-3)


def test_cosine_of_gradients():
    """1 for the same direction, -1 for the opposite, 0 if one is zero."""
    first = [torch.tensor([1.0, 2.0]), torch.tensor([[3.0]])]
    assert cosine(first, [2 * each for each in first]) == pytest.approx(1)
    assert cosine(first, [-each for each in first]) == pytest.approx(-1)
    assert cosine(first, [0 * each for each in first]) == 0
