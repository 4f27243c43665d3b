"""A grammar of SQL queries over one schema: what may stand in the leftmost hole of a query.

`Derivation` asks for one decision after the other, tables first, because they decide which columns there are; then
SELECT, WHERE, GROUP BY, HAVING, ORDER BY, LIMIT, and a second query behind UNION, INTERSECT or EXCEPT. Every sequence
of choices ends, and in a query that the database accepts: joins go along the schema's links, values come with
their operator, and queries nest only as deep as the budget says. Given the query that is wanted, it also knows the
choice that leads there.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any, NamedTuple

from code_envs.syntax.sql_query import Column, Condition, Item, Literal, Query, Schema

__all__ = ["Decision", "Derivation", "Option", "Production", "Values"]

JOINS, ITEMS, CONDITIONS, HAVINGS, KEYS, GROUPS = 3, 6, 3, 1, 2, 2
"""How many of each a query may have."""
FUNCTIONS = ("", "count", "count distinct", "sum", "avg", "min", "max")
NUMERIC = frozenset({"sum", "avg"})
COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
TEXT_OPERATORS = ("like", "not like")
MEMBERSHIP = ("in", "not in")
SET_OPERATIONS = ("union", "intersect", "except")
END = "end"
"""The value of the option that ends a list or leaves a clause out."""


class Production(enum.IntEnum):
    """What kind of choice an option is; the first column of its row is `FIRST_SQL` plus this."""

    TABLE = 0
    JOIN = 1
    FUNCTION = 2
    COLUMN = 3
    OPERATOR = 4
    VALUE = 5
    CLAUSE = 6
    END = 7


class Option(NamedTuple):
    """One production: what it is, how it reads, what it puts into the query, and the column it is about."""

    production: Production
    text: str
    value: Any
    column: Column | None = None
    table: str = ""


class Decision(NamedTuple):
    """What may stand in the leftmost hole; `wanted` is the option that leads to the wanted query, or -1."""

    slot: str
    options: tuple[Option, ...]
    wanted: int
    depth: int


Values = Callable[[Column | None, str], Sequence[Literal]]
"""Literals to compare a column with (None: a count), given the operator, or "limit" for LIMIT."""
Choice = Generator[Decision, int, Any]


class Derivation:
    """The derivation of one query.

    Args:
        schema: Tables and links.
        values: The literals there are.
        max_depth: How deep queries may nest; 1 allows neither subqueries nor set operations.
        target: The query that is wanted, if it is known.

    Attributes:
        query: The query so far.
        decision: What is to be decided now; None when the query is complete.
        choices: How many decisions were made.
    """

    def __init__(self, schema: Schema, values: Values, max_depth: int = 2, target: Query | None = None) -> None:
        self.schema = schema
        self.query = Query(open="from")
        self.choices = 0
        self._values = values
        self._lost = target is None
        self._steps = self._whole(self.query, max_depth, target or Query())
        self.decision: Decision | None = next(self._steps)

    def choose(self, number: int) -> None:
        """Fill the leftmost hole with one of the options.

        Raises:
            ValueError: If the query is complete, or there is no such option.
        """
        count = 0 if self.decision is None else len(self.decision.options)
        if self.decision is None or not 0 <= number < count:
            raise ValueError(f"There is no option {number}; the leftmost hole has {count}.")
        self.choices += 1
        self._lost = self._lost or number != self.decision.wanted
        try:
            self.decision = self._steps.send(number)
        except StopIteration:
            self.decision = None

    # one decision ---------------------------------------------------------------------------------

    def _pick(self, slot: str, options: Iterable[Option], wanted: Any, depth: int) -> Choice:
        """Ask for one of the options; a single one is taken without asking."""
        options = tuple(options)
        number = -1 if self._lost else next((k for k, each in enumerate(options) if each.value == wanted), -1)
        if len(options) == 1:
            self._lost = self._lost or number != 0
            return options[0].value
        chosen = yield Decision(slot, options, number, depth)
        return options[chosen].value

    def _columns(self, query: Query, function: str = "") -> list[Option]:
        columns = [column for table in query.tables for column in table.columns]
        if function in NUMERIC:
            columns = [each for each in columns if each.number] or columns
        return [Option(Production.COLUMN, f"{each.table}.{each.name}", each, each, each.table) for each in columns]

    # clauses --------------------------------------------------------------------------------------

    def _whole(self, query: Query, depth: int, target: Query) -> Choice:
        yield from self._select_query(query, depth, target, 0)
        if depth > 1 and not query.order and Item("", None) not in query.items:
            query.open = "combine"
            wanted = target.combined[0] if target.combined else END
            options = [_end("")] + [Option(Production.CLAUSE, each, each) for each in SET_OPERATIONS]
            operation = yield from self._pick("combine", options, wanted, depth)
            if operation != END:
                other = Query(open="from")
                query.combined = (operation, other)
                query.open = ""
                then = target.combined[1] if target.combined else Query()
                yield from self._select_query(other, depth - 1, then, len(query.items), ordered=False)
        query.open = ""

    def _select_query(self, query: Query, depth: int, target: Query, width: int, ordered: bool = True) -> Choice:
        yield from self._from(query, depth, target)
        yield from self._select(query, depth, target, width)
        query.open = "where"
        yield from self._conditions(query, query.where, "where", depth, target.where, CONDITIONS)
        query.open = "group"
        yield from self._group(query, depth, target)
        if ordered:  # the database orders the result of a set operation by its columns only
            query.open = "order"
            yield from self._order(query, depth, target)
        query.open = ""

    def _from(self, query: Query, depth: int, target: Query) -> Choice:
        tables = [Option(Production.TABLE, each.name, each, None, each.name) for each in self.schema.tables]
        wanted: Any = target.tables[0] if target.tables else END
        query.tables.append((yield from self._pick("from", tables, wanted, depth)))
        while len(query.links) < JOINS:
            number = len(query.links)
            wanted = (target.tables[number + 1].name, target.links[number]) if number < len(target.links) else END
            options = [_end("no more tables"), *self._joins(query)]
            joined = yield from self._pick("join", options, wanted, depth)
            if joined == END:
                break
            query.tables.append(self.schema.table(joined[0]))
            query.links.append(joined[1])

    def _joins(self, query: Query) -> list[Option]:
        inside = {each.name for each in query.tables}
        found = []
        for pair in self.schema.links:
            for here, there in (pair, pair[::-1]):
                if here.table in inside and there.table not in inside:
                    text = f"join {there.table} {here.name} {there.name}"
                    found.append(Option(Production.JOIN, text, (there.table, (here, there)), there, there.table))
        return found

    def _select(self, query: Query, depth: int, target: Query, width: int) -> Choice:
        query.open = "select"
        styles = [Option(Production.CLAUSE, "select", False), Option(Production.CLAUSE, "select distinct", True)]
        query.distinct = yield from self._pick("distinct", styles, target.distinct, depth)
        while len(query.items) < (width or ITEMS):
            wanted = target.items[len(query.items)] if len(query.items) < len(target.items) else None
            item = yield from self._item(query, depth, wanted, bool(query.items) and not width, not width)
            if item == END:
                break
            query.items.append(item)
        query.open = ""

    def _item(
        self, query: Query, depth: int, wanted: Item | None, may_end: bool, star: bool, functions: bool = True
    ) -> Choice:
        """An item; without `functions` a bare column, as the database wants it outside aggregate queries."""
        options = [_end("no more columns")] if may_end else []
        names = (*FUNCTIONS, "count *") if functions else FUNCTIONS[:1]
        options += [Option(Production.FUNCTION, each or "column", each) for each in names]
        if star and not query.items:
            options.append(Option(Production.FUNCTION, "*", "*"))
        asked = END if wanted is None else wanted.function if wanted.column else f"{wanted.function} *".strip()
        function = yield from self._pick("function", options, asked, depth)
        if function == END:
            return END
        if function in ("count *", "*"):
            return Item(function.removesuffix("*").strip(), None)
        column = yield from self._pick("column", self._columns(query, function), wanted and wanted.column, depth)
        return Item(function, column)

    def _conditions(
        self, query: Query, made: list[Condition], clause: str, depth: int, target: list[Condition], most: int
    ) -> Choice:
        while len(made) < most:
            wanted = target[len(made)] if len(made) < len(target) else None
            connectors = ("and", "or") if made else (clause,)
            options = [_end(f"no {clause}")] + [Option(Production.CLAUSE, each, each) for each in connectors]
            asked = END if wanted is None else wanted.connector or clause
            connector = yield from self._pick(clause, options, asked, depth)
            if connector == END:
                return
            left = yield from self._left(query, clause, depth, wanted)
            condition = Condition(connector if made else "", left, "")
            made.append(condition)
            yield from self._comparison(condition, depth, wanted or Condition("", left, ""))

    def _left(self, query: Query, clause: str, depth: int, wanted: Condition | None) -> Choice:
        if clause == "having":
            return (yield from self._item(query, depth, wanted.left if wanted else None, False, False))
        asked = wanted.left.column if wanted else None
        return Item("", (yield from self._pick("column", self._columns(query), asked, depth)))

    def _comparison(self, condition: Condition, depth: int, wanted: Condition) -> Choice:
        column, counted = condition.left.column, bool(condition.left.function)
        nested = depth > 1
        ready: dict[str, list[Option]] = {}
        for operator in (*COMPARISONS, "between", *(() if counted else TEXT_OPERATORS)):
            literals = self._values(None if counted else column, operator)
            ready[operator] = [Option(Production.VALUE, each.text, each, column) for each in literals]
            if nested and operator in COMPARISONS:
                ready[operator].append(Option(Production.CLAUSE, "query", "query"))
        if nested and not counted:
            ready |= {operator: [Option(Production.CLAUSE, "query", "query")] for operator in MEMBERSHIP}
        operators = [Option(Production.OPERATOR, each, each, column) for each, values in ready.items() if values]
        condition.operator = yield from self._pick("operator", operators, wanted.operator, depth)
        for number in range(2 if condition.operator == "between" else 1):
            asked = wanted.values[number] if number < len(wanted.values) else None
            sub = asked if isinstance(asked, Query) else Query()
            options = ready[condition.operator]
            value = yield from self._pick("value", options, "query" if isinstance(asked, Query) else asked, depth)
            if value == "query":
                value = Query(open="from")
                condition.values.append(value)
                yield from self._select_query(value, depth - 1, sub, 1)
            else:
                condition.values.append(value)

    def _group(self, query: Query, depth: int, target: Query) -> Choice:
        while len(query.group) < GROUPS:
            wanted: Any = target.group[len(query.group)] if len(query.group) < len(target.group) else END
            options = [_end("no group"), *self._columns(query)]
            column = yield from self._pick("group", options, wanted, depth)
            if column == END:
                break
            query.group.append(column)
        if query.group:
            query.open = "having"
            yield from self._conditions(query, query.having, "having", depth, target.having, HAVINGS)

    def _order(self, query: Query, depth: int, target: Query) -> Choice:
        while len(query.order) < KEYS:
            wanted = target.order[len(query.order)] if len(query.order) < len(target.order) else None
            options = [_end("no order"), Option(Production.CLAUSE, "order by", "order")]
            more = yield from self._pick("order", options, "order" if wanted else END, depth)
            if more == END:
                break
            summed = bool(query.group) or any(each.function for each in query.items)
            item = yield from self._item(query, depth, wanted and wanted[0], False, False, summed)
            ways = [Option(Production.CLAUSE, "ascending", False), Option(Production.CLAUSE, "descending", True)]
            query.order.append((item, (yield from self._pick("direction", ways, wanted and wanted[1], depth))))
        if query.order:
            limits = [Option(Production.VALUE, f"limit {each.text}", each) for each in self._values(None, "limit")]
            asked: Any = END if target.limit is None else target.limit
            limit = yield from self._pick("limit", [_end("no limit"), *limits], asked, depth)
            query.limit = None if limit == END else limit


def _end(text: str) -> Option:
    return Option(Production.END, text or "end", END)
