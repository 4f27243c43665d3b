"""Ways to compute cross-modal attention of a ragged batch: the fused kernel and what stock PyTorch offers.

Each begins with what suits it: padded tensors for the padded, packed for the ragged, and masks or offsets that are
ready. Only attention itself is measured, with its gradients; so the alternatives are not charged for packing or
padding. Nested tensors alone are charged a copy of keys and values, for they must be contiguous.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from agents.cross_modal import cross_modal_attention as padded_attention
from agents.cross_modal import masked_mean
from agents.kernels.cross_modal import attention_reference, cross_modal_attention, cross_modal_pool, pool_reference
from agents.kernels.ragged import Ragged, tile_rows

__all__ = ["ATTENTION", "POOL", "Batch", "Run", "make_batch", "truth"]

Tensors = tuple[torch.Tensor, ...]
Run = Callable[[], Tensors]
"""Computes outputs, packed or padded, from the batch's leaves."""


@dataclass(frozen=True)
class Batch:
    """A ragged batch in both layouts; all of the same numbers, all leaves of autograd.

    Args:
        ragged: Its layout.
        real: Masks of code and text.
        packed: Code and text, (N, 3, H, d).
        padded: The same, (B, T, 3, H, d).
        tau: Temperatures (B,) float32.
        gate: (B, D) float32.
    """

    ragged: Ragged
    real: tuple[torch.Tensor, torch.Tensor]
    packed: tuple[torch.Tensor, torch.Tensor]
    padded: tuple[torch.Tensor, torch.Tensor]
    tau: torch.Tensor
    gate: torch.Tensor

    @property
    def leaves(self) -> list[torch.Tensor]:
        """Everything that gradients are taken in."""
        return [*self.packed, *self.padded, self.tau, self.gate]


def lengths(samples: int, least: int, most: int, rng: np.random.Generator) -> torch.Tensor:
    """Log-uniform lengths: as in real tasks, most samples are far shorter than the longest."""
    drawn = np.exp(rng.uniform(math.log(least), math.log(most + 1), samples)).astype(np.int64)
    return torch.from_numpy(np.clip(drawn, least, most))


def make_batch(samples: int, heads: int, width: int, dtype: torch.dtype, device: str, scale: float = 1.0) -> Batch:
    """Code of 20 to 400 tokens and text of 5 to 120.

    Args:
        samples: B.
        heads: H.
        width: Of a head, d.
        dtype: Of the tokens.
        device: Where.
        scale: Of the lengths; less for a quick check.
    """
    rng = np.random.default_rng(0)
    limits = ((20, 400), (5, 120))
    counts = [lengths(samples, max(int(least * scale), 1), max(int(most * scale), 1), rng) for least, most in limits]
    real = [(torch.arange(int(each.max())) < each[:, None]).to(device) for each in counts]
    ragged = Ragged(real[0], real[1])
    generator = torch.Generator(device).manual_seed(0)
    packed = [
        torch.randn(int(each.sum()), 3, heads, width, generator=generator, device=device, dtype=dtype)
        for each in counts
    ]
    padded = ragged.unpack(packed[0], packed[1])
    tau = 0.5 + torch.rand(samples, generator=generator, device=device)
    gate = torch.rand(samples, heads * width, generator=generator, device=device)
    for each in (*packed, *padded, tau, gate):
        each.requires_grad_()
    return Batch(ragged, (real[0], real[1]), (packed[0], packed[1]), padded, tau, gate)


def truth(batch: Batch) -> dict[str, Tensors]:
    """Packed outputs of attention, and of the pool, computed in float64."""
    arguments: list[torch.Tensor] = [each.detach().double() for each in batch.packed]
    offsets = batch.ragged.code_offsets, batch.ragged.text_offsets
    tau, gate = batch.tau.detach().double(), batch.gate.detach().double()
    return {
        "attention": attention_reference(arguments[0], arguments[1], *offsets, tau),
        "pool": (pool_reference(arguments[0], arguments[1], *offsets, tau, gate),),
    }


# attention ----------------------------------------------------------------------------------------


def _ours(batch: Batch) -> Run:
    (code_offsets, text_offsets), tiled = _layout(batch)
    kernel = "auto" if batch.tau.is_cuda else "triton"
    return lambda: cross_modal_attention(
        *batch.packed, code_offsets, text_offsets, batch.tau, kernel=kernel, tiled=tiled
    )


def _layout(batch: Batch) -> tuple[Any, Any]:
    rows = tile_rows(batch.packed[0].shape[-1], batch.packed[0].dtype)
    return (batch.ragged.code_offsets, batch.ragged.text_offsets), batch.ragged.tiles(rows)


