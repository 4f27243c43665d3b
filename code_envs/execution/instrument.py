"""Steps and executed lines by rewriting the program's syntax tree.

Every function entry, loop iteration and comprehension iteration calls `tick`, a deterministic clock.
With tracing, every basic block also reports its number at entry, and a block's number stands for the
first lines of its statements. A tracing hook (`sys.settrace`) would slow a program four to five times;
two calls per loop iteration do not. Positions are kept, so tracebacks name the original lines.

The counters live in the candidate's process: a program can switch them off. They serve as a first,
reproducible limit and for fault localisation; the CPU limit outside is the one that binds.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable
from types import CodeType
from typing import Any

__all__ = ["Counter", "StepLimit", "instrument"]

TICK = "__code_envs_tick__"
VISIT = "__code_envs_visit__"
REACH = "__code_envs_reach__"


class StepLimit(BaseException):
    """The program used up its steps; not an `Exception`, so that ordinary handlers let it pass."""


class Counter:
    """The clock and the coverage of one process.

    Installs itself among the builtins, because a name in the program's module would show in `globals()`.
    """

    def __init__(self) -> None:
        left = 0
        blocks: set[int] = set()
        add = blocks.add

        # closures and not methods: 50 ns against 85 ns per call, measured
        def tick() -> bool:
            nonlocal left
            left -= 1
            if left < 0:
                raise StepLimit
            return True

        def visit(block: int) -> bool:
            nonlocal left
            left -= 1
            add(block)
            if left < 0:
                raise StepLimit
            return True

        def start(steps: int) -> None:
            nonlocal left
            left = steps
            blocks.clear()

        def remaining() -> int:
            return left

        self.start: Callable[[int], None] = start
        self.remaining: Callable[[], int] = remaining
        self.blocks = blocks
        for name, function in ((TICK, tick), (VISIT, visit), (REACH, add)):
            setattr(builtins, name, function)


def instrument(source: bytes, filename: str, trace: bool) -> tuple[CodeType, list[list[int]]]:
    """Compile a program with its clock and, on request, its coverage.

    Returns:
        The module's code, and per block number the first lines of its statements (empty without trace).

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: What compiling the program raises.
    """
    tree: Any = compile(source, filename, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    rewriter = _Rewriter(source, trace)
    rewriter.module(tree)
    return compile(tree, filename, "exec", dont_inherit=True), rewriter.blocks


_LEAVE = (ast.Return, ast.Raise, ast.Break, ast.Continue, ast.Assert)
_LOAD = ast.Load()
_NAMES = {
    name: ast.Name(name, _LOAD, lineno=1, col_offset=0, end_lineno=1, end_col_offset=0) for name in (TICK, VISIT, REACH)
}


def _call(name: str, place: Any, block: int | None = None) -> ast.Call:
    where = {
        "lineno": place.lineno,
        "col_offset": place.col_offset,
        "end_lineno": place.lineno,
        "end_col_offset": place.col_offset,
    }
    arguments: list[ast.expr] = [] if block is None else [ast.Constant(block, **where)]
    return ast.Call(_NAMES[name], arguments, [], **where)


class _Rewriter:
    """Walks statements; walks expressions only where the text has "for" or "lambda"."""

    def __init__(self, source: bytes, trace: bool) -> None:
        self.blocks: list[list[int]] = []
        self.trace = trace
        self.everywhere = b"\r" in source  # other line ends: the tokenizer counts lines differently than split
        self.marked = {
            number for number, line in enumerate(source.split(b"\n"), 1) if b"for" in line or b"lambda" in line
        }

    def module(self, tree: ast.Module) -> None:
        start = _preamble(tree.body)
        while start < len(tree.body) and _is_future(tree.body[start]):
            start += 1
        tree.body = self.block(tree.body, start, ticks=False, record=False)[0]

    def block(self, body: list[Any], start: int, ticks: bool, record: bool) -> tuple[list[Any], bool]:
        """The rewritten block, and whether control may leave it before its end."""
        record = record and self.trace
        done = body[:start]
        leaves = False
        if ticks and start == len(body):
            done.append(self.mark(body[-1], True, record))
        lines: list[int] | None = None
        for position in range(start, len(body)):
            statement = body[position]
            if lines is None:
                if record or ticks:
                    done.append(self.mark(statement, ticks, record))
                    ticks = False
                lines = self.blocks[-1] if record else []
            lines.append(statement.lineno)
            done.append(statement)
            if self.statement(statement, record):
                leaves = True
                lines = None if record else lines
        return done, leaves

    def mark(self, place: Any, ticks: bool, record: bool) -> ast.Expr:
        """The statement that counts a step, a block, or both."""
        if record:
            self.blocks.append([])
            call = _call(VISIT if ticks else REACH, place, len(self.blocks) - 1)
        else:
            call = _call(TICK, place)
        return ast.Expr(
            call,
            lineno=call.lineno,
            col_offset=call.col_offset,
            end_lineno=call.lineno,
            end_col_offset=call.col_offset,
        )

    def statement(self, statement: Any, record: bool) -> bool:
        """Rewrite one statement in place; whether the statements after it may be skipped."""
        handler = _COMPOUND.get(type(statement))
        if handler is not None:
            if self.is_marked(statement.lineno, _header_end(statement)):
                self.header(statement)
            return handler(self, statement, record)
        if self.is_marked(statement.lineno, statement.end_lineno):
            self.expressions([statement])
        return isinstance(statement, _LEAVE)

    def is_marked(self, first: int, last: int) -> bool:
        return self.everywhere or not self.marked.isdisjoint(range(first, last + 1))

    def header(self, statement: Any) -> None:
        """Rewrite the expressions of a compound statement, not the statements in it."""
        for field in statement._fields:
            if field in ("body", "orelse", "finalbody", "handlers"):
                continue
            value: Any = getattr(statement, field, None)
            if field == "cases":
                self.expressions([part for case in value for part in (case.pattern, case.guard) if part is not None])
            elif isinstance(value, list):
                self.expressions([item for item in value if isinstance(item, ast.AST)])
            elif isinstance(value, ast.AST):
                self.expressions([value])

    def expressions(self, stack: list[Any]) -> None:
        """Count the iterations of comprehensions and the entries of lambdas below these nodes."""
        while stack:
            node = stack.pop()
            for field in node._fields:
                value = getattr(node, field, None)
                if isinstance(value, ast.AST):
                    stack.append(value)
                elif isinstance(value, list):
                    stack.extend(item for item in value if isinstance(item, ast.AST))
            if isinstance(node, ast.comprehension):
                node.ifs.insert(0, _call(TICK, node.target))
            elif isinstance(node, ast.Lambda):
                body = node.body
                node.body = ast.BoolOp(ast.And(), [_call(TICK, body), body], **_place(body))

    # one method per family of compound statements, so that `statement` stays a table

    def function(self, statement: Any, record: bool) -> bool:
        statement.body = self.block(statement.body, _preamble(statement.body), ticks=True, record=True)[0]
        return False

    def class_body(self, statement: Any, record: bool) -> bool:
        statement.body = self.block(statement.body, _preamble(statement.body), ticks=False, record=record)[0]
        return False

    def loop(self, statement: Any, record: bool) -> bool:
        statement.body = self.block(statement.body, 0, ticks=True, record=record)[0]
        if statement.orelse:
            statement.orelse = self.block(statement.orelse, 0, ticks=False, record=record)[0]
        return True

    def branch(self, statement: Any, record: bool) -> bool:
        statement.body, leaves = self.block(statement.body, 0, ticks=False, record=record)
        if statement.orelse:
            statement.orelse, more = self.block(statement.orelse, 0, ticks=False, record=record)
            leaves = leaves or more
        return leaves

    def with_block(self, statement: Any, record: bool) -> bool:
        statement.body = self.block(statement.body, 0, ticks=False, record=record)[0]
        return True

    def try_block(self, statement: Any, record: bool) -> bool:
        for part in (statement, *statement.handlers):
            part.body = self.block(part.body, 0, ticks=False, record=record)[0]
        for field in ("orelse", "finalbody"):
            body = getattr(statement, field)
            if body:
                setattr(statement, field, self.block(body, 0, ticks=False, record=record)[0])
        return True

    def match(self, statement: Any, record: bool) -> bool:
        leaves = False
        for case in statement.cases:
            case.body, more = self.block(case.body, 0, ticks=False, record=record)
            leaves = leaves or more
        return leaves


_COMPOUND: dict[type, Callable[[_Rewriter, Any, bool], bool]] = {
    ast.FunctionDef: _Rewriter.function,
    ast.AsyncFunctionDef: _Rewriter.function,
    ast.ClassDef: _Rewriter.class_body,
    ast.For: _Rewriter.loop,
    ast.AsyncFor: _Rewriter.loop,
    ast.While: _Rewriter.loop,
    ast.If: _Rewriter.branch,
    ast.With: _Rewriter.with_block,
    ast.AsyncWith: _Rewriter.with_block,
    ast.Try: _Rewriter.try_block,
    ast.TryStar: _Rewriter.try_block,
    ast.Match: _Rewriter.match,
}


def _place(node: Any) -> dict[str, Any]:
    return {
        "lineno": node.lineno,
        "col_offset": node.col_offset,
        "end_lineno": node.end_lineno,
        "end_col_offset": node.end_col_offset,
    }


def _preamble(body: list[Any]) -> int:
    """1 if the block opens with a docstring, else 0."""
    first = body[0] if body else None
    return int(
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )


def _is_future(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"


def _header_end(statement: Any) -> int:
    """Last line that can hold an expression of a compound statement's header."""
    if type(statement) is ast.Match:
        return int(statement.end_lineno or 0)  # guards stand between the cases
    return max(int(statement.body[0].lineno), int(statement.lineno))
