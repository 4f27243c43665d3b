"""`check_executor`: does an executor report the truth about a program, whatever the program does?"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

from code_envs.execution.executor import CallResult, CallStatus, Executor, Job, Limits, Outcome, Status
from code_envs.execution.values import encode, encode_calls
from code_envs.tasks.cases import Case, CaseSuite
from code_envs.testing.attack_report import AttackReport
from code_envs.testing.campaign import attack
from code_envs.testing.programs import (
    ANSWER,
    ARGUMENT,
    FORGERIES,
    LIMITS,
    PROGRAMS,
    STARTS_PROCESSES,
    UNSPOILT,
    UNSPOILT_ANSWER,
    Ending,
)
from code_envs.testing.survivors import descendants, survivors

__all__ = ["check_executor"]

LEVELS = ("strong", "good", "weak", "none")


def check_executor(executor: Executor) -> AttackReport:
    """Check an executor.

    The checks: each way in which a program can end has its status; attempts to forge a pass are not paid; after
    each of these the next job is right; the same job gives the same outcome twice; outcomes come in the order
    of the jobs; a program that starts processes leaves none behind (of this machine's; a remote executor's
    processes cannot be seen from here). Then the hostile programs of `code_envs.testing.hostile` are run, each
    followed by an honest job: none is paid, escapes, hangs, survives its job or spoils the next one. The executor
    is left open. It takes about half a minute, a third of it in programs that must be stopped at a limit.

    Args:
        executor: The executor, on which nothing else runs meanwhile.

    Returns:
        What each hostile program did.

    Raises:
        AssertionError: If a check fails; the message names the program, what was expected and what came. The
            hostile programs are all run, and all that failed are named.
    """
    _check_capabilities(executor)
    for program in PROGRAMS:
        _check_status(executor, program)
        _check_next(executor, program.name)
    for name, source in FORGERIES.items():
        _check_forgery(executor, name, source)
        _check_next(executor, name)
    _check_order(executor)
    _check_nothing_left(executor)
    return _check_attacks(executor)


def _check_attacks(executor: Executor) -> AttackReport:
    report = attack(executor)
    if report.failures:
        lines = "\n".join(map(str, report.failures))
        raise AssertionError(f"Expected no hostile program to reach anything: {report.summary()}.\n{lines}")
    return report


def _check_capabilities(executor: Executor) -> None:
    capabilities = executor.capabilities()
    if capabilities.level not in LEVELS:
        raise AssertionError(f"Expected a protection level of {LEVELS}, got {capabilities.level!r}.")
    if not capabilities.python:
        raise AssertionError("Expected capabilities to name the version of the interpreter; it is empty.")


def _job(source: str, limits: Limits = LIMITS, argument: int = ARGUMENT) -> Job:
    return Job(source.encode(), "f", encode_calls([[argument]]), limits)


def _check_status(executor: Executor, program: Ending) -> None:
    outcome = executor.run(_job(program.source, program.limits))
    call = _only_call(outcome, program.name)
    if outcome.status is not program.status:
        raise AssertionError(f"Expected the program {program.name!r} to end with {program.status}, got {outcome}.")
    if (call.status, call.exception) != (program.call, program.exception):
        expected = f"{program.call} {program.exception}".strip()
        raise AssertionError(f"Expected the call of the program {program.name!r} to give {expected}, got {call}.")
    if call.status is CallStatus.VALUE and call.value != encode(ANSWER):
        raise AssertionError(f"Expected the program {program.name!r} to give {ANSWER}, got {call.value!r}.")
    again = executor.run(_job(program.source, program.limits))
    if _facts(outcome) != _facts(again):
        raise AssertionError(f"Expected {program.name!r} to give the same twice, got {outcome} and {again}.")


def _only_call(outcome: Outcome, name: str) -> CallResult:
    if len(outcome.results) != 1:
        raise AssertionError(f"Expected one result for the one call of {name!r}, got {outcome.results}.")
    return outcome.results[0]


def _facts(outcome: Outcome) -> Outcome:
    return replace(outcome, cpu_s=0.0, wall_s=0.0, max_rss_kib=0)


def _check_next(executor: Executor, name: str) -> None:
    """The worker that ran a program must be as good as new."""
    outcome = executor.run(_job(UNSPOILT))
    expected = encode(UNSPOILT_ANSWER)
    if outcome.status is not Status.OK or _only_call(outcome, "the next job").value != expected:
        raise AssertionError(f"Expected the job after {name!r} to give {expected}, got {outcome}.")


def _check_forgery(executor: Executor, name: str, source: str) -> None:
    suite = CaseSuite("f", [Case.of("f", [ARGUMENT], ANSWER)])
    verdict = suite.run(source.encode(), executor, LIMITS)
    if any(verdict.passed):
        raise AssertionError(f"Expected a program that forges its result ({name}) to fail its test; it passed.")


def _check_order(executor: Executor) -> None:
    sources = ["def f(x):\n    return x * 2\n", "def f(x):\n    return x[0]\n", "def f(x:\n"]
    numbers = range(24)
    outcomes = executor.run_many(_job(sources[number % 3], argument=number) for number in numbers)
    for number, outcome in zip(numbers, outcomes, strict=True):
        expected: Any = (Status.OK, encode(number * 2)) if number % 3 == 0 else None
        expected = expected or ((Status.OK, None) if number % 3 == 1 else (Status.COMPILE_ERROR, None))
        found = outcome.status, _only_call(outcome, f"job {number}").value
        if found != expected:
            raise AssertionError(f"Expected job {number} of 24 submitted together to give {expected}, got {found}.")


def _check_nothing_left(executor: Executor) -> None:
    mark = f"left-{secrets.token_hex(4)}"
    before = len(descendants())
    executor.run(_job(STARTS_PROCESSES.format(mark=mark)))
    _check_next(executor, "starting processes")
    left = survivors(mark, before)
    if left:
        raise AssertionError(f"Expected no process of a finished program to be left; found {left}.")
