"""From items of a source to a certified task set: extraction, division of the tests, certification."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from code_envs.errors import TaskError
from code_envs.execution.executor import Executor, Job, Limits, Outcome
from code_envs.tasks.cases import CaseSuite, ReplaySuite, judge_ahead
from code_envs.tasks.certify import MEASURED, certify_many, measured_steps
from code_envs.tasks.extraction import Extraction, TestProgram, extract
from code_envs.tasks.splits import HELD_OUT, REWARD, SUITE, hold_out, splits
from code_envs.tasks.task import Task, TaskSet, digest

__all__ = ["Draft", "Source", "assemble"]


@dataclass(frozen=True, slots=True)
class Source:
    """What a task set says about where it comes from."""

    name: str
    licence: str
    origin: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Draft:
    """One item of a source, before anything of it has run.

    Args:
        item: Id of the item in its source.
        description: What the program should do.
        reference: A correct program.
        tests: Test code whose sections are `roles` long.
        roles: Per section, "suite", "reward" or "held_out" (`code_envs.tasks.splits.hold_out`).
        start: A faulty program, or None.
    """

    item: str
    description: str
    reference: str
    tests: TestProgram
    roles: tuple[str, ...] = (SUITE,)
    start: str | None = None

    def __post_init__(self) -> None:
        if len(self.roles) != len(self.tests.sections) or not {*self.roles} <= {SUITE, REWARD, HELD_OUT}:
            raise TaskError(f"{self.item}: {len(self.tests.sections)} pieces of test code have the roles {self.roles}.")


def assemble(
    source: Source, drafts: Sequence[Draft], executor: Executor, left_out: Mapping[str, str] | None = None
) -> TaskSet:
    """Make the task set of all drafts that certify.

    Args:
        source: Name, licence and origin of the set.
        drafts: The items, in the order of the source.
        executor: Runs test code and programs.
        left_out: Items that the loader has given up already, with the reason.

    Raises:
        ExecutorError: If the sandbox failed.
        TaskError: If no item certifies.
    """
    extractions = extract([(draft.tests, draft.reference) for draft in drafts], executor)
    reasons = {f"{source.name}/{item}": reason for item, reason in (left_out or {}).items()}
    usable = []
    for draft, extraction in zip(drafts, extractions, strict=True):
        if extraction.suite is None:
            reasons[f"{source.name}/{draft.item}"] = extraction.reason
        else:
            usable.append((draft, extraction))
    starts = _executed_starts(usable, executor)
    tasks = [
        _task(source.name, draft, extraction, start and _suite(extraction).grade(start[1], executor).passed)
        for (draft, extraction), start in zip(usable, starts, strict=True)
    ]
    certificates = certify_many(tasks, executor, dict(filter(None, starts)))
    certified, behaviours, groups = [], {}, {}
    for certificate, task, (_, extraction) in zip(certificates, tasks, usable, strict=True):
        if certificate.task is None:
            reasons[task.task_id] = certificate.reason
            continue
        certified.append(certificate.task)
        behaviours[task.task_id] = extraction.behaviour
        groups[task.task_id] = digest(*sorted(key.encode() for key in _suite(extraction).keys))
    if not certified:
        raise TaskError(f"No task of {source.name!r} certifies. Reasons: {dict(itertools.islice(reasons.items(), 3))}.")
    divided = splits(behaviours, groups)
    return TaskSet(source.name, tuple(certified), source.licence, source.origin, source.sha256, reasons, divided)


def _executed_starts(
    usable: Sequence[tuple[Draft, Extraction]], executor: Executor
) -> list[tuple[Job, Outcome] | None]:
    """What each faulty program gives, within the steps that its reference makes reasonable; None without one."""
    faulty = [(draft, _suite(extraction)) for draft, extraction in usable if draft.start is not None]
    limits = _start_limits(faulty, executor)
    jobs = [suite.job((draft.start or "").encode(), each) for (draft, suite), each in zip(faulty, limits, strict=True)]
    outcomes = executor.run_many(jobs)
    judge_ahead(((suite, outcome) for (_, suite), outcome in zip(faulty, outcomes, strict=True)), executor)
    executed = zip(jobs, outcomes, strict=True)
    return [None if draft.start is None else next(executed) for draft, _ in usable]


def _start_limits(faulty: Sequence[tuple[Draft, CaseSuite | ReplaySuite]], executor: Executor) -> list[Limits]:
    """Limits of each faulty program; steps are counted in Python only."""
    counted = [(draft, suite) for draft, suite in faulty if draft.tests.language == "python"]
    outcomes = iter(executor.run_many(suite.job(draft.reference.encode(), MEASURED) for draft, suite in counted))
    return [
        Limits(steps=measured_steps([next(outcomes)])) if draft.tests.language == "python" else Limits()
        for draft, _ in faulty
    ]


def _suite(extraction: Extraction) -> CaseSuite | ReplaySuite:
    if extraction.suite is None:
        raise TaskError(f"There is no suite: {extraction.reason}.")
    return extraction.suite


def _task(name: str, draft: Draft, extraction: Extraction, start_passes: Sequence[bool] | None) -> Task:
    suite = _suite(extraction)
    roles = [draft.roles[section] for section in extraction.sections]
    reward, held_out = hold_out(suite.keys, roles, start_passes)
    return Task(
        task_id=f"{name}/{draft.item}",
        description=draft.description,
        entry_point=extraction.entry,
        reference=draft.reference,
        start=draft.start,
        reward_tests=suite.subset(reward),
        held_out_tests=suite.subset(held_out),
        language=draft.tests.language,
    )
