"""APPS: 10,000 problems of programming contests and courses, with solutions and tests, in Python.

Layout: a folder per problem, `<split>/<number>`, with `question.txt`, `solutions.json` (a list of programs),
`input_output.json` (`inputs`, `outputs`, and `fn_name` where a function is called; may be null or absent) and
`starter_code.py` (may be absent). Or JSON Lines, as on the Hugging Face Hub: `id` or `problem_id`, `question`,
`solutions`, `input_output`, `starter_code`, where the second and third are texts that hold the JSON. A problem without
solutions or tests is left out.

Where a function is called, a program has that function, or a class `Solution` with that method. Elsewhere it is a whole
program, which reads the standard input and writes the standard output (`code_envs.tasks.whole_programs`). Outputs are
compared as text but for white space, so a problem with several right answers takes only that of the file. The first of
the first three solutions that gives the outputs is the reference. The benchmark's own judge imports much before it runs
a solution; here a program imports what it needs, and a reference gets what it lacks.

`train` and `test` in the path of a problem (of a JSON Lines file: in its name) are the splits; others are divided into
80 % train, 10 % validation and 10 % test by their questions. Licence: MIT. Source: Hendrycks et al. (2021), "Measuring
Coding Challenge Competence With APPS", github.com/hendrycks/apps.
"""

from __future__ import annotations

import ast
import itertools
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from code_envs.errors import TaskError
from code_envs.execution.executor import CallStatus, Executor, Limits, Outcome
from code_envs.execution.values import decode
from code_envs.tasks.apps_files import Problem, read_problems
from code_envs.tasks.cases import Case, CaseSuite
from code_envs.tasks.certify import certify_many
from code_envs.tasks.splits import SUITE, hold_out, splits
from code_envs.tasks.standard_streams import ENTRY, output_lines
from code_envs.tasks.task import Task, TaskSet, digest
from code_envs.tasks.whole_programs import ProgramSuite, output_case

__all__ = ["load"]

NAME = "apps-v0"
TRIED = 3
"""Solutions of a problem that are executed."""
CALLED = "code_envs_called"
DRIVER = """
def {called}(*arguments):
    function = globals().get({name!r})
    return (function if callable(function) else getattr(Solution(), {name!r}))(*arguments)
"""
IMPORTS = {
    "from typing import {}": ("List", "Dict", "Optional", "Set", "Tuple", "Any", "Union", "Callable"),
    "from collections import {}": ("Counter", "OrderedDict", "defaultdict", "deque"),
    "from functools import {}": ("lru_cache", "reduce", "cmp_to_key", "partial"),
    "from itertools import {}": ("accumulate", "chain", "combinations", "groupby", "permutations", "product"),
    "from math import {}": ("ceil", "floor", "gcd", "inf", "log", "sqrt"),
    "from heapq import {}": ("heapify", "heappop", "heappush"),
    "from bisect import {}": ("bisect", "bisect_left", "bisect_right"),
    "import {}": ("bisect", "collections", "functools", "heapq", "itertools", "math", "random", "re", "string", "sys"),
}
WHOLE = (
    "Write a program that reads the standard input and writes the standard output, or a function "
    f"{ENTRY} that gets the input as a text and gives the output."
)


@dataclass(frozen=True, slots=True)
class _Solved:
    """A problem with a solution that gives its outputs."""

    problem: Problem
    reference: str
    suite: CaseSuite


def load(path: Path, executor: Executor, limit: int | None = None) -> TaskSet:
    """Load APPS; the tasks have no faulty program.

    Args:
        path: A folder with problems below it, the folder of one problem, or a JSON Lines file.
        executor: Runs the solutions.
        limit: Number of problems to read, in the order of their paths or of the file; None reads all.

    Raises:
        TaskError: If there is no problem, or a file of one is not as described above.
        ExecutorError: If the sandbox failed.
    """
    problems, sha256 = read_problems(path, limit)
    reasons = {f"{NAME}/{each.item}": each.reason for each in problems if each.reason}
    solved, unsolved = _solved([each for each in problems if not each.reason], executor)
    reasons |= unsolved
    certificates = certify_many([_task(each) for each in solved], executor)
    tasks = []
    for each, certificate in zip(solved, certificates, strict=True):
        if certificate.task is None:
            reasons[f"{NAME}/{each.problem.item}"] = certificate.reason
        else:
            tasks.append(certificate.task if each.problem.function else replace(certificate.task, steps=None))
    if not tasks:
        raise TaskError(f"No task of {NAME!r} certifies. Reasons: {dict(itertools.islice(reasons.items(), 3))}.")
    origin = "Hendrycks et al. (2021), github.com/hendrycks/apps"
    return TaskSet(NAME, tuple(tasks), "MIT", origin, sha256, reasons, _splits(tasks, problems))


def _splits(tasks: Sequence[Task], problems: Sequence[Problem]) -> dict[str, tuple[str, ...]]:
    given = {f"{NAME}/{each.item}": each for each in problems}
    groups = {task.task_id: digest(given[task.task_id].question.encode()) for task in tasks}
    groups = {name: group for name, group in groups.items() if not given[name].split}
    divided = splits(groups, groups)
    return {
        name: tuple(each.task_id for each in tasks if each.task_id in ids or given[each.task_id].split == name)
        for name, ids in divided.items()
    }


