"""The derivation of a given function: which production fills each hole, if the grammar can express the function."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

from code_envs.syntax.derivation import Derivation, Production, Signature
from code_envs.syntax.grammar import Family, Template

__all__ = ["find_derivation"]

Target = ast.expr | list[ast.stmt]
"""What a hole stands for: an expression, or the statements that are left of a block."""


def find_derivation(signature: Signature, source: str, budget: int = 48, depth: int = 5) -> list[str] | None:
    """The keys of the productions that write a function, or None if the grammar cannot.

    Args:
        signature: Of the function.
        source: One function, whose own names for variables do not matter.
        budget: Productions in all.
        depth: How deep expressions may nest.
    """
    function = next((each for each in ast.parse(source).body if isinstance(each, ast.FunctionDef)), None)
    if function is None:
        return None
    given = [argument.arg for argument in function.args.args]
    renamed = dict(zip(given, signature.parameters, strict=False))
    return _Search(Derivation(signature, budget, depth), renamed, [_body(function.body)]).find()


def _body(statements: list[ast.stmt]) -> list[ast.stmt]:
    first = statements[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return statements[1:] if documented else statements


class _Search:
    """Follows the holes of a derivation and the parts of the target side by side.

    Args:
        derivation: The derivation so far.
        renamed: Name in the derivation of each name in the target.
        waiting: What the open holes stand for, the leftmost last.
    """

    def __init__(self, derivation: Derivation, renamed: dict[str, str], waiting: list[Target]) -> None:
        self.derivation = derivation
        self.renamed = renamed
        self.waiting = waiting

    def find(self) -> list[str] | None:
        """Keys of the productions that are missing; None if some part fits none."""
        if not self.waiting:
            return []
        for production in self.derivation.candidates():
            after = self._with(production)
            keys = None if after is None else after.find()
            if keys is not None:
                return [production.key, *keys]
        return None

    def _with(self, production: Production) -> _Search | None:
        """The search after a production; None if it does not fit."""
        after = _Search(self.derivation, self.renamed.copy(), self.waiting[:-1])
        parts = after._match(production, self.waiting[-1])
        if parts is None:
            return None
        after.waiting.extend(reversed(parts))
        after.derivation = self.derivation.copy()
        after.derivation.apply(production)
        return after

    def _match(self, production: Production, target: Target) -> list[Target] | None:
        """The parts of the target that the production's holes stand for; None if it does not fit."""
        if isinstance(target, list):
            return self._statement(production, target)
        if production.family == Family.VARIABLE:
            same = isinstance(target, ast.Name) and self.renamed.get(target.id) == production.names[0]
            return [] if same else None
        if production.family == Family.CONSTANT:
            text = production.key.removeprefix("constant ")
            return [] if ast.dump(target) == ast.dump(_expression(text)) else None
        assert production.template is not None
        captured: dict[str, ast.expr] = {}
        if not _unify(_pattern(production.template), target, captured):
            return None
        bound = captured.pop("_v", None)
        if isinstance(bound, ast.Name):
            self.renamed[bound.id] = production.names[0]
        return [captured[f"_{number}"] for number in range(len(captured))]

    def _statement(self, production: Production, target: list[ast.stmt]) -> list[Target] | None:
        if not target:
            return [] if production.family == Family.END else None
        if production.family == Family.END:
            return None
        first, rest = target[0], target[1:]
        parts = self._first(production, first)
        if parts is None:
            return None
        closing = production.family == Family.RETURN
        if closing and rest:
            return None
        return parts if closing else [*parts, rest]

    def _first(self, production: Production, statement: ast.stmt) -> list[Target] | None:
        what = production.key.split()[0] if not production.key.startswith("if else") else "if else"
        match what, statement:
            case "return", ast.Return(value=ast.expr() as value):
                return [value]
            case "assign", ast.Assign(targets=[ast.Name(id=name)], value=value) if name not in self.renamed:
                self.renamed[name] = production.names[0]
                return [value]
            case "set", ast.Assign(targets=[ast.Name(id=name)], value=value):
                return [value] if self._same(name, production) else None
            case (("add" | "subtract" | "multiply"), ast.AugAssign(target=ast.Name(id=name), op=op, value=value)):
                fits = type(op).__name__ == {"add": "Add", "subtract": "Sub", "multiply": "Mult"}[what]
                return [value] if fits and self._same(name, production) else None
            case "append", ast.Expr(ast.Call(ast.Attribute(ast.Name(id=name), "append"), [value])):
                return [value] if self._same(name, production) else None
            case "if", ast.If(test=test, body=body, orelse=[]):
                return [test, body]
            case "if else", ast.If(test=test, body=body, orelse=[_, *_] as orelse):
                return [test, body, orelse]
            case "while", ast.While(test=test, body=body, orelse=[]):
                return [test, body]
            case "for", ast.For(target=ast.Name(id=name), iter=iterable, body=body, orelse=[]):
                self.renamed[name] = production.names[0]
                return [iterable, body]
        return None

    def _same(self, name: str, production: Production) -> bool:
        return self.renamed.get(name) == production.names[0]


@cache
def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


@cache
def _pattern(template: Template) -> ast.expr:
    """The tree of a template: `_0`, `_1` and so on stand for its holes, `_v` for its variable."""
    parts, number = [], 0
    for piece in template.pieces:
        if piece.kind == "hole":
            parts.append(f"_{number}")
            number += 1
        elif piece.kind in ("text", "name"):
            parts.append("_v" if piece.kind == "name" else piece.text)
    return _expression("".join(parts))


_CAPTURED = re.compile(r"_(?:\d+|v)")


def _unify(pattern: ast.AST, target: ast.AST, captured: dict[str, ast.expr]) -> bool:
    if isinstance(pattern, ast.Name) and _CAPTURED.fullmatch(pattern.id):
        if not isinstance(target, ast.expr) or isinstance(target, (ast.Slice, ast.GeneratorExp)):
            return False
        captured[pattern.id] = target
        return True
    if type(pattern) is not type(target):
        return False
    return all(_same(getattr(pattern, name), getattr(target, name), captured) for name in _fields(pattern))


def _fields(node: ast.AST) -> Iterator[str]:
    return (name for name in node._fields if name not in ("ctx", "type_comment", "kind"))


def _same(pattern: object, target: object, captured: dict[str, ast.expr]) -> bool:
    if isinstance(pattern, ast.AST):
        return isinstance(target, ast.AST) and _unify(pattern, target, captured)
    if isinstance(pattern, list):
        if not isinstance(target, list) or len(pattern) != len(target):
            return False
        return all(_same(ours, theirs, captured) for ours, theirs in zip(pattern, target, strict=True))
    return type(pattern) is type(target) and pattern == target
