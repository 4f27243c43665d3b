"""The files of APPS: a folder per problem, or JSON Lines. `code_envs.tasks.apps` says what is in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from code_envs.errors import TaskError
from code_envs.tasks.records import Record, read_records, read_text
from code_envs.tasks.task import digest

__all__ = ["Problem", "read_problems"]

FORMAT = "APPS"
QUESTION, SOLUTIONS, TESTS, STARTER = "question.txt", "solutions.json", "input_output.json", "starter_code.py"
SPLITS = ("train", "test")


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem.

    Args:
        item: Id in the data set.
        question: What is asked.
        starter: How a solution begins, or "".
        split: "train", "test" or "".
        solutions: Programs that should solve it.
        function: Name of the function that is called; "" for whole programs.
        inputs: Per test, the argument list; for whole programs the standard input, a str.
        outputs: Per test, the value; for whole programs the standard output, a str.
        reason: Why it can be no task, or "".
    """

    item: str
    question: str
    starter: str
    split: str
    solutions: tuple[str, ...] = ()
    function: str = ""
    inputs: tuple[Any, ...] = ()
    outputs: tuple[Any, ...] = ()
    reason: str = ""


def read_problems(path: Path, limit: int | None = None) -> tuple[list[Problem], str]:
    """Read the problems below a folder, or of a file, and a digest of what was read.

    Args:
        path: A folder with problems below it, the folder of one problem, or a JSON Lines file.
        limit: Number of problems to read; None reads all.

    Raises:
        TaskError: If there is none, or a file is not as the format has it.
    """
    problems, sha256 = _of_folders(path, limit) if path.is_dir() else _of_file(path, limit)
    known: set[str] = set()
    for each in problems:
        if each.item in known:
            raise TaskError(f"{path}: two problems have the id {each.item!r}; {FORMAT} expects unique ones.")
        known.add(each.item)
    return problems, sha256


def _of_folders(path: Path, limit: int | None) -> tuple[list[Problem], str]:
    path = path.resolve()  # its own name may say the split
    folders = sorted({file.parent for name in (QUESTION, TESTS, SOLUTIONS) for file in path.rglob(name)})
    if not folders:
        there = sorted(each.name for each in path.iterdir())[:6]
        raise TaskError(
            f"{path}: {FORMAT} expects folders with {QUESTION}, {SOLUTIONS} and {TESTS} here; there is none. "
            f"Found {there}."
        )
    digests: list[bytes] = []
    problems = [_of_folder(path, folder, digests) for folder in islice(folders, limit)]
    return problems, digest(*digests)


def _of_folder(path: Path, folder: Path, digests: list[bytes]) -> Problem:
    texts = []
    for name in (QUESTION, SOLUTIONS, TESTS, STARTER):
        file = folder / name
        if name != QUESTION and not (file.is_file() and file.stat().st_size):
            texts.append("")
            continue
        text, sha256 = read_text(file)
        digests += [file.relative_to(path).as_posix().encode(), sha256.encode()]
        texts.append(text)
    question, solutions, tests, starter = texts
    split = next((part for part in reversed(folder.parts[:-1]) if part in SPLITS), "")
    item = f"{split}/{folder.name}" if split else folder.relative_to(path).as_posix().removeprefix(".") or folder.name
    problem = Problem(item, question, starter, split)
    return _complete(problem, _json(folder / SOLUTIONS, solutions), _json(folder / TESTS, tests), str(folder))


def _of_file(path: Path, limit: int | None) -> tuple[list[Problem], str]:
    records, sha256 = read_records(path, FORMAT)
    split = next((name for name in SPLITS if name in path.name.split(".")[0]), "")
    return [_of_record(record, split) for record in records[:limit]], sha256


def _of_record(record: Record, split: str) -> Problem:
    key = "problem_id" if "problem_id" in record.content else "id"
    record.require([(key, int), ("question", str), ("solutions", str), ("input_output", str)], FORMAT)
    item = record.content
    starter = item.get("starter_code") or ""
    if not isinstance(starter, str):
        raise TaskError(f"{record.place}: 'starter_code' of {FORMAT} must be a str, not a {type(starter).__name__}.")
    name = f"{split}/{item[key]:04}" if split else f"{item[key]:04}"
    solutions, tests = (
        _json(f"{record.place}, {field!r}", item[field].strip()) for field in ("solutions", "input_output")
    )
    return _complete(Problem(name, item["question"], starter, split), solutions, tests, record.place)


def _json(place: object, text: str) -> Any:
    """What a text holds; None if it is empty."""
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError) as error:
        raise TaskError(f"{place}: not JSON as {FORMAT} expects, or cut off: {error}.") from error


def _complete(problem: Problem, solutions: Any, tests: Any, place: str) -> Problem:
    """A problem with its solutions and tests, both checked."""
    if not isinstance(solutions or [], list) or not all(isinstance(each, str) for each in solutions or []):
        raise TaskError(f"{place}: the solutions of {FORMAT} are a list of str, not {str(solutions)[:60]!r}.")
    function, inputs, outputs = _tests(tests, place)
    reason = "" if solutions else "it has no solution"
    return Problem(
        item=problem.item,
        question=problem.question,
        starter=problem.starter,
        split=problem.split,
        solutions=tuple(each.replace("\r\n", "\n") for each in solutions or ()),
        function=function,
        inputs=inputs,
        outputs=outputs,
        reason=reason or ("" if inputs else "it has no tests"),
    )


def _tests(tests: Any, place: str) -> tuple[str, tuple[Any, ...], tuple[Any, ...]]:
    """Function, inputs and outputs."""
    if tests is None or tests == {}:
        return "", (), ()
    shape = isinstance(tests, dict) and all(isinstance(tests.get(each), list) for each in ("inputs", "outputs"))
    if not shape or len(tests["inputs"]) != len(tests["outputs"]):
        raise TaskError(
            f"{place}: the tests of {FORMAT} are an object with the lists 'inputs' and 'outputs', of one length, not "
            f"{str(tests)[:80]!r}."
        )
    function = tests.get("fn_name") or ""
    if not isinstance(function, str) or (function and not function.isidentifier()):
        raise TaskError(f"{place}: 'fn_name' of {FORMAT} is the name of a function, not {str(function)[:60]!r}.")
    if not function:
        inputs, outputs = (_texts(tests[each], each, place) for each in ("inputs", "outputs"))
        return "", inputs, outputs
    wrong = [each for each in tests["inputs"] if not isinstance(each, list)]
    if wrong:
        raise TaskError(f"{place}: an input for {function!r} is a list of arguments, not {str(wrong[0])[:60]!r}.")
    return function, tuple(tests["inputs"]), tuple(tests["outputs"])


def _texts(values: Sequence[Any], name: str, place: str) -> tuple[str, ...]:
    """Texts, which may be given as lists of lines."""
    texts = ["\n".join(each) if _is_lines(each) else each for each in values]
    wrong = [each for each in texts if not isinstance(each, str)]
    if wrong:
        raise TaskError(
            f"{place}: without 'fn_name' the {name!r} of {FORMAT} are texts or lists of lines, not "
            f"{str(wrong[0])[:60]!r}."
        )
    return tuple(texts)


def _is_lines(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)