def _padded_sdpa(batch: Batch) -> Run:
    code_keys, text_keys = (each[:, None, None] for each in batch.real)

    def one(asks: torch.Tensor, told: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
        query = _cooled(asks[:, :, 0], batch.tau[:, None, None, None])
        query, key, value = (each.transpose(1, 2) for each in (query, told[:, :, 1], told[:, :, 2]))
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=keys).transpose(1, 2)

    code, text = batch.padded
    return lambda: (one(code, text, text_keys), one(text, code, code_keys))


def _cooled(query: torch.Tensor, tau: torch.Tensor) -> torch.Tensor:
    """Stock attention has no temperature with a gradient: the queries carry it."""
    return query * tau.reciprocal().to(query.dtype)


def _padded_plain(batch: Batch) -> Run:
    return lambda: padded_attention(*batch.padded, *batch.real, batch.tau.to(batch.padded[0].dtype))


def _by_token(batch: Batch) -> list[torch.Tensor]:
    """Sample of each packed token, for code and for text."""
    samples = torch.arange(len(batch.tau), device=batch.tau.device)
    return [samples[:, None].expand(each.shape)[each] for each in batch.real]


def _varlen(batch: Batch) -> Run:
    from torch.nn.attention.varlen import varlen_attn

    offsets, longest = (batch.ragged.code_offsets, batch.ragged.text_offsets), [each.shape[1] for each in batch.real]
    samples = _by_token(batch)

    def one(asks: int, told: int) -> torch.Tensor:
        query = _cooled(batch.packed[asks][:, 0], batch.tau[samples[asks], None, None])
        key, value = batch.packed[told][:, 1], batch.packed[told][:, 2]
        found = varlen_attn(query, key, value, offsets[asks], offsets[told], longest[asks], longest[told])
        assert isinstance(found, torch.Tensor)
        return found

    return lambda: (one(0, 1), one(1, 0))


def _nested(batch: Batch) -> Run:
    samples, longest = _by_token(batch), [each.shape[1] for each in batch.real]
    offsets = [each.long() for each in (batch.ragged.code_offsets, batch.ragged.text_offsets)]

    def jagged(values: torch.Tensor, side: int) -> torch.Tensor:
        made = torch.nested.nested_tensor_from_jagged(values.contiguous(), offsets[side], max_seqlen=longest[side])
        return made.transpose(1, 2)

    def one(asks: int, told: int) -> torch.Tensor:
        query = _cooled(batch.packed[asks][:, 0], batch.tau[samples[asks], None, None])
        parts = jagged(query, asks), jagged(batch.packed[told][:, 1], told), jagged(batch.packed[told][:, 2], told)
        return functional.scaled_dot_product_attention(*parts).transpose(1, 2).values()

    return lambda: (one(0, 1), one(1, 0))


def _flex(batch: Batch) -> Run:
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    attend, samples = torch.compile(flex_attention), _by_token(batch)

    def mask(asks: int, told: int):  # type: ignore[no-untyped-def]
        def same(b, h, query, key):  # type: ignore[no-untyped-def]
            return samples[asks][query] == samples[told][key]

        sizes = len(samples[asks]), len(samples[told])
        return create_block_mask(same, None, None, *sizes, device=str(batch.tau.device), _compile=True)

    masks = mask(0, 1), mask(1, 0)

    def one(asks: int, told: int) -> torch.Tensor:
        query = _cooled(batch.packed[asks][:, 0], batch.tau[samples[asks], None, None])
        parts = query, batch.packed[told][:, 1], batch.packed[told][:, 2]
        query, key, value = (each.transpose(0, 1)[None] for each in parts)
        found: Any = attend(query, key, value, block_mask=masks[asks])
        return found[0].transpose(0, 1)

    return lambda: (one(0, 1), one(1, 0))


# pool ---------------------------------------------------------------------------------------------


def _our_pool(batch: Batch) -> Run:
    (code_offsets, text_offsets), tiled = _layout(batch)
    kernel = "auto" if batch.tau.is_cuda else "triton"
    return lambda: (
        cross_modal_pool(*batch.packed, code_offsets, text_offsets, batch.tau, batch.gate, kernel=kernel, tiled=tiled),
    )


def _padded_pool(batch: Batch) -> Run:
    attend, gate = _padded_sdpa(batch), batch.gate.to(batch.packed[0].dtype)

    def run() -> Tensors:
        code, text = (masked_mean(each.flatten(2), real) for each, real in zip(attend(), batch.real, strict=True))
        return (gate * code + (1 - gate) * text,)

    return run


ATTENTION: dict[str, Callable[[Batch], Run]] = {
    "ours": _ours,
    "padded SDPA, mask": _padded_sdpa,
    "padded, plain": _padded_plain,
    "varlen": _varlen,
    "nested": _nested,
    "flex, compiled": _flex,
}
"""Attention in both directions, by name; the ragged ones begin with the fourth."""
POOL: dict[str, Callable[[Batch], Run]] = {"ours": _our_pool, "padded SDPA, mask": _padded_pool}
"""The same, pooled and blended."""
