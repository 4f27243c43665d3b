"""Lines cut out of programs with tests."""

import pytest

from code_envs.errors import ConfigurationError
from code_envs.execution.executor import Limits
from code_envs.tasks.cases import Case, CaseSuite
from code_envs.tasks.gaps import gaps
from code_envs.tasks.sources import load
from code_envs.tasks.task import Task, TaskSet

PROGRAM = '''import math


def area(sides):
    """Not to be cut out: (no statement)."""
    total = 0  # nor a line with a comment
    unused = [1, 2]
    for side in sides: total += 1
    if len(sides) != 2:
        return -1
    result = (
        sides[0] *
        sides[1]
    )
    return result + total - total
'''
CALLS = [([2, 3], 6), ([1], -1), ([0, 9], 0), ([4, 4], 16)]


def programs(reference=PROGRAM, language="python"):
    suite = CaseSuite("area", [Case.of("area", (sides,), expected) for sides, expected in CALLS])
    task = Task("small-v0/area", "Area.", "area", reference, None, suite, suite, 1000, language)
    return TaskSet("small-v0", (task,), "MIT", "these tests", "0" * 64, splits={"train": ["small-v0/area"], "test": []})


def test_lines_that_the_tests_need_are_cut_out(executor):
    """Neither an unused line nor one with a comment, several statements or several lines is one."""
    cut = gaps(programs(), executor, per_task=9)
    assert [gap.target for gap in cut] == ["if len(sides) != 2:", "return -1", "return result + total - total"]
    assert cut.ids == ("gaps-small-v0/area/9", "gaps-small-v0/area/10", "gaps-small-v0/area/15")
    assert cut.splits == {"train": list(cut.ids), "test": []}
    for gap in cut:
        assert gap.before + gap.target + gap.after == PROGRAM
        assert gap.description == "Area."


def test_the_choice_depends_on_nothing_but_the_program(executor):
    """One line of each is the first of many, and the same each time."""
    one = gaps(programs(), executor)
    assert one.ids == gaps(programs(), executor).ids
    assert set(one.ids) < set(gaps(programs(), executor, per_task=2).ids)


def test_programs_without_such_a_line_are_left_out(executor):
    plain = "def area(sides):\n    return (sides[0] * sides[1]) if len(sides) == 2 else -1  # all\n"
    with pytest.raises(ConfigurationError, match="No line of 'small-v0' can be cut out"):
        gaps(programs(plain), executor)
    with pytest.raises(ConfigurationError, match="written in Python"):
        gaps(programs("const area = 1", "javascript"), executor)
    with pytest.raises(ConfigurationError, match="per_task must be at least 1, got 0"):
        gaps(programs(), executor, per_task=0)


def test_built_in_gaps(executor):
    """Every built-in program has one; its own line passes both suites, and nothing in its place does not."""
    cut = load("gaps:builtin", executor)
    assert (len(cut), cut.left_out, cut.licence) == (64, {}, "MIT")
    assert sum(map(len, cut.splits.values())) == 64
    limits = Limits()
    for whole in (True, False):
        sources = [(gap.before + (gap.target if whole else "pass") + gap.after).encode() for gap in cut]
        jobs = [
            gap.program.reward_tests.job(source, gap.program.limits(limits))
            for gap, source in zip(cut, sources, strict=True)
        ]
        outcomes = zip(cut, executor.run_many(jobs), strict=True)
        passed = [gap.program.reward_tests.grade(outcome, executor).all_passed for gap, outcome in outcomes]
        assert passed == [whole] * 64


def test_sources_of_gaps(executor):
    assert len(load("gaps*2:builtin", executor, limit=3)) == 6
    with pytest.raises(ConfigurationError, match="'gaps' needs the spec of the programs"):
        load("gaps", executor)
    with pytest.raises(ConfigurationError, match="have no tests"):
        load("gaps:translations", executor)
