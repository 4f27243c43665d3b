"""What the hypernetwork of DTERM makes small: four objectives as pure functions.

The first two fit scores to sums over episodes (`reward_machines.alignment`), which is the same as fitting them to every
episode: both are quadratic in the scores. The last two act on the weights themselves.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

__all__ = ["alignment", "meta_gradient", "naive", "regression"]


def alignment(scores: torch.Tensor, sums: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Mean over episodes of `sum_i (beta_i - X_i Y)^2`: the score of a component is its covariance with success.

    At its least, `softmax(beta / T + log prior)` is the step of the natural gradient on the outer return that stays
    near the prior, with the products as compatible features of the policy.

    Args:
        scores: beta of each task, (N, K) float32.
        sums: `count` (N,), `product` (N, K) and `product_square` (N,) of `EpisodeMemory.moments`.

    Returns:
        A scalar.
    """
    fit = sums["count"] * scores.square().sum(-1) - 2.0 * (scores * sums["product"]).sum(-1) + sums["product_square"]
    return fit.sum() / _episodes(sums)


def regression(scores: torch.Tensor, sums: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Mean over episodes of `(Y - sum_i beta_i X_i)^2`: all components explain success together.

    Args:
        scores: beta of each task, (N, K) float32.
        sums: `count` (N,), `product` (N, K), `square` (N, K, K) and `outer_square` (N,) of `EpisodeMemory.moments`.

    Returns:
        A scalar.
    """
    explained = torch.einsum("ni,nij,nj->n", scores, sums["square"], scores)
    fit = explained - 2.0 * (scores * sums["product"]).sum(-1) + sums["outer_square"]
    return fit.sum() / _episodes(sums)


def naive(weights: torch.Tensor, sums: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Minus the mean over episodes of the weighted reward `sum_i alpha_i R_i`.

    It is linear in the weights, so its least is all weight on the component with the highest mean return, whatever that
    does for success. It is here to show it.

    Args:
        weights: alpha of each task, (N, K) float32.
        sums: `count` (N,) and `returns` (N, K) of `EpisodeMemory.moments`.

    Returns:
        A scalar.
    """
    return -(weights * sums["returns"]).sum() / _episodes(sums)


def meta_gradient(weights: torch.Tensor, advantages: torch.Tensor, influence: torch.Tensor) -> torch.Tensor:
    """Minus the mean over samples of `c_s sum_i alpha_i(e_s) A_i(s)`: what one policy step does to the outer return.

    The products are divided by their root mean square, so that the scale of the policy's gradients does not matter.

    Args:
        weights: alpha of each sample's task, (N, K) float32.
        advantages: A, (N, K) float32.
        influence: c, (N,) float32.

    Returns:
        A scalar.
    """
    gains = influence.unsqueeze(-1) * advantages
    return -(weights * gains).sum(-1).mean() / (gains.square().mean().sqrt() + 1e-8)


def _episodes(sums: Mapping[str, torch.Tensor]) -> torch.Tensor:
    return sums["count"].sum().clamp(min=1e-6)
