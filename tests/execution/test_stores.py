"""The stores of executions: what goes first, many processes on one file, kills, forks, files that are not ours."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import sqlite3
import threading
import time

import pytest

from code_envs.errors import ConfigurationError
from code_envs.execution import stores
from code_envs.execution.stores import MemoryStore, SqliteStore


def key(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


def value(number: int) -> bytes:
    """Some pages of bytes that belong to one key only."""
    return key(-number) * (100 + number % 50)


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    made = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "cache.sqlite")
    yield made
    made.close()


def test_get_and_put(store):
    """A key that was never put has no value; a value comes back as it was, also an empty one."""
    assert store.get(key(1)) is None
    store.put(key(1), value(1))
    store.put(key(2), b"")
    assert store.get(key(1)) == value(1)
    assert store.get(key(2)) == b""
    assert store.get(key(3)) is None


def test_the_same_twice(store):
    """Putting the same again changes nothing."""
    for _ in range(3):
        store.put(key(1), value(1))
    assert store.get(key(1)) == value(1)


def test_close(store):
    """Closing twice is harmless; using a closed store says so."""
    store.put(key(1), value(1))
    store.close()
    store.close()
    for use in (lambda: store.get(key(1)), lambda: store.put(key(2), b"x")):
        with pytest.raises(ConfigurationError, match="closed"):
            use()


# in memory ----------------------------------------------------------------------------------------


def test_least_recently_used_goes_first():
    """Reading and writing both count as use."""
    store = MemoryStore(max_entries=3)
    for number in (1, 2, 3):
        store.put(key(number), value(number))
    store.get(key(1))
    store.put(key(2), value(2))
    store.put(key(4), value(4))
    assert [number for number in (1, 2, 3, 4) if store.get(key(number)) is not None] == [1, 2, 4]
    store.put(key(5), value(5))
    assert [number for number in (1, 2, 4, 5) if store.get(key(number)) is not None] == [2, 4, 5]
    assert len(store) == 3


def test_the_size_is_bounded():
    """Large values push out as many small ones as need be; a value beyond the whole size is not kept."""
    store = MemoryStore(max_mib=1)
    store.put(key(0), b"0" * (1 << 19))
    for number in range(1, 9):
        store.put(key(number), b"x" * (1 << 16))
    assert len(store) == 9
    store.put(key(0), b"0" * (1 << 19))  # replaced, not counted twice
    assert len(store) == 9
    store.put(key(9), b"9" * (1 << 17))
    assert [number for number in range(10) if store.get(key(number)) is None] == [1, 2]
    store.put(key(10), b"x" * ((1 << 20) + 1))
    assert store.get(key(10)) is None
    assert len(store) == 8
    store.put(key(11), b"x" * (1 << 20))
    assert len(store) == 1


@pytest.mark.parametrize("options", [{"max_entries": 0}, {"max_entries": 2.5}, {"max_mib": 0}, {"max_mib": True}])
def test_bad_bounds(options):
    """What is no positive integer is refused by name."""
    with pytest.raises(ConfigurationError, match=f"{next(iter(options))} must be a positive int"):
        MemoryStore(**options)


# in a file ----------------------------------------------------------------------------------------


def integrity(path) -> str:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("PRAGMA integrity_check").fetchone()[0]
    finally:
        connection.close()


def test_the_file_outlives_its_store(tmp_path):
    """What one store wrote the next one reads; the file names its schema and uses write-ahead logging."""
    path = tmp_path / "cache.sqlite"
    first = SqliteStore(path)
    first.put(key(1), value(1))
    first.close()
    second = SqliteStore(str(path))
    assert second.get(key(1)) == value(1)
    second.close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (stores.SCHEMA,)
    assert connection.execute("PRAGMA application_id").fetchone() == (stores.APPLICATION,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_the_path_is_fixed_at_once(tmp_path, monkeypatch):
    """A relative path means the folder in which the store was made, also when it reconnects."""
    monkeypatch.chdir(tmp_path)
    store = SqliteStore("cache.sqlite")
    store.put(key(1), value(1))
    monkeypatch.chdir(tmp_path.parent)
    store._disconnect()
    assert store.get(key(1)) == value(1)
    store.close()


COUNT, STRIDE = 150, 50


def write_some(path, barrier, first):
    """A process: open the file at the same time as the others, write, and read what others write too."""
    barrier.wait()
    store = SqliteStore(path)
    for number in range(first, first + COUNT):
        store.put(key(number), value(number))
        for other in (number, number - STRIDE, number + STRIDE):
            assert store.get(key(other)) in (None, value(other))
        assert store.get(key(number)) == value(number)
    store.close()


def test_many_processes_write_one_file(tmp_path):
    """Four processes create one file at once and write overlapping keys: every value is there, and whole."""
    path = tmp_path / "cache.sqlite"
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(4)
    processes = [context.Process(target=write_some, args=(path, barrier, STRIDE * number)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert integrity(path) == "ok"
    store = SqliteStore(path)
    assert all(store.get(key(number)) == value(number) for number in range(3 * STRIDE + COUNT))
    assert store.get(key(3 * STRIDE + COUNT)) is None
    store.close()


def test_creation_waits_for_another_process(tmp_path):
    """While somebody else is creating the file, the switch to write-ahead logging fails at once: it is repeated."""
    path = tmp_path / "cache.sqlite"
    other = locked(path)
    timer = threading.Timer(0.3, lambda: other.execute("ROLLBACK"))
    timer.start()
    store = SqliteStore(path)
    timer.join()
    other.close()
    store.put(key(1), value(1))
    assert store.get(key(1)) == value(1)
    store.close()


def test_another_process_creates_the_file_first(tmp_path, monkeypatch):
    """Between finding the file empty and filling it, somebody else fills it: both use the one table."""
    path = tmp_path / "cache.sqlite"
    read, others = stores._number, []

    def and_be_overtaken(connection, query):
        number = read(connection, query)
        if query == "PRAGMA user_version" and not others:
            others.append(None)
            others[0] = SqliteStore(path)
            others[0].put(key(1), value(1))
        return number

    monkeypatch.setattr(stores, "_number", and_be_overtaken)
    store = SqliteStore(path)
    assert store.get(key(1)) == value(1)
    store.close()
    others[0].close()


def write_forever(path, first):
    """A process: write until killed."""
    store = SqliteStore(path)
    number = first
    while True:
        store.put(key(number), value(number))
        number += 1


def test_a_kill_loses_one_write_at_most(tmp_path):
    """Writers killed at any moment leave a sound file, to which the next process writes."""
    path = tmp_path / "cache.sqlite"
    store = SqliteStore(path)
    context = multiprocessing.get_context("spawn")
    for first in (0, 100_000, 200_000):
        writer = context.Process(target=write_forever, args=(path, first))
        writer.start()
        end = time.monotonic() + 60
        while store.get(key(first + 200)) is None:
            assert time.monotonic() < end
            time.sleep(0.001)
        writer.kill()
        writer.join()
        assert all(store.get(key(first + number)) == value(first + number) for number in range(201))
        last = next(number for number in range(first, first + 100_000) if store.get(key(number)) is None)
        assert store.get(key(last + 1)) is None
        store.put(key(last), value(last))
        assert store.get(key(last)) == value(last)
    store.close()
    assert integrity(path) == "ok"


def test_a_fork_opens_its_own_connection(tmp_path):
    """No connection crosses a fork; afterwards both processes read and write."""
    path = tmp_path / "cache.sqlite"
    store = SqliteStore(path)
    store.put(key(1), value(1))
    child = os.fork()
    if child == 0:
        code = 1
        try:
            inherited = store._connection
            store.put(key(2), value(2))
            code = 0 if inherited is None and store.get(key(1)) == value(1) else 2
            store.close()
        finally:
            os._exit(code)
    store.put(key(3), value(3))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [number for number in range(5) if store.get(key(number)) == value(number)] == [1, 2, 3]
    store.close()
    assert integrity(path) == "ok"


def locked(path) -> sqlite3.Connection:
    """Another process's connection, in the middle of a write."""
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    return other


