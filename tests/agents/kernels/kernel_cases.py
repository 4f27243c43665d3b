"""Ragged batches for the kernels' tests, and how far a result is from the truth."""

from __future__ import annotations

from typing import NamedTuple

import torch

from agents.kernels.cross_modal import cross_modal_attention, cross_modal_pool
from agents.kernels.ragged import tiles

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SHAPES = {
    "one token each": ([1], [1]),
    "T = 1": ([1, 1], [16, 17]),
    "M = 1": ([19, 16], [1, 1]),
    "primes": ([5, 37], [17, 3]),
    "empty sides": ([5, 0, 3, 0], [0, 4, 2, 0]),
    "no text at all": ([3, 18], [0, 0]),
    "one sample": ([33], [11]),
    "full tiles": ([32, 16], [16, 32]),
    "many samples": ([1 + number % 3 for number in range(8)], [1 + number % 2 for number in range(8)]),
}
if DEVICE == "cuda":
    SHAPES["4096 samples"] = ([20 + 37 * n % 381 for n in range(4096)], [5 + 31 * n % 116 for n in range(4096)])
else:  # in the interpreter a tile that holds anything takes some 10 ms, so most samples are empty
    SHAPES["4096 samples"] = tuple(
        [(1 + n % most) * (n % 61 in there) for n in range(4096)] for most, there in ((3, (0, 7)), (2, (0, 9)))
    )


class Case(NamedTuple):
    """Inputs of the operators in float64."""

    code: torch.Tensor
    text: torch.Tensor
    code_offsets: torch.Tensor
    text_offsets: torch.Tensor
    tau: torch.Tensor
    gate: torch.Tensor


def offsets(lengths):
    return torch.tensor([0, *lengths]).cumsum(0).int().to(DEVICE)


def case(code, text, heads=1, width=16, scalar=False, gate_rows=True):
    generator = torch.Generator().manual_seed(0)

    def random(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(DEVICE)

    tau = torch.rand(() if scalar else len(code), generator=generator, dtype=torch.float64).to(DEVICE) + 0.3
    gate = torch.rand((len(code), heads * width)[not gate_rows :], generator=generator, dtype=torch.float64).to(DEVICE)
    sides = random(sum(code), 3, heads, width), random(sum(text), 3, heads, width)
    return Case(*sides, offsets(code), offsets(text), tau, gate)


def rounded(given, dtype):
    """The case as a dtype holds it, still in float64: all paths start from the same numbers."""
    parameter = torch.float32
    return given._replace(
        code=given.code.to(dtype).double(),
        text=given.text.to(dtype).double(),
        tau=given.tau.to(dtype).to(parameter).double(),
        gate=given.gate.to(dtype).to(parameter).double(),
    )


def results(given, dtype, kernel, rows=16):
    """Outputs of both operators, and their gradients in everything, by name."""
    parameter = torch.float64 if dtype == torch.float64 else torch.float32
    inputs = {"code": given.code.to(dtype), "text": given.text.to(dtype)}
    inputs |= {"tau": given.tau.to(parameter), "gate": given.gate.to(parameter)}
    inputs = {name: each.detach().clone().requires_grad_() for name, each in inputs.items()}
    code, text, tau, gate = inputs.values()
    places = given.code_offsets, given.text_offsets
    tiled = tiles(*places, len(code), len(text), rows) if rows else None
    found = dict(
        zip(
            ("a_ct", "a_tc"),
            cross_modal_attention(code, text, *places, tau, kernel=kernel, tiled=tiled),
            strict=True,
        )
    )
    found["z"] = cross_modal_pool(code, text, *places, tau, gate, kernel=kernel, tiled=tiled)
    answers = {name: each.detach() for name, each in found.items()}
    answers |= gradients("attention", [found["a_ct"], found["a_tc"]], {n: inputs[n] for n in ("code", "text", "tau")})
    answers |= gradients("pool", [found["z"]], inputs)
    return answers


def gradients(name, outputs, inputs):
    generator = torch.Generator().manual_seed(1)
    seeds = [torch.randn(each.shape, generator=generator).half().to(each) for each in outputs]
    found = torch.autograd.grad(outputs, list(inputs.values()), seeds)
    return {f"{name} d{key}": each for key, each in zip(inputs, found, strict=True)}


def too_far(given, dtype, rows=16):
    """Results further from float64 than twice the same dtype's plain PyTorch, and a few float32 roundings.

    Where the truth is zero by cancellation, as for a single key, plain PyTorch has an exact zero and we have roundings.
    """
    given = rounded(given, dtype)
    truth = results(given, torch.float64, "reference")
    plain, ours = results(given, dtype, "reference"), results(given, dtype, "triton", rows)
    wrong = {}
    for name, expected in truth.items():
        assert ours[name].shape == expected.shape, name
        assert ours[name].dtype == plain[name].dtype, name
        if not expected.numel():
            continue
        floor = 16 * torch.finfo(torch.float32).eps * max(1.0, expected.abs().max().item())
        allowed = 2 * (plain[name].double() - expected).abs().max() + floor
        far = (ours[name].double() - expected).abs().max()
        if not far <= allowed:  # NaN is wrong too
            wrong[name] = far.item(), allowed.item()
    return wrong
