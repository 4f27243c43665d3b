"""Questions with the SQL query that answers them: what TextToSQL is about, and the ones that come with Code Envs.

Format of the built-in ones: a JSON file per schema in `code_envs/tasks/builtin/sql`: `tables` (columns: "key" for the
numbers from 1, "table.column" for a reference, a list to draw texts from, a pair of integers to draw numbers from),
`rows` per table, `seeds` of the two databases that are made of it, with the same tables and other rows (one earns
reward, the other is held out), and `questions`, pairs of question and query, the simple ones first. A column `name`
or `title` has a value of its own in every row. Every third question is in the split "test". Licence: MIT, written for
Code Envs.
"""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any

import numpy as np

from code_envs.errors import TaskError
from code_envs.syntax.sql_query import Schema
from code_envs.tasks.sql_database import Database
from code_envs.tasks.task import TaskSet, digest

__all__ = ["SqlTask", "load"]

NAME = "sql-v0"
FORMAT = "A file of questions"
KEYS = {"tables": dict, "rows": dict, "seeds": list, "questions": list}
OWN = frozenset({"name", "title"})
TEST_EVERY = 3


@dataclass(frozen=True, slots=True)
class SqlTask:
    """A question about a database.

    Args:
        task_id: Permanent id, `<task set>/<item>`.
        question: The question.
        query: The query that answers it.
        schema: Tables and links of the database.
        database: Where queries earn reward.
        held_out: A database of the same schema with other rows; `database` itself where there is no other.
    """

    task_id: str
    question: str
    query: str
    schema: Schema
    database: Database
    held_out: Database


def load(limit: int | None = None, folder: Traversable | None = None) -> TaskSet[SqlTask]:
    """Load the built-in questions.

    Args:
        limit: Number of questions to read; None reads all.
        folder: Where the files are; None means the package's own.

    Raises:
        TaskError: If a file is not as described above, or a query fails or gives nothing on a database.
    """
    folder = folder or importlib.resources.files("code_envs.tasks").joinpath("builtin", "sql")
    files = sorted((each for each in folder.iterdir() if each.name.endswith(".json")), key=lambda each: each.name)
    if not files:
        raise TaskError(f"{folder}: there is no file NAME.json here.")
    tasks: list[SqlTask] = []
    for file in files:
        tasks += _tasks(file.name.removesuffix(".json"), _content(file))
    test = [task.task_id for task in tasks[TEST_EVERY - 1 :: TEST_EVERY]]
    chosen = tuple(tasks[:limit])
    ids = [task.task_id for task in chosen]
    splits = {"train": [each for each in ids if each not in test], "test": [each for each in ids if each in test]}
    sha256 = digest(*(part for file in files for part in (file.name.encode(), file.read_bytes())))
    return TaskSet(NAME, chosen, "MIT", "written for Code Envs", sha256, {}, splits)


def _content(file: Traversable) -> Mapping[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise TaskError(f"{file.name}: not JSON, cut off, or not UTF-8: {error}.") from error
    if not isinstance(content, dict) or any(not isinstance(content.get(key), kind) for key, kind in KEYS.items()):
        raise TaskError(f"{file.name}: {FORMAT} is an object with {list(KEYS)}: two objects and two lists.")
    if len(content["seeds"]) != 2 or not all(isinstance(each, int) for each in content["seeds"]):
        raise TaskError(f"{file.name}: 'seeds' are two integers, not {content['seeds']}.")
    for pair in content["questions"]:
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(each, str) for each in pair):
            raise TaskError(f"{file.name}: a question is a pair of texts, question and query, not {str(pair)[:60]!r}.")
    return content


def _tasks(name: str, content: Mapping[str, Any]) -> list[SqlTask]:
    database, held_out = (Database(f"{name}-{seed}", script=_script(name, content, seed)) for seed in content["seeds"])
    schema = database.schema()
    tasks = []
    for number, (question, query) in enumerate(content["questions"]):
        for each in (database, held_out):
            result = each.run(query)
            if result.status != "ok":
                raise TaskError(f"{name}.json, question {number}: the query fails ({result.message}): {query!r}.")
        tasks.append(SqlTask(f"{NAME}/{name}-{number}", question, query, schema, database, held_out))
    return tasks


def _script(name: str, content: Mapping[str, Any], seed: int) -> str:
    """SQL that makes the tables and fills them."""
    rng = np.random.Generator(np.random.PCG64(seed))
    lines = []
    for table, columns in content["tables"].items():
        if table not in content["rows"]:
            raise TaskError(f"{name}.json: 'rows' must name {table!r}; it names {list(content['rows'])}.")
        count = int(content["rows"][table])
        declared = [_declaration(column, kind) for column, kind in columns.items()]
        lines.append(f"CREATE TABLE {table} ({', '.join(declared)});")
        filled = [_values(name, column, kind, count, content["rows"], rng) for column, kind in columns.items()]
        for row in zip(*filled, strict=True):
            lines.append(f"INSERT INTO {table} VALUES ({', '.join(row)});")
    return "\n".join(lines)


def _declaration(column: str, kind: Any) -> str:
    if kind == "key":
        return f"{column} INTEGER PRIMARY KEY"
    if isinstance(kind, str):
        table, _, other = kind.partition(".")
        return f"{column} INTEGER REFERENCES {table}({other})"
    return f"{column} {'TEXT' if isinstance(kind[0], str) else 'INTEGER'}"


def _values(
    name: str, column: str, kind: Any, count: int, rows: Mapping[str, int], rng: np.random.Generator
) -> list[str]:
    if kind == "key":
        return [str(number + 1) for number in range(count)]
    if isinstance(kind, str):
        return [str(each) for each in rng.integers(1, rows[kind.partition(".")[0]] + 1, count)]
    if isinstance(kind[0], str):
        if column in OWN and len(kind) < count:
            raise TaskError(f"{name}.json: {column!r} needs {count} texts, one per row; there are {len(kind)}.")
        order = rng.permutation(len(kind))[:count] if column in OWN else rng.integers(0, len(kind), count)
        return ["'" + kind[number].replace("'", "''") + "'" for number in order]
    return [str(each) for each in rng.integers(kind[0], kind[1] + 1, count)]
