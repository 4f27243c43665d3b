"""Token encoders: from padded token ids to one vector per token."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["TokenEncoder"]


class TokenEncoder(nn.Module):
    """A small pre-norm transformer over token ids, trained from scratch; id 0 is padding.

    Batches are cut to their longest sequence: programs are short, and padding would cost most of the time.

    Args:
        vocabulary: Number of token ids.
        length: Longest sequence.
        width: Width D of a token's vector.
        layers: Transformer layers.
        heads: Attention heads.
        dropout: Share of activations dropped while training; attention weights are kept, because dropping them too
            made a gradient step a quarter slower.
    """

    def __init__(
        self, vocabulary: int, length: int, width: int = 64, layers: int = 1, heads: int = 4, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width, padding_idx=0)
        self.positions = nn.Parameter(torch.randn(length, width) * 0.02)
        layer = nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout=dropout, activation="gelu", batch_first=True, norm_first=True
        )
        layer.self_attn.dropout = 0.0
        self.layers = nn.TransformerEncoder(layer, layers, norm=nn.LayerNorm(width), enable_nested_tensor=False)
        nn.init.normal_(self.tokens.weight, std=0.5)

    def forward(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode a batch.

        Args:
            ids: Token ids, (B, T) int64.

        Returns:
            Vectors (B, T', D) float32 and the mask of real tokens (B, T') bool, T' <= T; a sequence without
            tokens keeps one padding position, so that attention over it is defined.
        """
        longest = max(int((ids != 0).sum(1).max()), 1)
        ids = ids[:, :longest]
        real = ids != 0
        real[:, 0] = True
        vectors = self.tokens(ids) + self.positions[:longest]
        return self.layers(vectors, src_key_padding_mask=~real), real
