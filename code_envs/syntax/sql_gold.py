"""Queries that somebody wrote, as data of this project; parsed by sqlglot (extra `sql`).

What the grammar of `code_envs.syntax.sql_grammar` has no word for raises `NotExpressibleError`, with the reason.
"""

from __future__ import annotations

from typing import Any

from code_envs.errors import CodeEnvsError, MissingDependencyError
from code_envs.syntax.sql_query import Column, Condition, Item, Literal, Query, Schema, Table

__all__ = ["NotExpressibleError", "parse_query"]


class NotExpressibleError(CodeEnvsError):
    """A query has no derivation in the grammar; the message says why."""


def parse_query(text: str, schema: Schema) -> Query:
    """The query that a text of SQL stands for.

    Args:
        text: One SELECT statement in SQLite's dialect.
        schema: Its tables and columns.

    Raises:
        NotExpressibleError: If it does not parse, or has what the grammar has not.
        MissingDependencyError: If sqlglot is not installed.
    """
    try:
        import sqlglot
        from sqlglot.errors import SqlglotError
    except ImportError as error:
        raise MissingDependencyError("sqlglot", "sql") from error
    try:
        tree = sqlglot.parse_one(text.strip().rstrip(";"), read="sqlite")
    except SqlglotError as error:
        raise NotExpressibleError(f"not SQL: {str(error)[:100]}") from error
    return _Reader(schema).query(tree)


