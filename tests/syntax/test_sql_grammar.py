"""The grammar of SQL queries: every derivation is a valid query, and known queries have one."""

from __future__ import annotations

import numpy as np
import pytest

from code_envs.errors import MissingDependencyError
from code_envs.syntax.sql_gold import NotExpressibleError, parse_query
from code_envs.syntax.sql_grammar import Derivation, Production
from code_envs.syntax.sql_query import Column, Literal, Query, Schema, Table, words_of
from code_envs.syntax.sql_values import QuestionValues
from code_envs.tasks.sql_database import Database, is_ordered, matches

SCRIPT = """
CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, age INTEGER, "group" TEXT);
CREATE TABLE pet (id INTEGER PRIMARY KEY, owner INTEGER REFERENCES person(id), kind TEXT, weight REAL);
INSERT INTO person VALUES (1, 'Ann', 30, 'red'), (2, 'Bob', 20, 'blue'), (3, 'O''Neil', 41, 'red');
INSERT INTO pet VALUES (1, 1, 'cat', 3.5), (2, 1, 'dog', 9.25), (3, 3, 'cat', 4.0);
"""
DATABASE = Database("pets", script=SCRIPT)
SCHEMA = DATABASE.schema()
QUESTION = "Who between 20 and 35 in the red group has a Cat or a dog heavier than 4, like Ann and O'Neil?"


def values(question: str = QUESTION) -> QuestionValues:
    return QuestionValues(question, DATABASE.values)


def derived(query: str, depth: int = 2, question: str = QUESTION) -> Derivation:
    """Follow the known way to a query as far as it goes."""
    derivation = Derivation(SCHEMA, values(question), depth, parse_query(query, SCHEMA))
    while derivation.decision is not None and derivation.decision.wanted >= 0:
        derivation.choose(derivation.decision.wanted)
    return derivation


QUERIES = [
    "SELECT count(*) FROM person",
    "SELECT * FROM pet",
    "SELECT DISTINCT kind FROM pet",
    "SELECT name, age FROM person WHERE age > 20 AND \"group\" = 'red'",
    "SELECT name FROM person WHERE age BETWEEN 20 AND 35 OR name = 'Ann'",
    "SELECT name FROM person WHERE name LIKE 'Ann%'",
    "SELECT name FROM person WHERE name NOT LIKE '%Ann'",
    "SELECT T1.name, T2.kind FROM person AS T1 JOIN pet AS T2 ON T1.id = T2.owner WHERE T2.weight >= 4",
    "SELECT kind, avg(weight), count(DISTINCT owner) FROM pet GROUP BY kind HAVING count(*) > 1",
    "SELECT name FROM person ORDER BY age DESC, name LIMIT 1",
    "SELECT kind FROM pet GROUP BY kind ORDER BY count(*) DESC LIMIT 1",
    "SELECT name FROM person WHERE id NOT IN (SELECT owner FROM pet WHERE kind = 'cat')",
    "SELECT name FROM person WHERE age > (SELECT avg(age) FROM person)",
    "SELECT name FROM person WHERE age < 35 UNION SELECT kind FROM pet",
    "SELECT owner FROM pet WHERE kind = \"cat\" INTERSECT SELECT owner FROM pet WHERE kind = 'dog'",
    "SELECT name FROM person WHERE name = 'O''Neil'",
]


