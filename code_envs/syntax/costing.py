"""A program that counts its work: a copy whose steps are a model of its cost.

The runner's clock counts loop iterations and function entries (`code_envs.execution.instrument`). That sees neither
`x in some_list` nor `x ** 2`, and to it a hoisted expression is worth nothing. `charged` adds loops of its own to a
copy of the program, whose iterations the clock counts as well:

| work | steps |
|---|---|
| operation, attribute, subscript, assignment, return | 1 |
| power | 4 |
| call | 2, and what the function does |
| iteration of a loop or comprehension, function entry | 1 |
| item that `in` looks at in a list, tuple or str | 1/4 |
| item that a built-in function or method copies, sums, sorts, searches | 1/8 |

The counts are the same in every run of one version of Python. They are made in the program's own process, like all
steps: good for rewards in training, no proof against a program that cheats.
"""

from __future__ import annotations

import ast
from typing import Any

__all__ = ["charged"]

SPEND, WITHIN, CALLED, WHOLE = "__spend__", "__within__", "__called__", "__whole__"
FUNCTIONS = frozenset("sum min max any all sorted list tuple set frozenset dict".split())
METHODS = frozenset("index count insert remove pop copy join sort extend update replace split fromkeys".split())
POWER, CALL = 4, 2

_RUNTIME = f"""
def {SPEND}(count):
    for _ in range(count - 1):
        pass
    return True


def {WITHIN}(item, box):
    if type(box) in (list, tuple, str):
        for _ in range(len(box) // 4):
            pass
    return item in box


def {CALLED}(function, *arguments, **named):
    size = 0
    for each in arguments:
        if type(each) in (list, tuple, set, dict, str, range):
            size = max(size, len(each))
    name = getattr(function, "__name__", "")
    owner = getattr(function, "__self__", None)
    if type(owner) is list and (name in ("index", "count", "remove", "copy", "sort") or arguments[:1] == (0,)):
        size = len(owner)
    elif type(owner) is str and name != "join":
        size = len(owner)
    if name in ("sorted", "sort"):
        size *= size.bit_length()
    for _ in range(size // 8):
        pass
    return function(*arguments, **named)


def {WHOLE}(part):
    if type(part) in (list, tuple, str):
        for _ in range(len(part) // 8):
            pass
    return part
"""


def charged(source: bytes) -> bytes:
    """The copy of a program whose steps measure its work; the program itself where it does not compile.

    Args:
        source: A Python program, UTF-8.
    """
    try:
        tree = ast.parse(source)
        _Charger().visit(tree)
        return (ast.unparse(ast.fix_missing_locations(tree)) + "\n" + _RUNTIME).encode()
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return source


