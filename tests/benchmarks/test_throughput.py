"""The throughput benchmark steps what it says it steps."""

from __future__ import annotations

import math

import pytest

from benchmarks.throughput import METHODS, ceiling, main, measure


@pytest.mark.parametrize("method", METHODS)
def test_each_method_takes_steps(method):
    """Every kind of vector environment is made, stepped and closed."""
    assert measure(method, "CodeGeneration-v0", 2, 0.1) > 0


def test_the_ceiling_counts_executions_alone():
    """A step that executes has a ceiling; one that never does has none."""
    assert ceiling("CodeRepair-v0", 4, 0.5) > 0
    assert math.isnan(ceiling("CodeSearch-v0", 2, 0.1))


def test_the_table_has_a_row_per_cell(capsys):
    """One line per id and number of environments, with the ratio at the end; unknown ids are refused."""
    assert main(["--ids", "CodeGeneration-v0", "--counts", "1", "--seconds", "0.1", "--rounds", "1"]) == 0
    assert capsys.readouterr().out.count("`CodeGeneration-v0` | 1 |") == 1
    assert main(["--ids", "Nothing-v0"]) == 2
