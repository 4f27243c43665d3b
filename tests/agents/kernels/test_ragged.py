"""Packing, tiles, and the plain PyTorch path of the ragged operators."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from kernel_cases import case, offsets

from agents.cross_modal import cross_modal_attention as padded_attention
from agents.cross_modal import masked_mean
from agents.kernels import cross_modal
from agents.kernels.cross_modal import (
    attention_reference,
    cross_modal_attention,
    cross_modal_means,
    cross_modal_pool,
    pool_reference,
    uses_triton,
)
from agents.kernels.ragged import Ragged, tile_rows, tiles

LENGTHS = [5, 0, 3, 17, 16], [2, 4, 0, 1, 33]


@pytest.mark.parametrize("rows", [1, 4, 16, 64])
@pytest.mark.parametrize("lengths", [*LENGTHS, [0, 0], [64] * 3, []])
def test_tiles_cover_every_token_once(lengths, rows):
    """Tiles that begin within their sample hold each of its tokens once; their number is known from shapes."""
    other = [1] * len(lengths)
    made = tiles(offsets(lengths), offsets(other), sum(lengths), sum(other), rows)
    assert made.code == (sum(lengths) // rows + len(lengths))
    covered = [
        (sample, row)
        for sample, start in made.places[: made.code].tolist()
        for row in range(start, min(start + rows, lengths[sample]))
    ]
    assert sorted(covered) == [(sample, row) for sample, length in enumerate(lengths) for row in range(length)]
    assert made.places[made.code :, 0].unique().tolist() == list(range(len(lengths)))


def test_tiles_are_not_larger_than_shared_memory_allows():
    """Wide heads and wide dtypes have fewer rows."""
    assert tile_rows(64, torch.bfloat16) == tile_rows(16, torch.float32) == 64
    assert tile_rows(64, torch.float32) == tile_rows(128, torch.float16) == 32
    assert tile_rows(128, torch.float32) == tile_rows(80, torch.float32) == 16


def test_packing_is_undone():
    """Masks with holes too; padding comes back as zeros."""
    code_real = torch.tensor([[True, False, True], [False, False, False]])
    text_real = torch.ones(2, 2, dtype=torch.bool)
    ragged = Ragged(code_real, text_real)
    code, text = torch.randn(2, 3, 4), torch.randn(2, 2, 4)
    packed = ragged.pack(code, text)
    assert torch.equal(packed[0], code[0, [0, 2]])
    assert ragged.code_offsets.tolist() == [0, 2, 2]
    back = ragged.unpack(*packed)
    assert torch.equal(back[0], code * code_real.unsqueeze(-1))
    assert torch.equal(back[1], text)
    assert ragged.tiles(16) is ragged.tiles(16)


def test_padded_and_ragged_agree():
    """The ragged reference is the padded attention without its padding; the pool is its masked mean and blend."""
    given = case(*LENGTHS, heads=2)
    code_real = torch.arange(20, device=given.code.device) < given.code_offsets.diff()[:, None]
    text_real = torch.arange(33, device=given.code.device) < given.text_offsets.diff()[:, None]
    code, text = Ragged(code_real, text_real).unpack(given.code, given.text)
    to_code, to_text = padded_attention(code, text, code_real, text_real, given.tau)
    found = attention_reference(*given[:5])
    assert torch.allclose(found[0], to_code[code_real])
    assert torch.allclose(found[1], to_text[text_real])
    means = masked_mean(to_code.flatten(2), code_real), masked_mean(to_text.flatten(2), text_real)
    assert all(map(torch.allclose, cross_modal_means(*given[:5], kernel="reference"), means))
    assert torch.allclose(pool_reference(*given), given.gate * means[0] + (1 - given.gate) * means[1])


def test_reference_is_differentiable_twice():
    """First and second derivatives of both operators agree with finite differences, empty sides included."""
    given = case([2, 0, 1], [1, 2, 0], width=2)
    inputs = [each.requires_grad_() for each in (given.code, given.text, given.tau, given.gate)]

    def both(code, text, tau, gate):
        arguments = code, text, given.code_offsets, given.text_offsets, tau
        return *attention_reference(*arguments), pool_reference(*arguments, gate)

    assert torch.autograd.gradcheck(both, inputs)
    assert torch.autograd.gradgradcheck(both, inputs)


def test_the_path_is_chosen_by_device_dtype_and_width():
    """On a CPU "auto" is plain PyTorch; what the kernel cannot do is an error only where it is insisted on."""
    vectors = torch.zeros(1, 3, 1, 16)
    assert not uses_triton("auto", vectors)
    assert not uses_triton("reference", vectors)
    assert uses_triton("triton", vectors)
    with pytest.raises(ValueError, match="heads up to 128 wide"):
        uses_triton("triton", torch.zeros(1, 3, 1, 129))
    with pytest.raises(ValueError, match="float64"):
        uses_triton("triton", vectors.double())
    with pytest.raises(ValueError, match="kernel must be one of"):
        uses_triton("fast", vectors)


def test_tf32_follows_torch():
    """The precision of the kernel's float32 products is that of torch's."""
    matmul = torch.backends.cuda.matmul
    before = matmul.allow_tf32
    try:
        for wanted in (True, False):
            matmul.allow_tf32 = wanted
            assert cross_modal._tf32() is wanted
    finally:
        matmul.allow_tf32 = before


def test_what_does_not_fit_is_explained():
    """Shapes, dtypes and offsets that do not belong together get a sentence each."""
    given = case([3, 2], [1, 4])
    code, text, code_offsets, text_offsets, tau, _ = given
    with pytest.raises(ValueError, match=r"\(tokens, 3, heads, width\)"):
        cross_modal_attention(code[:, :2], text, code_offsets, text_offsets, tau)
    with pytest.raises(ValueError, match="one dtype"):
        cross_modal_attention(code, text.float(), code_offsets, text_offsets, tau)
    with pytest.raises(ValueError, match="Both offsets"):
        cross_modal_attention(code, text, code_offsets[1:], text_offsets, tau)
    with pytest.raises(ValueError, match=r"tau is \(\) or \(2,\)"):
        cross_modal_attention(code, text, code_offsets, text_offsets, tau[:1])
    with pytest.raises(ValueError, match="The gate is"):
        cross_modal_pool(code, text, code_offsets, text_offsets, tau, torch.ones(3))
    with pytest.raises(ValueError, match=r"end at \[5, 5\], the tokens at \[4, 5\]|tokens, and there are 4"):
        cross_modal_attention(code[:4], text, code_offsets, text_offsets, tau)


def run(program, **environment):
    root = Path(__file__).parents[3]
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
    )


def test_everything_but_the_kernel_works_without_triton():
    """Extractor and operators import and run; insisting on the kernel names the extra."""
    done = run(
        "import sys; sys.modules['triton'] = None\n"
        "import agents, agents.ppo, torch\n"
        "from agents.cross_modal_extractor import CrossModalFusionExtractor\n"
        "from kernel_cases import case\n"
        "from agents.kernels.cross_modal import cross_modal_attention\n"
        "given = [each.float() if each.is_floating_point() else each for each in case([3], [2])[:5]]\n"
        "cross_modal_attention(*given, kernel='reference')\n"
        "try: cross_modal_attention(*given, kernel='triton')\n"
        "except ImportError as error: print(error)\n"
    )
    assert done.returncode == 0, done.stderr
    assert "code-envs[kernels]" in done.stdout


def test_triton_is_imported_on_first_use_only():
    """Importing the modules around the kernel does not import it."""
    done = run(
        "import sys, agents.kernels.cross_modal, agents.cross_modal_extractor, agents.ppo\n"
        "print('agents.kernels.launches' in sys.modules, 'agents.kernels.triton_cross_modal' in sys.modules)\n"
    )
    assert done.stdout.split() == ["False", "False"], done.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_cpu_without_the_interpreter_is_explained():
    """Insisting on the kernel without a GPU says what it needs."""
    pytest.importorskip("triton", reason="Triton is not installed")
    done = run(
        "from kernel_cases import case\n"
        "from agents.kernels.cross_modal import cross_modal_attention\n"
        "given = [each.float() if each.is_floating_point() else each for each in case([3], [2])[:5]]\n"
        "try: cross_modal_attention(*given, kernel='triton')\n"
        "except RuntimeError as error: print(error)\n",
        TRITON_INTERPRET="0",
    )
    assert "TRITON_INTERPRET=1" in done.stdout, done.stderr
