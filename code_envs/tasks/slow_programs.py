"""The slow tasks: correct programs that waste work, each with a cheaper one that does the same.

Format: one file NAME.txt per program in `code_envs/tasks/builtin/slow`: a description, then the sections
`--- slow` and `--- fast` with one Python function NAME each, and `--- calls`, an expression for the list of argument
tuples of the tests, in which `numbers(count, seed, low, high)` and `words(count, seed)` make large inputs. Nothing of
it runs outside the executor: what the fast program returns is expected, and a task certifies if the slow program
returns the same, and its steps (`code_envs.syntax.costing`) on the reward tests are at least a tenth more.
Every third program, by name, is in the split "test", the others in "train". Licence: MIT, written for Code Envs.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources.abc import Traversable
from typing import NamedTuple

from code_envs.errors import TaskError
from code_envs.execution.executor import CallStatus, Executor, Job, Outcome, Status
from code_envs.execution.values import decode
from code_envs.syntax.costing import charged
from code_envs.tasks.cases import Case, CaseSuite
from code_envs.tasks.certify import MEASURED, certify_many
from code_envs.tasks.splits import SUITE, hold_out
from code_envs.tasks.task import Task, TaskSet, digest

__all__ = ["load"]

NAME = "slow-v0"
FORMAT = "A slow program"
SECTIONS = ("slow", "fast", "calls")
CHEAPER = 0.9
"""The fast program takes at most this share of the steps of the slow one."""
TEST_EVERY = 3

PRELUDE = """\
def stream(seed):
    state = seed * 2654435761 % 4294967296 + 1
    while True:
        state = (state * 1103515245 + 12345) % 2147483648
        yield state >> 8


def numbers(count, seed, low=-20, high=100):
    source = stream(seed)
    return [low + next(source) % (high - low) for _ in range(count)]


def words(count, seed):
    source = stream(seed)
    return ["".join("abcdefgnorst"[next(source) % 12] for _ in range(1 + next(source) % 6)) for _ in range(count)]