class _Reader:
    """Reads one query; `names` maps each alias of the query being read to its table."""

    def __init__(self, schema: Schema) -> None:
        from sqlglot import expressions

        self.schema = schema
        self.sql: Any = expressions

    def query(self, tree: Any) -> Query:
        sql = self.sql
        for kind, word in ((sql.Union, "union"), (sql.Intersect, "intersect"), (sql.Except, "except")):
            if isinstance(tree, kind):
                _refuse(tree.args.get("order") or tree.args.get("limit"), "ordered set operation")
                first = self.query(tree.this)
                first.combined = (word, self.query(tree.expression))
                return first
        if isinstance(tree, sql.Subquery):
            return self.query(tree.this)
        _refuse(not isinstance(tree, sql.Select), f"a {type(tree).__name__}")
        return self.select(tree)

    def select(self, tree: Any) -> Query:
        query, names = Query(), dict[str, Table]()
        source = tree.args.get("from_") or tree.args.get("from")
        _refuse(source is None or not isinstance(source.this, self.sql.Table), "no table after FROM")
        query.tables.append(self.table(source.this, names))
        for join in tree.args.get("joins") or ():
            _refuse(join.args.get("on") is None or join.side, "join without ON")
            table = self.table(join.this, names)
            query.links.append(self.link(join.args["on"], names, query.tables, table))
            query.tables.append(table)
        query.distinct = tree.args.get("distinct") is not None
        query.items = [self.item(each, names) for each in tree.expressions]
        query.where = self.conditions(tree.args.get("where"), names)
        group = tree.args.get("group")
        query.group = [self.column(each, names) for each in group.expressions] if group else []
        query.having = self.conditions(tree.args.get("having"), names)
        order = tree.args.get("order")
        for each in order.expressions if order else ():
            query.order.append((self.item(each.this, names), bool(each.args.get("desc"))))
        limit = tree.args.get("limit")
        query.limit = Literal.of(limit.expression.name) if limit else None
        return query

    def table(self, node: Any, names: dict[str, Table]) -> Table:
        known = {each.name.lower(): each for each in self.schema.tables}
        _refuse(not isinstance(node, self.sql.Table) or node.name.lower() not in known, f"table {node.name!r}")
        table = known[node.name.lower()]
        _refuse(table in names.values(), "a table twice")
        names[(node.alias or node.name).lower()] = table
        return table

    def link(self, on: Any, names: dict[str, Table], before: list[Table], table: Table) -> tuple[Column, Column]:
        _refuse(not isinstance(on, self.sql.EQ), "a join on more than one equality")
        left, right = self.column(on.this, names), self.column(on.expression, names)
        if left.table == table.name:
            left, right = right, left
        _refuse(right.table != table.name or left.table not in {each.name for each in before}, "a join of other tables")
        return left, right

    def item(self, node: Any, names: dict[str, Table]) -> Item:
        sql = self.sql
        if isinstance(node, sql.Star):
            return Item("", None)
        functions = {sql.Count: "count", sql.Sum: "sum", sql.Avg: "avg", sql.Min: "min", sql.Max: "max"}
        function = functions.get(type(node))
        if function is None:
            return Item("", self.column(node, names))
        inner = node.this
        if isinstance(inner, sql.Star):
            return Item(function, None)
        if isinstance(inner, sql.Distinct):
            _refuse(function != "count" or len(inner.expressions) != 1, f"{function} of distinct values")
            return Item("count distinct", self.column(inner.expressions[0], names))
        return Item(function, self.column(inner, names))

    def column(self, node: Any, names: dict[str, Table]) -> Column:
        _refuse(not isinstance(node, self.sql.Column), f"{type(node).__name__} instead of a column")
        found = self.find(node, names)
        if found is None:
            raise NotExpressibleError(f"no column {node.sql()!r}")
        return found

    def find(self, node: Any, names: dict[str, Table]) -> Column | None:
        owner = node.table.lower()
        tables = [names[owner]] if owner in names else [] if owner else list(names.values())
        same = [each for table in tables for each in table.columns if each.name.lower() == node.name.lower()]
        return same[0] if same else None

    def conditions(self, clause: Any, names: dict[str, Table]) -> list[Condition]:
        return self.flat(clause.this, names, "") if clause else []

    def flat(self, node: Any, names: dict[str, Table], connector: str) -> list[Condition]:
        sql = self.sql
        for kind, word in ((sql.And, "and"), (sql.Or, "or")):
            if isinstance(node, kind):
                return self.flat(node.this, names, connector) + self.flat(node.expression, names, word)
        return [self.condition(node, names, connector)]

    def condition(self, node: Any, names: dict[str, Table], connector: str) -> Condition:
        sql = self.sql
        negated = isinstance(node, sql.Not)
        if negated:
            node = node.this
        if isinstance(node, sql.Between):
            _refuse(negated or node.args.get("negate"), "NOT BETWEEN")
            values = [self.value(node.args["low"], names), self.value(node.args["high"], names)]
            return Condition(connector, self.item(node.this, names), "between", values)
        if isinstance(node, sql.In):
            _refuse(node.args.get("query") is None, "a list of values after IN")
            inner: list[Literal | Query] = [self.query(node.args["query"])]
            return Condition(
                connector, self.item(node.this, names), "not in" if negated or node.args.get("negate") else "in", inner
            )
        operators = {
            sql.EQ: "=", sql.NEQ: "!=", sql.LT: "<", sql.LTE: "<=", sql.GT: ">", sql.GTE: ">=", sql.Like: "like",
        }  # fmt: skip
        operator = operators.get(type(node), "")
        negated = negated or bool(node.args.get("negate"))  # how sqlglot says NOT LIKE depends on its version
        if negated and operator == "like":
            operator, negated = "not like", False
        _refuse(negated or not operator, f"a condition with {type(node).__name__}")
        value = self.value(node.expression, names)
        return Condition(connector, self.item(node.this, names), operator, [value])

    def value(self, node: Any, names: dict[str, Table]) -> Literal | Query:
        sql = self.sql
        if isinstance(node, sql.Subquery | sql.Select):
            return self.query(node)
        if isinstance(node, sql.Neg):
            return Literal.of(f"-{node.this.name}")
        if isinstance(node, sql.Literal):
            return Literal.of(node.name)
        _refuse(not isinstance(node, sql.Column) or bool(node.table), f"a comparison with {type(node).__name__}")
        _refuse(self.find(node, names) is not None, "a comparison of two columns")
        return Literal.of(node.name)  # SQLite takes "text" for a string where no column has that name


def _refuse(wrong: Any, what: str) -> None:
    if wrong:
        raise NotExpressibleError(f"the grammar has not: {what}")
