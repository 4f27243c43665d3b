"""The two kinds of test suite: cases, whose values are compared here, and recorded test code.

A `CaseSuite` is the default. A `ReplaySuite` holds test code that no relation expresses, such as
`assert set(f(x)) == {1, 2}`: the candidate makes the recorded calls in its own job, and the unmodified
test code then runs on the recorded values in a second job that the candidate never enters. What a
candidate can influence in either is only which values it gives.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from code_envs.errors import TaskError
from code_envs.execution.executor import CallResult, CallStatus, Executor, Job, Limits, Outcome, Status
from code_envs.execution.values import decode, encode, matches
from code_envs.tasks.task import TestSuite, Verdict

__all__ = [
    "RELATIONS",
    "Case",
    "CaseSuite",
    "ReplaySuite",
    "TestCode",
    "driven",
    "judge_ahead",
    "recorded_output",
    "sandbox_program",
    "shortened",
    "written",
]

RELATIONS = {
    "eq": "{call} == {expected}",
    "ne": "{call} != {expected}",
    "is": "{call} is {expected}",
    "true": "{call}",
    "false": "not {call}",
    "close": "abs({call} - {expected}) <= {tolerance}",
}
JUDGES = {"python": "judging.py", "javascript": "judging.js"}
TEXT_LIMIT = 200
JUDGE_LIMITS = Limits(cpu_s=5.0, output_kib=4096)
MEMO_SIZE = 4096
SAFE_INTEGER = (1 << 53) - 1
JUDGED_AHEAD, JUDGED_AHEAD_SIZE = 16, 1 << 18


@cache
def sandbox_program(*names: str) -> bytes:
    """Files of this package as one program for the sandbox, in this order."""
    folder = importlib.resources.files("code_envs.tasks")
    return b"\n".join(folder.joinpath(name).read_bytes() for name in names)


def shortened(text: str) -> str:
    """One line of at most 200 characters."""
    line = " ".join(text.split())
    return line if len(line) <= TEXT_LIMIT else line[: TEXT_LIMIT - 3] + "..."


@dataclass(frozen=True, slots=True)
class Case:
    """One call and what it should give.

    Args:
        arguments: JSON text of the encoded argument list.
        relation: "eq", "ne", "is", "true", "false" or "close".
        expected: The trusted value of the right-hand side.
        tolerance: Largest distance from `expected`, for "close".
        text: The test in one line, such as "f([1, 2], 3) == 4".
    """

    arguments: str
    relation: str
    expected: Any
    tolerance: float = 0.0
    text: str = ""

    @classmethod
    def of(
        cls,
        entry: str,
        arguments: Sequence[Any],
        expected: Any,
        relation: str = "eq",
        tolerance: float = 0.0,
        call: str = "",
    ) -> Case:
        """A case from plain values.

        Args:
            entry: Name of the function, for the text.
            arguments: Positional arguments.
            expected: The right-hand side.
            relation: How the result relates to `expected`.
            tolerance: Largest distance, for "close".
            call: Text of the call, where it is not `entry(*arguments)`.
        """
        if relation not in RELATIONS:
            raise TaskError(f"A case of {entry!r} has the relation {relation!r}; there are {list(RELATIONS)}.")
        written = call or f"{entry}({', '.join(map(repr, arguments))})"
        text = RELATIONS[relation].format(call=written, expected=repr(expected), tolerance=tolerance)
        return cls(json.dumps(encode(list(arguments))), relation, expected, tolerance, shortened(text))

    @property
    def key(self) -> str:
        """Equal for two cases that test the same."""
        return f"{self.arguments} {self.relation} {json.dumps(encode(self.expected))}"


def _safe_integer(digits: str) -> None:
    if abs(int(digits)) > SAFE_INTEGER:
        raise TaskError(
            f"The argument {digits} is beyond 2**53 - 1, where JavaScript's numbers have gaps. Use a float."
        )


class CaseSuite(TestSuite):
    """Tests that compare values: one call per test.

    Args:
        entry: Name of the function to call.
        cases: The tests.
        driver: Trusted code to append to the program, for calls whose arguments must be made beside the
            candidate (objects of its own classes); `entry` then names a function of the driver.
        language: Language of the programs (`Job.language`). Without an entry, a case's argument is a whole program's
            standard input and the expected value its output.

    Raises:
        TaskError: If a JavaScript function is to be called with an integer beyond 2**53 - 1.
    """

    def __init__(self, entry: str, cases: Iterable[Case], driver: bytes = b"", language: str = "python") -> None:
        self.entry = entry
        self.language = language
        self.cases = tuple(cases)
        self.driver = driver
        if language == "javascript":
            for case in self.cases:
                json.loads(case.arguments, parse_int=_safe_integer)
        self.calls = _array(case.arguments for case in self.cases).encode()
        self.descriptions = tuple(case.text for case in self.cases)
        self.keys = tuple(case.key for case in self.cases)

    def __len__(self) -> int:
        return len(self.cases)

    def subset(self, indices: Iterable[int]) -> CaseSuite:
        """The suite of some of the tests."""
        return CaseSuite(self.entry, [self.cases[index] for index in indices], self.driver, self.language)

    def job(self, source: bytes, limits: Limits, trace: bool = False) -> Job:
        """The job that makes this suite's calls of a program."""
        return Job(driven(source, self.driver), self.entry, self.calls, limits, trace, self.language)

    def grade(self, outcome: Outcome, executor: Executor) -> Verdict:
        """Compare the results with the expected values; `executor` is not needed for it."""
        value = CallStatus.VALUE
        passed = [
            result.status is value and matches(case.expected, result.value, case.relation, case.tolerance)
            for case, result in zip(self.cases, outcome.results, strict=False)
        ]
        passed += [False] * (len(self.cases) - len(passed))
        return Verdict(tuple(passed))


