"""The fused cross-modal attention against float64: odd shapes, all head widths, every gradient.

On CUDA, or on a CPU with TRITON_INTERPRET=1; see conftest.py.
"""

from __future__ import annotations

import pytest
import torch
from kernel_cases import DEVICE, SHAPES, case, offsets, results, rounded, too_far

from agents.kernels import launches, operators
from agents.kernels.cross_modal import cross_modal_attention, cross_modal_means, cross_modal_pool
from agents.kernels.ragged import tiles

# the interpreter computes bfloat16 wrongly
DTYPES = {"float32": torch.float32, "float16": torch.float16}
if DEVICE == "cuda":
    DTYPES["bfloat16"] = torch.bfloat16


@pytest.fixture(autouse=True)
def _poisoned(monkeypatch):
    """Every buffer that a kernel is to fill holds NaN before."""
    monkeypatch.setattr(
        launches, "_empty", lambda shape, dtype, device: torch.full(shape, torch.nan, dtype=dtype, device=device)
    )


# the interpreter takes some ms for each tile, so less than everything runs each time
LARGEST = "4096 samples"
LATER = ("one sample", "full tiles", "many samples", "no text at all")


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        slow(shape, dtype) if shape == LARGEST or (dtype == "float16" and shape in LATER) else (shape, dtype)
        for shape in SHAPES
        for dtype in DTYPES
        if DEVICE == "cuda" or (shape, dtype) != (LARGEST, "float16")  # 75 s more
    ],
)
def test_odd_shapes(shape, dtype):
    """Outputs and all gradients, a temperature for each sample."""
    assert too_far(case(*SHAPES[shape]), DTYPES[dtype]) == {}


@pytest.mark.parametrize("width", [8, slow(16), slow(24), slow(32), 64, slow(80), 128])
def test_head_widths(width):
    """Powers of two and others; one temperature and one gate for all samples."""
    assert too_far(case([5, 18], [17, 3], width=width, scalar=True, gate_rows=False), torch.float32) == {}


@pytest.mark.parametrize("dtype", [slow(dtype) if dtype == "float16" else dtype for dtype in DTYPES])
def test_tiles_as_they_are_by_default(dtype):
    """Several tiles of the size that the kernel chooses itself, several heads."""
    given = case([67], [5], heads=3, width=48)
    assert too_far(given, DTYPES[dtype], rows=None) == {}


def test_cold_attention():
    """Logits of several hundred neither overflow nor lose the best key."""
    given = rounded(case([17], [18]), torch.float32)
    given = given._replace(tau=torch.full_like(given.tau, 0.01))
    assert too_far(given, torch.float32) == {}


def test_gradients_are_the_same_every_time():
    """Two passes are equal to the last bit."""
    given = case([5, 18], [17, 3])
    first, again = results(given, torch.float32, "triton"), results(given, torch.float32, "triton")
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_samples_do_not_see_each_other():
    """A sample alone gives what it gives among others."""
    given = case([5, 13, 3], [17, 3, 4])
    arguments = given.code.float(), given.text.float(), given.code_offsets, given.text_offsets, given.tau.float()
    together, _ = cross_modal_attention(*arguments, kernel="triton")
    alone, _ = cross_modal_attention(
        given.code[5:18].float(), given.text[17:20].float(), offsets([13]), offsets([3]), given.tau[1:2].float(),
        kernel="triton",
    )  # fmt: skip
    assert torch.equal(together[5:18], alone)


def test_means_are_those_of_the_attention():
    """The pooled kernel's means, without a gate, with gradients."""
    given = rounded(case([5, 0, 3], [2, 4, 0], heads=2), torch.float32)
    found = []
    for kernel in ("reference", "triton"):
        code, text, tau = (each.float().requires_grad_() for each in (given.code, given.text, given.tau))
        means = cross_modal_means(code, text, given.code_offsets, given.text_offsets, tau, kernel=kernel)
        loss = (means[0] * torch.arange(32, device=DEVICE)).sum() + means[1].square().sum()
        found.append([*means, *torch.autograd.grad(loss, [code, text, tau])])
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, atol=1e-5, rtol=1e-5)


def test_no_samples():
    """An empty batch gives empty results."""
    given = case([], [])
    assert [len(each) for each in results(given, torch.float32, "triton").values()] == [0] * 10


def test_second_derivatives_are_refused():
    """The error says what to do."""
    given = case([3], [2])
    code = given.code.float().requires_grad_()
    others = given.text.float(), given.code_offsets, given.text_offsets, given.tau.float()
    for output in (
        cross_modal_attention(code, *others, kernel="triton")[0],
        cross_modal_pool(code, *others, given.gate.float(), kernel="triton"),
    ):
        (grad,) = torch.autograd.grad(output.square().sum(), code, create_graph=True)
        with pytest.raises(NotImplementedError, match='kernel="reference"'):
            grad.sum().backward()


def arguments(gate=()):
    given = case([3], [2])
    sides = [each.float().requires_grad_() for each in (given.code, given.text)]
    tiled = tiles(given.code_offsets, given.text_offsets, 3, 2, 16)
    places = given.code_offsets, given.text_offsets, tiled.places
    gates = [given.gate.float().requires_grad_()] if gate == "gate" else list(gate)
    return *sides, *places, given.tau.float().requires_grad_(), *gates, tiled.code, tiled.rows, False


@pytest.mark.parametrize(("operator", "gate"), [("attention", ()), ("pool", "gate"), slow("pool", (None,))])
def test_operators_are_registered_well(operator, gate):
    """Schema, shapes without data and autograd hold under torch's own check."""
    torch.library.opcheck(getattr(operators, operator), arguments(gate))


def test_compiled_graphs_are_whole():
    """`torch.compile` traces through both operators without a break, with gradients."""
    given = case([3], [2])
    code, text, tau, gate = (each.float().requires_grad_() for each in (given.code, given.text, given.tau, given.gate))
    places = given.code_offsets, given.text_offsets
    tiled = tiles(*places, 3, 2, 16)

    def loss(code, text, tau, gate):
        read = operators.attention(code * 2, text, *places, tiled.places, tau, tiled.code, tiled.rows, False)[0]
        pooled = operators.pool(code, text, *places, tiled.places, tau, gate, tiled.code, tiled.rows, False)[0]
        return read.square().sum() + pooled.sum()

    plain = torch.autograd.grad(loss(code, text, tau, gate), [code, text, tau, gate])
    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    again = torch.autograd.grad(compiled(code, text, tau, gate), [code, text, tau, gate])
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(plain, again, strict=True))