def calls():
    return """


class _Draft(NamedTuple):
    """One file."""

    name: str
    description: str
    slow: str
    fast: str
    calls: str


def load(executor: Executor, limit: int | None = None, folder: Traversable | None = None) -> TaskSet:
    """Load the slow tasks; `start` is the slow program, `reference` the fast one.

    Args:
        executor: Runs the programs.
        limit: Number of programs to read, in the order of their names; None reads all.
        folder: Where the programs are; None means the package's own.

    Raises:
        TaskError: If a file is not as described above, or no task certifies.
        ExecutorError: If the sandbox failed.
    """
    folder = folder or importlib.resources.files("code_envs.tasks").joinpath("builtin", "slow")
    files = sorted((each for each in folder.iterdir() if each.name.endswith(".txt")), key=lambda each: each.name)
    if not files:
        raise TaskError(f"{folder}: there is no program NAME.txt here.")
    contents = [(each.name.removesuffix(".txt"), each.read_bytes()) for each in files]
    sha256 = digest(*(part for name, content in contents for part in (name.encode(), content)))
    drafts = [_draft(name, content) for name, content in contents]
    test = {f"{NAME}/{draft.name}" for draft in drafts[TEST_EVERY - 1 :: TEST_EVERY]}
    tasks = [
        _task(draft, suite) for draft, suite in zip(drafts[:limit], _suites(drafts[:limit], executor), strict=True)
    ]
    certified, reasons = _certified(tasks, drafts, executor)
    if not certified:
        raise TaskError(f"No task of {NAME!r} certifies. Reasons: {dict(list(reasons.items())[:3])}.")
    ids = [task.task_id for task in certified]
    divided = {"train": [each for each in ids if each not in test], "test": [each for each in ids if each in test]}
    return TaskSet(NAME, tuple(certified), "MIT", "written for Code Envs", sha256, reasons, divided)


def _draft(name: str, content: bytes) -> _Draft:
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise TaskError(f"{name}.txt: byte {error.start} is not UTF-8. Expected a UTF-8 file.") from error
    parts = [text]
    for section in SECTIONS:
        before, mark, rest = parts.pop().partition(f"--- {section}\n")
        if not mark:
            raise TaskError(f"{name}.txt: {FORMAT} has the sections {SECTIONS} in this order; {section!r} is missing.")
        parts += [before, rest]
    description, slow, fast, calls = parts
    empty = [what for what, part in zip(("description", *SECTIONS), parts, strict=True) if not part.strip()]
    if empty:
        raise TaskError(f"{name}.txt: {FORMAT} has a description and the sections {SECTIONS}; empty: {empty}.")
    return _Draft(name, " ".join(description.split()), slow, fast, calls.strip())


def _suites(drafts: Sequence[_Draft], executor: Executor) -> list[CaseSuite]:
    """The tests of each draft: the calls, and what the fast program gives for them."""
    made = executor.run_many(Job(f"{PRELUDE}{draft.calls}\n".encode(), "calls", b"[[]]", MEASURED) for draft in drafts)
    arguments = [_arguments(draft, outcome) for draft, outcome in zip(drafts, made, strict=True)]
    unknown = [
        CaseSuite(draft.name, [Case.of(draft.name, each, None) for each in every])
        for draft, every in zip(drafts, arguments, strict=True)
    ]
    jobs = [suite.job(draft.fast.encode(), MEASURED) for draft, suite in zip(drafts, unknown, strict=True)]
    return [
        CaseSuite(
            draft.name,
            [
                Case.of(
                    draft.name, each, _value(f"{draft.name}.txt, call {number} of the fast program", outcome, number)
                )
                for number, each in enumerate(every)
            ],
        )
        for draft, every, outcome in zip(drafts, arguments, executor.run_many(jobs), strict=True)
    ]


def _arguments(draft: _Draft, outcome: Outcome) -> list[tuple[object, ...]]:
    every = _value(f"{draft.name}.txt, section 'calls'", outcome, 0)
    if not isinstance(every, list) or not every or not all(isinstance(each, tuple) for each in every):
        raise TaskError(f"{draft.name}.txt: 'calls' is a list of argument tuples, not {str(every)[:60]!r}.")
    return every


def _value(place: str, outcome: Outcome, number: int) -> object:
    if outcome.status is not Status.OK:
        raise TaskError(f"{place}: a value is expected; it ended with {outcome.status}: {outcome.message}.")
    result = outcome.results[number]
    if result.status is not CallStatus.VALUE:
        raise TaskError(f"{place}: a value is expected, not {result.status}: {result.exception} {result.message}.")
    return decode(result.value)


def _task(draft: _Draft, suite: CaseSuite) -> Task:
    reward, held_out = hold_out(suite.keys, [SUITE] * len(suite))
    return Task(
        f"{NAME}/{draft.name}",
        draft.description,
        draft.name,
        draft.fast,
        None,
        suite.subset(reward),
        suite.subset(held_out),
    )


def _certified(
    tasks: Sequence[Task], drafts: Sequence[_Draft], executor: Executor
) -> tuple[list[Task], dict[str, str]]:
    """Tasks whose two programs pass all tests and whose fast one is cheaper; the others with the reason."""
    kept: list[Task] = []
    reasons: dict[str, str] = {}
    wastes = _wastes(tasks, drafts[: len(tasks)], executor)
    everything = zip(certify_many(tasks, executor), tasks, drafts[: len(tasks)], wastes, strict=True)
    for certificate, task, draft, waste in everything:
        if certificate.task is None or waste:
            reasons[task.task_id] = certificate.reason or waste
        else:
            kept.append(replace(certificate.task, start=draft.slow))
    return kept, reasons


def _wastes(tasks: Sequence[Task], drafts: Sequence[_Draft], executor: Executor) -> list[str]:
    """Why each pair of programs is no task of this kind, or ""."""
    programs = [
        (charged(program.encode()), task)
        for task, draft in zip(tasks, drafts, strict=True)
        for program in (draft.slow, draft.fast)
    ]
    hidden = executor.run_many(task.held_out_tests.job(program, MEASURED) for program, task in programs)
    shown = executor.run_many(task.reward_tests.job(program, MEASURED) for program, task in programs)
    return [
        _failed("slow", task, executor, shown[2 * number], hidden[2 * number])
        or _failed("fast", task, executor, shown[2 * number + 1], hidden[2 * number + 1])
        or _not_cheaper(shown[2 * number], shown[2 * number + 1])
        for number, task in enumerate(tasks)
    ]


def _failed(what: str, task: Task, executor: Executor, shown: Outcome, hidden: Outcome) -> str:
    for suite, outcome in ((task.reward_tests, shown), (task.held_out_tests, hidden)):
        if not suite.grade(outcome, executor).all_passed:
            return f"the {what} program fails a test: {outcome.status} {outcome.message}".rstrip()
    return ""


def _not_cheaper(slow: Outcome, fast: Outcome) -> str:
    first, second = (sum(result.steps for result in outcome.results) for outcome in (slow, fast))
    if second <= CHEAPER * first:
        return ""
    return f"the fast program takes {second} steps, the slow one {first}: it is not a tenth cheaper"