def _array(items: Iterable[str]) -> str:
    """JSON array of items that are JSON already."""
    return f"[{','.join(items)}]"


def driven(source: bytes, driver: bytes) -> bytes:
    """A program followed by a driver; the lines of the program keep their numbers."""
    return source + b"\n" + driver if driver else source


@dataclass(slots=True)
class TestCode:
    """Recorded test code: what a `ReplaySuite` runs, and the verdicts it has given so far.

    Args:
        entry: Name of the function under test.
        reference: The program whose helpers the test code may call.
        setup: Code to run before each section.
        sections: Pieces of test code, each with the number of its first call and its number of asserts.
        calls: JSON text of the encoded argument list of each call, as recorded with the reference.
        descriptions: One line per assert.
        keys: Per assert, a text that is equal for two asserts that test the same.
        language: Language of the reference and the test code, "python" or "javascript".
    """

    entry: str
    reference: str
    setup: str
    sections: tuple[tuple[str, int, int], ...]
    calls: tuple[str, ...]
    descriptions: tuple[str, ...]
    keys: tuple[str, ...]
    language: str = "python"
    _memo: dict[bytes, tuple[bool, ...]] = field(default_factory=dict)
    _fixed: str = ""

    __test__ = False  # no pytest class

    def __len__(self) -> int:
        return sum(count for _, _, count in self.sections)

    def judge(self, outcome: Outcome, executor: Executor) -> tuple[bool, ...]:
        """Which asserts hold on a candidate's results; remembered, as it is a function of them.

        Raises:
            ExecutorError: If the sandbox failed.
        """
        outputs = self.outputs(outcome)
        if not outputs:
            return (False,) * len(self)
        if not self.remembers(outputs):
            judged = executor.run(_judging_job(self.language, [self.arguments(outputs)]))
            self.remember(outputs, judged.results[0] if judged.results else CallResult(CallStatus.NOT_RUN))
        return self._memo[_key(outputs)]

    def outputs(self, outcome: Outcome) -> str:
        """A candidate's results as JSON that the judge reads; "" where no call gave anything."""
        outputs = [recorded_output(result) for result in outcome.results]
        outputs += [["none"]] * (len(self.calls) - len(outputs))
        return "" if all(output == ["none"] for output in outputs) else written(outputs)

    def arguments(self, outputs: str) -> str:
        """The judge's arguments as JSON."""
        if not self._fixed:
            program = json.dumps(encode([self.reference, self.entry, self.setup, list(self.sections)]))
            self._fixed = f"{program[:-1]},{_array(self.calls)}"
        return f"{self._fixed},{outputs}]"

    def remembers(self, outputs: str) -> bool:
        """Whether these outputs have been judged."""
        return _key(outputs) in self._memo

    def remember(self, outputs: str, result: CallResult) -> None:
        """Keep what the judge said of these outputs."""
        while len(self._memo) >= MEMO_SIZE:
            self._memo.pop(next(iter(self._memo)))
        self._memo[_key(outputs)] = self._read(result)

    def _read(self, result: CallResult) -> tuple[bool, ...]:
        if result.status is not CallStatus.VALUE:
            return (False,) * len(self)  # values that exhaust the judge fail every test
        passed = decode(result.value)
        if not isinstance(passed, list) or len(passed) != len(self):
            raise TaskError(f"The test code of {self.entry!r} reported {passed!r}, not {len(self)} verdicts.")
        return tuple(each is True for each in passed)


