"""The standard library of the running Python: (docstring, function) pairs without any download.

A pair is a function or method with a docstring of three words or more and a body of 3 to 60 lines. The docstring
is taken out of the code; its first paragraph is the description, as in CodeSearchNet. Tests and whole
applications are left out, so are functions that stand in the library twice. Every module is in one split only.
Licence: PSF-2.0.
"""

from __future__ import annotations

import os
import platform
import sysconfig
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path

from code_envs.errors import ConfigurationError, TaskError
from code_envs.syntax.docstrings import LEAST_WORDS, Function, functions, summary
from code_envs.tasks.described import Described
from code_envs.tasks.search_set import SearchSet
from code_envs.tasks.task import digest

__all__ = ["NAME", "TENTHS", "VALIDATION", "load"]

NAME = "stdlib-v0"
LEFT_OUT = frozenset(
    ("test", "tests", "idle_test", "idlelib", "lib2to3", "turtledemo", "site-packages", "dist-packages", "__pycache__")
)
"""Folders that are not read."""
SHORTEST, LONGEST = 3, 60
TENTHS, VALIDATION, TEST = 10, 8, 9
"""Modules are dealt to tenths by their names; the tenth with this number is "validation", or "test"."""


def load(folder: Path | None = None, limit: int | None = None, test: Collection[int] = (TEST,)) -> SearchSet:
    """Read the pairs.

    Args:
        folder: A folder of modules; that of the running Python's standard library by default.
        limit: Number of pairs to read, from the first module on; None reads all.
        test: Tenths of the modules, 0 to 9, that are the split "test"; for cross-validation. Tenth 8 is "validation"
            all the same, and "train" are the others.

    Raises:
        ConfigurationError: If there is no such tenth, or it is the validation split's.
        TaskError: If there is no such folder, or no function in it.
    """
    if not {*range(TENTHS)} - {VALIDATION} > set(test):
        raise ConfigurationError(f"test must be some of the tenths 0 to 9, but not {VALIDATION}, got {sorted(test)}.")
    folder = folder or Path(sysconfig.get_path("stdlib"))
    tasks: list[Described] = []
    splits: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    seen: set[str] = set()
    left_out: dict[str, str] = {}
    for module, found in _modules(folder, left_out):
        taken: dict[str, int] = {}
        for function in found:
            if not _fits(function) or function.code in seen:
                continue
            seen.add(function.code)
            number = taken[function.name] = taken.get(function.name, 0) + 1
            mark = f"#{number}" if number > 1 else ""  # a property and its setter have one name
            task_id = f"{NAME}/{module}.{function.name}{mark}"
            tasks.append(Described(task_id, summary(function.docstring), function.code))
            splits[_split(module, test)].append(task_id)
            if len(tasks) == limit:
                return _set(tasks, splits, left_out)
    if not tasks:
        raise TaskError(f"{folder}: no function with a docstring. Expected the modules of a standard library.")
    return _set(tasks, splits, left_out)


def _set(tasks: list[Described], splits: dict[str, list[str]], left_out: dict[str, str]) -> SearchSet:
    contents = [part.encode("utf-8", "replace") for task in tasks for part in (task.task_id, task.text, task.code)]
    origin = f"Standard library of {platform.python_implementation()} {platform.python_version()}, docs.python.org"
    return SearchSet(NAME, tuple(tasks), "PSF-2.0", origin, digest(*contents), left_out, splits)


def _modules(folder: Path, left_out: dict[str, str]) -> Iterator[tuple[str, Iterator[Function]]]:
    """Dotted name and functions of each module, in the order of the names."""
    if not folder.is_dir():
        raise TaskError(
            f"{folder}: no such folder. Expected the standard library of this Python as files; give the source "
            "'codesearchnet' or 'cosqa' where Python has it in an archive."
        )
    paths = {".".join(path.relative_to(folder).with_suffix("").parts): path for path in _files(folder)}
    for dotted, path in sorted(paths.items()):
        name = dotted.removesuffix(".__init__")
        source = path.read_bytes()
        try:
            source.decode()
        except UnicodeDecodeError as error:
            left_out[f"{NAME}/{name}"] = f"not UTF-8: {error}"
            continue
        yield name, functions(source)


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = [each for each in folders if each not in LEFT_OUT]
        yield from (Path(place, each) for each in files if each.endswith(".py"))


def _fits(function: Function) -> bool:
    lines = [line for line in function.code.split("\n") if line.strip()]
    return len(function.docstring.split()) >= LEAST_WORDS and SHORTEST <= len(lines) - 1 <= LONGEST


def _split(module: str, test: Collection[int]) -> str:
    tenth = zlib.crc32(module.encode()) % TENTHS
    return "validation" if tenth == VALIDATION else "test" if tenth in test else "train"
