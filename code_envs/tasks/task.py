"""Tasks: what is to be done, and how it is judged.

A `Task` is data. Its two suites hold the expected values, which never enter the sandbox: the
candidate computes values there, and `TestSuite.grade` compares them here. The reward suite is what
an agent can improve on; the held-out suite is its twin that an agent never sees.
"""

from __future__ import annotations

import difflib
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol

from typing_extensions import TypeVar

from code_envs.errors import ConfigurationError
from code_envs.execution.executor import Executor, Job, Limits, Outcome

__all__ = ["Named", "Task", "TaskSet", "TestSuite", "Verdict", "digest", "joined"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which tests passed, in the order of the suite."""

    passed: tuple[bool, ...]

    @property
    def all_passed(self) -> bool:
        """Whether every test passed; False for an empty suite."""
        return bool(self.passed) and all(self.passed)

    @property
    def share(self) -> float:
        """Share of tests that passed, in [0, 1]."""
        return sum(self.passed) / len(self.passed) if self.passed else 0.0


class TestSuite(ABC):
    """Tests of one function: the calls to make of it, and the judgement of what they gave.

    Subclasses: `code_envs.tasks.cases.CaseSuite` (values compared here) and
    `code_envs.tasks.cases.ReplaySuite` (unmodified test code run on the recorded values, in a
    sandbox of its own that the candidate never enters).
    """

    __test__ = False  # the name starts with "Test": tell pytest that this is no test class

    entry: str
    calls: bytes
    descriptions: tuple[str, ...]

    @abstractmethod
    def __len__(self) -> int:
        """Number of tests, each of which passes or fails."""

    @abstractmethod
    def grade(self, outcome: Outcome, executor: Executor) -> Verdict:
        """Judge what a candidate's calls gave.

        Raises:
            ExecutorError: If the sandbox failed while test code ran.
        """

    def job(self, source: bytes, limits: Limits, trace: bool = False) -> Job:
        """The job that makes this suite's calls of a program."""
        return Job(source, self.entry, self.calls, limits, trace)

    def run(self, source: bytes, executor: Executor, limits: Limits) -> Verdict:
        """Execute a program on this suite and judge it."""
        return self.grade(executor.run(self.job(source, limits)), executor)


@dataclass(frozen=True, slots=True)
class Task:
    """One programming task.

    Args:
        task_id: Permanent id, `<task set>/<item>`, such as "humanevalpack-python-v0/Python/0".
        description: What the program should do, in words.
        entry_point: Name of the function that the tests call.
        reference: A correct program.
        start: The faulty program that a repair begins with, or None.
        reward_tests: The suite that earns reward.
        held_out_tests: The suite that only evaluation sees.
        steps: Step limit per call (`Limits.steps`): ten times what the reference needs, plus 1,000;
            None when it was not measured.
        language: Name in `code_envs.syntax.languages`.
        faults: For a program with injected faults, the programs on the way back to the reference: undoing
            the last fault of `start` gives `faults[0]`, and so on to the reference. Empty otherwise.
    """

    task_id: str
    description: str
    entry_point: str
    reference: str
    start: str | None
    reward_tests: TestSuite
    held_out_tests: TestSuite
    steps: int | None = None
    language: str = "python"
    faults: tuple[str, ...] = ()

    def limits(self, base: Limits) -> Limits:
        """`base` with this task's step limit."""
        return replace(base, steps=self.steps)


class Named(Protocol):
    """Anything with a permanent id: `Task`, and what environments without tests have for tasks."""

    @property
    def task_id(self) -> str:
        """`<task set>/<item>`."""


T = TypeVar("T", bound=Named, default=Task)


@dataclass(frozen=True)
class TaskSet(Generic[T]):
    """Tasks of one kind in a fixed order.

    Args:
        name: Versioned name, `<source>-v<N>`.
        tasks: The tasks that certified, in the order of the source.
        licence: SPDX identifier of the data.
        origin: Where the data comes from: paper, homepage.
        sha256: Digest of the source's bytes, hexadecimal.
        left_out: Items that did not certify, with the reason.
        splits: Named subsets, as task ids; "all" always exists.
    """

    name: str
    tasks: tuple[T, ...]
    licence: str
    origin: str
    sha256: str
    left_out: Mapping[str, str] = field(default_factory=dict)
    splits: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        index = {task.task_id: number for number, task in enumerate(self.tasks)}
        if len(index) != len(self.tasks):
            raise ConfigurationError(f"Task set {self.name!r} has two tasks of one id.")
        object.__setattr__(self, "_index", index)

    def __len__(self) -> int:
        return len(self.tasks)

    def __iter__(self) -> Iterator[T]:
        return iter(self.tasks)

    def __getitem__(self, key: int | str) -> T:
        """A task by position or by id.

        Raises:
            ConfigurationError: If no task has the id; the message lists the closest ones.
        """
        if isinstance(key, int):
            return self.tasks[key]
        index: dict[str, int] = self._index  # type: ignore[attr-defined]
        if key not in index:
            near = difflib.get_close_matches(key, index, n=3) or list(index)[:3]
            raise ConfigurationError(f"No task {key!r} in {self.name!r} ({len(self)} tasks). Did you mean: {near}?")
        return self.tasks[index[key]]

    @property
    def ids(self) -> tuple[str, ...]:
        """Task ids, in order."""
        return tuple(task.task_id for task in self.tasks)

    def split(self, name: str) -> TaskSet[T]:
        """The subset of a named split.

        Raises:
            ConfigurationError: If there is no such split.
        """
        if name == "all":
            return self
        if name not in self.splits:
            raise ConfigurationError(f"Task set {self.name!r} has splits {['all', *self.splits]}, not {name!r}.")
        chosen = set(self.splits[name])
        return replace(self, tasks=tuple(task for task in self.tasks if task.task_id in chosen), splits={})


def joined(name: str, sets: Sequence[TaskSet[T]]) -> TaskSet[T]:
    """One task set of several; splits of one name are joined."""
    names = dict.fromkeys(split for each in sets for split in each.splits)
    return TaskSet(
        name,
        tuple(task for each in sets for task in each),
        " AND ".join(dict.fromkeys(each.licence for each in sets)),
        "; ".join(dict.fromkeys(each.origin for each in sets)),
        digest(*(each.sha256.encode() for each in sets)),
        {task: reason for each in sets for task, reason in each.left_out.items()},
        {split: [task for each in sets for task in each.splits.get(split, ())] for split in names},
    )


def digest(*parts: bytes) -> str:
    """sha256 of the parts, each preceded by its length, hexadecimal."""
    state = hashlib.sha256()
    for part in parts:
        state.update(len(part).to_bytes(8, "big"))
        state.update(part)
    return state.hexdigest()
