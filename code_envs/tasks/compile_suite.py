"""Tasks whose judge is a compiler: programs that do not compile, to be repaired until they do.

Nothing of such a program is ever executed. Whether it compiles is the compiler's exit code; how many errors there are
is only a measure of the way (`code_envs.execution.diagnostics` says why), so it decides no success.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from code_envs.errors import TaskError
from code_envs.execution.executor import Executor, Job, Limits, Outcome, Status
from code_envs.tasks.assembly import Source
from code_envs.tasks.splits import splits
from code_envs.tasks.task import Task, TaskSet, TestSuite, Verdict, digest

__all__ = ["CompileDraft", "CompileSuite", "assemble_compiled"]

FATAL = "No such file or directory"
"""gcc stops at an `#include` that it does not find, and says nothing of the errors behind it."""


class CompileSuite(TestSuite):
    """Tests that bound the number of compiler errors: test k passes if there are at most k.

    So all pass exactly if the program compiles, and the share of passing tests falls with each error. A program whose
    other errors are hidden behind an include that does not exist passes none.

    Args:
        errors: Number of tests: the errors of the faulty program.
        language: Language of the programs (`Job.language`).

    Raises:
        TaskError: If there is not one test.
    """

    def __init__(self, errors: int, language: str = "c") -> None:
        if errors < 1:
            raise TaskError(f"A program that does not compile has at least 1 error, not {errors}.")
        self.entry = ""
        self.calls = b"[]"
        self.errors = errors
        self.language = language
        self.descriptions = ("the program compiles", *(f"at most {count} errors" for count in range(1, errors)))
        self.keys = self.descriptions

    def __len__(self) -> int:
        return self.errors

    def job(self, source: bytes, limits: Limits, trace: bool = False) -> Job:
        """The job that lets the compiler check a program; there is nothing to trace."""
        return Job(source, "", self.calls, limits, False, self.language)

    def grade(self, outcome: Outcome, executor: Executor) -> Verdict:
        """Count the compiler's errors; `executor` is not needed for it."""
        found = self._count(outcome)
        return Verdict(tuple(found <= bound for bound in range(self.errors)))

    def _count(self, outcome: Outcome) -> int:
        if outcome.status is Status.OK:
            return 0
        if outcome.status is not Status.COMPILE_ERROR or any(FATAL in each.message for each in outcome.diagnostics):
            return self.errors
        return max(outcome.errors, 1)


@dataclass(frozen=True, slots=True)
class CompileDraft:
    """One item of a source, before it was compiled.

    Args:
        item: Id of the item in its source.
        description: What the program is.
        start: A program that should not compile.
        reference: One that should.
        group: Items of one group are in the same split.
        language: Language of both.
    """

    item: str
    description: str
    start: str
    reference: str
    group: str
    language: str = "c"


def assemble_compiled(
    source: Source, drafts: Sequence[CompileDraft], executor: Executor, left_out: Mapping[str, str] | None = None
) -> TaskSet:
    """Make the task set of all items that the compiler here judges as they are labelled.

    The reference must compile, and the faulty program must have an error. The held-out suite is one test, that the
    program compiles: there is no second judge. 80 % of the groups are in the split "train", 10 % in "validation" and
    10 % in "test", by the digest of the group.

    Args:
        source: Name, licence and origin of the set.
        drafts: The items, in the order of the source.
        executor: Compiles the programs; each different one once.
        left_out: Items that the loader has given up already, with the reason.

    Raises:
        ExecutorError: If the sandbox failed.
        TaskError: If no item certifies.
    """
    outcomes = _compiled(drafts, executor)
    reasons = {f"{source.name}/{item}": reason for item, reason in (left_out or {}).items()}
    tasks: list[Task] = []
    groups: dict[str, str] = {}
    for draft in drafts:
        task_id = f"{source.name}/{draft.item}"
        start = outcomes[draft.language, draft.start]
        reason = _fault(start, outcomes[draft.language, draft.reference])
        if reason:
            reasons[task_id] = reason
            continue
        groups[task_id] = digest(draft.group.encode())
        tasks.append(_task(task_id, draft, start.errors))
    if not tasks:
        raise TaskError(f"No task of {source.name!r} certifies. Reasons: {dict(itertools.islice(reasons.items(), 3))}.")
    divided = splits(groups, groups)
    return TaskSet(source.name, tuple(tasks), source.licence, source.origin, source.sha256, reasons, divided)


def _compiled(drafts: Sequence[CompileDraft], executor: Executor) -> dict[tuple[str, str], Outcome]:
    """What the compiler said of each program, by language and text."""
    programs = [(each.language, text) for each in drafts for text in (each.start, each.reference)]
    distinct = list(dict.fromkeys(programs))
    jobs = (CompileSuite(1, language).job(text.encode(), Limits()) for language, text in distinct)
    return dict(zip(distinct, executor.run_many(jobs), strict=True))


def _fault(start: Outcome, reference: Outcome) -> str:
    """Why an item does not certify, or ""."""
    if reference.status is not Status.OK:
        return f"the reference does not compile: {reference.message or reference.status}"
    if start.status is Status.OK:
        return "the faulty program compiles"
    if start.status is not Status.COMPILE_ERROR or not start.errors:
        return f"the compiler gave up the faulty program: {start.message or start.status}"
    return ""


def _task(task_id: str, draft: CompileDraft, errors: int) -> Task:
    return Task(
        task_id=task_id,
        description=draft.description,
        entry_point="",
        reference=draft.reference,
        start=draft.start,
        reward_tests=CompileSuite(errors, draft.language),
        held_out_tests=CompileSuite(1, draft.language),
        language=draft.language,
        faults=(draft.reference,),
    )
