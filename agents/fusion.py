"""Cross-modal fusion: code attends to text, text attends to code, both are pooled."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["CrossModalFusion"]


class CrossModalFusion(nn.Module):
    """One layer of bidirectional cross-attention with residual streams.

    Args:
        width: Width D of both modalities.
        heads: Attention heads.

    Source: the fusion of DCRL, eq. 11-15, with a constant temperature and without the reward-conditioned gate.
    """

    def __init__(self, width: int = 64, heads: int = 4) -> None:
        super().__init__()
        self.code_norm = nn.LayerNorm(width)
        self.text_norm = nn.LayerNorm(width)
        self.code_to_text = nn.MultiheadAttention(width, heads, batch_first=True)
        self.text_to_code = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(
        self, code: torch.Tensor, code_real: torch.Tensor, text: torch.Tensor, text_real: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Fuse a batch.

        Args:
            code: (B, T, D) float32.
            code_real: Mask of real code tokens, (B, T) bool.
            text: (B, M, D) float32.
            text_real: Mask of real text tokens, (B, M) bool.

        Returns:
            Fused code (B, T, D) and the pooled pair of both modalities (B, 2 D), float32.
        """
        c, t = self.code_norm(code), self.text_norm(text)
        code = code + self.code_to_text(c, t, t, key_padding_mask=~text_real, need_weights=False)[0]
        text = text + self.text_to_code(t, c, c, key_padding_mask=~code_real, need_weights=False)[0]
        return code, torch.cat([_mean(code, code_real), _mean(text, text_real)], -1)


def _mean(vectors: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    weights = real.unsqueeze(-1).to(vectors.dtype)
    return (vectors * weights).sum(1) / weights.sum(1)
