"""Layers of cross-attention on a padded batch, run in plain PyTorch or, packed, with the fused kernel.

Everything in a layer but the attention works on single tokens, so whole layers run without padding. Where only the
means are wanted and no feed-forward block follows the last attention, `mean(x + W a + b) = mean(x) + W mean(a) + b`:
the last layer then needs the mean of the attention alone, which the kernel gives without writing the attention. The
gate cannot be fused into it, for W stands between.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from agents.cross_modal import CrossModalLayer, masked_mean
from agents.kernels.cross_modal import cross_modal_attention, cross_modal_means, uses_triton
from agents.kernels.ragged import Ragged, Tiles, tile_rows

__all__ = ["fuse_means", "fuse_tokens"]

Pair = tuple[torch.Tensor, torch.Tensor]


def fuse_tokens(
    layers: Sequence[CrossModalLayer], streams: Pair, real: Pair, temperature: torch.Tensor, kernel: str
) -> Pair:
    """Streams of all tokens after the layers; padding goes through them as well, it only reads nothing.

    Args:
        layers: The layers.
        streams: Code (B, T, D) and text (B, M, D).
        real: Their masks, (B, T) and (B, M) bool.
        temperature: Of the attention, () or (B,).
        kernel: One of `agents.kernels.cross_modal.KERNELS`.

    Returns:
        Both streams, in the same shapes.
    """
    code, text = streams
    if not _fused(layers, code, kernel):
        for layer in layers:
            code, text = layer(code, text, *real, temperature)
        return code, text
    ragged = Ragged(*real)

    def attend(code: torch.Tensor, text: torch.Tensor, *_: torch.Tensor) -> Pair:
        return ragged.unpack(*_attention(ragged, *ragged.pack(code, text), temperature))

    for layer in layers:
        code, text = layer(code, text, *real, temperature, attend)
    return code, text


def fuse_means(
    layers: Sequence[CrossModalLayer], streams: Pair, real: Pair, temperature: torch.Tensor, kernel: str
) -> Pair:
    """Means of both streams over their tokens after the layers.

    Args:
        layers: As for `fuse_tokens`.
        streams: As for `fuse_tokens`.
        real: As for `fuse_tokens`.
        temperature: As for `fuse_tokens`.
        kernel: As for `fuse_tokens`.

    Returns:
        (B, D) of code and of text.
    """
    if not _fused(layers, streams[0], kernel):
        code, text = fuse_tokens(layers, streams, real, temperature, kernel)
        return masked_mean(code, real[0]), masked_mean(text, real[1])
    ragged = Ragged(*real)
    code, text = ragged.pack(*streams)

    def attend(code: torch.Tensor, text: torch.Tensor, *_: torch.Tensor) -> Pair:
        return _attention(ragged, code, text, temperature)

    last = layers[-1]
    pooled = last.code_block is None
    for layer in layers[:-1] if pooled else layers:
        code, text = layer(code, text, *real, temperature, attend)
    padded_code, padded_text = ragged.unpack(code, text)
    means = masked_mean(padded_code, real[0]), masked_mean(padded_text, real[1])
    if not pooled:
        return means
    asked = last.asked(code, text)
    offsets, tiled = (ragged.code_offsets, ragged.text_offsets), _tiles(ragged, asked[0])
    to_code, to_text = cross_modal_means(*asked, *offsets, temperature, kernel="triton", tiled=tiled)
    return (
        means[0] + last.code_out(to_code) * real[0].any(1, keepdim=True),
        means[1] + last.text_out(to_text) * real[1].any(1, keepdim=True),
    )


def _fused(layers: Sequence[CrossModalLayer], code: torch.Tensor, kernel: str) -> bool:
    return len(layers) > 0 and uses_triton(kernel, code.unflatten(-1, (layers[0].heads, -1)))


def _attention(ragged: Ragged, code: torch.Tensor, text: torch.Tensor, temperature: torch.Tensor) -> Pair:
    offsets = ragged.code_offsets, ragged.text_offsets
    return cross_modal_attention(code, text, *offsets, temperature, kernel="triton", tiled=_tiles(ragged, code))


def _tiles(ragged: Ragged, asked: torch.Tensor) -> Tiles:
    return ragged.tiles(tile_rows(asked.shape[-1], asked.dtype))
