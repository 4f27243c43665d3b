"""Value predictors of reward components, conditioned on the task: low-rank FiLM heads and their ablations.

DTERM (eq. 7) modulates "sub-reward networks" by the task embedding but gives these networks no target. Here the
measured components stay the reward, and the networks predict their returns: V_i(s; e), one per component and one for
the outer metric. They are the critics that the advantage of each component needs. A prototype found FiLM and plain
concatenation equally good; both are here, and `linear` sees no task at all.
"""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["VALUE_HEADS", "ConcatValueHeads", "FilmValueHeads", "LinearValueHeads"]


class FilmValueHeads(nn.Module):
    """Linear value heads on features that each head scales and shifts by the task (eq. 7).

    Head i computes `h' = (1 + g_i(e)) * h + b_i(e)` and `V_i = w_i . h' + c_i`. The functions g_i and b_i are MLPs of
    the embedding with `rank` numbers in the middle. Their last layers start at zero, so that the heads start as one
    linear layer, whatever the task.

    Args:
        features: Width F of the state's features h.
        embedding: Width D of the task embedding e.
        heads: Number of heads, K + 1: the components, then the outer metric.
        rank: Numbers per head through which the task acts.
        hidden: Width of the layer between the embedding and these numbers.

    Source: DTERM, eq. 7; Perez et al. 2018 (FiLM).
    """

    def __init__(self, features: int, embedding: int, heads: int, rank: int = 8, hidden: int = 64) -> None:
        super().__init__()
        self.heads, self.rank = heads, rank
        self.task = nn.Sequential(nn.Linear(embedding, hidden), nn.Tanh(), nn.Linear(hidden, heads * rank))
        self.scale = nn.Parameter(torch.zeros(heads, rank, features))
        self.shift = nn.Parameter(torch.zeros(heads, rank, features))
        self.readout = nn.Linear(features, heads)

    def modulation(self, embedding: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The functions g and b of eq. 7.

        Args:
            embedding: (B, D) float32.

        Returns:
            g and b, each (B, K + 1, F) float32; both 0 before any training.
        """
        code = self.task(embedding).unflatten(-1, (self.heads, self.rank))  # (B, K + 1, r)
        return torch.einsum("bkr,krf->bkf", code, self.scale), torch.einsum("bkr,krf->bkf", code, self.shift)

    def forward(self, features: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        """Predict the return of every component.

        Args:
            features: (B, F) float32.
            embedding: (B, D) float32.

        Returns:
            (B, K + 1) float32; the last column is the outer metric.
        """
        scale, shift = self.modulation(embedding)
        modulated = (1.0 + scale) * features.unsqueeze(1) + shift  # (B, K + 1, F)
        return (modulated * self.readout.weight).sum(-1) + self.readout.bias


class ConcatValueHeads(nn.Module):
    """The ablation without FiLM: features and embedding side by side into one hidden layer.

    Args:
        features: Width F of the state's features.
        embedding: Width D of the task embedding.
        heads: Number of heads, K + 1.
        hidden: Width of the hidden layer.
    """

    def __init__(self, features: int, embedding: int, heads: int, hidden: int = 64) -> None:
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(features + embedding, hidden), nn.Tanh())
        self.readout = nn.Linear(hidden, heads)

    def forward(self, features: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        """Predict returns (B, K + 1) float32 from features (B, F) and embeddings (B, D)."""
        return self.readout(self.hidden(torch.cat([features, embedding], -1)))


class LinearValueHeads(nn.Module):
    """The ablation without a task: one linear layer on the features.

    Args:
        features: Width F of the state's features.
        embedding: Width of the task embedding, which is not used.
        heads: Number of heads, K + 1.
    """

    def __init__(self, features: int, embedding: int, heads: int) -> None:
        super().__init__()
        self.readout = nn.Linear(features, heads)

    def forward(self, features: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        """Predict returns (B, K + 1) float32 from features (B, F); the embedding is there for the interface."""
        return self.readout(features)


VALUE_HEADS: dict[str, type[nn.Module]] = {
    "film": FilmValueHeads,
    "concat": ConcatValueHeads,
    "linear": LinearValueHeads,
}
"""The heads by name; each is made by (features, embedding, heads) and called with (features, embedding)."""
