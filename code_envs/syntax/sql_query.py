"""Schemas and SQL queries as data, and the text of a query, finished or not."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

__all__ = ["HOLE", "Column", "Condition", "Item", "Literal", "Query", "Schema", "Table", "words_of"]

HOLE = "..."
_PLAIN = re.compile(r"[A-Za-z_]\w*")
_RESERVED = frozenset(
    "all and as asc avg between by case count default desc distinct except from group having in index intersect is "
    "join key like limit max min not null on or order result select set sum table to transaction union unique values "
    "when where".split()
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def words_of(name: str) -> tuple[str, ...]:
    """The words of a name or a text, in lower case, without a plural's s."""
    return tuple(_singular(word.lower()) for word in _WORD.findall(name))


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Args:
        table: Name of its table.
        name: Its own name.
        number: Whether it holds numbers.
        key: Whether it is the primary key or part of it.
    """

    table: str
    name: str
    number: bool = False
    key: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its columns."""

    name: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Schema:
    """Tables, and the pairs of columns along which they are joined."""

    tables: tuple[Table, ...]
    links: tuple[tuple[Column, Column], ...] = ()

    def table(self, name: str) -> Table:
        """A table by name, in any case."""
        return next(each for each in self.tables if each.name.lower() == name.lower())

    @property
    def text(self) -> str:
        """The schema in one line: `table ( column , ... )`."""
        return " ".join(f"{each.name} ({', '.join(column.name for column in each.columns)})" for each in self.tables)


@dataclass(frozen=True, slots=True)
class Literal:
    """A value; `key` decides whether two are the same."""

    key: str
    text: str = field(compare=False)

    @classmethod
    def of(cls, text: str) -> Literal:
        """A number or a string from its plain text."""
        plain = re.fullmatch(r"-?\d+(\.\d+)?", text)
        return cls(text.casefold(), text if plain else "'" + text.replace("'", "''") + "'")


@dataclass(frozen=True, slots=True)
class Item:
    """A column, `*` where there is none, or a function of it ("" is none)."""

    function: str
    column: Column | None


@dataclass(slots=True)
class Condition:
    """`left operator values`, joined to the one before by `connector` ("" for the first)."""

    connector: str
    left: Item
    operator: str
    values: list[Literal | Query] = field(default_factory=list)


@dataclass(slots=True)
class Query:
    """A query; `open` names the clause that is being written, "" when all is done."""

    tables: list[Table] = field(default_factory=list)
    links: list[tuple[Column, Column]] = field(default_factory=list)
    distinct: bool = False
    items: list[Item] = field(default_factory=list)
    where: list[Condition] = field(default_factory=list)
    group: list[Column] = field(default_factory=list)
    having: list[Condition] = field(default_factory=list)
    order: list[tuple[Item, bool]] = field(default_factory=list)
    limit: Literal | None = None
    combined: tuple[str, Query] | None = None
    open: str = ""

    @property
    def depth(self) -> int:
        """1, and one more for each query inside or behind this one, along the longest way."""
        inner = [
            value.depth for each in (*self.where, *self.having) for value in each.values if isinstance(value, Query)
        ]
        if self.combined:
            inner.append(self.combined[1].depth)
        return 1 + max(inner, default=0)

    def text(self) -> str:
        """The query as SQL, with `...` where it is not written yet."""
        distinct = "DISTINCT " if self.distinct else ""
        items = [self._item(each) for each in self.items]
        if self.open in ("from", "select") or not items:
            items.append(HOLE)
        parts = [f"SELECT {distinct}{', '.join(items)} FROM {self._from()}"]
        if self.where or self.open == "where":
            parts.append(f"WHERE {self._conditions(self.where, 'where')}")
        if self.group or self.open == "group":
            parts.append("GROUP BY " + ", ".join([*map(self._column, self.group), *self._hole("group")]))
        if self.having or self.open == "having":
            parts.append(f"HAVING {self._conditions(self.having, 'having')}")
        if self.order or self.open == "order":
            keys = [f"{self._item(item)} {'DESC' if down else 'ASC'}" for item, down in self.order]
            parts.append("ORDER BY " + ", ".join([*keys, *self._hole("order")]))
        if self.limit is not None:
            parts.append(f"LIMIT {self.limit.text}")
        if self.combined is not None:
            parts.append(f"{self.combined[0].upper()} {self.combined[1].text()}")
        elif self.open == "combine":
            parts.append(HOLE)
        return " ".join(parts)

    def _hole(self, clause: str) -> list[str]:
        return [HOLE] if self.open == clause else []

    def _from(self) -> str:
        if not self.tables:
            return HOLE
        text = _name(self.tables[0].name)
        for table, (left, right) in zip(self.tables[1:], self.links, strict=True):
            text += f" JOIN {_name(table.name)} ON {_full(left)} = {_full(right)}"
        return f"{text} {HOLE}" if self.open == "from" else text

    def _conditions(self, conditions: list[Condition], clause: str) -> str:
        parts = []
        for each in conditions:
            if each.connector:
                parts.append(each.connector.upper())
            parts += [self._item(each.left), each.operator.upper() or HOLE, self._values(each)]
        whole = not conditions or len(conditions[-1].values) == _wanted(conditions[-1].operator)
        return " ".join([*parts, *(self._hole(clause) if whole else [])])

    def _values(self, condition: Condition) -> str:
        texts = [f"({each.text()})" if isinstance(each, Query) else each.text for each in condition.values]
        return " AND ".join(texts + [HOLE] * (_wanted(condition.operator) - len(texts)))

    def _item(self, item: Item) -> str:
        column = "*" if item.column is None else self._column(item.column)
        if item.function == "count distinct":
            return f"COUNT(DISTINCT {column})"
        return f"{item.function.upper()}({column})" if item.function else column

    def _column(self, column: Column) -> str:
        return _full(column) if len(self.tables) > 1 else _name(column.name)


def _wanted(operator: str) -> int:
    """How many values an operator takes."""
    return 2 if operator == "between" else 1


def _name(name: str) -> str:
    if _PLAIN.fullmatch(name) and name.lower() not in _RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def _full(column: Column) -> str:
    return f"{_name(column.table)}.{_name(column.name)}"
