"""Holes that hostile programs found: they are mended and stay so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from code_envs.execution.executor import Job, Limits
from code_envs.execution.local import LocalExecutor
from code_envs.execution.values import encode_calls
from code_envs.tasks.cases import Case, CaseSuite

INSTALLED = Path(os.__file__).parent / "site-packages"
READ_INSTALLED = b"""
import os
def f(x):
    try: return len(os.listdir(os.path.join(os.path.dirname(os.__file__), 'site-packages')))
    except OSError: return 0
"""


def test_two_surrogates_are_not_one_character(executor):
    """A text of two surrogates is not equal to the character that they would encode."""
    suite = CaseSuite("f", [Case.of("f", [1], "\U00010400")])
    assert suite.run(b"def f(x): return '\\ud801\\udc00'", executor, Limits()).passed == (False,)


def test_installed_packages_are_not_readable(executor):
    """Where Code Envs is installed without a virtual environment, its tasks' references lie there."""
    if not INSTALLED.is_dir() or not list(INSTALLED.iterdir()):
        pytest.skip(f"nothing is installed in {INSTALLED}")
    outcome = executor.run(Job(READ_INSTALLED, "f", encode_calls([[1]])))
    assert outcome.results[0].value == 0


def test_a_closed_scratch_directory_costs_no_worker():
    """A program that takes all rights away from its scratch directory costs no new worker."""
    with LocalExecutor(level="weak") as executor:
        if "mount_namespace" not in executor.capabilities().layers:
            pytest.skip("without a mount namespace there is no scratch directory")
        worker = executor._workers[0].pid
        for source in (b"import os\ndef f(x): os.chmod('.', 0)", b"def f(x): return x"):
            executor.run(Job(source, "f", encode_calls([[1]])))
        assert executor._workers[0].pid == worker
