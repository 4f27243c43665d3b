"""The compiler as judge: what passes, what certifies, and that nothing is executed."""

import csv
import pickle
import shutil

import pytest

from code_envs.errors import ConfigurationError, TaskError
from code_envs.execution.executor import Diagnostic, Limits, Outcome, Status
from code_envs.tasks.assembly import Source
from code_envs.tasks.compile_suite import CompileDraft, CompileSuite, assemble_compiled
from code_envs.tasks.sources import load
from code_envs.testing import check_task_set

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc on PATH")

RIGHT = "#include <stdio.h>\nint main() {\n  int n = 0;\n  n = n + 1;\n  return n;\n}\n"
WRONG = RIGHT.replace("n = n + 1;", "n = m + k;")
SOURCE = Source("small-v0", "MIT", "these tests", "0" * 64)


def outcome(errors, status=Status.COMPILE_ERROR, text="no"):
    return Outcome(status, (), diagnostics=(Diagnostic("warning", "w", 1),) + (Diagnostic("error", text, 1),) * errors)


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        (outcome(0, Status.OK), (True, True, True)),
        (outcome(1), (False, True, True)),
        (outcome(2), (False, False, True)),
        (outcome(3), (False, False, False)),
        (outcome(30), (False, False, False)),
        (outcome(0), (False, True, True)),
        (outcome(0, Status.CPU_LIMIT), (False, False, False)),
        (outcome(1, text="none.h: No such file or directory"), (False, False, False)),
    ],
)
def test_share_falls_with_the_errors(given, passed):
    """Test k passes with at most k errors; a compiler that stopped early proves nothing."""
    suite = CompileSuite(3)
    assert suite.grade(given, None).passed == passed
    assert len(suite) == len(suite.descriptions) == 3


def test_warnings_are_no_errors():
    """All tests pass if the compiler only warns."""
    assert CompileSuite(2).grade(outcome(0, Status.OK), None).all_passed


def test_no_suite_without_errors():
    """A program without an error is no task."""
    with pytest.raises(TaskError, match="at least 1 error, not 0"):
        CompileSuite(0)


def test_pickles():
    """A suite survives pickling, and makes the same job."""
    suite = pickle.loads(pickle.dumps(CompileSuite(2)))
    assert suite.job(b"x", Limits()) == CompileSuite(2).job(b"x", Limits())
    assert suite.descriptions == ("the program compiles", "at most 1 errors")


@needs_gcc
def test_nothing_is_executed(executor):
    """A program that would write, loop or exit is only checked: no call, no output, status ok."""
    program = b"#include <stdlib.h>\nint main(void) { exit(3); for (;;); }\n"
    found = executor.run(CompileSuite(1).job(program, Limits()))
    assert (found.status, found.results, found.code) == (Status.OK, (), 0)


@needs_gcc
def test_certification(executor):
    """Items that the compiler here judges otherwise are left out with the reason."""
    drafts = [
        CompileDraft("good", "d", WRONG, RIGHT, "a"),
        CompileDraft("compiles", "d", RIGHT, RIGHT + "\n", "b"),
        CompileDraft("broken", "d", WRONG, WRONG.replace("k", "j"), "c"),
    ]
    tasks = assemble_compiled(SOURCE, drafts, executor, {"lost": "no reference"})
    assert tasks.ids == ("small-v0/good",)
    assert tasks.left_out == {
        "small-v0/lost": "no reference",
        "small-v0/compiles": "the faulty program compiles",
        "small-v0/broken": tasks.left_out["small-v0/broken"],
    }
    assert tasks.left_out["small-v0/broken"].startswith("the reference does not compile: ")
    task = tasks[0]
    assert (len(task.reward_tests), len(task.held_out_tests), task.language) == (2, 1, "c")
    assert task.reward_tests.run(WRONG.replace("m", "n").encode(), executor, Limits()).passed == (False, True)
    check_task_set(tasks, executor)
    with pytest.raises(TaskError, match="No task of 'small-v0' certifies"):
        assemble_compiled(SOURCE, drafts[1:], executor)


@needs_gcc
def test_groups_stay_together(executor):
    """Items of one group are in one split, whatever the others are."""
    drafts = [CompileDraft(f"{n}", "d", f"{WRONG}//{n}\n", RIGHT, f"g{n % 6}") for n in range(24)]
    tasks = assemble_compiled(SOURCE, drafts, executor)
    where = {each: name for name, ids in tasks.splits.items() for each in ids}
    assert len(where) == 24
    assert all(where[f"small-v0/{n}"] == where[f"small-v0/{n % 6}"] for n in range(24))


def table(path, *rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["id", "sourceText", "targetText", "sourceErrorPrutor"], *rows])
    return path


@needs_gcc
def test_tracer_source(tmp_path, executor):
    """Pairs become tasks; `tracer*1` reads the first one; ids must be unique."""
    path = table(tmp_path / "pairs.csv", ["1", WRONG, RIGHT, "e"], ["2", WRONG + "x", RIGHT, "e"])
    tasks = load(f"tracer:{path}", executor)
    assert tasks.ids == ("tracer-v0/1", "tracer-v0/2")
    assert tasks.licence == "Apache-2.0"
    assert load(f"tracer*1:{path}", executor).ids == ("tracer-v0/1",)
    assert load(f"tracer*5:{path}", executor, limit=1).ids == ("tracer-v0/1",)
    with pytest.raises(TaskError, match=r"ids must be unique; \['1'\]"):
        load(f"tracer:{table(tmp_path / 'twice.csv', ['1', WRONG, RIGHT, 'e'], ['1', WRONG, RIGHT, 'e'])}", executor)


def test_a_number_needs_a_source_with_a_path(executor):
    """Only sources that are read from a path take `*N`."""
    with pytest.raises(ConfigurationError, match="no task source 'builtin\\*3'"):
        load("builtin*3", executor)


@needs_gcc
@pytest.mark.data
def test_real_pairs(data, executor):
    """Most of the first forty pairs certify, and the rest say why."""
    tasks = load("tracer*40", executor)
    assert 30 <= len(tasks) <= 40
    assert len(tasks) + len(tasks.left_out) == 40
    assert set(tasks.left_out.values()) == {"the faulty program compiles"}
