"""Launches of the Triton kernels: buffers, grids and constants. Imported with Triton, on first use."""

from __future__ import annotations

import math
from typing import Any

import torch
import triton

from agents.kernels import triton_cross_modal as kernels

__all__ = ["attend", "gradients", "pool", "pool_gradients"]

Tensors = tuple[torch.Tensor, ...]
NO_GPU = (
    "The fused cross-modal attention runs on CUDA. On a CPU it runs only in Triton's interpreter, for tests: set "
    'TRITON_INTERPRET=1 before Triton is imported; or use kernel="reference".'
)
STAGES = {"attend": 2, "pool": 2, "pool_deltas": 2, "gradients": 1}
"""Software pipelining; the gradients hold ten tiles already."""
WARPS = {"attend": 4, "pool": 8, "pool_deltas": 4, "gradients": 8}
"""With four warps, ptxas spills registers of these two (sm_90)."""


class _Batch:
    """What every launch of a batch shares."""

    def __init__(self, inputs: Tensors, code_slots: int, rows: int, tf32: bool) -> None:
        self.inputs = tuple(each.contiguous() for each in inputs)
        if not inputs[0].is_cuda and isinstance(kernels.attend, triton.JITFunction):
            raise RuntimeError(NO_GPU)
        self.code, self.text, self.code_offsets, self.text_offsets, self.places, self.temperature = self.inputs
        self.code_slots, self.rows = code_slots, rows
        self.slots, self.samples = len(self.places), len(self.temperature)
        _, _, self.heads, self.width = self.code.shape
        self.factor = 1 / math.sqrt(self.width)
        self.shape: dict[str, Any] = {
            "HEADS": self.heads, "WIDTH": self.width, "ROWS": rows, "PRECISION": "tf32" if tf32 else "ieee",
            "PADDED": max(triton.next_power_of_2(self.width), 16),
        }  # fmt: skip

    def empty(self, *shape: int, dtype: torch.dtype | None = None) -> torch.Tensor:
        return _empty(shape, dtype or self.code.dtype, self.code.device)

    def tokens(self, *shape: int, dtype: torch.dtype | None = None) -> Tensors:
        """Two buffers, a row for each token of code and of text."""
        return self.empty(len(self.code), *shape, dtype=dtype), self.empty(len(self.text), *shape, dtype=dtype)

    def by_slot(self, kernel: Any, *arguments: Any, **constants: Any) -> None:
        self._launch(kernel, self.slots, arguments, constants)

    def by_sample(self, kernel: Any, *arguments: Any, **constants: Any) -> None:
        self._launch(kernel, self.samples, arguments, constants)

    def _launch(self, kernel: Any, count: int, arguments: tuple[Any, ...], constants: dict[str, Any]) -> None:
        if not count:
            return
        name = kernel.fn.__name__
        with torch.cuda.device_of(self.code):
            kernel[(count, self.heads)](
                *arguments, **constants, **self.shape, num_stages=STAGES[name], num_warps=WARPS[name],
                enable_fp_fusion=True,
            )  # fmt: skip


