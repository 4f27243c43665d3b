"""Spider and the built-in questions; databases that are only read; comparing results."""

from __future__ import annotations

import json
import sqlite3

import pytest

from code_envs.errors import ConfigurationError, TaskError
from code_envs.syntax.sql_gold import NotExpressibleError, parse_query
from code_envs.syntax.sql_grammar import Derivation
from code_envs.syntax.sql_values import QuestionValues
from code_envs.tasks import spider, sql_questions
from code_envs.tasks.sources import load
from code_envs.tasks.sql_database import Database, Result, is_ordered, matches

SCHEMA = {
    "db_id": "zoo",
    "table_names_original": ["keeper", "animal"],
    "column_names_original": [[-1, "*"], [0, "id"], [0, "name"], [1, "id"], [1, "kind"], [1, "keeper"]],
    "column_types": ["text", "number", "text", "number", "text", "number"],
    "primary_keys": [1, 3],
    "foreign_keys": [[5, 1]],
}
QUESTIONS = [
    {"db_id": "zoo", "question": " How many keepers? ", "query": "SELECT count(*) FROM keeper"},
    {"db_id": "zoo", "question": "Which kinds?", "query": "SELECT kind FROM animal"},
]


@pytest.fixture
def folder(tmp_path):
    """A folder in Spider's layout."""
    home = tmp_path / "spider"
    (home / "database" / "zoo").mkdir(parents=True)
    with sqlite3.connect(home / "database" / "zoo" / "zoo.sqlite") as connection:
        connection.executescript(
            "CREATE TABLE keeper (id, name); CREATE TABLE animal (id, kind, keeper);"
            "INSERT INTO keeper VALUES (1, 'Ann'), (2, 'Bob'); INSERT INTO animal VALUES (1, 'emu', 2);"
        )
    connection.close()
    (home / "dev.json").write_text(json.dumps(QUESTIONS))
    (home / "tables.json").write_text(json.dumps([SCHEMA]))
    return home


def test_a_folder_of_others(folder):
    """Nothing depends on the particular items."""
    tasks = spider.load(folder)
    assert (tasks.ids, tasks.licence) == (("spider-v0/0", "spider-v0/1"), "CC-BY-SA-4.0")
    first = tasks[0]
    assert first.question == "How many keepers?"
    assert first.database.run(first.query) == Result("ok", ((2,),))
    (link, *_) = first.schema.links
    assert [each.name for each in link] == ["keeper", "id"]
    assert load(str(folder)).ids == load(f"spider:{folder}").ids == load(str(folder / "dev.json")).ids == tasks.ids
    assert len(spider.load(folder, limit=1)) == 1


