"""Does a contrastive step at some temperature and margin help the policy? The derivative of the answer.

After a step `theta' = theta - rate * P * grad L_c(theta; tau, m)` of the encoder, the policy's loss has changed by
`-rate * <grad L_c, P grad L_policy>` to first order. Its derivative in tau and m is one mixed second derivative of L_c,
along the direction `v = P grad L_policy`. The central difference of `d L_c / d(tau, m)` between `theta + step v` and
`theta - step v` gives it with two forward passes and no graph through the encoder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

__all__ = ["METHODS", "Hypergradient", "cosine", "hypergradient", "preconditioner"]

METHODS = ("central", "exact")
STEP = 1e-2
"""Length of the step in parameter space."""

Embed = Callable[[], tuple[torch.Tensor, torch.Tensor]]
Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


class Hypergradient(NamedTuple):
    """Derivatives of the policy's loss after a contrastive step."""

    temperature: float
    margin: float


def hypergradient(
    embed: Embed,
    loss: Loss,
    parameters: Sequence[torch.Tensor],
    direction: Sequence[torch.Tensor],
    temperature: torch.Tensor,
    margin: torch.Tensor,
    *,
    rate: float = 1.0,
    method: str = "central",
    step: float = STEP,
) -> Hypergradient:
    """`d L_policy(theta - rate P grad L_c(theta; tau, m)) / d(tau, m)`, to first order in the rate.

    The parameters are left as they were, bit by bit.

    Args:
        embed: Embeddings of a batch by the present parameters, (B, p) each.
        loss: From both embeddings, temperature and margin to the contrastive loss, ().
        parameters: Those of the encoder.
        direction: `v = P grad L_policy`, one tensor per parameter.
        temperature: Where the derivative is taken, ().
        margin: The same.
        rate: Learning rate of the contrastive step.
        method: "central", or "exact" by differentiating twice.
        step: Length of the step of the central difference.

    Returns:
        The derivatives; zeros if the direction is zero, which says nothing.

    Raises:
        ValueError: If the method is unknown.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}, got {method!r}.")
    length = sum(float(each.square().sum()) for each in direction) ** 0.5
    if not length > 0:
        return Hypergradient(0.0, 0.0)
    at = [value.detach().clone().requires_grad_() for value in (temperature, margin)]
    if method == "exact":
        mixed = _exact(embed, loss, parameters, direction, at)
    else:
        mixed = _central(embed, loss, parameters, [each / length for each in direction], at, step) * length
    change = -rate * mixed
    return Hypergradient(change[0].item(), change[1].item())


def _exact(
    embed: Embed,
    loss: Loss,
    parameters: Sequence[torch.Tensor],
    direction: Sequence[torch.Tensor],
    at: list[torch.Tensor],
) -> torch.Tensor:
    gradients = torch.autograd.grad(loss(*embed(), *at), parameters, create_graph=True, allow_unused=True)
    zero = 0 * (at[0] + at[1])  # a loss whose gradient does not depend on them has the derivative zero, and no graph
    inner = zero
    for each, along in zip(gradients, direction, strict=True):
        inner = inner if each is None else inner + (each * along).sum()
    return torch.stack(torch.autograd.grad(inner, at))


@torch.no_grad()
def _central(
    embed: Embed,
    loss: Loss,
    parameters: Sequence[torch.Tensor],
    unit: Sequence[torch.Tensor],
    at: list[torch.Tensor],
    step: float,
) -> torch.Tensor:
    saved = [each.clone() for each in parameters]
    found = []
    try:
        for size in (step, -step):
            for each, start, along in zip(parameters, saved, unit, strict=True):
                each.copy_(start + size * along)
            code, text = embed()
            with torch.enable_grad():
                found.append(torch.stack(torch.autograd.grad(loss(code, text, *at), at)))
    finally:
        for each, start in zip(parameters, saved, strict=True):
            each.copy_(start)
    return (found[0] - found[1]) / (2 * step)


def preconditioner(
    optimizer: torch.optim.Adam, parameters: Sequence[torch.Tensor], damping: float = 0.0
) -> list[torch.Tensor]:
    """Adam's present factor of each gradient, `1 / (sqrt(v) + epsilon)`; ones before its first step.

    Some parameters have no contrastive gradient but rounding errors: biases of keys, tokens that no pair has. Adam's
    factor is 1e8 there, and a direction with it points nowhere else; damping keeps them out.

    Args:
        optimizer: The optimizer of the contrastive loss.
        parameters: In its groups.
        damping: Added to epsilon, in units of the mean of `sqrt(v)` over all parameters.

    Returns:
        One tensor per parameter, in its shape.
    """
    group = optimizer.param_groups[0]
    beta, epsilon = group["betas"][1], group["eps"]
    states = [optimizer.state.get(each, {}) for each in parameters]
    if not all("exp_avg_sq" in state for state in states):
        return [torch.ones_like(each) for each in parameters]
    roots = [(state["exp_avg_sq"] / (1 - beta ** float(state["step"]))).sqrt() for state in states]
    mean = sum(float(each.sum()) for each in roots) / sum(each.numel() for each in roots)
    return [1 / (each + epsilon + damping * mean) for each in roots]


def cosine(first: Sequence[torch.Tensor], second: Sequence[torch.Tensor]) -> float:
    """Cosine between two gradients; 0 if one of them is zero. Below zero they interfere."""
    one = torch.cat([each.flatten() for each in first])
    two = torch.cat([each.flatten() for each in second])
    lengths = one.norm() * two.norm()
    return float(one @ two / lengths) if lengths > 0 else 0.0
