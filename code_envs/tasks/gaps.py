"""Gaps: a passage is cut out of a program, and an agent writes it anew.

`gaps:<any source of Python programs>` cuts lines out of references, so that a completion is judged by the tests of
the program that it completes. A line is used only if the tests need it: with `pass` in its place a reward test fails.
"""

from __future__ import annotations

import ast
import warnings
import zlib
from dataclasses import dataclass, field

from code_envs.errors import ConfigurationError
from code_envs.execution.executor import Executor, Limits, Status
from code_envs.syntax.tokens import lex
from code_envs.tasks.task import Task, TaskSet, digest

__all__ = ["Gap", "gaps"]

LEAST, MOST = 3, 40
"""Tokens of a line that is cut out."""
ROUNDS = 4
NOTHING = "pass"
_SKIPPED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal)


@dataclass(frozen=True, slots=True)
class Gap:
    """A program with a passage missing.

    Args:
        task_id: Permanent id, `<task set>/<item>`.
        before: The program up to the gap.
        after: The program behind it.
        target: What was there.
        description: What the program should do, or "".
        program: The task whose tests judge a completion; None where only the target itself is right.
        language: Name in `code_envs.syntax.written.LINES`.
        tokenised: Whether the tokens of the program are parted by single spaces, as in CodeXGLUE.
    """

    task_id: str
    before: str
    after: str
    target: str
    description: str = ""
    program: Task | None = None
    language: str = "python"
    tokenised: bool = False


@dataclass(slots=True)
class _Program:
    """The lines of a program that can still be tried, and those that were taken."""

    task: Task
    lines: list[int]
    taken: list[int] = field(default_factory=list)


def gaps(originals: TaskSet, executor: Executor, per_task: int = 1) -> TaskSet[Gap]:
    """Cut lines out of the references of a task set.

    Which lines is decided by a digest of the program, so it is the same wherever the program comes from.

    Args:
        originals: Tasks with Python references.
        executor: Runs the reward tests without the line.
        per_task: Lines of each program, each a task of its own; fewer where there are not enough.

    Raises:
        ConfigurationError: If a number is below 1, or no line was found.
        ExecutorError: If the sandbox failed.
    """
    if per_task < 1:
        raise ConfigurationError(f"per_task must be at least 1, got {per_task}.")
    programs = [_Program(task, _order(task)) for task in originals]
    for _ in range(ROUNDS):
        _try(programs, executor, per_task)
    name = f"gaps-{originals.name}"
    left_out = dict(originals.left_out)
    left_out |= {
        each.task.task_id: "no line of its own that a reward test needs" for each in programs if not each.taken
    }
    found = [_gap(name, each.task, line) for each in programs for line in sorted(each.taken)]
    if not found:
        raise ConfigurationError(f"No line of {originals.name!r} can be cut out; are its programs written in Python?")
    splits = {
        split: [gap.task_id for gap in found if gap.program is not None and gap.program.task_id in ids]
        for split, ids in ((split, set(ids)) for split, ids in originals.splits.items())
    }
    sha256 = digest(originals.sha256.encode(), str(per_task).encode())
    return TaskSet(name, tuple(found), originals.licence, originals.origin, sha256, left_out, splits)


def _order(task: Task) -> list[int]:
    """Numbers of the lines that can be cut out, in the order in which they are tried."""
    if task.language != "python":
        return []
    source = task.reference.encode()
    return sorted(_lines(task.reference), key=lambda line: zlib.crc32(b"%d " % line + source))


def _lines(program: str) -> set[int]:
    """Lines that hold one statement, or the head of one, and nothing else; counted from 0."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(program)
    lines = program.split("\n")
    first: dict[int, int] = {}
    several: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt):
            several |= {*range(node.lineno, _last(node))} if _last(node) > node.lineno else set()
            first[node.lineno] = first.get(node.lineno, 0) + 1
            if isinstance(node, _SKIPPED):
                several.add(node.lineno)
    return {
        line - 1
        for line, count in first.items()
        if count == 1 and line not in several and "#" not in lines[line - 1] and _fits(lines[line - 1])
    }


def _last(node: ast.stmt) -> int:
    """The last line of a simple statement, or of the head of a compound one."""
    body = getattr(node, "body", None) or getattr(node, "cases", None)
    if not body:
        return node.end_lineno or node.lineno
    parts = [
        child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr | ast.withitem | ast.arguments)
    ]
    return max([node.lineno, *(getattr(child, "end_lineno", node.lineno) for child in parts)])


def _fits(line: str) -> bool:
    return LEAST <= len(lex(line)) <= MOST and "\t" not in line and "\r" not in line


def _try(programs: list[_Program], executor: Executor, per_task: int) -> None:
    """Run each program without the next of its lines, and take those that are missed."""
    tries = [(each, line) for each in programs for line in each.lines[: per_task - len(each.taken)]]
    jobs = [
        each.task.reward_tests.job(_without(each.task.reference, line), each.task.limits(Limits()))
        for each, line in tries
    ]
    for (each, line), outcome in zip(tries, executor.run_many(jobs), strict=True):
        each.lines.remove(line)
        missed = outcome.status is Status.COMPILE_ERROR
        if missed or not each.task.reward_tests.grade(outcome, executor).all_passed:
            each.taken.append(line)


def _without(program: str, line: int) -> bytes:
    before, _, after = _cut(program, line)
    return (before + NOTHING + after).encode()


def _cut(program: str, line: int) -> tuple[str, str, str]:
    """The program up to a line's first sign, the line, and the rest."""
    lines = program.split("\n")
    indent = len(lines[line]) - len(lines[line].lstrip())
    before = "".join(f"{each}\n" for each in lines[:line]) + lines[line][:indent]
    after = "".join(f"\n{each}" for each in lines[line + 1 :])
    return before, lines[line].strip(), after


def _gap(name: str, task: Task, line: int) -> Gap:
    before, target, after = _cut(task.reference, line)
    return Gap(f"{name}/{task.task_id.split('/', 1)[1]}/{line + 1}", before, after, target, task.description, task)
