"""Task sources by name: `load("humaneval")`, `load("mbpp:/path")`, `load("mutants:builtin")`.

A spec is `<source>`, `<source>:<path>` or a bare path, whose format is recognised by its content. `tracer*200` or
`tracer*200:<path>` reads the first 200 items of a source that has a path. A path
that does not exist is looked for below the folder that the environment variable CODE_ENVS_DATA names; a
source without a path is looked for in that folder under its usual name.
"""

from __future__ import annotations

import difflib
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from code_envs.errors import ConfigurationError, TaskError
from code_envs.execution.executor import Executor
from code_envs.execution.pool import open_executor
from code_envs.tasks import builtin_programs, gaps, quixbugs, slow_programs, sql_questions, translations
from code_envs.tasks.formats import FORMATS
from code_envs.tasks.records import read_records
from code_envs.tasks.task import Task, TaskSet

__all__ = ["VARIABLE", "available", "load"]

VARIABLE = "CODE_ENVS_DATA"
BUILTIN, CURRICULUM, SLOW, MUTANTS, STDLIB = "builtin", "curriculum", "slow", "mutants", "stdlib"
GAPS, TRANSLATIONS, SQL = "gaps", "translations", "sql"
OURS: dict[str, Callable[[Executor, int | None], TaskSet[Any]]] = {
    BUILTIN: builtin_programs.load,
    CURRICULUM: builtin_programs.load_curriculum,
    SLOW: slow_programs.load,
    SQL: lambda _, limit: sql_questions.load(limit),
    TRANSLATIONS: lambda _, limit: translations.load_builtin(limit),
}
_FIRST = re.compile(r"(.+)\*([1-9][0-9]*)")
_MUTANTS = re.compile(r"(mutants|gaps)(?:\*([1-9][0-9]*))?")
RECORD_SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".json.gz")


_cache: dict[tuple[object, ...], TaskSet[Any]] = {}
_lock = threading.RLock()  # "mutants:" loads its origin inside


def available() -> dict[str, str]:
    """The source names, each with a line of what it is; `<source>*N` reads the first N items of one with a path."""
    lines = {
        BUILTIN: "short programs that come with Code Envs",
        CURRICULUM: "very short functions in graded depth, to be written from their descriptions; come with Code Envs",
        TRANSLATIONS: "short Java methods with the same ones in C#, for translation; come with Code Envs",
        SLOW: "correct programs that waste work, each with a cheaper one that does the same; come with Code Envs",
        SQL: "questions about two small databases, with the SQL queries that answer them; come with Code Envs",
        STDLIB: "documented functions of the running Python's standard library, for search; stdlib:<folder> of others",
    }
    lines |= {name: each.line for name, each in FORMATS.items()}
    return {
        **lines,
        GAPS: "gaps:<any other spec>, a line cut out of each Python program, for completion; gaps*4:<spec> cuts 4",
        MUTANTS: "mutants:<any other spec>, two faulty versions of each program; mutants*16:<spec> makes 16",
    }


def load(spec: str, executor: Executor | str = "local", limit: int | None = None) -> TaskSet[Any]:
    """Load a task set; the same unchanged source is read once per process.

    Args:
        spec: "<source>", "<source>:<path>" or a path; `available` lists the sources.
        executor: Runs test code and programs, or the name of an executor.
        limit: Number of items to read from the start of the source; None reads all.

    Raises:
        ConfigurationError: If there is no such source or path.
        TaskError: If the data are not of the expected format.
        ExecutorError: If the sandbox failed.
    """
    if limit is not None and limit < 1:
        raise ConfigurationError(f"limit must be at least 1 or None, not {limit}.")
    name, _, rest = spec.partition(":")
    made = _MUTANTS.fullmatch(name)
    if made:
        if made[1] == GAPS:
            return _gaps(rest, int(made[2] or 1), executor, limit)
        return _mutants(rest, int(made[2] or 2), executor, limit)
    some = _FIRST.fullmatch(name)
    if some and some[1] in FORMATS:
        return load(spec.replace(name, some[1], 1), executor, min(int(some[2]), limit or int(some[2])))
    if name in OURS:
        if rest:
            raise ConfigurationError(f"The source {name!r} takes no path; {spec!r} has {rest!r}.")
        return _remembered((name, limit), lambda: OURS[name](open_executor(executor), limit))
    if name == STDLIB:
        return _stdlib(_existing(rest, spec) if rest else None, limit)
    source, path = _located(spec, name, rest)
    key = (source, str(path), limit, _state(path))
    return _remembered(key, lambda: FORMATS[source].load(path, open_executor(executor), limit))


def _stdlib(folder: Path | None, limit: int | None) -> TaskSet[Any]:
    from code_envs.tasks import stdlib  # needs the parsers, other sources do not

    state = _state(folder) if folder else (sys.version,)
    return _remembered((STDLIB, str(folder), limit, state), lambda: stdlib.load(folder, limit))


def _remembered(key: tuple[object, ...], make: Callable[[], TaskSet[Any]]) -> TaskSet[Any]:
    with _lock:
        if key not in _cache:
            _cache[key] = make()
        return _cache[key]


