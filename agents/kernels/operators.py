"""The kernels as operators of `torch.library`, so that `torch.compile` keeps its graph whole.

Triton is imported when an operator first runs. Gradients are there once: differentiating them again is an error that
names the way round.
"""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["attention", "attention_backward", "pool", "pool_backward"]

Tensors = tuple[torch.Tensor, ...]
NO_SECOND = (
    "The fused cross-modal attention can be differentiated once. For second derivatives (TRPO, the exact "
    'hypergradient) use kernel="reference".'
)
NO_TRITON = (
    "The fused cross-modal attention needs Triton, and it cannot be imported ({}). "
    'Install the extra "code-envs[kernels]", or use kernel="reference".'
)


def _launches() -> Any:
    try:
        from agents.kernels import launches
    except ImportError as error:
        raise ImportError(NO_TRITON.format(error)) from error
    return launches


@torch.library.custom_op("agents_kernels::attention", mutates_args=())
def attention(
    code: torch.Tensor, text: torch.Tensor, code_offsets: torch.Tensor, text_offsets: torch.Tensor,
    places: torch.Tensor, temperature: torch.Tensor, code_slots: int, rows: int, tf32: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    """See `agents.kernels.launches.attend`."""
    inputs = code, text, code_offsets, text_offsets, places, temperature
    return _launches().attend(inputs, code_slots, rows, tf32)


@attention.register_fake
def _(code: Any, text: Any, *_: Any) -> Tensors:
    levels = [each.new_empty(each.shape[0], each.shape[2], 2, dtype=torch.float32) for each in (code, text)]
    return code.new_empty(code[:, 0].shape), text.new_empty(text[:, 0].shape), *levels


@torch.library.custom_op("agents_kernels::attention_backward", mutates_args=())
def attention_backward(
    code: torch.Tensor, text: torch.Tensor, code_offsets: torch.Tensor, text_offsets: torch.Tensor,
    places: torch.Tensor, temperature: torch.Tensor, outs: list[torch.Tensor], levels: list[torch.Tensor],
    d_outs: list[torch.Tensor], code_slots: int, rows: int, tf32: bool, tau: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    """See `agents.kernels.launches.gradients`."""
    inputs = code, text, code_offsets, text_offsets, places, temperature
    return _launches().gradients(inputs, tuple(outs), tuple(levels), tuple(d_outs), code_slots, rows, tf32, tau)


@torch.library.custom_op("agents_kernels::pool", mutates_args=())
def pool(
    code: torch.Tensor, text: torch.Tensor, code_offsets: torch.Tensor, text_offsets: torch.Tensor,
    places: torch.Tensor, temperature: torch.Tensor, gate: torch.Tensor | None, code_slots: int, rows: int, tf32: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    """See `agents.kernels.launches.pool`."""
    inputs = code, text, code_offsets, text_offsets, places, temperature
    return _launches().pool(inputs, gate, code_slots, rows, tf32)


@pool.register_fake
def _(
    code: Any, text: Any, code_offsets: Any, text_offsets: Any, places: Any, temperature: Any, gate: Any, *_: Any
) -> Tensors:
    size = temperature.shape[0], code.shape[2] * code.shape[3]
    levels = [each.new_empty(each.shape[0], each.shape[2], 2, dtype=torch.float32) for each in (code, text)]
    blend = code.new_empty(0) if gate is None else code.new_empty(size)
    return blend, code.new_empty(size), code.new_empty(size), *levels


@torch.library.custom_op("agents_kernels::pool_backward", mutates_args=())
def pool_backward(
    code: torch.Tensor, text: torch.Tensor, code_offsets: torch.Tensor, text_offsets: torch.Tensor,
    places: torch.Tensor, temperature: torch.Tensor, levels: list[torch.Tensor], d_means: list[torch.Tensor],
    code_slots: int, rows: int, tf32: bool, tau: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    """See `agents.kernels.launches.pool_gradients`."""
    inputs = code, text, code_offsets, text_offsets, places, temperature
    return _launches().pool_gradients(inputs, tuple(levels), tuple(d_means), code_slots, rows, tf32, tau)


@attention_backward.register_fake
@pool_backward.register_fake
def _(code: Any, text: Any, _: Any, __: Any, ___: Any, temperature: Any, *____: Any) -> Tensors:
    grads = [torch.empty_like(each, memory_format=torch.contiguous_format) for each in (code, text, temperature)]
    return tuple(grads)


def _keep(ctx: Any, inputs: Any, output: Any) -> None:
    *tensors, ctx.code_slots, ctx.rows, ctx.tf32 = inputs
    ctx.save_for_backward(*tensors, *output)
    ctx.tau = inputs[5].requires_grad
    ctx.set_materialize_grads(True)


def _attention_gradients(ctx: Any, d_code: Any, d_text: Any, *_: Any) -> tuple[Any, ...]:
    *inputs, code_out, text_out, code_levels, text_levels = ctx.saved_tensors
    outs, levels = [code_out, text_out], [code_levels, text_levels]
    grads = attention_backward(*inputs, outs, levels, [d_code, d_text], ctx.code_slots, ctx.rows, ctx.tf32, ctx.tau)
    return grads[0], grads[1], None, None, None, grads[2], None, None, None


def _pool_gradients(ctx: Any, d_blend: Any, d_code: Any, d_text: Any, *_: Any) -> tuple[Any, ...]:
    *inputs, gate, _, code_mean, text_mean, code_levels, text_levels = ctx.saved_tensors
    d_code, d_text, d_gate = d_code.float(), d_text.float(), None
    if gate is not None:
        d_code, d_text = d_code + gate * d_blend, d_text + (1 - gate) * d_blend
        d_gate = d_blend * (code_mean.float() - text_mean.float())
    levels = [code_levels, text_levels]
    grads = pool_backward(*inputs, levels, [d_code, d_text], ctx.code_slots, ctx.rows, ctx.tf32, ctx.tau)
    return grads[0], grads[1], None, None, None, grads[2], d_gate, None, None, None


def _refuse(ctx: Any, *_: Any) -> None:
    raise NotImplementedError(NO_SECOND)


attention.register_autograd(_attention_gradients, setup_context=_keep)
pool.register_autograd(_pool_gradients, setup_context=_keep)
attention_backward.register_autograd(_refuse)
pool_backward.register_autograd(_refuse)