def _weight(node: ast.AST | None) -> int:
    """Operations of an expression or simple statement, without those that comprehensions and lambdas repeat."""
    total = 0
    stack: list[ast.AST] = [] if node is None else [node]
    while stack:
        each = stack.pop()
        if isinstance(each, ast.Lambda):
            continue
        if isinstance(each, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
            stack.append(each.generators[0].iter)
            continue
        total += _own(each)
        stack.extend(ast.iter_child_nodes(each))
    return total


def _own(node: ast.AST) -> int:
    if isinstance(node, ast.BinOp | ast.AugAssign):
        return POWER if isinstance(node.op, ast.Pow) else 1
    if isinstance(node, ast.Call):
        return CALL
    if isinstance(node, ast.Compare):
        return len(node.ops)
    return int(isinstance(node, ast.UnaryOp | ast.Subscript | ast.Attribute | ast.Assign | ast.Return | ast.IfExp))


class _Charger(ast.NodeTransformer):
    """Adds the charges; weights are taken before the nodes below are rewritten."""

    def _block(self, body: list[ast.stmt], extra: int = 0) -> list[ast.stmt]:
        done: list[ast.stmt] = []
        due, place = extra, 0
        for statement in body:
            due += _header_weight(statement)
            done.append(self.visit(statement))
            if not isinstance(statement, _SIMPLE):
                done[place:place] = _spend(due)
                due, place = 0, len(done)
        done[place:place] = _spend(due)
        return done

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        start = int(bool(ast.get_docstring(node, clean=False)))
        node.body = node.body[:start] + self._block(node.body[start:])
        return node

    def visit_For(self, node: ast.For) -> ast.AST:
        node.iter = self.visit(node.iter)
        node.body = self._block(node.body)
        node.orelse = self._block(node.orelse)
        return node

    def visit_While(self, node: ast.While) -> ast.AST:
        weight = _weight(node.test)
        node.test = self.visit(node.test)
        node.body = self._block(node.body, weight)
        node.orelse = self._block(node.orelse)
        return node

    def visit_If(self, node: ast.If) -> ast.AST:
        node.test = self.visit(node.test)
        node.body = self._block(node.body)
        if len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
            weight = _weight(node.orelse[0].test)
            below = self.visit(node.orelse[0])
            node.orelse = [*_spend(weight), below]
        else:
            node.orelse = self._block(node.orelse)
        return node

    def visit_With(self, node: ast.With) -> ast.AST:
        node.items = [self.visit(each) for each in node.items]
        node.body = self._block(node.body)
        return node

    def visit_Try(self, node: ast.Try) -> ast.AST:
        parts: list[ast.Try | ast.ExceptHandler] = [node, *node.handlers]
        for part in parts:
            part.body = self._block(part.body)
        node.orelse, node.finalbody = self._block(node.orelse), self._block(node.finalbody)
        return node

    def _comprehension(self, node: Any, weight: int) -> ast.AST:
        for number, clause in enumerate(node.generators):
            due = sum(map(_weight, clause.ifs)) + (_weight(clause.iter) if number else 0)
            due += weight if number == len(node.generators) - 1 else 0
            node.generators[number] = self.generic_visit(clause)
            if due:
                clause.ifs.insert(0, _spending(due))
        return node

    def _element(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp) -> ast.AST:
        weight = _weight(node.elt)
        node.elt = self.visit(node.elt)
        return self._comprehension(node, weight)

    def visit_ListComp(self, node: ast.ListComp) -> ast.AST:
        return self._element(node)

    def visit_SetComp(self, node: ast.SetComp) -> ast.AST:
        return self._element(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.AST:
        return self._element(node)

    def visit_DictComp(self, node: ast.DictComp) -> ast.AST:
        weight = _weight(node.key) + _weight(node.value)
        node.key, node.value = self.visit(node.key), self.visit(node.value)
        return self._comprehension(node, weight)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if len(node.ops) != 1 or not isinstance(node.ops[0], ast.In | ast.NotIn):
            return node
        asked = ast.Call(ast.Name(WITHIN, ast.Load()), [node.left, node.comparators[0]], [])
        return asked if isinstance(node.ops[0], ast.In) else ast.UnaryOp(ast.Not(), asked)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        function = node.func
        known = isinstance(function, ast.Name) and function.id in FUNCTIONS
        if known or (isinstance(function, ast.Attribute) and function.attr in METHODS):
            return ast.Call(ast.Name(CALLED, ast.Load()), [function, *node.args], node.keywords)
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.slice, ast.Slice) and isinstance(node.ctx, ast.Load):
            return ast.Call(ast.Name(WHOLE, ast.Load()), [node], [])
        return node


_SIMPLE = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.Pass, ast.Assert, ast.Import, ast.ImportFrom)


def _header_weight(statement: ast.stmt) -> int:
    """What a statement costs each time that control comes to it, without its blocks."""
    if isinstance(statement, ast.For):
        return _weight(statement.iter)
    if isinstance(statement, ast.If):
        return _weight(statement.test)
    if isinstance(statement, (*_SIMPLE, ast.Return)):
        return _weight(statement)
    return 0


def _spending(weight: int) -> ast.expr:
    return ast.Call(ast.Name(SPEND, ast.Load()), [ast.Constant(weight)], [])


def _spend(weight: int) -> list[ast.stmt]:
    return [ast.Expr(_spending(weight))] if weight else []
