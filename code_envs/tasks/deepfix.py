"""DeepFix: C programs of an introductory course that do not compile, and others for the same problems that do.

Format: an SQLite file, also gzipped, with a table `Code`; the columns read are `code_id`, `user_id`, `problem_id`,
`code` and `errorcount` (0: it compiled), others, such as `error`, are left alone. The published corpus has 6,971
programs that do not compile and no repairs of them. A task's reference is the program with `errorcount` 0 for the same
problem that shares most tokens with the faulty one, that of the same author where there is one; so it is a program
that compiles, not what the author would have written.
Licence: none is known to this project (LicenseRef-unstated); ask its authors before you publish programs of it. The
published file was not at hand when this was written: the format is tested on small files made by the tests.
Source: Gupta, Pal, Kanade and Shevade (2017), "DeepFix: Fixing Common C Language Errors by Deep Learning",
iisc-seal.net/deepfix.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code_envs.errors import TaskError
from code_envs.execution.executor import Executor
from code_envs.syntax.tokens import lex
from code_envs.tasks.assembly import Source
from code_envs.tasks.compile_suite import CompileDraft, assemble_compiled
from code_envs.tasks.records import read_bytes
from code_envs.tasks.task import TaskSet

__all__ = ["COLUMNS", "load"]

COLUMNS = ("code_id", "user_id", "problem_id", "code", "errorcount")
HEADER = b"SQLite format 3\x00"
DESCRIPTION = "Repair the C program so that it compiles."
LICENCE = "LicenseRef-unstated"
ORIGIN = "Gupta et al. (2017), iisc-seal.net/deepfix"
COMPARED = 200
"""Programs of a problem that a reference is chosen from."""
_ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ})


@dataclass(frozen=True, slots=True)
class _Row:
    code_id: str
    user_id: str
    problem_id: str
    code: str


def load(path: Path, executor: Executor, limit: int | None = None) -> TaskSet:
    """Load the programs that do not compile as tasks of repair that the compiler judges; split by problem.

    Args:
        path: The database.
        executor: Compiles the programs.
        limit: Number of faulty programs to read, in the order of their ids; None reads all.

    Raises:
        TaskError: If the file is not as described above, or no program certifies.
        ExecutorError: If the sandbox failed.
    """
    content, sha256 = read_bytes(path)
    faulty, correct, reasons = _read(path, content, limit)
    drafts = []
    for row in faulty:
        reference = _nearest(row, correct.get(row.problem_id, []))
        if reference is None:
            reasons[row.code_id] = f"no program of problem {row.problem_id!r} has errorcount 0"
        else:
            drafts.append(CompileDraft(row.code_id, DESCRIPTION, row.code, reference, row.problem_id))
    return assemble_compiled(Source("deepfix-v0", LICENCE, ORIGIN, sha256), drafts, executor, reasons)


def _read(path: Path, content: bytes, limit: int | None) -> tuple[list[_Row], dict[str, list[_Row]], dict[str, str]]:
    """Faulty programs, correct ones by problem, and why some are left out."""
    if not content.startswith(HEADER):
        raise TaskError(f"{path}: an SQLite file with a table 'Code' is expected; it begins with {content[:16]!r}.")
    try:
        with closing(sqlite3.connect(":memory:")) as database:
            # a file in WAL mode, which memory has not, says so in these two bytes; its log is not part of it anyway
            database.deserialize(content[:18] + b"\x01\x01" + content[20:])
            _check_table(path, database)
            database.set_authorizer(_authorized)
            database.text_factory = bytes
            wrong = _rows(database, "errorcount > 0", -1 if limit is None else limit)
            problems = {row[2] for row in wrong}
            right = [row for row in _rows(database, "errorcount = 0", -1) if row[2] in problems]
    except sqlite3.Error as error:
        raise TaskError(f"{path}: the SQLite file is damaged, cut off or of another kind ({error}).") from error
    if not wrong:
        raise TaskError(f"{path}: the table 'Code' has no row with errorcount > 0. Expected programs with errors.")
    reasons: dict[str, str] = {}
    faulty = _texts(path, wrong, reasons)
    correct: dict[str, list[_Row]] = {}
    for row in _texts(path, right, {}):
        correct.setdefault(row.problem_id, []).append(row)
    return faulty, correct, reasons


def _check_table(path: Path, database: sqlite3.Connection) -> None:
    tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    if "Code" not in tables:
        raise TaskError(f"{path}: a table 'Code' is expected; the tables are {tables[:8]}.")
    columns = [row[1] for row in database.execute("PRAGMA table_info('Code')")]
    missing = [name for name in COLUMNS if name not in columns]
    if missing:
        raise TaskError(f"{path}: the table 'Code' needs the columns {list(COLUMNS)}; it has {columns[:12]}.")


def _authorized(action: int, *_: Any) -> int:
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


def _rows(database: sqlite3.Connection, condition: str, limit: int) -> list[tuple[Any, ...]]:
    names = ", ".join(COLUMNS[:4])
    query = f"SELECT {names} FROM Code WHERE {condition} ORDER BY code_id, user_id, problem_id LIMIT ?"
    return database.execute(query, (limit,)).fetchall()


def _texts(path: Path, rows: Sequence[tuple[Any, ...]], reasons: dict[str, str]) -> list[_Row]:
    """Rows as text; those that are not UTF-8 are left out with the reason."""
    found: list[_Row] = []
    known: set[str] = set()
    for row in rows:
        fields = [each.decode("utf-8", "replace") if isinstance(each, bytes) else str(each) for each in row[:3]]
        if row[3] is None or None in row[:3]:
            raise TaskError(f"{path}: a row of 'Code' lacks one of {list(COLUMNS[:4])}; it has {fields}.")
        if not isinstance(row[3], bytes):
            raise TaskError(f"{path}: 'code' of the row {fields[0]!r} must be text, not a {type(row[3]).__name__}.")
        if fields[0] in known:
            raise TaskError(f"{path}: code_id must be unique; {fields[0]!r} is there more than once.")
        known.add(fields[0])
        try:
            found.append(_Row(fields[0], fields[1], fields[2], row[3].decode()))
        except UnicodeDecodeError:
            reasons[fields[0]] = "the program is not UTF-8"
    return found


def _nearest(row: _Row, candidates: Sequence[_Row]) -> str | None:
    """The correct program that shares most tokens with a faulty one: the same author's, or else another's."""
    own = [each for each in candidates if each.user_id == row.user_id]
    tokens = _tokens(row.code)
    near = (own or candidates)[:COMPARED]
    return max((each.code for each in near), key=lambda code: _shared(tokens, _tokens(code)), default=None)


def _tokens(code: str) -> Counter[str]:
    return Counter(token for _, token in lex(code))


def _shared(first: Counter[str], second: Counter[str]) -> float:
    """Tokens in common as a share of all of them, in [0, 1]."""
    return 2 * (first & second).total() / max(first.total() + second.total(), 1)
