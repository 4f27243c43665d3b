"""The whole file of JavaScript programs: what console.assert hides is found."""

import pytest

from code_envs.execution.executor import CallStatus, Job, Limits
from code_envs.execution.values import encode_calls
from code_envs.tasks.records import read_records
from code_envs.tasks.sources import load

pytestmark = [pytest.mark.data, pytest.mark.slow]

FILE = "humanevalpack/data/js/data/humanevalpack.jsonl"
PROGRAMS = 164
LIMITS = Limits(cpu_s=0.5)
"""Enough for every reference; five faulty programs never end."""


@pytest.fixture(scope="module")
def tasks(executor):
    return load(f"humanevalpack:{FILE}", executor)


def graded(executor, tasks, programs):
    """Whether each program passes its reward tests and its held-out tests; both suites make the same calls."""
    outcomes = executor.run_many(
        task.reward_tests.job(program.encode(), LIMITS) for task, program in zip(tasks, programs, strict=True)
    )
    return [
        tuple(suite.grade(outcome, executor).all_passed for suite in (task.reward_tests, task.held_out_tests))
        for task, outcome in zip(tasks, outcomes, strict=True)
    ]


def test_every_task_certifies(tasks):
    assert (len(tasks), tasks.left_out, tasks.name) == (PROGRAMS, {}, "humanevalpack-javascript-v0")
    assert {(task.language, task.steps) for task in tasks} == {("javascript", None)}
    assert sum(map(len, tasks.splits.values())) == PROGRAMS


def test_every_reference_passes(tasks, executor):
    assert {task.reward_tests.calls == task.held_out_tests.calls for task in tasks} == {True}
    assert set(graded(executor, tasks, [task.reference for task in tasks])) == {(True, True)}


def test_every_faulty_program_fails_a_reward_test(tasks, executor):
    assert not any(reward for reward, _ in graded(executor, tasks, [task.start for task in tasks]))


def test_the_empty_program_passes_nothing(tasks, executor):
    some = tasks.tasks[::8]
    outcomes = executor.run_many(task.reward_tests.job(b"", LIMITS) for task in some)
    for task, outcome in zip(some, outcomes, strict=True):
        assert not any(task.reward_tests.grade(outcome, executor).passed)
        assert not any(task.held_out_tests.grade(outcome, executor).passed)


def test_the_console_assert_trap(data_folder, executor):
    """Run as people run them, at least 150 of the faulty programs end with exit code 0."""
    items = [record.content for record in read_records(data_folder / FILE, "HumanEvalPack")[0]]
    programs = [item["declaration"] + item["buggy_solution"] + item["test"] for item in items]
    calls = encode_calls([[""]])
    jobs = [Job(program.encode(), "", calls, LIMITS, language="javascript") for program in programs]
    results = [outcome.results[0].status for outcome in executor.run_many(jobs)]
    assert len(results) == PROGRAMS
    assert results.count(CallStatus.VALUE) >= 150