def _mutants(rest: str, count: int, executor: Executor | str, limit: int | None) -> TaskSet:
    if not rest:
        raise ConfigurationError("'mutants' needs the spec of the programs to mutate, such as 'mutants:builtin'.")
    from code_envs.tasks.mutation import mutants  # its edits need the parsers, other sources do not

    originals = load(rest, executor, limit)
    if not isinstance(originals[0], Task):
        raise ConfigurationError(f"The tasks of {rest!r} have no tests, so nothing tells a fault in their programs.")
    key = (MUTANTS, originals.name, originals.sha256, limit, count)
    return _remembered(key, lambda: mutants(originals, open_executor(executor), count))


def _gaps(rest: str, count: int, executor: Executor | str, limit: int | None) -> TaskSet[Any]:
    if not rest:
        raise ConfigurationError("'gaps' needs the spec of the programs to cut lines out of, such as 'gaps:builtin'.")
    originals = load(rest, executor, limit)
    if not isinstance(originals[0], Task):
        raise ConfigurationError(f"The tasks of {rest!r} have no tests, so nothing judges what fills their gaps.")
    key = (GAPS, originals.name, originals.sha256, limit, count)
    return _remembered(key, lambda: gaps.gaps(originals, open_executor(executor), count))


def _state(path: Path) -> tuple[object, ...]:
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    return tuple((str(each), stat.st_mtime_ns, stat.st_size) for each in files for stat in [each.stat()])


def _located(spec: str, name: str, rest: str) -> tuple[str, Path]:
    """Source name and existing path of a spec."""
    if name in FORMATS:
        path = _existing(rest, spec) if rest else _usual(name)
        return name, _file_in(name, path) if path.is_dir() and not FORMATS[name].folder else path
    if rest and not Path(spec).exists():
        raise ConfigurationError(_unknown(name))
    if not Path(spec).exists() and os.sep not in spec and "." not in spec:
        raise ConfigurationError(_unknown(spec))
    path = _existing(spec, spec)
    return _recognised(path)


def _unknown(name: str) -> str:
    names = list(available())
    near = difflib.get_close_matches(name, names, n=3)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    return f"There is no task source {name!r}, and no file of that name.{hint} The sources: {names}; or give a path."


def _data_folder() -> Path | None:
    value = os.environ.get(VARIABLE)
    return Path(value).expanduser() if value else None


def _existing(text: str, spec: str) -> Path:
    path = Path(text).expanduser()
    folder = _data_folder()
    tried = [path] if folder is None or path.is_absolute() else [path, folder / path]
    for each in tried:
        if each.exists():
            return each
    hint = "" if folder else f" Relative paths are also looked for below ${VARIABLE}, which is not set."
    raise ConfigurationError(f"{spec!r}: no file or folder at {' or '.join(map(str, tried))}.{hint}")


def _usual(name: str) -> Path:
    folder, places = _data_folder(), FORMATS[name].places
    if folder is None:
        raise ConfigurationError(
            f"The source {name!r} needs data: give a path ({name}:/path), or set {VARIABLE} to a folder that has "
            f"{' or '.join(places)}."
        )
    for place in places:
        if (folder / place).exists():
            return folder / place
    raise ConfigurationError(
        f"The source {name!r} looked for {' and '.join(str(folder / place) for place in places)} ({VARIABLE} is "
        f"{str(folder)!r}) and found nothing. Give a path: {name}:/path."
    )


def _file_in(name: str, folder: Path) -> Path:
    """The one file of a format in a folder: at its usual place, or else the only one of its content."""
    for place in FORMATS[name].places:
        parts = Path(place).parts
        for start in range(len(parts)):
            candidate = folder.joinpath(*parts[start:])
            if candidate.is_file():
                return candidate
    found = [path for path in _record_files(folder) if FORMATS[name].recognise(_first_record(path))]
    if len(found) == 1:
        return found[0]
    what = f"{len(found)} files of it: {list(map(str, found))}" if found else "no file of it"
    raise ConfigurationError(f"{folder}: the source {name!r} expects one file here, and there is {what}.")


def _record_files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name.endswith(RECORD_SUFFIXES))


def _first_record(path: Path) -> Mapping[str, object]:
    try:
        return read_records(path, "a task file")[0][0].content
    except TaskError:
        return {}  # some other file of the folder


def _recognised(path: Path) -> tuple[str, Path]:
    """Source name and file of a bare path, by its content."""
    if path.is_dir():
        if quixbugs.find_layout(path):
            return "quixbugs", path
        found = [(name, file) for file in _record_files(path) for name in _formats_of(_first_record(file))]
        if len(found) == 1:
            return found[0]
        what = f"several: {[f'{name}:{file}' for name, file in found]}" if found else "none"
        raise ConfigurationError(
            f"{path}: one task file, or the folders of QuixBugs {quixbugs.LAYOUTS}, are expected; there is {what}."
        )
    record = read_records(path, "a task file")[0][0].content
    names = _formats_of(record)
    if not names:
        raise ConfigurationError(
            f"{path}: no format recognised; the first record has the keys {list(record)}. Looked for HumanEval "
            "(prompt, canonical_solution, test, entry_point), HumanEvalPack (declaration, buggy_solution, "
            "canonical_solution), MBPP (text or prompt, code, test_list), CoSQA (doc, code, retrieval_idx), "
            "CodeSearchNet (docstring, func_name, code), AdvTest (idx, docstring_tokens), APPS (question, solutions, "
            "input_output), mxeval (HumanEval's and language), CRUXEval (code, input, output), CoNaLa (intent, "
            "snippet) and CONCODE (nl, code)."
        )
    return names[0], path


def _formats_of(record: Mapping[str, object]) -> list[str]:
    return [name for name, each in FORMATS.items() if each.recognise(record)]
