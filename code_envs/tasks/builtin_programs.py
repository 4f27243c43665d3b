"""The built-in tasks: short programs that come with Code Envs.

Format: one file per program in `code_envs/tasks/builtin/programs`, named like the function under test: a
docstring (the description), the program, and as last statement `TESTS = [(arguments, expected), ...]`, a
literal. The program that candidates see has neither docstring nor tests. Licence: MIT, written for Code
Envs.
"""

from __future__ import annotations

import ast
import importlib.resources
from importlib.resources.abc import Traversable
from typing import Any

from code_envs.errors import TaskError
from code_envs.execution.executor import Executor
from code_envs.tasks.assembly import Draft, Source, assemble
from code_envs.tasks.extraction import TestProgram
from code_envs.tasks.task import TaskSet, digest

__all__ = ["load", "load_curriculum"]

FORMAT = "A built-in program"


def load(
    executor: Executor, limit: int | None = None, folder: Traversable | None = None, name: str = "builtin-v0"
) -> TaskSet:
    """Load the built-in tasks; they have no faulty program.

    Args:
        executor: Runs test code and programs.
        limit: Number of programs to read, in the order of their names; None reads all.
        folder: Where the programs are; None means the package's own.
        name: Name of the task set.

    Raises:
        TaskError: If a file is not as described above.
    """
    folder = folder or importlib.resources.files("code_envs.tasks").joinpath("builtin", "programs")
    files = sorted((each for each in folder.iterdir() if _is_program(each.name)), key=lambda each: each.name)
    if not files:
        raise TaskError(f"{folder}: there is no program NAME.py here.")
    contents = [(each.name.removesuffix(".py"), each.read_bytes()) for each in files]
    sha256 = digest(*(part for name, content in contents for part in (name.encode(), content)))
    drafts = [_draft(name, content.decode()) for name, content in contents[:limit]]
    return assemble(Source(name, "MIT", "written for Code Envs", sha256), drafts, executor)


def load_curriculum(executor: Executor, limit: int | None = None) -> TaskSet:
    """Load the curriculum of code generation: very short functions, most of which are one expression.

    Args:
        executor: Runs test code and programs.
        limit: Number of programs to read, in the order of their names; None reads all.
    """
    folder = importlib.resources.files("code_envs.tasks").joinpath("builtin", "curriculum")
    return load(executor, limit, folder, "curriculum-v0")


def _is_program(name: str) -> bool:
    return name.endswith(".py") and not name.startswith("_")


def _draft(name: str, text: str) -> Draft:
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise TaskError(f"{name}.py, line {error.lineno}: not a Python program: {error.msg}.") from error
    description = ast.get_docstring(tree)
    if not description:
        raise TaskError(f"{name}.py: {FORMAT} begins with a docstring that says what it does; there is none.")
    tests = _tests(name, tree)
    lines = text.split("\n")
    program = "\n".join(lines[tree.body[0].end_lineno : tree.body[-1].lineno - 1]).strip("\n") + "\n"
    setup = "nan, inf = float('nan'), float('inf')"
    asserts = "\n".join(f"assert {name}({', '.join(map(repr, arguments))}) == {value!r}" for arguments, value in tests)
    return Draft(name, " ".join(description.split()), program, TestProgram((asserts,), name, setup))


def _tests(name: str, tree: ast.Module) -> list[tuple[tuple[Any, ...], Any]]:
    last = tree.body[-1]
    if not (isinstance(last, ast.Assign) and ast.unparse(last.targets[0]) == "TESTS"):
        raise TaskError(f"{name}.py, line {last.lineno}: {FORMAT} ends with TESTS = [(arguments, expected), ...].")
    try:
        tests = ast.literal_eval(last.value)
    except ValueError as error:
        raise TaskError(f"{name}.py, line {last.lineno}: TESTS must be a literal: {error}.") from error
    for test in tests:
        if not (isinstance(test, tuple) and len(test) == 2 and isinstance(test[0], tuple)):
            raise TaskError(f"{name}.py: a test is (arguments, expected) with a tuple of arguments, not {test!r}.")
    return list(tests)