def test_a_query_that_fails_is_left_out(folder):
    wrong = {**QUESTIONS[1], "query": "SELECT legs FROM animal"}
    (folder / "dev.json").write_text(json.dumps([QUESTIONS[0], wrong]))
    tasks = spider.load(folder)
    assert tasks.left_out == {"spider-v0/1": "the query fails: no such column: legs"}
    (folder / "dev.json").write_text(json.dumps([wrong]))
    with pytest.raises(TaskError, match="every query fails"):
        spider.load(folder)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("dev.json", b"", "empty"),
        ("dev.json", b'[{"db_id": "zoo"', "cut off"),
        ("dev.json", b'[{"db_id": "zoo", "question": "\xff"}]', "UTF-8"),
        ("dev.json", b'[{"db_id": "zoo"}]', "'question', 'query'"),
        ("dev.json", json.dumps([{**QUESTIONS[0], "query": 3}]).encode(), "'query' of Spider must be a str"),
        ("dev.json", json.dumps([{**QUESTIONS[0], "db_id": "farm"}]).encode(), "'farm' has no schema"),
        ("tables.json", b"[]", "empty"),
        ("tables.json", json.dumps([{**SCHEMA, "foreign_keys": [[5, 99]]}]).encode(), "pairs of column numbers"),
        ("tables.json", json.dumps([{**SCHEMA, "column_types": []}]).encode(), "a type for each"),
        ("database/zoo/zoo.sqlite", b"no database at all, but long enough to be read as one" * 40, "not a SQLite"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(folder, file, content, message):
    """Truncated, empty, wrongly encoded and wrongly shaped files."""
    (folder / file).write_bytes(content)
    with pytest.raises(TaskError, match=message):
        spider.load(folder)


def test_a_missing_database_is_named(folder):
    (folder / "database" / "zoo" / "zoo.sqlite").unlink()
    with pytest.raises(TaskError, match=r"expects the database 'zoo' at .*zoo\.sqlite"):
        spider.load(folder)


@pytest.mark.data
def test_the_real_files():
    """493 questions on 10 databases; the grammar derives an answer to 469 of them."""
    tasks = load("spider")
    assert (len(tasks), tasks.left_out) == (493, {})
    assert len({task.database.name for task in tasks}) == 10
    assert sum(map(_derivable, tasks)) == 469


def _derivable(task) -> bool:
    try:
        target = parse_query(task.query, task.schema)
    except NotExpressibleError:
        return False
    derivation = Derivation(task.schema, QuestionValues(task.question, task.database.values), 2, target)
    while derivation.decision is not None and derivation.decision.wanted >= 0:
        derivation.choose(derivation.decision.wanted)
    found = task.database.run(derivation.query.text())
    return matches(found, task.database.run(task.query), is_ordered(task.query))


# the built-in questions ---------------------------------------------------------------------------


def test_the_built_in_questions():
    """62 questions, all derivable, each with rows to answer it on both databases, which differ."""
    tasks = load("sql")
    assert (len(tasks), tasks.licence) == (62, "MIT")
    assert {name: len(ids) for name, ids in tasks.splits.items()} == {"train": 42, "test": 20}
    assert all(map(_derivable, tasks))
    assert all(database.run(task.query).rows for task in tasks for database in (task.database, task.held_out))
    assert sum(task.database.run(task.query) != task.held_out.run(task.query) for task in tasks) >= 50
    with pytest.raises(ConfigurationError, match="takes no path"):
        load("sql:/x")


GOOD = {
    "tables": {"t": {"id": "key", "name": ["a", "b"], "size": [1, 9]}},
    "rows": {"t": 2},
    "seeds": [1, 2],
    "questions": [["How many?", "SELECT count(*) FROM t"]],
}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON, cut off"),
        (json.dumps({**GOOD, "rows": None}), "two objects and two lists"),
        (json.dumps({**GOOD, "seeds": [1]}), "two integers"),
        (json.dumps({**GOOD, "questions": [["?"]]}), "a pair of texts"),
        (json.dumps({**GOOD, "rows": {}}), "'rows' must name 't'"),
        (json.dumps({**GOOD, "rows": {"t": 3}}), "needs 3 texts"),
        (
            json.dumps({**GOOD, "questions": [["?", "SELECT x FROM t"]]}),
            "question 0: the query fails .no such column: x",
        ),
    ],
)
def test_what_is_wrong_with_questions_is_named(tmp_path, content, message):
    (tmp_path / "some.json").write_text(content)
    with pytest.raises(TaskError, match=rf"some\.json.*{message}"):
        sql_questions.load(folder=tmp_path)


# databases ----------------------------------------------------------------------------------------

DATABASE = Database("d", script="CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 'x'), (2, 'y'), (2, 'y');")


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM t",
        "UPDATE t SET a = 3",
        "INSERT INTO t VALUES (1, 2)",
        "DROP TABLE t",
        "CREATE TABLE u (a)",
        "ATTACH DATABASE 'other.sqlite' AS other",
        "PRAGMA writable_schema = 1",
        "SELECT load_extension('x')",
        "SELECT randomblob(9)",
        "SELECT random() FROM t",
        "VACUUM INTO 'copy.sqlite'",
    ],
)
def test_a_database_is_only_read(folder, query):
    """Everything but reading is refused, in memory and in a file."""
    for database in (DATABASE, Database("zoo", folder / "database" / "zoo" / "zoo.sqlite")):
        assert database.run(query).status == "error"
    assert not list(folder.parent.rglob("*other*")) + list(folder.parent.rglob("*copy*"))


def test_a_long_query_stops_at_a_limit():
    """Too many instructions, or too many rows: always at the same point, never by the clock."""
    many = "t AS a" + "".join(f" JOIN t AS b{number}" for number in range(16))
    assert DATABASE.run(f"SELECT count(*) FROM {many}").status == "limit"
    assert DATABASE.run(f"SELECT * FROM {many}") == Result("limit", (), "more than 10000 rows")
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    assert DATABASE.run(endless).status in ("error", "limit")


def test_comparing_results():
    """As multisets, as lists where the known query orders its rows; numbers to six digits."""
    one, other = Result("ok", ((1, "x"), (2, "y"))), Result("ok", ((2, "y"), (1, "x")))
    assert matches(one, other, ordered=False)
    assert not matches(one, other, ordered=True)
    assert not matches(one, Result("ok", ((1, "x"), (2, "y"), (2, "y"))), ordered=False)
    assert not matches(Result("error"), Result("error"), ordered=False)
    assert matches(Result("ok", ((0.1 + 0.2,),)), Result("ok", ((0.3,),)), ordered=False)
    assert not matches(Result("ok", ((1,),)), Result("ok", (("1",),)), ordered=False)


@pytest.mark.parametrize(
    ("query", "ordered"),
    [
        ("SELECT a FROM t ORDER BY a", True),
        ("select a from t order  by a limit 1", True),
        ("SELECT a FROM t WHERE a = (SELECT b FROM t ORDER BY b LIMIT 1)", False),
        ("SELECT a FROM t WHERE b = 'order by'", False),
    ],
)
def test_whether_the_order_matters(query, ordered):
    assert is_ordered(query) is ordered
