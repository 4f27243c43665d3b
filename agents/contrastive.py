"""The contrastive objective of DCRL: symmetric InfoNCE and a margin to the hardest negative, and what it tells.

Rows of a batch are pairs of embeddings, code i with text i. Pairs of the same task are no negatives of each other.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch.nn import functional

__all__ = ["ContrastiveLoss", "Figures", "contrastive_figures", "contrastive_loss", "similarities"]

SOFTNESS = 0.1
MARGINS = ("softplus", "hinge")
NEGATIVES = ("hardest", "random")


class ContrastiveLoss(NamedTuple):
    """The loss and its two terms, () float32 each."""

    total: torch.Tensor
    cross_entropy: torch.Tensor
    margin: torch.Tensor


class Figures(NamedTuple):
    """How well a batch is aligned."""

    alignment: float
    """Mean cosine of matched pairs."""
    separation: float
    """The same minus the mean cosine of unmatched ones; the plain cosine is high for collapsed embeddings too."""
    accuracy: float
    """Share of codes whose own text is the nearest of the batch."""
    uniformity: float
    """`log mean exp(-2 |x - y|^2)` over pairs of a modality, mean of both; 0 means collapsed, low is good."""


def similarities(code: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
    """Cosines of every code with every text: (B, p) and (B, p) give (B, B)."""
    return functional.normalize(code, dim=-1) @ functional.normalize(text, dim=-1).T


def contrastive_loss(
    code: torch.Tensor,
    text: torch.Tensor,
    temperature: torch.Tensor | float,
    margin: torch.Tensor | float,
    groups: torch.Tensor | None = None,
    *,
    margin_form: str = "softplus",
    negative: str = "hardest",
    symmetric: bool = True,
    margin_weight: float = 1.0,
    generator: torch.Generator | None = None,
) -> ContrastiveLoss:
    """InfoNCE at a temperature, plus a margin between the own text and a negative.

    The margin term is `s softplus((s_negative - s_own + m) / s)` with s = 0.1: a hinge has a gradient in m that is the
    same wherever it is active, so no mixed derivative with the encoder, and a hypergradient in m of exactly zero.

    Args:
        code: Embeddings, (B, p) float32.
        text: Embeddings, (B, p) float32.
        temperature: Positive, ().
        margin: ().
        groups: Task of each pair, (B,) int64; pairs of one task are no negatives. None: all differ.
        margin_form: "softplus", or "hinge" as in the paper.
        negative: "hardest" of the batch, or "random".
        symmetric: Also text against codes; the paper has code against texts only.
        margin_weight: Weight of the margin term; 0 leaves plain InfoNCE.
        generator: Draws random negatives.

    Returns:
        The loss; a pair without negatives adds nothing.

    Raises:
        ValueError: If an option is unknown.

    Source: DCRL, eq. 6.
    """
    if margin_form not in MARGINS or negative not in NEGATIVES:
        raise ValueError(
            f"margin_form must be one of {MARGINS} and negative of {NEGATIVES}; got {margin_form!r}, {negative!r}."
        )
    cosines = similarities(code, text)
    others = _negatives(len(code), groups, code.device)
    views = (cosines, cosines.T) if symmetric else (cosines,)
    entropy = torch.stack([_cross_entropy(view, others, temperature) for view in views]).mean()
    gaps = [_gap(view, others, negative, generator) + margin for view in views]
    terms = torch.stack([_soft(gap) if margin_form == "softplus" else functional.relu(gap) for gap in gaps])
    some = others.any(1)
    distance = (terms * some).mean()
    return ContrastiveLoss(entropy + margin_weight * distance, entropy, distance)


def _negatives(count: int, groups: torch.Tensor | None, device: torch.device) -> torch.Tensor:
    """Which pairs are negatives of which, (B, B) bool."""
    groups = torch.arange(count, device=device) if groups is None else groups
    return groups[:, None] != groups[None]


def _cross_entropy(cosines: torch.Tensor, others: torch.Tensor, temperature: torch.Tensor | float) -> torch.Tensor:
    own = torch.eye(len(cosines), dtype=torch.bool, device=cosines.device)
    logits = (cosines / temperature).masked_fill(~(others | own), -torch.inf)
    return functional.cross_entropy(logits, torch.arange(len(cosines), device=cosines.device))


def _gap(cosines: torch.Tensor, others: torch.Tensor, negative: str, generator: torch.Generator | None) -> torch.Tensor:
    """Cosine with a negative minus cosine with the own partner, (B,); rows without negatives are masked later."""
    rank = cosines.detach()
    if negative == "random":
        rank = torch.rand(cosines.shape, generator=generator).to(cosines.device)
    chosen = rank.masked_fill(~others, -torch.inf).argmax(1, keepdim=True)
    return cosines.gather(1, chosen).squeeze(1) - cosines.diagonal()


def _soft(gap: torch.Tensor) -> torch.Tensor:
    return SOFTNESS * functional.softplus(gap / SOFTNESS)


@torch.no_grad()
def contrastive_figures(code: torch.Tensor, text: torch.Tensor, groups: torch.Tensor | None = None) -> Figures:
    """How well embeddings are aligned and spread.

    Args:
        code: (B, p) float32.
        text: (B, p) float32.
        groups: As for `contrastive_loss`.

    Returns:
        The figures; those that need negatives are NaN if there are none.

    Source: Wang and Isola (2020) for uniformity.
    """
    cosines = similarities(code, text)
    others = _negatives(len(code), groups, code.device)
    matched = cosines.diagonal()
    unmatched = cosines[others].mean()
    best = cosines.masked_fill(~others, -torch.inf).amax(1)
    some = others.any(1)
    accuracy = (matched > best)[some].float().mean()
    spread = [_uniformity(each, others) for each in (code, text)]
    return Figures(matched.mean().item(), (matched.mean() - unmatched).item(), accuracy.item(), sum(spread) / 2)


def _uniformity(vectors: torch.Tensor, others: torch.Tensor) -> float:
    distances = 2 - 2 * similarities(vectors, vectors)
    return (-2 * distances[others]).exp().mean().log().item()
