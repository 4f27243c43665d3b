"""SQLite databases that are only read: executing a query within fixed bounds, and comparing two results.

Opened read-only and immutable. An authorizer allows reading and a list of harmless functions, nothing else, and a
progress handler counts the virtual machine's instructions, so that a query that takes too long stops at the same
point every time. No extension is ever loaded. Queries here come from a grammar; a text of a policy's own would meet
the same walls, but SQLite itself is no sandbox.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from code_envs.errors import TaskError
from code_envs.syntax.sql_query import Column, Schema, Table

__all__ = ["Database", "Result", "is_ordered", "matches"]

INSTRUCTIONS, PERIOD = 5_000_000, 1_000
"""SQLite instructions that a query may take, and how often they are counted."""
ROWS = 10_000
"""Rows that are fetched; a result with more is over the limit."""
DISTINCT = 5_000
"""Distinct values of a column that are looked at."""
FUNCTIONS = frozenset("count sum avg min max total abs lower upper length round like".split())
DIGITS = 6
"""Digits behind the point that two numbers must share."""
_ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ})

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What a query gave.

    Args:
        status: "ok", "error" (SQLite refused it), or "limit" (too many instructions or rows).
        rows: The rows, in the database's order.
        message: What SQLite said.
    """

    status: str
    rows: tuple[Row, ...] = ()
    message: str = ""


@dataclass(frozen=True, slots=True)
class Database:
    """A database: a file, or a script that makes one in memory.

    Args:
        name: Its name.
        path: The file, or None.
        script: SQL of this project that makes the database, where there is no file.
    """

    name: str
    path: Path | None = None
    script: str = field(default="", repr=False)

    @property
    def sha256(self) -> str:
        """Digest of the file or of the script."""
        content = self.script.encode() if self.path is None else self.path.read_bytes()
        return hashlib.sha256(content).hexdigest()

    def run(self, query: str) -> Result:
        """Execute a query.

        Raises:
            TaskError: If the database cannot be opened.
        """
        with closing(self._opened()) as connection:
            left = INSTRUCTIONS // PERIOD

            def count() -> int:
                nonlocal left
                left -= 1
                return left < 0

            connection.set_progress_handler(count, PERIOD)
            connection.set_authorizer(_authorized)
            try:
                rows = connection.execute(query).fetchmany(ROWS + 1)
            except sqlite3.Error as error:
                return Result("limit" if left < 0 else "error", (), str(error))
        return Result("limit", (), f"more than {ROWS} rows") if len(rows) > ROWS else Result("ok", tuple(rows))

    def _opened(self) -> sqlite3.Connection:
        try:
            if self.path is None:
                connection = sqlite3.connect(":memory:")
                connection.executescript(self.script)
            else:
                uri = f"{self.path.resolve().as_uri()}?mode=ro&immutable=1"
                connection = sqlite3.connect(uri, uri=True)
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error as error:
            raise TaskError(f"{self.path or self.name}: not a SQLite database that can be read: {error}.") from error
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        return connection

    def schema(self) -> Schema:
        """Tables, columns and foreign keys as the database itself declares them."""
        with closing(self._opened()) as connection:
            query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
            names = [row[0] for row in connection.execute(query)]
            tables = []
            for name in names:
                columns = connection.execute("SELECT name, type, pk FROM pragma_table_info(?)", (name,)).fetchall()
                tables.append(
                    Table(name, tuple(Column(name, each, _is_number(kind), pk > 0) for each, kind, pk in columns))
                )
            found = {(each.table.lower(), each.name.lower()): each for table in tables for each in table.columns}
            links = []
            for name in names:
                for row in connection.execute('SELECT "from", "table", "to" FROM pragma_foreign_key_list(?)', (name,)):
                    here, there = (name.lower(), row[0].lower()), (row[1].lower(), (row[2] or row[0]).lower())
                    if here in found and there in found:
                        links.append((found[here], found[there]))
        return Schema(tuple(tables), tuple(links))

    def values(self, column: Column) -> tuple[str, ...]:
        """Distinct texts of a column, sorted; at most 5,000."""
        return _values(self, column)


@lru_cache(maxsize=2048)
def _values(database: Database, column: Column) -> tuple[str, ...]:
    quoted, table = (each.replace('"', '""') for each in (column.name, column.table))
    result = database.run(f'SELECT DISTINCT "{quoted}" FROM "{table}" LIMIT {DISTINCT}')
    return tuple(sorted(str(row[0]) for row in result.rows if row[0] not in (None, "")))


def _is_number(kind: str) -> bool:
    return any(word in kind.lower() for word in ("int", "num", "real", "float", "double", "dec"))


def _authorized(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    if action in _ALLOWED or (action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in FUNCTIONS):
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def is_ordered(query: str) -> bool:
    """Whether the order of a query's rows matters: it has ORDER BY outside all parentheses."""
    text = re.sub(r"'[^']*'|\"[^\"]*\"", "", query)
    while "(" in text:
        shorter = re.sub(r"\([^()]*\)", "", text)
        if shorter == text:
            break
        text = shorter
    return re.search(r"\border\s+by\b", text, re.IGNORECASE) is not None


def matches(found: Result, expected: Result, ordered: bool) -> bool:
    """Whether a result is what was expected: the same rows as often, and in the same order where it matters."""
    if found.status != "ok" or expected.status != "ok" or len(found.rows) != len(expected.rows):
        return False
    mine, theirs = [_plain(row) for row in found.rows], [_plain(row) for row in expected.rows]
    return mine == theirs if ordered else Counter(mine) == Counter(theirs)


def _plain(row: Row) -> Row:
    return tuple(round(each, DIGITS) if isinstance(each, float) else each for each in row)
