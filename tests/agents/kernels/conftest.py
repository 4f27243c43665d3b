"""Kernels are tested on CUDA, or else in Triton's interpreter, which must be chosen before Triton is imported.

Other tests import Triton through torch, so `test_interpreter.py` runs the kernels' tests in a process of their own.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))  # the toys of tests/agents

HERE = torch.cuda.is_available() or os.environ.get("TRITON_INTERPRET") == "1"
collect_ignore = ["test_interpreter.py"] if HERE else ["test_cross_modal_kernel.py", "test_kernel_training.py"]


@pytest.fixture(autouse=True, scope="session")
def _patched_once():
    """Triton 3.9's interpreter patches the language anew, on top of the last time, for each call between kernels.

    Once for each launch is enough, and 5 times as fast.
    """
    if os.environ.get("TRITON_INTERPRET") != "1":
        yield
        return
    from triton import language
    from triton.runtime import interpreter

    patch, plain = interpreter._patch_lang, {each: each.range for each in (language, language.core)}

    def once(kernel):
        seen = [each for each in plain if any(each is value for value in kernel.__globals__.values())]
        patched = all(each.range is not plain[each] for each in seen)
        return interpreter._LangPatchScope() if patched else patch(kernel)

    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(interpreter, "_patch_lang", once)
        yield
