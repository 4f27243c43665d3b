"""The kernels' benchmark reckons, compares and reports what it says it does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.kernels import Machine, Row, check, floor_ms, ratios, table
from benchmarks.kernels_training import rollout_and_update
from benchmarks.kernels_variants import ATTENTION, POOL, make_batch

STOCK = ("padded SDPA, mask", "padded, plain")


@pytest.fixture(scope="module")
def batch():
    return make_batch(3, 2, 16, torch.float32, "cpu", 0.1)


def row(variant, p50_ms, peak_mib=1.0, note=""):
    return Row("attention", 256, 4, 8, False, variant, p50_ms, p50_ms, p50_ms, peak_mib, 0.5, note)


def test_batches_are_ragged_and_the_same_in_both_layouts(batch):
    """Lengths lie in their range and differ; packing the padded tensors gives the packed ones."""
    real = make_batch(64, 1, 1, torch.float32, "cpu")
    for mask, least, most in zip(real.real, (20, 5), (400, 120), strict=True):
        counts = mask.sum(1)
        assert least <= counts.min() < counts.median() < counts.max() <= most
    assert all(map(torch.equal, batch.ragged.pack(*batch.padded), batch.packed))


def test_stock_variants_compute_the_same(batch):
    """Padded variants are right, with gradients in what they begin with."""
    variants = {"attention": {name: ATTENTION[name] for name in STOCK}, "pool": {"padded": POOL["padded SDPA, mask"]}}
    found = check(batch, variants)
    assert len(found) == 3
    assert all(float(verdict.removeprefix("error ")) < 1e-5 for *_, verdict in found)
    for name in STOCK:
        grads = torch.autograd.grad([each.sum() for each in ATTENTION[name](batch)()], [*batch.padded, batch.tau])
        assert all(each.any() for each in grads)


def test_a_wrong_kernel_and_one_that_fails_are_named(batch):
    """The check can fail: a wrong answer is beyond what is allowed, an error is told and the rest goes on."""

    def wrong(batch):
        return lambda: tuple(each * 1.01 for each in ATTENTION["padded, plain"](batch)())

    def fails(batch):
        raise RuntimeError("no such operator\nsecond line")

    variants = {"attention": {"ours": wrong, "padded, plain": ATTENTION["padded, plain"], "varlen": fails}}
    verdicts = {name: verdict for _, name, verdict in check(batch, variants)}
    assert "BEYOND" in verdicts["ours"]
    assert verdicts["varlen"] == "does not run: no such operator"


def test_the_floor_is_reckoned_from_bytes_and_operations(batch):
    """Slow memory: all reads and writes; slow arithmetic: the products over pairs of tokens."""
    tokens = sum(len(each) for each in batch.packed)
    pairs = sum(int(code) * int(text) for code, text in zip(*(each.sum(1) for each in batch.real), strict=True))
    memory, matrices = Machine(1.0, 1e30), Machine(1e30, 1.0)
    assert floor_ms(batch, "attention", False, memory) == pytest.approx(1e3 * tokens * 32 * 4 * 4)
    assert floor_ms(batch, "attention", True, memory) == pytest.approx(1e3 * tokens * 32 * 12 * 4)
    assert floor_ms(batch, "attention", False, matrices) == pytest.approx(1e3 * 8 * pairs * 32)
    assert floor_ms(batch, "pool", True, matrices) == pytest.approx(1e3 * 16 * pairs * 32)


def test_ratios_and_targets():
    """Ours against the padded and the best ragged; what did not run does not count, and misses are told."""
    rows = [row("ours", 1.0, 2.0), row("padded SDPA, mask", 3.0, 8.0), row("varlen", 1.2), row("nested", 1.5)]
    rows.append(row("flex, compiled", float("nan"), note="does not run: no"))
    (found,) = ratios(rows).values()
    assert found == {"of the floor": 0.5, "padded SDPA, mask": 3.0, "memory": 4.0, "best ragged": 1.2}
    shown = table(rows)
    assert "3.00 reached | 1.20 missed | 0.50 missed | 4.00 reached" in shown
    assert "does not run: no" in shown
    assert ratios(rows[1:]) == {}


@pytest.mark.slow
def test_the_command_checks_the_kernel_without_a_gpu(tmp_path):
    """One call; where there is no GPU it says so and uses the interpreter."""
    command = [sys.executable, "-m", "benchmarks.kernels", "--quick", "--parts", "kernel", "--out", str(tmp_path)]
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "BEYOND" not in done.stdout
    assert torch.cuda.is_available() or "No GPU: nothing is timed" in done.stdout
    assert torch.cuda.is_available() == (tmp_path / "kernels.csv").exists()


@pytest.mark.slow
def test_training_is_timed(executor):
    """Steps, forward passes and updates are each counted."""
    found = rollout_and_update(2, 2, 1, "cpu", "auto", executor=executor, tasks="mutants:builtin", max_candidates=32)
    assert min(found.values()) > 0
    assert found["share"] == pytest.approx(found["network_ms"] / (found["network_ms"] + found["step_ms"]))
