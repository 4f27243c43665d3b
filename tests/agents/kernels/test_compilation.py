"""The kernels compile for GPUs, also where there is none: Triton brings its own compiler and assembler."""

from __future__ import annotations

import os

import pytest

triton = pytest.importorskip("triton", reason="Triton is not installed")

CASES = {"bf16": ("bf16", 64, 64, "tf32"), "fp16": ("fp16", 24, 64, "tf32"), "fp32": ("fp32", 64, 32, "ieee")}
SHARED = 99 * 1024
"""Bytes that a block may have on every GPU since sm_86."""
VARIANTS = {
    "attend": [{"OUTPUT": True}, {"OUTPUT": False}],
    "gradients": [{"POOLED": False, "TAU": True}, {"POOLED": True, "TAU": False}],
    "pool": [{"GATED": True}],
    "pool_deltas": [{}],
}


def kind(name, element, pooled):
    """Triton's type of an argument."""
    if name in ("code_offsets", "text_offsets", "places"):
        return "*i32"
    if name in ("temperature", "gate", "parts", "sums") or name.endswith(("levels", "deltas")):
        return "*fp32"
    if name in ("code_d", "text_d") and pooled:
        return "*fp32"
    return {"code_slots": "i32", "factor": "fp32"}.get(name, f"*{element}")


def compiled(kernel, constants, element, capability, warps, stages):
    pooled = constants.get("POOLED", True)
    names = kernel.arg_names
    source = triton.compiler.ASTSource(
        fn=kernel,
        signature={name: "constexpr" if name in constants else kind(name, element, pooled) for name in names},
        constexprs={(names.index(name),): value for name, value in constants.items()},
    )
    target = triton.backends.compiler.GPUTarget("cuda", capability, 32)
    options = {"num_warps": warps, "num_stages": stages, "enable_fp_fusion": True}
    return triton.compile(source, target=target, options=options)


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") == "1", reason="the interpreter compiles nothing")
@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize("case", CASES)
def test_kernels_compile(case, capability, monkeypatch, tmp_path):
    """Every variant becomes machine code that fits into shared memory."""
    from agents.kernels import launches, triton_cross_modal

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    element, width, rows, precision = CASES[case]
    padded = triton.next_power_of_2(width)
    shape = {"HEADS": 4, "WIDTH": width, "PADDED": padded, "ROWS": rows, "PRECISION": precision}
    for name, variants in VARIANTS.items():
        for constants in variants:
            kernel = getattr(triton_cross_modal, name)
            made = compiled(kernel, constants | shape, element, capability, launches.WARPS[name], launches.STAGES[name])
            assert made.asm["cubin"]
            assert made.metadata.shared <= SHARED, (name, constants)
