"""The Triton kernels of the cross-modal attention; imported when they are first used.

A program owns one tile of tokens and one head. Forward, the tile's queries read the sample's other modality. Backward,
the same tile asks and is told: one pass over the other modality gives the gradients of its queries, keys and values, so
that every number has one writer and no atomics are needed. Logits carry log2(e), for exp2 is what GPUs have.

Two choices are for accuracy. Of each row the largest logit and the sum of exponentials are kept apart, for a single
logarithm loses digits where attention is cold. And the temperature's gradient, which sums dS_ij S_ij over
logits S, is the weighted covariance of dP_ij and S_ij: taken from dS_ij it would have O's rounding, times the logits.
"""

from __future__ import annotations

import triton
import triton.language as tl

__all__ = ["attend", "gradients", "pool", "pool_deltas", "sum_by_sample"]

QUERY = tl.constexpr(0)
KEY = tl.constexpr(1)
VALUE = tl.constexpr(2)


@triton.jit
def _at(rows, part, PARTS: tl.constexpr, head, HEADS: tl.constexpr, WIDTH: tl.constexpr, PADDED: tl.constexpr):
    """Places of one head's vectors in a contiguous (N, PARTS, HEADS, WIDTH), (rows, PADDED)."""
    columns = (part * HEADS + head) * WIDTH + tl.arange(0, PADDED)
    return (rows.to(tl.int64) * (PARTS * HEADS * WIDTH))[:, None] + columns[None, :]


@triton.jit
def _load(
    tensor, rows, real, part, PARTS: tl.constexpr, head,
    HEADS: tl.constexpr, WIDTH: tl.constexpr, PADDED: tl.constexpr,
):  # fmt: skip
    mask = real[:, None] & (tl.arange(0, PADDED) < WIDTH)[None, :]
    return tl.load(tensor + _at(rows, part, PARTS, head, HEADS, WIDTH, PADDED), mask=mask, other=0.0)


@triton.jit
def _store(
    tensor, vectors, rows, real, part, PARTS: tl.constexpr, head,
    HEADS: tl.constexpr, WIDTH: tl.constexpr, PADDED: tl.constexpr,
):  # fmt: skip
    mask = real[:, None] & (tl.arange(0, PADDED) < WIDTH)[None, :]
    at = _at(rows, part, PARTS, head, HEADS, WIDTH, PADDED)
    tl.store(tensor + at, vectors.to(tensor.dtype.element_ty), mask=mask)


@triton.jit
def _levels(levels, rows, real, head, HEADS: tl.constexpr):
    """Largest logit of each row, and one over its sum of exponentials."""
    at = 2 * (rows * HEADS + head)
    return tl.load(levels + at, mask=real, other=0.0), tl.load(levels + at + 1, mask=real, other=0.0)


