"""The benchmark of compile errors counts what its candidates do."""

import shutil

import numpy as np
import pytest

from benchmarks.compile_errors import Found, main, survey, table
from code_envs.tasks.assembly import Source
from code_envs.tasks.compile_suite import CompileDraft, assemble_compiled

RIGHT = "int main() {\n  int n = 0;\n  return n;\n}\n"


@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc on PATH")
def test_survey(executor):
    """A missing semicolon is repaired by a candidate close to it; another is the reference."""
    draft = CompileDraft("near", "d", RIGHT.replace("= 0;", "= 0"), RIGHT, "a")
    tasks = assemble_compiled(Source("small-v0", "MIT", "these tests", "0" * 64), [draft], executor)
    (found,) = survey(tasks, executor, quiet=True)
    assert 1 <= found.compiles_at < 60
    assert found.exact


def test_table():
    """Counts, and the programs that nothing helps."""
    text = table([Found("a", 3.0, True, 100), Found("b", 5.0, False, 300), Found("c", np.inf, False, 200)])
    assert text.startswith("3 programs: one candidate makes 2 compile, after a median of 4 tries; for 1 one is")
    assert text.endswith("none helps c")


def test_unknown_source(capsys):
    """An unknown source is said in a line."""
    assert main(["--tasks", "tracr"]) == 2
    assert "Did you mean 'tracer'" in capsys.readouterr().err
