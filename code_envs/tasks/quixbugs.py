"""QuixBugs: 40 classic algorithms, each with a bug in one line; and any folder laid out like it.

Layout of the repository, one program per file, the function named like the file:

- `python_programs/NAME.py`: the faulty program, with the description in a string after the function;
- `correct_python_programs/NAME.py`: the reference;
- `json_testcases/NAME.json`: a line `[arguments, expected]` per test, or a JSON list of such pairs spread
  over several lines; arguments that are no list are the only argument.

A plain folder may name the three `faulty`, `correct` and `tests`. JSON has no tuples: where the reference
gives tuples or an iterator of what the file says, its own value counts. Licence: MIT.
Source: Lin et al. (2017), "QuixBugs: A Multi-Lingual Program Repair Benchmark Set Based on the Quixey
Challenge", github.com/jkoppel/QuixBugs.
"""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code_envs.errors import TaskError
from code_envs.execution.executor import CallStatus, Executor, Job, Limits, Outcome, Status
from code_envs.execution.values import decode, encode_calls
from code_envs.tasks.assembly import Draft, Source, assemble
from code_envs.tasks.extraction import TestProgram
from code_envs.tasks.records import read_text
from code_envs.tasks.task import TaskSet, digest

__all__ = ["LAYOUTS", "find_layout", "load"]

FORMAT = "QuixBugs"
LAYOUTS = (("python_programs", "correct_python_programs", "json_testcases"), ("faulty", "correct", "tests"))
NO_CASES = "it has no JSON tests (QuixBugs tests it by Python code that builds node objects)"
# of these the last argument is the precision, which QuixBugs' own test of them allows
PRECISION_ARGUMENT = frozenset({"sqrt"})
HELPERS = frozenset({"node", "__init__"})


@dataclass(frozen=True, slots=True)
class _Test:
    arguments: list[Any]
    expected: Any


@dataclass(frozen=True, slots=True)
class _Program:
    name: str
    description: str
    start: str
    reference: str
    tests: tuple[_Test, ...]


def find_layout(folder: Path) -> tuple[Path, Path, Path] | None:
    """The folders of faulty programs, references and tests, or None."""
    for names in LAYOUTS:
        folders = tuple(folder / name for name in names)
        if all(each.is_dir() for each in folders):
            return folders[0], folders[1], folders[2]
    return None


def load(path: Path, executor: Executor, limit: int | None = None) -> TaskSet:
    """Load QuixBugs: the task is to repair the faulty program.

    Tests that the reference itself cannot finish within the default limits are left out, and named in
    `TaskSet.left_out`, as are programs without JSON tests.

    Args:
        path: The folder.
        executor: Runs test code and programs.
        limit: Number of programs to read, in the order of their names; None reads all.

    Raises:
        TaskError: If the folder or a file is not as described above.
    """
    layout = find_layout(path)
    if layout is None:
        found = sorted(each.name for each in path.iterdir())[:12] if path.is_dir() else "no folder"
        raise TaskError(f"{path}: {FORMAT} expects the folders {' or '.join(map(str, LAYOUTS))}; found {found}.")
    names = sorted(each.stem for each in layout[0].glob("*.py") if _is_program(each.stem))[:limit]
    if not names:
        raise TaskError(f"{layout[0]}: {FORMAT} expects programs NAME.py here; there is none.")
    left_out = {name: NO_CASES for name in names if not (layout[2] / f"{name}.json").is_file()}
    parts: list[bytes] = []
    programs = [_read(name, layout, parts) for name in names if name not in left_out]
    drafts = _drafts(programs, executor, left_out)
    source = Source("quixbugs-v0", "MIT", "Lin et al. (2017), github.com/jkoppel/QuixBugs", digest(*parts))
    return assemble(source, drafts, executor, left_out)


def _is_program(name: str) -> bool:
    return name not in HELPERS and not name.endswith("_test")