def test_a_writer_waits_for_another(tmp_path):
    """A write waits until the file is free; a read does not wait at all."""
    store = SqliteStore(tmp_path / "cache.sqlite")
    store.put(key(1), value(1))
    other = locked(store.path)
    begun = time.monotonic()
    assert store.get(key(1)) == value(1)
    timer = threading.Timer(0.5, lambda: other.execute("COMMIT"))
    timer.start()
    store.put(key(2), value(2))
    assert time.monotonic() - begun >= 0.5
    timer.join()
    other.close()
    assert store.get(key(2)) == value(2)
    store.close()


def test_a_writer_does_not_wait_forever(tmp_path, monkeypatch):
    """A file that stays locked gives an error that names it and says who holds it."""
    monkeypatch.setattr(stores, "BUSY_TIMEOUT_S", 0.1)
    store = SqliteStore(tmp_path / "cache.sqlite")
    other = locked(store.path)
    with pytest.raises(ConfigurationError, match=r"cache\.sqlite.*Another process has been writing it for 0\.1 s"):
        store.put(key(1), value(1))
    other.close()
    store.put(key(1), value(1))
    assert store.get(key(1)) == value(1)
    store.close()


def garbage(path):
    path.write_bytes(b"no database, but long enough to be looked at\n" * 100)


