"""Where executions are remembered: a `Store` maps 32-byte keys to bytes.

`MemoryStore` ends with the process; `SqliteStore` is one file that many processes share and that outlives
them. Neither knows what its bytes mean: `code_envs.execution.cache` does.
"""

from __future__ import annotations

import os
import sqlite3
import time
import weakref
from abc import ABC, abstractmethod
from collections import OrderedDict
from pathlib import Path

from code_envs.errors import ConfigurationError

__all__ = ["MemoryStore", "SqliteStore", "Store"]


class Store(ABC):
    """Maps keys to bytes, for one thread at a time. Equal keys stand for equal facts, so nothing is ever outdated."""

    @abstractmethod
    def get(self, key: bytes) -> bytes | None:
        """The value of a key, or None."""

    @abstractmethod
    def put(self, key: bytes, value: bytes) -> None:
        """Remember a value; of two values for one key, either may be kept."""

    @abstractmethod
    def close(self) -> None:
        """Release what the store holds. Safe to call twice; the store cannot be used afterwards."""


class MemoryStore(Store):
    """Remembers in this process; what was used least recently goes first.

    Args:
        max_entries: Largest number of values.
        max_mib: Largest size of all values together, MiB. A program decides how large its outcome is, so a number
            of entries alone would not bound the memory.

    Raises:
        ConfigurationError: If an argument cannot be used.
    """

    def __init__(self, max_entries: int = 100_000, max_mib: int = 256) -> None:
        for name, number in (("max_entries", max_entries), ("max_mib", max_mib)):
            if type(number) is not int or number < 1:
                raise ConfigurationError(f"{name} must be a positive int, not {number!r}.")
        self._max_entries = max_entries
        self._max_bytes = max_mib << 20
        self._values: OrderedDict[bytes, bytes] = OrderedDict()
        self._bytes = 0
        self._closed = False

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"MemoryStore(max_entries={self._max_entries}, max_mib={self._max_bytes >> 20})"

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, or None."""
        _require_open(self, self._closed)
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: bytes, value: bytes) -> None:
        """Remember a value, unless it is larger than the whole store may be."""
        _require_open(self, self._closed)
        if len(value) > self._max_bytes:
            return
        self._bytes += len(value) - len(self._values.pop(key, b""))
        self._values[key] = value
        while len(self._values) > self._max_entries or self._bytes > self._max_bytes:
            _, oldest = self._values.popitem(last=False)
            self._bytes -= len(oldest)

    def close(self) -> None:
        """Forget everything."""
        self._closed = True
        self._values.clear()
        self._bytes = 0


SCHEMA = 1
APPLICATION = 0x43454E56  # "CENV": tells our files from other SQLite files
BUSY_TIMEOUT_S = 30.0
_RETRY_S = 0.01
_EMPTY = (0, 0)


class SqliteStore(Store):
    """Remembers in an SQLite file, which any number of processes of one machine may use at once.

    A process that is killed in the middle of a write loses that write and nothing else. The file grows without
    limit; delete it, with its `-wal` and `-shm` companions, while no process uses it. It must lie on a local disk:
    the write-ahead log needs memory that the processes share.

    Args:
        path: The file; it is created if it does not exist, its folder is not.

    Raises:
        ConfigurationError: If the file is damaged, belongs to something else, or cannot be opened or written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()
        self._closed = False
        self._connection: sqlite3.Connection | None = None
        self._connected()
        _open_stores.add(self)

    def __repr__(self) -> str:
        return f"SqliteStore({str(self.path)!r})"

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, or None.

        Raises:
            ConfigurationError: If the file cannot be read.
        """
        connection = self._connected()
        try:
            row = connection.execute("SELECT value FROM outcomes WHERE key = ?", (key,)).fetchone()
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        return None if row is None else bytes(row[0])

    def put(self, key: bytes, value: bytes) -> None:
        """Remember a value; the first value of a key stays.

        Raises:
            ConfigurationError: If the file cannot be written.
        """
        connection = self._connected()
        try:
            connection.execute("INSERT OR IGNORE INTO outcomes VALUES (?, ?)", (key, value))
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def close(self) -> None:
        """Close the file."""
        self._closed = True
        self._disconnect()

    def _connected(self) -> sqlite3.Connection:
        """The connection, opened anew at the first use after a fork."""
        if self._connection is None:
            _require_open(self, self._closed)
            try:
                self._connection = self._connect()
            except sqlite3.Error as error:
                raise self._unusable(error) from error
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        # the timeout of a connection does not cover the switch to write-ahead logging: while several processes create
        # the file, SQLite reports it as busy at once
        end = time.monotonic() + BUSY_TIMEOUT_S
        while True:
            try:
                return self._try_to_connect()
            except sqlite3.OperationalError as error:
                if not _is_busy(error) or time.monotonic() > end:
                    raise
                time.sleep(_RETRY_S)

    def _try_to_connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Make sure that the file is ours, before anything in it is changed; create the table in an empty one."""
        # tables first: whoever creates them sets both numbers in the same transaction
        tables = _number(connection, "SELECT count(*) FROM sqlite_master")
        identity = _number(connection, "PRAGMA application_id"), _number(connection, "PRAGMA user_version")
        is_empty = identity == _EMPTY and not tables
        if not is_empty:
            self._require_ours(*identity)
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise ConfigurationError(
                f"The cache file {str(self.path)!r} allows no write-ahead log (its journal mode is {mode!r}). "
                "Put it on a local disk, or use MemoryStore."
            )
        # an application's end loses nothing, the machine's end loses the last writes; a sync per write costs ms
        connection.execute("PRAGMA synchronous = NORMAL")
        if is_empty:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("CREATE TABLE IF NOT EXISTS outcomes (key BLOB PRIMARY KEY, value BLOB NOT NULL)")
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {SCHEMA}")
            connection.execute("COMMIT")

    def _require_ours(self, application: int, schema: int) -> None:
        if application != APPLICATION:
            raise ConfigurationError(
                f"{str(self.path)!r} is an SQLite file of another program, not a cache of executions. It was not "
                "changed. Name another path."
            )
        if schema != SCHEMA:
            raise ConfigurationError(
                f"The cache file {str(self.path)!r} has schema {schema}; this version of Code Envs uses schema "
                f"{SCHEMA}. Delete the file, or name another path."
            )

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _unusable(self, error: sqlite3.Error) -> ConfigurationError:
        if _is_busy(error):
            advice = f"Another process has been writing it for {BUSY_TIMEOUT_S:g} s: end that process, or try later."
        elif _code(error) in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            advice = "It is damaged, or no cache of executions: delete it, or name another path."
        else:
            advice = "Make sure that its folder exists, is on a local disk with room left, and can be written."
        return ConfigurationError(f"The cache file {str(self.path)!r} cannot be used: {error}. {advice}")


def _require_open(store: Store, closed: bool) -> None:
    if closed:
        raise ConfigurationError(f"{store!r} is closed. Create a new one.")


def _number(connection: sqlite3.Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 for an error of Python's module."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _is_busy(error: sqlite3.Error) -> bool:
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)


_open_stores: weakref.WeakSet[SqliteStore] = weakref.WeakSet()


def _disconnect_all() -> None:
    for store in tuple(_open_stores):
        store._disconnect()


# Before and not after a fork: SQLite notes in the process's memory which locks it holds on which file. A child
# inherits the notes without the locks, so even a connection that it opens itself could be robbed of its log
# (https://sqlite.org/howtocorrupt.html, 2.6). Starting sandbox workers is no fork and does not come here.
os.register_at_fork(before=_disconnect_all)