def _empty(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """A buffer that a kernel is to fill; tests fill it with NaN first."""
    return torch.empty(shape, dtype=dtype, device=device)


def attend(inputs: Tensors, code_slots: int, rows: int, tf32: bool) -> Tensors:
    """Attention in both directions.

    Args:
        inputs: Code and text (N, 3, H, d), their offsets, places of tiles, and temperatures (B,) float32.
        code_slots: Tiles of code.
        rows: Tokens per tile.
        tf32: Multiply float32 matrices with 10 bits of mantissa.

    Returns:
        What each token reads, (N, H, d) for code and text, and its levels, largest
        logit (base 2) and one over the sum of exponentials, (N, H, 2) float32.
    """
    batch = _Batch(inputs, code_slots, rows, tf32)
    outs, levels = batch.tokens(batch.heads, batch.width), batch.tokens(batch.heads, 2, dtype=torch.float32)
    _attend(batch, outs, levels, OUTPUT=True)
    return *outs, *levels


def _attend(batch: _Batch, outs: Tensors, levels: Tensors, **constants: bool) -> None:
    code, text, *rest = batch.inputs
    batch.by_slot(kernels.attend, code, text, *outs, *levels, *rest, batch.code_slots, batch.factor, **constants)


def gradients(
    inputs: Tensors, outs: Tensors, levels: Tensors, d_outs: Tensors, code_slots: int, rows: int, tf32: bool, tau: bool
) -> Tensors:
    """Gradients of `attend` in code, text and temperatures.

    Args:
        inputs: As for `attend`.
        outs: What `attend` returned.
        levels: What `attend` returned.
        d_outs: Gradients of the outputs.
        code_slots: As for `attend`.
        rows: As for `attend`.
        tf32: As for `attend`.
        tau: Compute the temperatures' gradient; else it is zeros.
    """
    batch = _Batch(inputs, code_slots, rows, tf32)
    d_outs = tuple(each.contiguous() for each in d_outs)
    return _gradients(batch, outs, d_outs, levels, levels, POOLED=False, TAU=tau)


def _gradients(
    batch: _Batch, outs: Tensors, d_outs: Tensors, levels: Tensors, deltas: Tensors, **constants: bool
) -> Tensors:
    grads = batch.tokens(3, batch.heads, batch.width)
    parts = batch.empty(batch.slots, batch.heads, dtype=torch.float32)
    code, text, *rest = batch.inputs
    batch.by_slot(
        kernels.gradients, code, text, *grads, *outs, *d_outs, *levels, *deltas, *rest, parts,
        batch.code_slots, batch.factor, **constants,
    )  # fmt: skip
    if not constants["TAU"] or not batch.samples:
        return *grads, torch.zeros_like(batch.temperature)
    sums = batch.empty(batch.samples, dtype=torch.float32)
    with torch.cuda.device_of(code):
        kernels.sum_by_sample[(batch.samples,)](
            parts, sums, batch.code_offsets, batch.text_offsets, batch.code_slots,
            HEADS=batch.heads, HEADS_PADDED=triton.next_power_of_2(batch.heads), ROWS=batch.rows,
            enable_fp_fusion=True,
        )  # fmt: skip
    return *grads, sums


def pool(inputs: Tensors, gate: torch.Tensor | None, code_slots: int, rows: int, tf32: bool) -> Tensors:
    """Attention, its mean over each sample's tokens, and the blend by a gate.

    Args:
        inputs: As for `attend`.
        gate: (B, D) float32, or None for no blend.
        code_slots: As for `attend`.
        rows: As for `attend`.
        tf32: As for `attend`.

    Returns:
        The blend (B, D), or (0,) without a gate; both means (B, D); and the levels (N, H, 2).
    """
    batch = _Batch(inputs, code_slots, rows, tf32)
    levels = batch.tokens(batch.heads, 2, dtype=torch.float32)
    _attend(batch, levels, levels, OUTPUT=False)
    size = (batch.samples, batch.heads * batch.width)
    means = batch.empty(*size), batch.empty(*size)
    blend = batch.empty(*size) if gate is not None else batch.empty(0)
    batch.by_sample(
        kernels.pool, batch.code, batch.text, *levels, batch.code_offsets, batch.text_offsets, batch.temperature,
        batch.temperature if gate is None else gate.contiguous(), *means, blend, batch.factor, GATED=gate is not None,
    )  # fmt: skip
    return blend, *means, *levels


def pool_gradients(
    inputs: Tensors, levels: Tensors, d_means: Tensors, code_slots: int, rows: int, tf32: bool, tau: bool
) -> Tensors:
    """Gradients of both means in code, text and temperatures.

    Args:
        inputs: As for `attend`.
        levels: What `pool` returned.
        d_means: Gradients of the means, (B, D) float32.
        code_slots: As for `attend`.
        rows: As for `attend`.
        tf32: As for `attend`.
        tau: Compute the temperatures' gradient; else it is zeros.
    """
    batch = _Batch(inputs, code_slots, rows, tf32)
    d_means = tuple(each.contiguous() for each in d_means)
    deltas = batch.tokens(batch.heads, dtype=torch.float32)
    code, text, *rest = batch.inputs
    batch.by_slot(kernels.pool_deltas, code, text, *deltas, *d_means, *levels, *rest, batch.code_slots, batch.factor)
    return _gradients(batch, levels, d_means, levels, deltas, POOLED=True, TAU=tau)