def _read(name: str, layout: tuple[Path, Path, Path], parts: list[bytes]) -> _Program:
    faulty, correct, tests = layout[0] / f"{name}.py", layout[1] / f"{name}.py", layout[2] / f"{name}.json"
    texts = [read_text(each)[0].replace("\r\n", "\n") for each in (faulty, correct, tests)]
    parts += [name.encode(), *(text.encode() for text in texts)]
    start, description = _without_strings(faulty, texts[0])
    reference, _ = _without_strings(correct, texts[1])
    return _Program(name, description, start, reference, tuple(_tests(tests, texts[2])))


def _without_strings(path: Path, text: str) -> tuple[str, str]:
    """A program without its top-level strings (description; other solutions), and the first of these."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise TaskError(f"{path}: not a Python program: {error}.") from error
    strings = [node for node in tree.body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)]
    lines = text.split("\n")
    for node in reversed(strings):
        del lines[node.lineno - 1 : node.end_lineno]
    values = [node.value.value for node in strings if isinstance(node.value, ast.Constant)]
    description = next((value for value in values if isinstance(value, str)), path.stem.replace("_", " "))
    return "\n".join(lines).strip("\n") + "\n", description.strip()


def _tests(path: Path, text: str) -> list[_Test]:
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    try:
        items = [(f"{path}, line {number}", json.loads(line)) for number, line in lines]
    except (ValueError, RecursionError):  # no line by itself: one JSON list over several lines
        items = [(f"{path}, item {number}", item) for number, item in enumerate(_whole(path, text))]
    return [_test(place, item) for place, item in items]


def _whole(path: Path, text: str) -> list[Any]:
    try:
        items = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TaskError(f"{path}: neither JSON lines nor a JSON list, or cut off: {error}.") from error
    return items if isinstance(items, list) else [items]


def _test(place: str, item: Any) -> _Test:
    if not isinstance(item, list) or len(item) != 2:
        raise TaskError(f"{place}: expected [arguments, expected], not {str(item)[:60]!r}.")
    return _Test(item[0] if isinstance(item[0], list) else [item[0]], item[1])


def _drafts(programs: Sequence[_Program], executor: Executor, left_out: dict[str, str]) -> list[Draft]:
    jobs = [_job(program, program.tests) for program in programs]
    drafts = []
    for program, outcome in zip(programs, executor.run_many(jobs), strict=True):
        outcomes = _each_alone(program, executor) if outcome.status is not Status.OK else None
        asserts = []
        for number, test in enumerate(program.tests):
            own, position = (outcome, number) if outcomes is None else (outcomes[number], 0)
            if own.status in (Status.CPU_LIMIT, Status.WALL_LIMIT, Status.MEMORY_LIMIT):
                left_out[f"{program.name}#{number}"] = f"test left out: the reference ends with {own.status}"
                continue
            asserts.append(_assert(program.name, test, own, position))
        tests = TestProgram(("\n".join(asserts),), program.name, "nan, inf = float('nan'), float('inf')")
        drafts.append(Draft(program.name, program.description, program.reference, tests, start=program.start))
    return drafts


def _job(program: _Program, tests: Sequence[_Test]) -> Job:
    return Job(program.reference.encode(), program.name, encode_calls([test.arguments for test in tests]), Limits())


def _each_alone(program: _Program, executor: Executor) -> list[Outcome]:
    return executor.run_many(_job(program, [test]) for test in program.tests)


def _assert(name: str, test: _Test, outcome: Outcome, position: int) -> str:
    call = f"{name}({', '.join(map(repr, test.arguments))})"
    if name in PRECISION_ARGUMENT:
        return f"assert abs({call} - {test.expected!r}) <= {test.arguments[-1]!r}"
    expected = test.expected
    if position < len(outcome.results) and outcome.results[position].status is CallStatus.VALUE:
        value = decode(outcome.results[position].value)
        expected = value if _as_json(value) == expected else expected
    return f"assert {call} == {expected!r}"


def _as_json(value: Any) -> Any:
    """A value as JSON would give it back: tuples become lists."""
    if isinstance(value, (list, tuple)):
        return [_as_json(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _as_json(item) for key, item in value.items()}
    return value
