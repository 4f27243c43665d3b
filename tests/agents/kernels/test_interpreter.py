"""The kernels' tests in Triton's interpreter, on machines without CUDA."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
FILES = ["test_cross_modal_kernel.py", "test_kernel_training.py"]


LARGEST = "4096"
CHOICES = {"not slow": ("not slow", ""), "slow": ("slow", f"not {LARGEST}"), "largest": ("slow", LARGEST)}


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "choice", ["not slow", *(pytest.param(n, marks=pytest.mark.slow) for n in ("slow", "largest"))]
)
def test_the_kernel_passes_its_tests_in_the_interpreter(choice):
    """Every test of the files passes, and there are some."""
    if importlib.util.find_spec("triton") is None and not os.environ.get("CI"):
        pytest.skip("Triton is not installed: the extra code-envs[kernels] has it, on Linux")
    marked, named = CHOICES[choice]
    files = [str(FOLDER / name) for name in FILES]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", marked, "-k", named, *files]
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=FOLDER.parents[2])
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
