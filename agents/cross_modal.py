"""The core of DCRL's fusion: cross-attention in both directions, scaled by a temperature, and a gate.

`cross_modal_attention` is the one operation that a fused kernel may replace; the layers and the gate around it are
ordinary modules. Both modalities carry a query, a key and a value for each token: code asks text and text asks code.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

__all__ = ["CrossModalLayer", "RewardGate", "attention_temperature", "cross_modal_attention", "masked_mean"]

QUERY, KEY, VALUE = range(3)
Attend = Callable[..., tuple[torch.Tensor, torch.Tensor]]


def cross_modal_attention(
    code: torch.Tensor,
    text: torch.Tensor,
    code_real: torch.Tensor,
    text_real: torch.Tensor,
    temperature: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention of code over text and of text over code, `softmax(Q K^T / (temperature sqrt(d))) V`.

    Differentiable twice in everything, the temperature included. A modality without tokens gives zeros, and so do
    queries that are padding.

    Args:
        code: Query, key and value of each code token, (B, T, 3, H, d).
        text: The same of each text token, (B, M, 3, H, d).
        code_real: Mask of real code tokens, (B, T) bool.
        text_real: Mask of real text tokens, (B, M) bool.
        temperature: Positive, () or one for each sample (B,).

    Returns:
        What code reads in text (B, T, H, d), and what text reads in code (B, M, H, d).

    Source: DCRL, eq. 11-13.
    """
    return _attend(code, text, code_real, text_real, temperature), _attend(
        text, code, text_real, code_real, temperature
    )


def _attend(
    asks: torch.Tensor, told: torch.Tensor, asks_real: torch.Tensor, told_real: torch.Tensor, temperature: torch.Tensor
) -> torch.Tensor:
    scale = (temperature * math.sqrt(asks.shape[-1])).reciprocal().reshape(-1, 1, 1, 1)
    logits = torch.einsum("bthd,bmhd->bhtm", asks[:, :, QUERY], told[:, :, KEY]) * scale
    keys = told_real[:, None, None]  # (B, 1, 1, M)
    # a finite number: minus infinity would make a row without keys NaN, in the gradient even where it is masked later
    weights = logits.masked_fill(~keys, torch.finfo(logits.dtype).min).softmax(-1) * keys
    return torch.einsum("bhtm,bmhd->bthd", weights, told[:, :, VALUE]) * asks_real[:, :, None, None]


def attention_temperature(temperature: torch.Tensor, reference: float, kappa: float) -> torch.Tensor:
    """Temperature of attention from that of the contrastive loss, `(temperature / reference) ** kappa`.

    At the reference it is 1, ordinary attention. `reference=1, kappa=1` is the paper's literal form, and 0.1 then
    multiplies the logits by ten; `kappa=0` turns the scaling off.
    """
    return (temperature / reference) ** kappa


def masked_mean(vectors: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """Mean over the real tokens: (B, T, D) and (B, T) bool give (B, D); zeros where there is none."""
    weights = real.unsqueeze(-1).to(vectors.dtype)
    return (vectors * weights).sum(1) / weights.sum(1).clamp(min=1.0)


class CrossModalLayer(nn.Module):
    """One layer of cross-attention in both directions, with residual streams for the tokens of both modalities.

    Args:
        width: Width D of both modalities.
        heads: Attention heads H; they divide the width.
        share_qkv: Use one W_Q, W_K, W_V for both directions, as eq. 12-13 are written; else each direction has its
            own, so the query of code and its key and value, which the other direction reads, are unrelated.
        expansion: Width of a feed-forward block after the attention, in widths; 0 leaves it out, as in eq. 11-15.

    Raises:
        ValueError: If the heads do not divide the width.
    """

    def __init__(self, width: int, heads: int, share_qkv: bool = False, expansion: int = 0) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"heads must divide the width; got {heads} heads and the width {width}.")
        self.heads = heads
        self.code_norm, self.text_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.code_qkv = nn.Linear(width, 3 * width, bias=False)
        self.text_qkv = self.code_qkv if share_qkv else nn.Linear(width, 3 * width, bias=False)
        self.code_out, self.text_out = nn.Linear(width, width), nn.Linear(width, width)
        self.code_block = _feed_forward(width, expansion) if expansion else None
        self.text_block = _feed_forward(width, expansion) if expansion else None

    def forward(
        self,
        code: torch.Tensor,
        text: torch.Tensor,
        code_real: torch.Tensor,
        text_real: torch.Tensor,
        temperature: torch.Tensor,
        attend: Attend = cross_modal_attention,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Let both streams read each other.

        Args:
            code: (B, T, D) float32.
            text: (B, M, D) float32.
            code_real: (B, T) bool.
            text_real: (B, M) bool.
            temperature: Of the attention, () or (B,).
            attend: Attention with the arguments of `cross_modal_attention`; if it takes packed tokens, code and text
                may be (N, D).

        Returns:
            Both streams, in the same shapes.
        """
        to_code, to_text = attend(*self.asked(code, text), code_real, text_real, temperature)
        code = code + self.code_out(to_code.flatten(-2))
        text = text + self.text_out(to_text.flatten(-2))
        if self.code_block is not None and self.text_block is not None:
            code, text = code + self.code_block(code), text + self.text_block(text)
        return code, text

    def asked(self, code: torch.Tensor, text: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Query, key and value of each token: (..., D) give (..., 3, H, d), for code and for text."""
        asked_code = self.code_qkv(self.code_norm(code)).unflatten(-1, (3, self.heads, -1))
        return asked_code, self.text_qkv(self.text_norm(text)).unflatten(-1, (3, self.heads, -1))


def _feed_forward(width: int, expansion: int) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(width), nn.Linear(width, expansion * width), nn.GELU(), nn.Linear(expansion * width, width)
    )


class RewardGate(nn.Module):
    """The gate `g = sigmoid(W_g [R, eta] + b_g)` and the blend `z = g * code + (1 - g) * text`.

    It begins at 0.5. The weights are plain parameters: SB3's orthogonal initialisation overwrites every `nn.Linear`.

    Args:
        width: Width D.
        content: Let the pooled streams move the gate as well, so that it differs between inputs.

    Source: DCRL, eq. 14-15; pooled first, because the two attentions have different lengths.
    """

    def __init__(self, width: int, content: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width, 2))
        self.bias = nn.Parameter(torch.zeros(width))
        self.content = nn.Parameter(torch.zeros(width, 2 * width)) if content else None

    def forward(
        self, code: torch.Tensor, text: torch.Tensor, progress: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Blend the pooled modalities.

        Args:
            code: (B, D) float32.
            text: (B, D) float32.
            progress: [R, eta], (2,) float32.

        Returns:
            The blend (B, D) and the gate, (D,), or (B, D) with content.
        """
        logits = self.weight @ progress + self.bias
        if self.content is not None:
            logits = logits + torch.cat([code, text], -1) @ self.content.T
        gate = torch.sigmoid(logits)
        return gate * code + (1 - gate) * text, gate
