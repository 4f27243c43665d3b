"""Turns assert-style test code into test suites, by running it once in the sandbox.

Test code of a data set is never executed in the trainer's process. `recording.py` runs it in a
job of its own with a candidate that records; `extract` makes suites of what comes back. Three lanes,
tried in this order:

- cases: every assert compares the result of one call with a value; the values are compared here.
- driven: arguments are objects of the program's own classes, so the calls are written as expressions
  and made beside the candidate; the values are compared here.
- replay: anything else; the test code runs again on the values that the candidate gave.

Random inputs are frozen by the recording; loops and helpers simply run. Test code in JavaScript is always replayed:
`judging.js` records it, and what it encodes is kept as it is, because undefined and Map have no counterpart here.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from code_envs.execution.executor import CallResult, CallStatus, Executor, Job, Limits, Outcome, Status
from code_envs.execution.values import decode, encode, encode_calls
from code_envs.tasks.cases import Case, CaseSuite, ReplaySuite, TestCode, sandbox_program, shortened

__all__ = ["Extraction", "TestProgram", "extract"]

PROGRAMS = {
    "python": (("judging.py", "fingerprint.py", "recording.py"), "extract"),
    "javascript": (("judging.js",), "record"),
}
LIMITS = Limits(cpu_s=20.0, output_kib=16384)

BATCH = 8  # compiling the recording program takes 14 ms, an average item 2 ms

NO_ASSERT = "the test code has no assert about the function"

ADAPTERS = {
    # the reference gives iterators
    "list": """
def code_envs_adapted(*arguments):
    value = {entry}(*arguments)
    return list(value) if hasattr(value, "__next__") else value
""",
    # the tests ask for nothing but the truth of values without an encoding, such as a match object
    "bool": """
def code_envs_adapted(*arguments):
    return bool({entry}(*arguments))
""",
    # JavaScript: a promise of the right value is another value, but the harness would wait for it; a constant comes
    # first, because no unfinished program can be continued by one
    "value": """
const code_envs_adapted = (...values) => {{
  const value = {entry}(...values);
  if (value instanceof Promise) throw new TypeError('{entry} gives a promise');
  return value;
}};
if (typeof {entry} !== 'function') throw new ReferenceError('{entry} is no function');
""",
}

DRIVEN = """
{setup}
_CODE_ENVS_CALLS = ({calls},)
def code_envs_driven(index):
    return _CODE_ENVS_CALLS[index]()