def truncated(path):
    store = SqliteStore(path)
    store.put(key(1), value(1))
    store.close()
    path.write_bytes(path.read_bytes()[:50])


def foreign(path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE outcomes (key BLOB PRIMARY KEY, value BLOB NOT NULL)")
    connection.commit()
    connection.close()


def of_another_version(path):
    SqliteStore(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {stores.SCHEMA + 1}")
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (garbage, "cannot be used: .*delete it, or name another path"),
        (truncated, "cannot be used: .*delete it, or name another path"),
        (foreign, "file of another program.*Name another path"),
        (of_another_version, rf"has schema {stores.SCHEMA + 1}.*Delete the file, or name another path"),
        (lambda path: path.mkdir(), "cannot be used: .*Make sure that its folder exists"),
    ],
    ids=["garbage", "truncated", "foreign", "version", "folder"],
)
def test_files_that_cannot_be_used(tmp_path, make, message):
    """What is no sound file of ours is refused by name, with what to do, and left as it was."""
    path = tmp_path / "some file"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(ConfigurationError, match=f"some file'.*{message}"):
        SqliteStore(path)
    assert before is None or path.read_bytes() == before


def test_a_missing_folder(tmp_path):
    """Folders are not created."""
    with pytest.raises(ConfigurationError, match=r"missing/cache'.*Make sure that its folder exists"):
        SqliteStore(tmp_path / "missing" / "cache")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_made_ours(tmp_path):
    """A file without a byte, as a kill at the first moment leaves it, is used."""
    path = tmp_path / "cache.sqlite"
    path.touch()
    store = SqliteStore(path)
    store.put(key(1), value(1))
    assert store.get(key(1)) == value(1)
    store.close()


def test_damage_behind_the_header(tmp_path):
    """Damage that opening does not see is found by reading or writing, and named."""
    path = tmp_path / "cache.sqlite"
    store = SqliteStore(path)
    for number in range(200):
        store.put(key(number), value(number))
    store.close()
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))
    damaged = SqliteStore(path)
    for use in (lambda: damaged.get(key(1)), lambda: damaged.put(key(1000), b"x")):
        with pytest.raises(ConfigurationError, match=r"cache\.sqlite'.*delete it, or name another path"):
            use()
    damaged.close()