def _key(outputs: str) -> bytes:
    return hashlib.sha256(outputs.encode()).digest()


def _judging_job(language: str, arguments: Sequence[str]) -> Job:
    program = sandbox_program(JUDGES[language])
    return Job(program, "judge", _array(arguments).encode(), JUDGE_LIMITS, language=language)


def judge_ahead(items: Iterable[tuple[TestSuite, Outcome]], executor: Executor) -> None:
    """Judge what many programs of a data set gave, several in a job, so that `grade` remembers the verdicts.

    Not for the programs of a policy, which are judged alone: test code that one candidate's values lead to change
    something built in would meet the next one's changed. A judge in JavaScript takes 37 ms, Node's start 35 of them.

    Args:
        items: Suites and what a program gave on them; those that are no replay or too large are left to `grade`.
        executor: Runs the test code.

    Raises:
        ExecutorError: If the sandbox failed.
    """
    waiting: dict[str, list[tuple[TestCode, str, str]]] = {}
    for suite, outcome in items:
        code = suite.code if isinstance(suite, ReplaySuite) else None
        outputs = code.outputs(outcome) if code else ""
        if code and outputs and not code.remembers(outputs):
            arguments = code.arguments(outputs)
            if len(arguments) <= JUDGED_AHEAD_SIZE:
                waiting.setdefault(code.language, []).append((code, outputs, arguments))
    for language, codes in waiting.items():
        batches = [codes[first : first + JUDGED_AHEAD] for first in range(0, len(codes), JUDGED_AHEAD)]
        jobs = [_judging_job(language, [arguments for _, _, arguments in batch]) for batch in batches]
        for batch, judged in zip(batches, executor.run_many(jobs), strict=True):
            if judged.status is Status.OK:  # else one of them exhausts the judge, and each is judged alone
                for (code, outputs, _), result in zip(batch, judged.results, strict=True):
                    code.remember(outputs, result)


def recorded_output(result: CallResult) -> list[Any]:
    """A call's result in the form that `judging.judge` reads; its value is encoded already."""
    if result.status is CallStatus.VALUE:
        return ["value", result.value]
    if result.status is CallStatus.EXCEPTION:
        return ["exception", result.exception, result.message]
    return ["none"]


def written(outputs: list[list[Any]]) -> str:
    """JSON text; a value that JSON cannot hold becomes "none"."""
    try:
        return json.dumps(outputs, allow_nan=False)
    except (ValueError, RecursionError):
        return json.dumps([each if _is_json(each) else ["none"] for each in outputs])


def _is_json(output: list[Any]) -> bool:
    try:
        json.dumps(output, allow_nan=False)
    except (ValueError, RecursionError):
        return False
    return True


class ReplaySuite(TestSuite):
    """Tests that are recorded test code: one test per assert that the reference reaches.

    Arguments are those recorded with the reference. Where test code feeds one result into the next call,
    a candidate whose first result differs diverges from the record, and fails what follows.

    Args:
        code: The recorded test code; suites of the same code share its memory of verdicts.
        chosen: Numbers of the asserts that belong to this suite; None means all.
        driver: Trusted code to append to the program.
        entry: Name of the driver's function, if there is a driver.
    """

    def __init__(
        self, code: TestCode, chosen: Iterable[int] | None = None, driver: bytes = b"", entry: str = ""
    ) -> None:
        self.code = code
        self.chosen = tuple(range(len(code)) if chosen is None else chosen)
        self.driver = driver
        self.entry = entry or code.entry
        self.calls = _array(code.calls).encode()
        self.descriptions = tuple(code.descriptions[index] for index in self.chosen)
        self.keys = tuple(code.keys[index] for index in self.chosen)

    def __len__(self) -> int:
        return len(self.chosen)

    def subset(self, indices: Iterable[int]) -> ReplaySuite:
        """The suite of some of the tests; it makes the same calls."""
        return ReplaySuite(self.code, [self.chosen[index] for index in indices], self.driver, self.entry)

    def job(self, source: bytes, limits: Limits, trace: bool = False) -> Job:
        """The job that makes this suite's calls of a program."""
        return Job(driven(source, self.driver), self.entry, self.calls, limits, trace, self.code.language)

    def grade(self, outcome: Outcome, executor: Executor) -> Verdict:
        """Run the test code on what the candidate gave.

        Raises:
            ExecutorError: If the sandbox failed while test code ran.
        """
        passed = self.code.judge(outcome, executor)
        return Verdict(tuple(passed[index] for index in self.chosen))