"""


@dataclass(frozen=True, slots=True)
class TestProgram:
    """Test code as a data set gives it.

    Args:
        sections: Pieces of test code; every test remembers the piece it comes from.
        entry: Name of the function under test, or "" to infer it from the asserts.
        setup: Code to run before each section, such as imports.
        language: "python" or "javascript", for which `entry` must be given.
    """

    sections: tuple[str, ...]
    entry: str = ""
    setup: str = ""
    language: str = "python"

    __test__ = False  # no pytest class


@dataclass(frozen=True, slots=True)
class Extraction:
    """What test code became.

    Args:
        suite: All tests, in order; None if there is a reason against it.
        sections: Per test, the number of its section.
        entry: Name of the function under test.
        lane: "cases", "driven", "replay" or "".
        behaviour: Digest of the reference up to names and layout (JavaScript: up to white space), hexadecimal.
        reason: Why there is no suite, or why the lane is not "cases".
    """

    suite: CaseSuite | ReplaySuite | None
    sections: tuple[int, ...] = ()
    entry: str = ""
    lane: str = ""
    behaviour: str = ""
    reason: str = ""


def extract(items: Sequence[tuple[TestProgram, str]], executor: Executor) -> list[Extraction]:
    """Run test code with the recording candidate, and make suites of it.

    Args:
        items: Test code and reference.
        executor: Runs them; a few items share a job unless one of them ends it.

    Raises:
        ExecutorError: If the sandbox failed.
    """
    batches = list(_batches(items))
    results: list[tuple[Outcome, CallResult | None]] = []
    for batch, outcome in zip(batches, executor.run_many(map(_job, batches)), strict=True):
        if outcome.status is Status.OK:
            results += [(outcome, result) for result in outcome.results]
        else:
            alone = executor.run_many(_job([item]) for item in batch)
            results += [(each, each.results[0] if each.results else None) for each in alone]
    return [
        _read_result(outcome, result, tests, reference)
        for (outcome, result), (tests, reference) in zip(results, items, strict=True)
    ]


def _batches(items: Sequence[tuple[TestProgram, str]]) -> Iterator[list[tuple[TestProgram, str]]]:
    """The items in order, a few of one language at a time."""
    for _, alike in itertools.groupby(items, lambda item: item[0].language):
        while batch := list(itertools.islice(alike, BATCH)):
            yield batch


def _job(items: Sequence[tuple[TestProgram, str]]) -> Job:
    calls = [[reference, tests.entry, tests.setup, list(tests.sections)] for tests, reference in items]
    language = items[0][0].language
    names, entry = PROGRAMS[language]
    return Job(sandbox_program(*names), entry, encode_calls(calls), LIMITS, language=language)


def _read_result(outcome: Outcome, result: CallResult | None, tests: TestProgram, reference: str) -> Extraction:
    if result is None or result.status is CallStatus.NOT_RUN:
        return Extraction(None, reason=f"the test code ended with {outcome.status}: {outcome.message}".rstrip(": "))
    if result.status is not CallStatus.VALUE:
        what = f"{result.exception}: {result.message}" if result.exception else str(result.status)
        return Extraction(None, reason=f"the test code could not be run: {what}")
    if tests.language == "javascript":
        return _read(_of_javascript(result.value, tests, reference), tests, reference)
    return _read(decode(result.value), tests, reference)


def _read(found: Mapping[str, Any], tests: TestProgram, reference: str) -> Extraction:
    lane, entry = found["lane"], found["entry"]
    reason = found["reason"]
    if lane and not found["tests"]:
        lane, reason = "", NO_ASSERT
    if not lane:
        return Extraction(None, entry=entry, behaviour=found["behaviour"], reason=reason)
    suite = SUITES[lane](found, tests, reference)
    sections = tuple(test["section"] for test in found["tests"])
    return Extraction(suite, sections, entry, lane, found["behaviour"], reason)


def _cases(found: Mapping[str, Any], tests: TestProgram, reference: str) -> CaseSuite:
    entry, calls = found["entry"], found["calls"]
    cases = [
        Case.of(entry, calls[test["call"]], test["expected"], test["relation"], test["tolerance"])
        for test in found["tests"]
    ]
    name, driver = _adapted(found)
    return CaseSuite(name, cases, driver)


def _driven(found: Mapping[str, Any], tests: TestProgram, reference: str) -> CaseSuite:
    written = [test["expression"] for test in found["tests"]]
    cases = [
        Case.of(found["entry"], [index], test["expected"], test["relation"], call=test["expression"])
        for index, test in enumerate(found["tests"])
    ]
    calls = ", ".join(f"lambda: {expression}" for expression in written)
    driver = DRIVEN.format(setup=tests.setup, calls=calls)
    return CaseSuite("code_envs_driven", cases, driver.encode())


def _replay(found: Mapping[str, Any], tests: TestProgram, reference: str) -> ReplaySuite:
    calls = found["calls"] if tests.language == "javascript" else [encode(list(each)) for each in found["calls"]]
    counts = [0] * len(tests.sections)
    for test in found["tests"]:
        counts[test["section"]] += 1
    code = TestCode(
        entry=found["entry"],
        reference=reference,
        setup=tests.setup,
        sections=tuple(zip(tests.sections, found["starts"], counts, strict=True)),
        calls=tuple(map(json.dumps, calls)),
        descriptions=_descriptions(found),
        keys=tuple(f"{test['text']} {test['made']}" for test in found["tests"]),
        language=tests.language,
    )
    name, driver = _adapted(found)
    return ReplaySuite(code, driver=driver, entry=name)


def _of_javascript(recorded: Sequence[Any], tests: TestProgram, reference: str) -> dict[str, Any]:
    """What `judging.js` has recorded, in the form that `recording.py` gives; calls and texts stay encoded."""
    calls, starts, asserts = recorded
    until = itertools.accumulate(made for _, _, made in asserts)
    return {
        "lane": "replay",
        "reason": "",
        "entry": tests.entry,
        "behaviour": hashlib.sha256("".join(reference.split()).encode()).hexdigest(),
        "calls": calls,
        "starts": starts,
        "tests": [
            {"text": " ".join(text.split()), "section": section, "made": json.dumps(calls[end - made : end])}
            for (text, section, made), end in zip(asserts, until, strict=True)
        ],
        "adapter": "value",
    }


def _descriptions(found: Mapping[str, Any]) -> tuple[str, ...]:
    """The text of each assert; one that runs several times is told apart by the calls made for it."""
    times = Counter(test["text"] for test in found["tests"])
    return tuple(
        shortened(test["text"] if times[test["text"]] == 1 else f"{test['text']}, {found['entry']} of {test['made']}")
        for test in found["tests"]
    )


def _adapted(found: Mapping[str, Any]) -> tuple[str, bytes]:
    """Entry and driver, where the values of the reference have no encoding."""
    if not found["adapter"]:
        return found["entry"], b""
    return "code_envs_adapted", ADAPTERS[found["adapter"]].format(entry=found["entry"]).encode()


SUITES: dict[str, Callable[[Mapping[str, Any], TestProgram, str], CaseSuite | ReplaySuite]] = {
    "cases": _cases,
    "driven": _driven,
    "replay": _replay,
}