# references ---------------------------------------------------------------------------------------


def _solved(problems: Sequence[Problem], executor: Executor) -> tuple[list[_Solved], dict[str, str]]:
    """The problems with the first of their solutions that gives the outputs; the others with the reason."""
    found: dict[str, _Solved] = {}
    reasons: dict[str, str] = {}
    for number in range(TRIED):
        tried = [each for each in problems if each.item not in found and number < len(each.solutions)]
        programs = [_complete(each, each.solutions[number]) for each in tried]
        jobs = (_suite(each).job(text.encode(), Limits()) for each, text in zip(tried, programs, strict=True))
        for each, text, outcome in zip(tried, programs, executor.run_many(jobs), strict=True):
            expected, reason = _expected(each, outcome)
            if not reason:
                found[each.item] = _Solved(each, text, _suite(each, expected))
            reasons.setdefault(f"{NAME}/{each.item}", f"no solution that was tried gives the outputs; {reason}")
    solved = [found[each.item] for each in problems if each.item in found]
    return solved, {name: why for name, why in reasons.items() if name.removeprefix(f"{NAME}/") not in found}


def _complete(problem: Problem, solution: str) -> str:
    """A solution with the imports that it lacks; whole programs have theirs."""
    if not problem.function:
        return solution
    lines = []
    for statement, names in IMPORTS.items():
        needed = [name for name in names if re.search(rf"(?<![\w.]){name}\b", solution)]
        lacking = [name for name in needed if not re.search(rf"\bimport\b[^\n]*(\b{name}\b|\*)", solution)]
        lines += [statement.format(", ".join(lacking))] if lacking else []
    return "".join(f"{line}\n" for line in lines) + solution + _delegate(problem, solution)


def _delegate(problem: Problem, solution: str) -> str:
    """A function that calls the method of `Solution`, so that its parameters are known; "" where there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(solution).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    if any(isinstance(node, ast.FunctionDef) and node.name == problem.function for node in body):
        return ""
    classes = (node for node in body if isinstance(node, ast.ClassDef) and node.name == "Solution")
    methods = (each for node in classes for each in node.body if isinstance(each, ast.FunctionDef))
    method = next((each for each in methods if each.name == problem.function), None)
    if method is None:
        return ""
    names = ", ".join(argument.arg for argument in method.args.args[1:])
    return f"\n\n\ndef {method.name}({names}):\n    return Solution().{method.name}({names})\n"


def _suite(problem: Problem, expected: Sequence[Any] | None = None) -> CaseSuite:
    """The tests of a problem, with outputs that are known or still open."""
    outputs = expected or [None] * len(problem.inputs)
    pairs = list(zip(problem.inputs, outputs, strict=True))
    if not problem.function:
        return ProgramSuite([output_case(given, output or "") for given, output in pairs])
    texts = (f"{problem.function}({', '.join(map(repr, given))})" for given in problem.inputs)
    cases = [Case.of(CALLED, given, output, call=text) for (given, output), text in zip(pairs, texts, strict=True)]
    return CaseSuite(CALLED, cases, DRIVER.format(called=CALLED, name=problem.function).encode())


def _expected(problem: Problem, outcome: Outcome) -> tuple[list[Any], str]:
    """What a solution gave, if it is what the file says; else why not.

    JSON has no tuples, and where a function is called some outputs stand in a list of their own: then the solution's
    value counts.
    """
    expected = []
    for number, output in enumerate(problem.outputs):
        result = outcome.results[number] if number < len(outcome.results) else None
        if result is None or result.status is not CallStatus.VALUE:
            what = f"{result.exception}: {result.message}" if result and result.exception else str(outcome.status)
            return [], f"the first one ends test {number} with {what}"
        value = decode(result.value)
        if not _agrees(problem, value, output):
            return [], f"the first one gives {str(value)[:60]!r} for test {number}, not {str(output)[:60]!r}"
        expected.append(value)
    if not problem.function and not any(expected):
        return [], "nothing is to be written"
    return expected, ""


def _agrees(problem: Problem, value: Any, output: Any) -> bool:
    if not problem.function:
        return bool(value == output_lines(output))
    plain = _as_json(value)
    return plain == output or (isinstance(output, list) and len(output) == 1 and plain == output[0])


def _as_json(value: Any) -> Any:
    """A value as JSON would give it back."""
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _as_json(item) for key, item in value.items()}
    return value


def _task(solved: _Solved) -> Task:
    problem, suite = solved.problem, solved.suite
    reward, held_out = hold_out(suite.keys, [SUITE] * len(suite))
    asked = problem.starter if problem.function else WHOLE
    return Task(
        task_id=f"{NAME}/{problem.item}",
        description=f"{problem.question.strip()}\n\n{asked}".strip(),
        entry_point=problem.function or ENTRY,
        reference=solved.reference,
        start=None,
        reward_tests=suite.subset(reward),
        held_out_tests=suite.subset(held_out),
    )
