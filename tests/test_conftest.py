"""The rules of `conftest.py`, each seen in a test session of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

TESTS = """
import pytest

@pytest.mark.docker
def test_docker(): pass

@pytest.mark.data
def test_marked(): pass

def test_fixture(data): assert data.name == "files"
"""
MARKERS = "[pytest]\nmarkers =\n    docker: x\n    data: x\n"


def session(folder: Path, **environment: str) -> str:
    """The report of a test session on a machine without Docker."""
    (folder / "bin").mkdir()
    (folder / "pytest.ini").write_text(MARKERS)
    (folder / "test_it.py").write_text(TESTS)
    shutil.copy(Path(__file__).parent / "conftest.py", folder / "conftest.py")
    kept = {key: value for key, value in os.environ.items() if key not in {"CI", "CODE_ENVS_DATA"}}
    variables = kept | {"PATH": str(folder / "bin"), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)]
    return subprocess.run(command, env=variables | environment, capture_output=True, text=True, timeout=120).stdout


def test_skips_say_why(tmp_path):
    """Without data and Docker, the tests that need them are skipped with the reason."""
    report = session(tmp_path)
    assert "3 skipped" in report
    assert "no Docker engine: there is no docker program on PATH" in report
    assert report.count("CODE_ENVS_DATA is not set") >= 1


def test_ci_fails_without_docker(tmp_path):
    """In CI a test of Docker must run; with the data given, the tests of data do."""
    report = session(tmp_path, CI="1", CODE_ENVS_DATA=str(tmp_path / "files"))
    assert "2 passed, 1 error" in report
    assert "CI is set" in report
