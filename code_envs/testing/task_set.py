"""`check_task_set`: is a task set what an agent can be trained and judged on?"""

from __future__ import annotations

from typing import Any

from code_envs.execution.executor import Executor, Limits
from code_envs.tasks.sources import load
from code_envs.tasks.task import Task, TaskSet, TestSuite, Verdict
from code_envs.testing.evidence import difference, in_fresh_process

__all__ = ["check_task_set", "identity_of"]

SHOWN = 3


def check_task_set(tasks: str | TaskSet, executor: Executor) -> None:
    """Check a task set.

    The checks: licence, origin and digest are given; ids are unique, begin with the set's name and have a fixed
    order, for a source also in a fresh process; splits name tasks of the set, each at most once; every task has
    tests in both suites, its reference passes them all, and its faulty program fails a reward test.

    Args:
        tasks: A task set, or the spec of a source (`code_envs.tasks.sources.load`).
        executor: Runs the programs.

    Raises:
        AssertionError: If a check fails; the message names the tasks.
    """
    task_set = load(tasks, executor) if isinstance(tasks, str) else tasks
    _check_provenance(task_set)
    _check_order(task_set)
    _check_splits(task_set)
    _check_programs(task_set, executor)
    if isinstance(tasks, str):
        found = difference(_identity(task_set), in_fresh_process(f"{__name__}:identity_of", tasks))
        if found:
            raise AssertionError(f"Expected the source {tasks!r} to be the same in a fresh process; at {found}.")


def _identity(task_set: TaskSet) -> dict[str, Any]:
    programs = [[task.task_id, task.reference, task.start, *task.reward_tests.descriptions] for task in task_set]
    return {"name": task_set.name, "sha256": task_set.sha256, "tasks": programs}


def _check_provenance(task_set: TaskSet) -> None:
    for name, value in (("licence", task_set.licence), ("origin", task_set.origin), ("name", task_set.name)):
        if not value.strip():
            raise AssertionError(f"Expected the task set {task_set.name!r} to state its {name}; it is empty.")
    if len(task_set.sha256) != 64 or set(task_set.sha256) - set("0123456789abcdef"):
        raise AssertionError(f"Expected sha256 of {task_set.name!r} as 64 hexadecimal digits, got {task_set.sha256!r}.")


def _check_order(task_set: TaskSet) -> None:
    ids = [task.task_id for task in task_set]
    if not ids:
        raise AssertionError(f"Expected {task_set.name!r} to have tasks; it has none. Left out: {task_set.left_out}.")
    if len(set(ids)) != len(ids):
        raise AssertionError(
            f"Expected unique ids in {task_set.name!r}; twice: {_some(i for i in ids if ids.count(i) > 1)}."
        )
    foreign = [each for each in ids if not each.startswith(task_set.name + "/")]
    if foreign:
        raise AssertionError(f"Expected ids that begin with {task_set.name + '/'!r}, got {_some(foreign)}.")
    again = [task_set[number].task_id for number in range(len(task_set))]
    if ids != again or ids != [task_set[each].task_id for each in ids]:
        raise AssertionError(f"Expected one order of {task_set.name!r} by iteration, position and id; they differ.")


def _check_splits(task_set: TaskSet) -> None:
    known, seen = set(task_set.ids), dict[str, str]()
    for name, ids in task_set.splits.items():
        unknown = [each for each in ids if each not in known]
        if unknown:
            raise AssertionError(f"Expected split {name!r} to name tasks of {task_set.name!r}, got {_some(unknown)}.")
        twice = [each for each in ids if each in seen]
        if twice:
            raise AssertionError(f"Expected disjoint splits; {_some(twice)} of {name!r} are in {seen[twice[0]]!r} too.")
        seen |= dict.fromkeys(ids, name)


def _check_programs(task_set: TaskSet, executor: Executor) -> None:
    empty = [task.task_id for task in task_set if not len(task.reward_tests) or not len(task.held_out_tests)]
    if empty:
        raise AssertionError(f"Expected tests in both suites; a suite is empty in {_some(empty)}.")
    for name in ("reward", "held-out"):
        suites = [(task, task.reference, _suite(task, name)) for task in task_set]
        verdicts = zip(suites, _judge(suites, executor), strict=True)
        wrong = [task.task_id for (task, _, _), verdict in verdicts if not verdict.all_passed]
        if wrong:
            raise AssertionError(f"Expected references to pass their {name} tests; not so: {_some(wrong)}.")
    starts = [(task, task.start, task.reward_tests) for task in task_set if task.start is not None]
    verdicts = zip(starts, _judge(starts, executor), strict=True)
    right = [task.task_id for (task, _, _), verdict in verdicts if verdict.all_passed]
    if right:
        raise AssertionError(f"Expected faulty programs to fail a reward test; these pass all: {_some(right)}.")


def _suite(task: Task, name: str) -> TestSuite:
    return task.reward_tests if name == "reward" else task.held_out_tests


def _judge(programs: list[tuple[Task, str, TestSuite]], executor: Executor) -> list[Verdict]:
    jobs = [suite.job(program.encode(), task.limits(Limits())) for task, program, suite in programs]
    outcomes = executor.run_many(jobs)
    return [suite.grade(outcome, executor) for (_, _, suite), outcome in zip(programs, outcomes, strict=True)]


def _some(items: Any) -> str:
    items = list(items)
    rest = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return ", ".join(map(repr, items[:SHOWN])) + rest


def identity_of(spec: str) -> dict[str, Any]:
    """What a source must give every time; what the fresh process calls."""
    return _identity(load(spec))
