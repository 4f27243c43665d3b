"""Cross-modal attention of ragged batches: the reference in plain PyTorch, the fused kernel, and the choice between.

    a_ct = softmax(q_c k_t^T / (tau sqrt d)) v_t        what code reads in text
    a_tc = softmax(q_t k_c^T / (tau sqrt d)) v_c        what text reads in code

Tokens are packed: sample i has the rows `offsets[i]` to `offsets[i + 1]`. Where a sample has no tokens to be read,
zeros are read. The kernel is differentiable once, in queries, keys, values and tau; the reference any number of times.

Source: DCRL, eq. 11-15; online softmax as in FlashAttention (Dao et al. 2022).
"""

from __future__ import annotations

import importlib.util
from typing import Any

import torch

from agents import cross_modal as padded_core
from agents.kernels import operators
from agents.kernels.ragged import Ragged, Tiles, padded, tile_rows, tiles

__all__ = [
    "KERNELS",
    "attention_reference",
    "cross_modal_attention",
    "cross_modal_means",
    "cross_modal_pool",
    "pool_reference",
    "uses_triton",
]

KERNELS = ("auto", "reference", "triton")
WIDEST = 128
DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def cross_modal_attention(
    qkv_code: torch.Tensor,
    qkv_text: torch.Tensor,
    code_offsets: torch.Tensor,
    text_offsets: torch.Tensor,
    tau: torch.Tensor,
    *,
    kernel: str = "auto",
    tiled: Tiles | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention of code over text and of text over code.

    Float32 matrices are multiplied with TF32 where PyTorch does it: `torch.backends.cuda.matmul.fp32_precision`.

    Args:
        qkv_code: Query, key and value of each code token, (sum T_i, 3, H, d).
        qkv_text: The same of each text token, (sum M_i, 3, H, d).
        code_offsets: (B + 1,) int32.
        text_offsets: (B + 1,) int32.
        tau: Positive temperature, () or (B,).
        kernel: "auto" takes Triton's on CUDA and the reference elsewhere, "triton" insists (on a CPU it needs
            `TRITON_INTERPRET=1`), "reference" is plain PyTorch.
        tiled: Tiles of the batch, if they are known from another layer.

    Returns:
        (sum T_i, H, d) and (sum M_i, H, d), in the dtype of the inputs.

    Raises:
        ValueError: If shapes, dtypes or offsets do not fit.
    """
    _check(qkv_code, qkv_text, code_offsets, text_offsets, tau)
    if not uses_triton(kernel, qkv_code):
        return attention_reference(qkv_code, qkv_text, code_offsets, text_offsets, tau)
    arguments = _prepared(qkv_code, qkv_text, code_offsets, text_offsets, tau, tiled)
    return operators.attention(*arguments)[:2]


def cross_modal_pool(
    qkv_code: torch.Tensor,
    qkv_text: torch.Tensor,
    code_offsets: torch.Tensor,
    text_offsets: torch.Tensor,
    tau: torch.Tensor,
    gate: torch.Tensor,
    *,
    kernel: str = "auto",
    tiled: Tiles | None = None,
) -> torch.Tensor:
    """The attention's means over the tokens of each sample, blended: `gate * mean(a_ct) + (1 - gate) * mean(a_tc)`.

    The attention itself is never written: the mean of `P V` over queries is `(mean P) V`.

    Args:
        qkv_code: As for `cross_modal_attention`.
        qkv_text: As for `cross_modal_attention`.
        code_offsets: As for `cross_modal_attention`.
        text_offsets: As for `cross_modal_attention`.
        tau: As for `cross_modal_attention`.
        gate: In [0, 1], (D,) or (B, D) with D = H d.
        kernel: As for `cross_modal_attention`.
        tiled: As for `cross_modal_attention`.

    Returns:
        z, (B, D), in the dtype of the inputs.

    Raises:
        ValueError: If shapes, dtypes or offsets do not fit.
    """
    _check(qkv_code, qkv_text, code_offsets, text_offsets, tau)
    size = len(code_offsets) - 1, qkv_code[0:0, 0].flatten(1).shape[1]
    if tuple(gate.shape) not in (size, size[1:]):
        raise ValueError(f"The gate is {size[1:]} or {size}, not {tuple(gate.shape)}.")
    if not uses_triton(kernel, qkv_code):
        return pool_reference(qkv_code, qkv_text, code_offsets, text_offsets, tau, gate)
    arguments = _prepared(qkv_code, qkv_text, code_offsets, text_offsets, tau, tiled)
    return operators.pool(*arguments[:6], gate.float().expand(size).contiguous(), *arguments[6:])[0]


def cross_modal_means(
    qkv_code: torch.Tensor,
    qkv_text: torch.Tensor,
    code_offsets: torch.Tensor,
    text_offsets: torch.Tensor,
    tau: torch.Tensor,
    *,
    kernel: str = "auto",
    tiled: Tiles | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The two means of `cross_modal_pool` without the blend, for models with something between pooling and gate.

    Args:
        qkv_code: As for `cross_modal_attention`.
        qkv_text: As for `cross_modal_attention`.
        code_offsets: As for `cross_modal_attention`.
        text_offsets: As for `cross_modal_attention`.
        tau: As for `cross_modal_attention`.
        kernel: As for `cross_modal_attention`.
        tiled: As for `cross_modal_attention`.

    Returns:
        Means of what code reads and of what text reads, (B, D) each.

    Raises:
        ValueError: If shapes, dtypes or offsets do not fit.
    """
    _check(qkv_code, qkv_text, code_offsets, text_offsets, tau)
    if not uses_triton(kernel, qkv_code):
        return _means_reference(qkv_code, qkv_text, code_offsets, text_offsets, tau)
    arguments = _prepared(qkv_code, qkv_text, code_offsets, text_offsets, tau, tiled)
    return operators.pool(*arguments[:6], None, *arguments[6:])[1:3]


