"""Kernels are tested on CUDA, or else in Triton's interpreter, which must be chosen before Triton is imported.

Other tests import Triton through torch, so `test_interpreter.py` runs the kernels' tests in a process of their own.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent.parent))  # the toys of tests/agents

HERE = torch.cuda.is_available() or os.environ.get("TRITON_INTERPRET") == "1"
collect_ignore = ["test_interpreter.py"] if HERE else ["test_cross_modal_kernel.py", "test_kernel_training.py"]
