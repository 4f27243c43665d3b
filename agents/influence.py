"""How much each action moves the policy towards the outer metric: influences by finite differences.

The meta-gradient of DTERM's weights needs, for each sample s, `c_s = <grad log pi(a_s | s), v>` with a direction v in
parameter space. Per-sample gradients are never formed: two forward passes, at `theta + eps v` and `theta - eps v`, give
all of them. The direction is the derivative of the cosine between the gradient of the composed reward and that of the
outer metric, so that long gradients gain nothing by being long.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.type_aliases import PyTorchObs

__all__ = ["component_gradients", "influence", "log_probabilities"]

STEP = 1e-2
"""Length of the step in parameter space."""


def log_probabilities(policy: ActorCriticPolicy, observations: PyTorchObs, actions: torch.Tensor) -> torch.Tensor:
    """Log-probabilities of actions, (N,) float32."""
    return policy.get_distribution(observations).log_prob(actions)


def influence(
    policy: ActorCriticPolicy,
    observations: PyTorchObs,
    actions: torch.Tensor,
    inner: torch.Tensor,
    outer: torch.Tensor,
    step: float = STEP,
) -> torch.Tensor:
    """Influence of each sample on the cosine between the composed and the outer policy gradient.

    The policy is left as it was, bit by bit; dropout is off meanwhile.

    Args:
        policy: The policy.
        observations: N of them.
        actions: As the policy's distribution takes them.
        inner: Advantages of the composed reward, (N,) float32.
        outer: Advantages of the outer metric, (N,) float32.
        step: Length of the step in parameter space.

    Returns:
        (N,) float32; zeros if the outer gradient is zero, which says nothing.

    Source: LIRPG (Zheng et al. 2018), with the direction normalised.
    """
    with _evaluating(policy):
        parameters: list[torch.Tensor] = [each for each in policy.parameters() if each.requires_grad]
        log_prob = log_probabilities(policy, observations, actions)
        towards_outer = _direction(log_prob, outer, parameters, keep=True)
        towards_inner = _direction(log_prob, inner, parameters, keep=False)
        if towards_outer is None:
            return torch.zeros_like(log_prob).detach()
        direction = towards_outer
        if towards_inner is not None:
            direction = towards_outer - (towards_inner @ towards_outer) * towards_inner
        length = direction.norm()
        if length < 1e-8:
            return torch.zeros_like(log_prob).detach()
        saved = [each.detach().clone() for each in parameters]
        moves = _split(direction / length, parameters)
        try:
            with torch.no_grad():
                ahead = _moved(policy, observations, actions, parameters, saved, moves, step)
                behind = _moved(policy, observations, actions, parameters, saved, moves, -step)
        finally:
            with torch.no_grad():
                for each, value in zip(parameters, saved, strict=True):
                    each.copy_(value)
    return (ahead - behind) * (length / (2 * step))


def component_gradients(
    policy: ActorCriticPolicy,
    observations: PyTorchObs,
    actions: torch.Tensor,
    advantages: torch.Tensor,
    layer: torch.Tensor,
) -> torch.Tensor:
    """Norms of each component's policy gradient with respect to one layer, not weighted.

    Args:
        policy: The policy.
        observations: N of them.
        actions: As the policy's distribution takes them.
        advantages: Advantages of the components, (N, K) float32.
        layer: The last layer that the components share.

    Returns:
        (K,) float32.

    Source: Chen et al. (2018), G_W without its weight.
    """
    centred = advantages - advantages.mean(0)
    with _evaluating(policy):
        log_prob = log_probabilities(policy, observations, actions)
        losses = -(log_prob[:, None] * centred).mean(0)  # (K,)
        gradients = [torch.autograd.grad(loss, layer, retain_graph=True)[0] for loss in losses]
    return torch.stack([gradient.norm() for gradient in gradients])


@contextmanager
def _evaluating(policy: ActorCriticPolicy) -> Iterator[None]:
    before = policy.training
    policy.set_training_mode(False)
    try:
        yield
    finally:
        policy.set_training_mode(before)


def _direction(
    log_prob: torch.Tensor, advantages: torch.Tensor, parameters: list[torch.Tensor], keep: bool
) -> torch.Tensor | None:
    """Unit vector along the policy gradient, all parameters in one row; None if it is zero."""
    objective = (log_prob * (advantages - advantages.mean())).mean()
    gradients = torch.autograd.grad(objective, parameters, retain_graph=keep, allow_unused=True)
    flat = [
        torch.zeros_like(each) if gradient is None else gradient
        for each, gradient in zip(parameters, gradients, strict=True)
    ]
    row = torch.cat([each.flatten() for each in flat])
    length = row.norm()
    return None if length < 1e-12 else row / length


def _split(row: torch.Tensor, parameters: list[torch.Tensor]) -> list[torch.Tensor]:
    pieces = row.split([each.numel() for each in parameters])
    return [piece.view_as(each) for piece, each in zip(pieces, parameters, strict=True)]


def _moved(
    policy: ActorCriticPolicy,
    observations: PyTorchObs,
    actions: torch.Tensor,
    parameters: list[torch.Tensor],
    saved: list[torch.Tensor],
    moves: list[torch.Tensor],
    step: float,
) -> torch.Tensor:
    """Log-probabilities after a step from the saved parameters."""
    for each, value, move in zip(parameters, saved, moves, strict=True):
        each.copy_(value + step * move)
    return log_probabilities(policy, observations, actions)
