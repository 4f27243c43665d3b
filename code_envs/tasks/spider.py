"""Spider: questions about databases of many domains; the dev set has 493 questions on the 10 databases at hand.

Format: a folder with `dev.json`, a JSON list whose items have `db_id`, `question` and `query`; `tables.json`, a JSON
list of schemas with `db_id`, `table_names_original`, `column_names_original` (pairs of table number, -1 for `*`, and
name), `column_types`, `primary_keys` and `foreign_keys` (numbers of columns); and the databases,
`database/<db_id>/<db_id>.sqlite`. Questions whose query fails on its database are left out. There is one database per
schema, so the held-out database is the same. Licence: CC-BY-SA-4.0. Source: Yu et al. (2018), "Spider: A Large-Scale
Human-Labeled Dataset for Complex and Cross-Domain Semantic Parsing and Text-to-SQL Task", yale-lily.github.io/spider.
"""

from __future__ import annotations

from pathlib import Path

from code_envs.errors import TaskError
from code_envs.syntax.sql_query import Column, Schema, Table
from code_envs.tasks.records import Record, read_records
from code_envs.tasks.sql_database import Database
from code_envs.tasks.sql_questions import SqlTask
from code_envs.tasks.task import TaskSet, digest

__all__ = ["FIELDS", "SCHEMA_FIELDS", "load"]

NAME, FORMAT, SCHEMAS = "spider-v0", "Spider", "A schema of Spider"
QUESTIONS, TABLES = "dev.json", "tables.json"
FIELDS = [("db_id", str), ("question", str), ("query", str)]
SCHEMA_FIELDS = [
    ("db_id", str),
    ("table_names_original", list),
    ("column_names_original", list),
    ("column_types", list),
    ("primary_keys", list),
    ("foreign_keys", list),
]


def load(folder: Path, limit: int | None = None) -> TaskSet[SqlTask]:
    """Load Spider's dev set.

    Args:
        folder: The folder that has `dev.json`, `tables.json` and `database`, or its `dev.json`.
        limit: Number of questions to read from the start of the file; None reads all.

    Raises:
        TaskError: If a file is missing or not as described above.
    """
    folder = folder if folder.is_dir() else folder.parent
    records, sha256 = read_records(folder / QUESTIONS, FORMAT)
    schemas, schemas_sha256 = read_records(folder / TABLES, SCHEMAS)
    for record in schemas:
        record.require(SCHEMA_FIELDS, SCHEMAS)
    known = {record.content["db_id"]: record for record in schemas}
    made: dict[str, tuple[Schema, Database]] = {}
    tasks: list[SqlTask] = []
    left_out: dict[str, str] = {}
    for number, record in enumerate(records[:limit]):
        record.require(FIELDS, FORMAT)
        item = record.content
        name, task_id = item["db_id"], f"{NAME}/{number}"
        if name not in made:
            made[name] = _database(record, known, folder)
        schema, database = made[name]
        result = database.run(item["query"])
        if result.status != "ok":
            left_out[task_id] = f"the query fails: {result.message}"
            continue
        tasks.append(SqlTask(task_id, item["question"].strip(), item["query"], schema, database, database))
    if not tasks:
        raise TaskError(f"{folder / QUESTIONS}: every query fails. Reasons: {dict(list(left_out.items())[:3])}.")
    parts = [sha256, schemas_sha256, *(database.sha256 for _, (_, database) in sorted(made.items()))]
    splits = {"validation": tuple(task.task_id for task in tasks)}
    origin = "Yu et al. (2018), yale-lily.github.io/spider"
    both = digest(*(each.encode() for each in parts))
    return TaskSet(NAME, tuple(tasks), "CC-BY-SA-4.0", origin, both, left_out, splits)


def _database(record: Record, known: dict[str, Record], folder: Path) -> tuple[Schema, Database]:
    name = record.content["db_id"]
    if name not in known:
        raise TaskError(f"{record.place}: the database {name!r} has no schema in {folder / TABLES}.")
    path = folder / "database" / name / f"{name}.sqlite"
    if not path.is_file():
        raise TaskError(f"{record.place}: {FORMAT} expects the database {name!r} at {path}; there is no file.")
    return _schema(known[name]), Database(name, path)


def _schema(record: Record) -> Schema:
    item = record.content
    names = item["table_names_original"]
    keys = {number for each in item["primary_keys"] for number in (each if isinstance(each, list) else [each])}
    columns: list[Column | None] = []
    try:
        for number, ((table, name), kind) in enumerate(
            zip(item["column_names_original"], item["column_types"], strict=True)
        ):
            columns.append(None if table < 0 else Column(names[table], name, kind == "number", number in keys))
        pairs = [(columns[left], columns[right]) for left, right in item["foreign_keys"]]
    except (ValueError, TypeError, IndexError) as error:
        raise TaskError(
            f"{record.place}: {SCHEMAS} has columns as pairs of table number and name, a type for each, and foreign "
            f"keys as pairs of column numbers: {error}."
        ) from error
    real = [each for each in columns if each is not None]
    real = [each for each in real if not each.table.startswith("sqlite_")]  # SQLite's own, not in every file
    mine = [each for each in names if not each.startswith("sqlite_")]
    tables = tuple(Table(name, tuple(each for each in real if each.table == name)) for name in mine)
    links = [(left, right) for left, right in pairs if left is not None and right is not None]
    return Schema(tables, tuple(links + _same_names(real, links)))


def _same_names(columns: list[Column], links: list[tuple[Column, Column]]) -> list[tuple[Column, Column]]:
    """Links that no foreign key declares: columns of one name in two tables, one of them a key."""
    linked = {frozenset(pair) for pair in links}
    return [
        (left, right)
        for number, left in enumerate(columns)
        for right in columns[number + 1 :]
        if left.table != right.table
        and left.name.lower() == right.name.lower()
        and (left.key or right.key)
        and frozenset((left, right)) not in linked
    ]
