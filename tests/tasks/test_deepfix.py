"""The DeepFix format: an SQLite file with programs that compile and programs that do not."""

import gzip
import shutil
import sqlite3
from contextlib import closing

import pytest

from code_envs.errors import TaskError
from code_envs.tasks.sources import load

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc on PATH")

RIGHT = "int main() {\n  int n = 0;\n  return n;\n}\n"
OTHER = "float half(float x) { return x / 2; }\nint main() { return (int) half(3); }\n"
WRONG = "int main() {\n  int n = 0\n  return n;\n}\n"
COLUMNS = "code_id, user_id, problem_id, code, error, errorcount, codelength"
ROWS = [
    ("p2", "u1", "prob1", WRONG, "expected ;", 1, 9),
    ("p1", "u2", "prob1", WRONG.replace(" n", " k"), "expected ;", 1, 9),
    ("p3", "u1", "prob2", WRONG, "expected ;", 1, 9),
    ("c1", "u1", "prob1", RIGHT.replace(" n", " q"), "", 0, 9),
    ("c2", "u2", "prob1", OTHER, "", 0, 9),
    ("c3", "u3", "prob1", RIGHT, "", 0, 9),
    ("c4", "u1", "prob3", RIGHT, "", 0, 9),
]


def corpus(path, rows=ROWS, columns=COLUMNS, table="Code"):
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"CREATE TABLE {table} ({columns})")
        marks = ", ".join("?" * len(columns.split(",")))
        database.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        database.commit()
    return path


@needs_gcc
def test_programs_and_references(tmp_path, executor):
    """A reference is a program for the same problem, the same author's first; without one the program is left out."""
    tasks = load(f"deepfix:{corpus(tmp_path / 'a.db')}", executor)
    assert tasks.ids == ("deepfix-v0/p1", "deepfix-v0/p2")
    assert tasks["deepfix-v0/p2"].reference == RIGHT.replace(" n", " q")
    assert tasks["deepfix-v0/p1"].reference == OTHER
    assert tasks.left_out == {"deepfix-v0/p3": "no program of problem 'prob2' has errorcount 0"}
    assert sorted(map(len, tasks.splits.values())) == [0, 0, 2]


@needs_gcc
def test_nearest_program_of_others(tmp_path, executor):
    """Where the author has none that compiles, the one that shares most tokens is taken."""
    rows = [("p", "nobody", "prob1", WRONG, "e", 1, 9), *ROWS[3:]]
    tasks = load(f"deepfix:{corpus(tmp_path / 'a.db', rows)}", executor)
    assert tasks[0].reference == RIGHT


@needs_gcc
def test_limit_gzip_and_journal_mode(tmp_path, executor):
    """The first faulty programs by id; a gzipped file, and one in WAL mode, are read as well."""
    path = corpus(tmp_path / "a.db")
    assert load(f"deepfix*1:{path}", executor).ids == ("deepfix-v0/p1",)
    packed = tmp_path / "b.db.gz"
    packed.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    assert load(f"deepfix:{packed}", executor).ids == load(f"deepfix:{path}", executor).ids
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA journal_mode=WAL").fetchone() == ("wal",)
    assert len(load(f"deepfix:{path}", executor)) == 2


@needs_gcc
def test_programs_that_are_no_text(tmp_path, executor):
    """A program in another encoding is left out; numbers may be ids."""
    rows = [(7, 1, 1, WRONG, "e", 1, 9), (8, 1, 1, b"int main() { /* \xff */", "e", 1, 9), (9, 1, 1, RIGHT, "", 0, 9)]
    tasks = load(f"deepfix:{corpus(tmp_path / 'a.db', rows)}", executor)
    assert tasks.ids == ("deepfix-v0/7",)
    assert tasks.left_out == {"deepfix-v0/8": "the program is not UTF-8"}


def damaged(path):
    content = corpus(path, ROWS * 40).read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_bytes(b""), "the file is empty"),
        (lambda path: path.write_text("code_id,code\n"), "an SQLite file with a table 'Code' is expected; it begins"),
        (lambda path: path.write_bytes(b"SQLite format 3\x00" + b"\x07" * 500), "damaged, cut off or of another kind"),
        (damaged, "damaged, cut off or of another kind"),
        (lambda path: corpus(path, table="Programs"), r"a table 'Code' is expected; the tables are \['Programs'\]"),
        (lambda path: corpus(path, [("a", "b")], "code_id, code"), r"needs the columns .* has \['code_id', 'code'\]"),
        (lambda path: corpus(path, ROWS[3:]), "has no row with errorcount > 0"),
        (lambda path: corpus(path, [*ROWS, ROWS[0]]), "code_id must be unique; 'p2'"),
        (lambda path: corpus(path, [("a", "b", "c", None, "", 1, 9)]), "lacks one of"),
        (lambda path: corpus(path, [("a", "b", "c", 5, "", 1, 9)]), "'code' of the row 'a' must be text, not a int"),
    ],
)  # fmt: skip
def test_wrong_files(tmp_path, executor, make, message):
    """What is wrong is said, with the file."""
    path = tmp_path / "a.db"
    make(path)
    with pytest.raises(TaskError, match=message) as raised:
        load(f"deepfix:{path}", executor)
    assert str(path) in str(raised.value)


def test_a_view_is_not_read(tmp_path, executor):
    """The rows must be stored: a view, whose query could run for ever, is no table."""
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE VIEW Code AS SELECT 1 AS code_id")
        database.commit()
    with pytest.raises(TaskError, match=r"the tables are \[\]"):
        load(f"deepfix:{path}", executor)
