"""Rows of the candidates that an environment of the suite offers, as vectors."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["FIXED_COLUMNS", "CandidateRows"]

FIXED_COLUMNS = 4
"""Columns of a candidate before its tokens: operator, node kind, role, token position."""
KINDS = 128
SMALL, WORD = 16, 32


class CandidateRows(nn.Module):
    """Embeds what a candidate says of itself: its kind, its tokens and its scores.

    Args:
        vocabulary: Number of token ids.
        columns: Columns of `candidates`.
        scores: Columns of `candidate_scores`.
        extra: Width of what is known of each candidate from elsewhere.
        hidden: Width of the result.
    """

    def __init__(self, vocabulary: int, columns: int, scores: int, hidden: int, extra: int = 0) -> None:
        super().__init__()
        self.kinds = nn.ModuleList(nn.Embedding(KINDS, SMALL) for _ in range(FIXED_COLUMNS - 1))
        self.words = nn.Embedding(vocabulary, WORD, padding_idx=0)
        width = (FIXED_COLUMNS - 1) * SMALL + (columns - FIXED_COLUMNS) * WORD + scores + extra
        self.row = nn.Linear(width, hidden)

    def forward(self, rows: torch.Tensor, scores: torch.Tensor, *extra: torch.Tensor) -> torch.Tensor:
        """Embed N candidates.

        Args:
            rows: (N, columns) int64.
            scores: (N, scores) float32.
            *extra: Together (N, extra) float32.

        Returns:
            (N, hidden) float32.
        """
        parts = [embed(rows[:, column]) for column, embed in enumerate(self.kinds)]
        parts += [self.words(rows[:, FIXED_COLUMNS:]).flatten(1), scores, *extra]
        return self.row(torch.cat(parts, -1))