@triton.jit
def _attend_tile(
    asks, told, out, levels, asks_offsets, told_offsets, sample, start, head, scale, OUTPUT: tl.constexpr,
    HEADS: tl.constexpr, WIDTH: tl.constexpr, PADDED: tl.constexpr, ROWS: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    first, last = tl.load(asks_offsets + sample), tl.load(asks_offsets + sample + 1)
    told_first, told_last = tl.load(told_offsets + sample), tl.load(told_offsets + sample + 1)
    if first + start < last:
        rows = first + start + tl.arange(0, ROWS)
        real = rows < last
        query = _load(asks, rows, real, QUERY, 3, head, HEADS, WIDTH, PADDED)
        top = tl.full([ROWS], float("-inf"), tl.float32)
        total = tl.zeros([ROWS], tl.float32)
        read = tl.zeros([ROWS, PADDED], tl.float32)
        for begin in range(told_first, told_last, ROWS):
            others = begin + tl.arange(0, ROWS)
            there = others < told_last
            key = _load(told, others, there, KEY, 3, head, HEADS, WIDTH, PADDED)
            logits = tl.dot(query, tl.trans(key), input_precision=PRECISION) * scale
            logits = tl.where(there[None, :], logits, float("-inf"))
            higher = tl.maximum(top, tl.max(logits, 1))
            weights = tl.exp2(logits - higher[:, None])
            shrink = tl.exp2(top - higher)
            total = total * shrink + tl.sum(weights, 1)
            if OUTPUT:
                value = _load(told, others, there, VALUE, 3, head, HEADS, WIDTH, PADDED)
                more = tl.dot(weights.to(value.dtype), value, input_precision=PRECISION)
                read = read * shrink[:, None] + more
            top = higher
        heard = total > 0  # nobody is there to be asked: zeros
        total = tl.where(heard, total, 1.0)
        at = 2 * (rows * HEADS + head)
        tl.store(levels + at, tl.where(heard, top, 0.0), mask=real)
        tl.store(levels + at + 1, 1.0 / total, mask=real)
        if OUTPUT:
            _store(out, read / total[:, None], rows, real, 0, 1, head, HEADS, WIDTH, PADDED)


@triton.jit(do_not_specialize=["code_slots"])
def attend(
    code, text, code_out, text_out, code_levels, text_levels, code_offsets, text_offsets, places, temperature,
    code_slots, factor, OUTPUT: tl.constexpr,
    HEADS: tl.constexpr, WIDTH: tl.constexpr, PADDED: tl.constexpr, ROWS: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Attention in both directions, and each row's levels: largest logit, 1 / sum; grid (slots, heads)."""
    slot, head = tl.program_id(0), tl.program_id(1)
    sample, start = tl.load(places + 2 * slot), tl.load(places + 2 * slot + 1)
    scale = factor * 1.4426950408889634 / tl.load(temperature + sample)
    if slot < code_slots:
        _attend_tile(
            code, text, code_out, code_levels, code_offsets, text_offsets, sample, start, head, scale, OUTPUT,
            HEADS, WIDTH, PADDED, ROWS, PRECISION,
        )  # fmt: skip
    else:
        _attend_tile(
            text, code, text_out, text_levels, text_offsets, code_offsets, sample, start, head, scale, OUTPUT,
            HEADS, WIDTH, PADDED, ROWS, PRECISION,
        )  # fmt: skip


@triton.jit
def _gradient_tile(
    own, other, own_grad, own_out, other_out, own_d, other_d, own_levels, other_levels, own_deltas, other_deltas,
    own_offsets, other_offsets, parts, slot, sample, start, head, tau, factor, POOLED: tl.constexpr, TAU: tl.constexpr,
    HEADS: tl.constexpr, WIDTH: tl.constexpr, PADDED: tl.constexpr, ROWS: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    first, last = tl.load(own_offsets + sample), tl.load(own_offsets + sample + 1)
    other_first, other_last = tl.load(other_offsets + sample), tl.load(other_offsets + sample + 1)
    if first + start < last:
        scale = factor * 1.4426950408889634 / tau
        rows = first + start + tl.arange(0, ROWS)
        real = rows < last
        query = _load(own, rows, real, QUERY, 3, head, HEADS, WIDTH, PADDED)
        key = _load(own, rows, real, KEY, 3, head, HEADS, WIDTH, PADDED)
        value = _load(own, rows, real, VALUE, 3, head, HEADS, WIDTH, PADDED)
        top, inverse = _levels(own_levels, rows, real, head, HEADS)
        mean_change = tl.zeros([ROWS], tl.float32)
        mean_logit = tl.zeros([ROWS], tl.float32)
        mean_product = tl.zeros([ROWS], tl.float32)
        d_query = tl.zeros([ROWS, PADDED], tl.float32)
        d_key = tl.zeros([ROWS, PADDED], tl.float32)
        d_value = tl.zeros([ROWS, PADDED], tl.float32)
        if POOLED:
            own_row = _mean_row(own_d, sample, last - first, head, HEADS, WIDTH, PADDED)
            other_row = _mean_row(other_d, sample, other_last - other_first, head, HEADS, WIDTH, PADDED)
            deltas = tl.load(own_deltas + rows * HEADS + head, mask=real, other=0.0)
            told = tl.sum(value.to(tl.float32) * other_row[None, :], 1)
            share = tl.zeros([ROWS], tl.float32)
        else:
            d_out = _load(own_d, rows, real, 0, 1, head, HEADS, WIDTH, PADDED)
            out = _load(own_out, rows, real, 0, 1, head, HEADS, WIDTH, PADDED)
            deltas = tl.sum(out.to(tl.float32) * d_out.to(tl.float32), 1)
        for begin in range(other_first, other_last, ROWS):
            others = begin + tl.arange(0, ROWS)
            there = others < other_last
            both = real[:, None] & there[None, :]
            # the tile asks
            its_key = _load(other, others, there, KEY, 3, head, HEADS, WIDTH, PADDED)
            its_value = _load(other, others, there, VALUE, 3, head, HEADS, WIDTH, PADDED)
            logits = tl.dot(query, tl.trans(its_key), input_precision=PRECISION) * scale
            logits = tl.where(both, logits - top[:, None], 0.0)
            weights = tl.where(both, tl.exp2(logits) * inverse[:, None], 0.0)
            if POOLED:
                change = tl.sum(its_value.to(tl.float32) * own_row[None, :], 1)[None, :]
            else:
                change = tl.dot(d_out, tl.trans(its_value), input_precision=PRECISION)
            if TAU:
                mean_change += tl.sum(weights * change, 1)
                mean_logit += tl.sum(weights * logits, 1)
                mean_product += tl.sum(weights * change * logits, 1)
            change = weights * (change - deltas[:, None])
            d_query += tl.dot(change.to(its_key.dtype), its_key, input_precision=PRECISION)
            # the tile is told
            its_query = _load(other, others, there, QUERY, 3, head, HEADS, WIDTH, PADDED)
            its_top, its_inverse = _levels(other_levels, others, there, head, HEADS)
            logits = tl.dot(key, tl.trans(its_query), input_precision=PRECISION) * scale
            logits = tl.where(both, logits - its_top[None, :], 0.0)
            weights = tl.where(both, tl.exp2(logits) * its_inverse[None, :], 0.0)
            if POOLED:
                its_deltas = tl.load(other_deltas + others * HEADS + head, mask=there, other=0.0)
                share += tl.sum(weights, 1)
                change = weights * (told[:, None] - its_deltas[None, :])
            else:
                its_d = _load(other_d, others, there, 0, 1, head, HEADS, WIDTH, PADDED)
                its_out = _load(other_out, others, there, 0, 1, head, HEADS, WIDTH, PADDED)
                its_deltas = tl.sum(its_out.to(tl.float32) * its_d.to(tl.float32), 1)
                d_value += tl.dot(weights.to(its_d.dtype), its_d, input_precision=PRECISION)
                change = tl.dot(value, tl.trans(its_d), input_precision=PRECISION)
                change = weights * (change - its_deltas[None, :])
            d_key += tl.dot(change.to(its_query.dtype), its_query, input_precision=PRECISION)
        if POOLED:
            d_value = share[:, None] * other_row[None, :]
        d_query *= factor / tau
        d_key *= factor / tau
        _store(own_grad, d_query, rows, real, QUERY, 3, head, HEADS, WIDTH, PADDED)
        _store(own_grad, d_key, rows, real, KEY, 3, head, HEADS, WIDTH, PADDED)
        _store(own_grad, d_value, rows, real, VALUE, 3, head, HEADS, WIDTH, PADDED)
        if TAU:
            moved = tl.sum(mean_product - mean_change * mean_logit)
            tl.store(parts + slot * HEADS + head, -moved * 0.6931471805599453 / tau)


@triton.jit(do_not_specialize=["code_slots"])
def gradients(
    code, text, code_grad, text_grad, code_out, text_out, code_d, text_d, code_levels, text_levels,
    code_deltas, text_deltas, code_offsets, text_offsets, places, temperature, parts,
    code_slots, factor, POOLED: tl.constexpr, TAU: tl.constexpr,
    HEADS: tl.constexpr, WIDTH: tl.constexpr, PADDED: tl.constexpr, ROWS: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Gradients of all queries, keys and values, and each slot's part of the temperature's; grid (slots, heads).

    With POOLED the outputs' gradients are one row per sample, that of their mean, and the deltas come from
    `pool_deltas`; without it deltas are not read. Without TAU the parts are not written.
    """
    slot, head = tl.program_id(0), tl.program_id(1)
    sample, start = tl.load(places + 2 * slot), tl.load(places + 2 * slot + 1)
    tau = tl.load(temperature + sample)
    if slot < code_slots:
        _gradient_tile(
            code, text, code_grad, code_out, text_out, code_d, text_d, code_levels, text_levels,
            code_deltas, text_deltas, code_offsets, text_offsets, parts, slot, sample, start, head, tau, factor, POOLED,
            TAU, HEADS, WIDTH, PADDED, ROWS, PRECISION,
        )  # fmt: skip
    else:
        _gradient_tile(
            text, code, text_grad, text_out, code_out, text_d, code_d, text_levels, code_levels,
            text_deltas, code_deltas, text_offsets, code_offsets, parts, slot, sample, start, head, tau, factor, POOLED,
            TAU, HEADS, WIDTH, PADDED, ROWS, PRECISION,
        )  # fmt: skip


@triton.jit
def _sum_slots(parts, offsets, sample, begin, HEADS: tl.constexpr, HEADS_PADDED: tl.constexpr, ROWS: tl.constexpr):
    first, last = tl.load(offsets + sample), tl.load(offsets + sample + 1)
    heads = tl.arange(0, HEADS_PADDED)
    total = tl.zeros([HEADS_PADDED], tl.float32)
    slot = begin + first // ROWS + sample
    for each in range(slot, slot + tl.cdiv(last - first, ROWS)):
        total += tl.load(parts + each * HEADS + heads, mask=heads < HEADS, other=0.0)
    return tl.sum(total, 0)


@triton.jit(do_not_specialize=["code_slots"])
def sum_by_sample(
    parts, sums, code_offsets, text_offsets, code_slots,
    HEADS: tl.constexpr, HEADS_PADDED: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    """Sum of each sample's slots and heads, in one order; grid (samples,)."""
    sample = tl.program_id(0)
    total = _sum_slots(parts, code_offsets, sample, 0, HEADS, HEADS_PADDED, ROWS)
    total += _sum_slots(parts, text_offsets, sample, code_slots, HEADS, HEADS_PADDED, ROWS)
    tl.store(sums + sample, total)


@triton.jit
def _mean_row(rows, sample, count, head, HEADS: tl.constexpr, WIDTH: tl.constexpr, PADDED: tl.constexpr):
    """A sample's row of one head (PADDED,), shared out among `count` tokens."""
    columns = tl.arange(0, PADDED)
    at = (sample * HEADS + head) * WIDTH + columns
    return tl.load(rows + at, mask=columns < WIDTH, other=0.0) / tl.maximum(count, 1)


@triton.jit
def _pool_direction(
    asks, told, levels, asks_offsets, told_offsets, sample, head, scale,
    HEADS: tl.constexpr, WIDTH: tl.constexpr, PADDED: tl.constexpr, ROWS: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Mean over a sample's queries of what they read, (PADDED,): the mean weights first, then the values."""
    first, last = tl.load(asks_offsets + sample), tl.load(asks_offsets + sample + 1)
    told_first, told_last = tl.load(told_offsets + sample), tl.load(told_offsets + sample + 1)
    pooled = tl.zeros([PADDED], tl.float32)
    for begin in range(told_first, told_last, ROWS):
        others = begin + tl.arange(0, ROWS)
        there = others < told_last
        key = _load(told, others, there, KEY, 3, head, HEADS, WIDTH, PADDED)
        share = tl.zeros([ROWS], tl.float32)
        for start in range(first, last, ROWS):
            rows = start + tl.arange(0, ROWS)
            real = rows < last
            query = _load(asks, rows, real, QUERY, 3, head, HEADS, WIDTH, PADDED)
            top, inverse = _levels(levels, rows, real, head, HEADS)
            logits = tl.dot(query, tl.trans(key), input_precision=PRECISION) * scale
            logits = tl.where(real[:, None] & there[None, :], logits - top[:, None], float("-inf"))
            share += tl.sum(tl.exp2(logits) * inverse[:, None], 0)
        value = _load(told, others, there, VALUE, 3, head, HEADS, WIDTH, PADDED)
        pooled += tl.sum(share[:, None] * value.to(tl.float32), 0)
    return pooled / tl.maximum(last - first, 1)


@triton.jit
def pool(
    code, text, code_levels, text_levels, code_offsets, text_offsets, temperature, gate,
    code_pooled, text_pooled, blend, factor, GATED: tl.constexpr,
    HEADS: tl.constexpr, WIDTH: tl.constexpr, PADDED: tl.constexpr, ROWS: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Pooled attention in both directions, and their blend by a gate (B, D); grid (samples, heads)."""
    sample, head = tl.program_id(0), tl.program_id(1)
    scale = factor * 1.4426950408889634 / tl.load(temperature + sample)
    to_code = _pool_direction(
        code, text, code_levels, code_offsets, text_offsets, sample, head, scale, HEADS, WIDTH, PADDED, ROWS, PRECISION
    )
    to_text = _pool_direction(
        text, code, text_levels, text_offsets, code_offsets, sample, head, scale, HEADS, WIDTH, PADDED, ROWS, PRECISION
    )
    columns = tl.arange(0, PADDED)
    at = (sample * HEADS + head) * WIDTH + columns
    mask = columns < WIDTH
    tl.store(code_pooled + at, to_code.to(code_pooled.dtype.element_ty), mask=mask)
    tl.store(text_pooled + at, to_text.to(text_pooled.dtype.element_ty), mask=mask)
    if GATED:
        share = tl.load(gate + at, mask=mask, other=0.0)
        tl.store(blend + at, (share * to_code + (1 - share) * to_text).to(blend.dtype.element_ty), mask=mask)


@triton.jit
def _deltas_tile(
    asks, told, deltas, rows_d, levels, asks_offsets, told_offsets, sample, start, head, scale,
    HEADS: tl.constexpr, WIDTH: tl.constexpr, PADDED: tl.constexpr, ROWS: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    first, last = tl.load(asks_offsets + sample), tl.load(asks_offsets + sample + 1)
    told_first, told_last = tl.load(told_offsets + sample), tl.load(told_offsets + sample + 1)
    if first + start < last:
        rows = first + start + tl.arange(0, ROWS)
        real = rows < last
        query = _load(asks, rows, real, QUERY, 3, head, HEADS, WIDTH, PADDED)
        top, inverse = _levels(levels, rows, real, head, HEADS)
        row = _mean_row(rows_d, sample, last - first, head, HEADS, WIDTH, PADDED)
        total = tl.zeros([ROWS], tl.float32)
        for begin in range(told_first, told_last, ROWS):
            others = begin + tl.arange(0, ROWS)
            there = others < told_last
            key = _load(told, others, there, KEY, 3, head, HEADS, WIDTH, PADDED)
            value = _load(told, others, there, VALUE, 3, head, HEADS, WIDTH, PADDED)
            logits = tl.dot(query, tl.trans(key), input_precision=PRECISION) * scale
            logits = tl.where(there[None, :], logits - top[:, None], float("-inf"))
            weights = tl.exp2(logits) * inverse[:, None]
            total += tl.sum(weights * tl.sum(value.to(tl.float32) * row[None, :], 1)[None, :], 1)
        tl.store(deltas + rows * HEADS + head, total, mask=real)


@triton.jit(do_not_specialize=["code_slots"])
def pool_deltas(
    code, text, code_deltas, text_deltas, code_d, text_d, code_levels, text_levels, code_offsets, text_offsets,
    places, temperature, code_slots, factor,
    HEADS: tl.constexpr, WIDTH: tl.constexpr, PADDED: tl.constexpr, ROWS: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """`<dO, O>` of each row, where O was never written and dO is that of the mean; grid (slots, heads)."""
    slot, head = tl.program_id(0), tl.program_id(1)
    sample, start = tl.load(places + 2 * slot), tl.load(places + 2 * slot + 1)
    scale = factor * 1.4426950408889634 / tl.load(temperature + sample)
    if slot < code_slots:
        _deltas_tile(
            code, text, code_deltas, code_d, code_levels, code_offsets, text_offsets, sample, start, head, scale,
            HEADS, WIDTH, PADDED, ROWS, PRECISION,
        )  # fmt: skip
    else:
        _deltas_tile(
            text, code, text_deltas, text_d, text_levels, text_offsets, code_offsets, sample, start, head, scale,
            HEADS, WIDTH, PADDED, ROWS, PRECISION,
        )  # fmt: skip
