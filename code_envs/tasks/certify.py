"""Certification: a task is used only if its own programs behave as it says.

The reference must pass both suites under the default limits, the faulty program must fail a reward test,
a program without the function must fail both suites, and a function that returns None must not earn the
full reward. The reference's steps become the task's step limit; they are counted in Python only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from code_envs.execution.executor import CallResult, CallStatus, Executor, Job, Limits, Outcome, Status
from code_envs.tasks.cases import judge_ahead
from code_envs.tasks.task import Task, TestSuite, Verdict

__all__ = ["MEASURED", "Certificate", "certify", "certify_many", "measured_steps"]

MEASURED = Limits(steps=1_000_000_000)
STEP_FACTOR, STEP_MARGIN = 10, 1000
NOTHING: dict[str, Any] = {"python": None, "javascript": {"u": []}}
"""The encoded value of a function that returns nothing."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The result of certifying one task.

    Args:
        task: The task with its step limit set, or None.
        reason: Why it does not certify, or "".
    """

    task: Task | None
    reason: str = ""


def certify(task: Task, executor: Executor) -> Certificate:
    """Certify one task.

    Raises:
        ExecutorError: If the sandbox failed.
    """
    return certify_many([task], executor)[0]


def certify_many(
    tasks: Sequence[Task], executor: Executor, known: Mapping[Job, Outcome] | None = None
) -> list[Certificate]:
    """Certify tasks side by side; the certificates come in the order of the tasks.

    Args:
        tasks: The tasks.
        executor: Runs their programs.
        known: Outcomes of jobs of faulty programs that have been executed already.

    Raises:
        ExecutorError: If the sandbox failed.
    """
    outcomes = _reference_outcomes(tasks, executor)
    given = [(task.reward_tests, first) for task, (first, _) in zip(tasks, outcomes, strict=True)]
    judge_ahead([*given, *((task.reward_tests, _returns_nothing(task)) for task in tasks)], executor)
    measured = [_with_reference(task, pair, executor) for task, pair in zip(tasks, outcomes, strict=True)]
    faulty = [each.task for each in measured if each.task is not None and each.task.start is not None]
    passing = _starts_that_pass(faulty, executor, known or {})
    return [
        Certificate(None, "the faulty program passes every reward test")
        if each.task is not None and each.task.task_id in passing
        else each
        for each in measured
    ]


def measured_steps(outcomes: Sequence[Outcome]) -> int:
    """A step limit from what the reference needed: ten times the most of a call, plus 1,000."""
    most = max((result.steps for outcome in outcomes for result in outcome.results), default=0)
    return STEP_FACTOR * most + STEP_MARGIN


def _reference_outcomes(tasks: Sequence[Task], executor: Executor) -> list[tuple[Outcome, Outcome]]:
    """What each reference gives on both suites; one job makes the calls of both unless something ends it."""
    limits = [MEASURED if task.language == "python" else Limits() for task in tasks]
    pairs = [
        [suite.job(task.reference.encode(), each) for suite in _suites(task)]
        for task, each in zip(tasks, limits, strict=True)
    ]
    joint = executor.run_many(_joined(first, second) if _joinable(first, second) else first for first, second in pairs)
    return [
        _divided(outcome, _count(first.calls))
        if outcome.status is Status.OK and _joinable(first, second)
        else (outcome, outcome)
        if first == second
        else (executor.run(first), executor.run(second))
        for outcome, (first, second) in zip(joint, pairs, strict=True)
    ]


def _joinable(first: Job, second: Job) -> bool:
    return (first.source, first.entry) == (second.source, second.entry) and first.calls != second.calls


def _joined(first: Job, second: Job) -> Job:
    calls = b",".join(part for part in (first.calls.strip()[1:-1], second.calls.strip()[1:-1]) if part)
    return replace(first, calls=b"[" + calls + b"]")


def _divided(outcome: Outcome, count: int) -> tuple[Outcome, Outcome]:
    return replace(outcome, results=outcome.results[:count]), replace(outcome, results=outcome.results[count:])


def _count(calls: bytes) -> int:
    return len(json.loads(calls))


def _with_reference(task: Task, outcomes: Sequence[Outcome], executor: Executor) -> Certificate:
    for name, suite, outcome in zip(("reward", "held-out"), _suites(task), outcomes, strict=True):
        reason = _reference_fault(name, suite, outcome, executor) or _worthless(name, suite, executor)
        if reason:
            return Certificate(None, reason)
    if task.reward_tests.grade(_returns_nothing(task), executor).all_passed:
        return Certificate(None, "a function that returns None passes every reward test")
    return Certificate(replace(task, steps=measured_steps(outcomes)) if task.language == "python" else task)


def _starts_that_pass(tasks: Sequence[Task], executor: Executor, known: Mapping[Job, Outcome]) -> set[str]:
    jobs = [task.reward_tests.job((task.start or "").encode(), task.limits(Limits())) for task in tasks]
    executed = iter(executor.run_many(job for job in jobs if job not in known))
    outcomes = [known[job] if job in known else next(executed) for job in jobs]
    return {
        task.task_id
        for task, outcome in zip(tasks, outcomes, strict=True)
        if task.reward_tests.grade(outcome, executor).all_passed
    }


def _suites(task: Task) -> tuple[TestSuite, TestSuite]:
    return task.reward_tests, task.held_out_tests


def _reference_fault(name: str, suite: TestSuite, outcome: Outcome, executor: Executor) -> str:
    verdict = suite.grade(outcome, executor)
    if verdict.all_passed:
        return ""
    if not len(suite):
        return f"there are no {name} tests"
    return f"the reference fails {name} test {_first_failure(suite, verdict, outcome)}"


def _first_failure(suite: TestSuite, verdict: Verdict, outcome: Outcome) -> str:
    number = verdict.passed.index(False)
    what = str(outcome.status) if outcome.status is not Status.OK else ""
    if not what and number < len(outcome.results):
        result = outcome.results[number]
        what = f"{result.exception}: {result.message}" if result.exception else str(result.status)
    return f"{number} ({suite.descriptions[number]}): {what}"


def _worthless(name: str, suite: TestSuite, executor: Executor) -> str:
    # what the sandbox reports of an empty program is fixed by its contract, so none is started for it
    nothing = Outcome(Status.NO_ENTRY, (CallResult(CallStatus.NOT_RUN),) * _count(suite.calls))
    return f"an empty program passes a {name} test" if any(suite.grade(nothing, executor).passed) else ""


def _returns_nothing(task: Task) -> Outcome:
    result = CallResult(CallStatus.VALUE, NOTHING[task.language])
    return Outcome(Status.OK, (result,) * _count(task.reward_tests.calls))