@pytest.mark.parametrize("query", QUERIES)
def test_known_queries_are_derived(query):
    """The way to a query ends in one that gives the same rows."""
    derivation = derived(query)
    assert derivation.decision is None, derivation.query.text()
    found = DATABASE.run(derivation.query.text())
    assert found.status == "ok"
    assert matches(found, DATABASE.run(query), is_ordered(query))
    assert "..." not in derivation.query.text()


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT name FROM nowhere", "table 'nowhere'"),
        ("SELECT age + 1 FROM person", "Add instead of a column"),
        ("SELECT nothing FROM person", "no column"),
        ("SELECT name FROM person WHERE age = id", "a comparison of two columns"),
        ("SELECT name FROM (SELECT name FROM person)", "no table after FROM"),
        ("SELECT a.name FROM person a JOIN person b ON a.id = b.age", "a table twice"),
        ("SELECT name FROM person WHERE age IN (1, 2)", "a list of values"),
        ("DELETE FROM person", "a Delete"),
        ("SELECT FROM FROM", "not SQL"),
    ],
)
def test_what_the_grammar_has_not_is_named(query, reason):
    with pytest.raises(NotExpressibleError, match=reason):
        parse_query(query, SCHEMA)


def test_without_sqlglot_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sqlglot", None)
    with pytest.raises(MissingDependencyError, match=r"code-envs\[sql\]"):
        parse_query("SELECT 1", SCHEMA)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_every_derivation_is_a_valid_query(depth):
    """Random choices end, nest no deeper than they may, and the database accepts what they give."""
    rng = np.random.default_rng(depth)
    deepest = 0
    for _ in range(100):
        derivation = Derivation(SCHEMA, values(), depth)
        while derivation.decision is not None:
            assert "..." in derivation.query.text()
            assert len(derivation.decision.options) > 1
            derivation.choose(int(rng.integers(len(derivation.decision.options))))
        result = DATABASE.run(derivation.query.text())
        assert result.status != "error", (result.message, derivation.query.text())
        deepest = max(deepest, derivation.query.depth)
    assert deepest == depth


def test_a_wrong_choice_loses_the_way():
    """Once off the known way, no option is wanted; a choice that does not exist is refused."""
    derivation = Derivation(SCHEMA, values(), 2, parse_query("SELECT count(*) FROM person", SCHEMA))
    assert derivation.decision.options[derivation.decision.wanted].text == "person"
    with pytest.raises(ValueError, match="no option 2"):
        derivation.choose(2)
    derivation.choose(1 - derivation.decision.wanted)
    assert derivation.decision.wanted == -1
    assert derivation.query.text() == "SELECT ... FROM pet ..."


def test_joins_go_along_links_and_columns_come_with_their_table():
    """After the first table only linked ones may follow; then the columns of both are there."""
    derivation = derived("SELECT person.name FROM pet JOIN person ON pet.owner = person.id", question="Names?")
    assert derivation.query.text() == "SELECT person.name FROM pet JOIN person ON pet.owner = person.id"
    start = Derivation(SCHEMA, values(), 1)
    start.choose(1)
    assert [option.production for option in start.decision.options] == [Production.END, Production.JOIN]


def test_values_of_a_question():
    """Numbers as digits and words, quoted texts, stored values that are mentioned, whatever their case."""
    name, kind, age = (
        next(c for t in SCHEMA.tables for c in t.columns if c.name == n) for n in ("name", "kind", "age")
    )
    found = values('Is "Big Cat" of 1,200 or three like ann?')
    assert found.numbers == ["1200", "3"]
    assert Literal.of("Ann") in found(name, "=")
    assert found(kind, "=")[:2] == (Literal.of("cat"), Literal.of("Big Cat"))
    assert [each.text for each in found(age, ">")][:2] == ["1200", "3"]
    assert "'%Big Cat%'" in [each.text for each in found(name, "like")]
    assert [each.text for each in found(None, "limit")] == ["1200", "3", "1"]
    assert Literal.of("it's").text == "'it''s'"


def test_names_are_quoted_where_they_must_be():
    """Reserved words and names with spaces."""
    odd = Column("my table", 'a"b', False)
    query = Query([Table("my table", (odd,))])
    query.items.append(derived('SELECT "group" FROM person').query.items[0])
    assert query.text() == 'SELECT "group" FROM "my table"'
    assert words_of("Song_Names of cityNames") == ("song", "name", "of", "city", "name")
    assert Schema((query.tables[0],)).text == 'my table (a"b)'