def uses_triton(kernel: str, vectors: torch.Tensor) -> bool:
    """Whether a setting means Triton's kernel for tensors like these.

    Args:
        kernel: One of `KERNELS`.
        vectors: (..., d).

    Raises:
        ValueError: If the setting is unknown, or "triton" and these vectors cannot be.
    """
    if kernel not in KERNELS:
        raise ValueError(f"kernel must be one of {KERNELS}, got {kernel!r}.")
    can = vectors.dtype in DTYPES and vectors.shape[-1] <= WIDEST
    if kernel == "triton" and not can:
        raise ValueError(
            f"The kernel takes {DTYPES} and heads up to {WIDEST} wide, not {vectors.dtype} and {vectors.shape[-1]}. "
            'Use kernel="auto" or "reference".'
        )
    if kernel != "auto":
        return kernel == "triton"
    return vectors.is_cuda and can and importlib.util.find_spec("triton") is not None


# reference ----------------------------------------------------------------------------------------


def attention_reference(
    qkv_code: torch.Tensor,
    qkv_text: torch.Tensor,
    code_offsets: torch.Tensor,
    text_offsets: torch.Tensor,
    tau: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """`cross_modal_attention` in plain PyTorch, padded to the longest sample.

    Args:
        qkv_code: As for `cross_modal_attention`.
        qkv_text: As for `cross_modal_attention`.
        code_offsets: As for `cross_modal_attention`.
        text_offsets: As for `cross_modal_attention`.
        tau: As for `cross_modal_attention`.

    Returns:
        As `cross_modal_attention`.
    """
    reals = padded(code_offsets, len(qkv_code)), padded(text_offsets, len(qkv_text))
    ragged = Ragged(*reals)
    code, text = ragged.unpack(qkv_code, qkv_text)
    return ragged.pack(*padded_core.cross_modal_attention(code, text, *reals, tau.to(code.dtype)))


def pool_reference(
    qkv_code: torch.Tensor,
    qkv_text: torch.Tensor,
    code_offsets: torch.Tensor,
    text_offsets: torch.Tensor,
    tau: torch.Tensor,
    gate: torch.Tensor,
) -> torch.Tensor:
    """`cross_modal_pool` in plain PyTorch.

    Args:
        qkv_code: As for `cross_modal_attention`.
        qkv_text: As for `cross_modal_attention`.
        code_offsets: As for `cross_modal_attention`.
        text_offsets: As for `cross_modal_attention`.
        tau: As for `cross_modal_attention`.
        gate: As for `cross_modal_pool`.

    Returns:
        z, (B, D).
    """
    code, text = _means_reference(qkv_code, qkv_text, code_offsets, text_offsets, tau)
    gate = gate.to(code.dtype)
    return gate * code + (1 - gate) * text


def _means_reference(
    qkv_code: torch.Tensor,
    qkv_text: torch.Tensor,
    code_offsets: torch.Tensor,
    text_offsets: torch.Tensor,
    tau: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    reals = padded(code_offsets, len(qkv_code)), padded(text_offsets, len(qkv_text))
    code, text = Ragged(*reals).unpack(qkv_code, qkv_text)
    to_code, to_text = padded_core.cross_modal_attention(code, text, *reals, tau.to(code.dtype))
    return padded_core.masked_mean(to_code.flatten(2), reals[0]), padded_core.masked_mean(to_text.flatten(2), reals[1])


# arguments ----------------------------------------------------------------------------------------


def _check(
    code: torch.Tensor, text: torch.Tensor, code_offsets: torch.Tensor, text_offsets: torch.Tensor, tau: torch.Tensor
) -> None:
    if code.ndim != 4 or code.shape[1] != 3 or code.shape[1:] != text.shape[1:] or code.dtype != text.dtype:
        raise ValueError(
            "Code and text are (tokens, 3, heads, width) of one dtype; got "
            f"{tuple(code.shape)} {code.dtype} and {tuple(text.shape)} {text.dtype}."
        )
    if code_offsets.ndim != 1 or len(code_offsets) < 1 or code_offsets.shape != text_offsets.shape:
        raise ValueError(f"Both offsets are (B + 1,), not {tuple(code_offsets.shape)} and {tuple(text_offsets.shape)}.")
    samples = len(code_offsets) - 1
    if tuple(tau.shape) not in ((), (samples,)):
        raise ValueError(f"tau is () or ({samples},), not {tuple(tau.shape)}.")
    ends = [(each[-1], len(tokens)) for each, tokens in ((code_offsets, code), (text_offsets, text))]
    # on a GPU the comparison would wait for it
    if not code.is_cuda and any(int(end) != count for end, count in ends):
        raise ValueError(f"The offsets end at {[int(end) for end, _ in ends]}, the tokens at {[n for _, n in ends]}.")


def _prepared(
    code: torch.Tensor,
    text: torch.Tensor,
    code_offsets: torch.Tensor,
    text_offsets: torch.Tensor,
    tau: torch.Tensor,
    tiled: Tiles | None,
) -> tuple[Any, ...]:
    offsets = code_offsets.int(), text_offsets.int()
    if tiled is None:
        tiled = tiles(*offsets, len(code), len(text), tile_rows(code.shape[-1], code.dtype))
    tau = tau.float().expand(len(offsets[0]) - 1)
    return code, text, *offsets, tiled.places, tau, tiled.code, tiled.rows, _tf32()


def _tf32() -> bool:
    matmul = torch.backends.cuda.matmul
    if hasattr(matmul, "fp32_precision"):
        return matmul.fp32_precision == "tf32"
    return matmul.allow_tf32  # before torch 2.9; reading it is an error where the newer name was set
