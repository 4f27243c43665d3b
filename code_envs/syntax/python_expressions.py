"""Operators on Python expressions beyond the core: slices, donors, wraps, arithmetic, clauses, arguments.

What student programs need more than benchmark bugs do is kept: an operator that is rare on benchmarks
can be worth many programs elsewhere.
"""

from __future__ import annotations

import itertools
import re

from code_envs.syntax.context import Kind
from code_envs.syntax.expressions import CoreExpressions
from code_envs.syntax.rewrite import Operator, Role, role_of
from code_envs.syntax.tree import Node

__all__ = ["PythonExpressions"]

WHOLE = Kind.SEQUENCE | Kind.STRING
PLACES = frozenset(
    {
        Role.ARGUMENT,
        Role.VALUE,
        Role.RETURN,
        Role.ITERABLE,
        Role.COMPARAND,
        Role.OPERAND,
        Role.RECEIVER,
        Role.ELEMENT,
    }
)
PARTED = ("identifier", "call", "subscript", "attribute", "list_comprehension")
WRAPPED = ("identifier", "call", "subscript", "attribute", "binary_operator", "list_comprehension", "integer")
COMPOSITE = frozenset({"call", "subscript", "attribute", "binary_operator", "comparison_operator", "boolean_operator"})
CALLS_BY_KIND = (
    (("abs", "int"), Kind.NUMBER),
    (("set", "sorted", "len", "sum"), WHOLE),
    (("str",), Kind.NUMBER),
)
DONORS = 3
NAMES = 3
CLAUSES = 2


class PythonExpressions(CoreExpressions):
    """All rewrites of the expressions of one Python statement."""

    def visit(self, node: Node) -> None:
        """Collect the rewrites of one node."""
        super().visit(node)
        if node.type == "call":
            self._arguments(node)
        if node.type == "slice":
            self._slice(node)
        if node.type in ("list_comprehension", "generator_expression", "set_comprehension"):
            self._filter(node)
        if not node.named and node.type not in ("identifier", "integer"):
            return
        if not self.is_value(node):
            return
        role = role_of(node)
        if role in PLACES:
            self._part(node)
            self._wrap(node, role)
            self._arithmetic(node, role)
        if role in (Role.CONDITION, Role.CLAUSE) or (node.type in BOOLEAN and role in (Role.RETURN, Role.VALUE)):
            self._clause(node)
        self._donor(node)

    def _numbers(self, node: Node) -> list[str]:
        return [name for name in self.scope.names(Kind.NUMBER, known=True) if name != node.text][:NAMES]

    def _part(self, node: Node) -> None:
        """SLC: a part of a sequence."""
        kind = self.kind(node)
        loose = not kind and node.type in ("call", "subscript", "attribute")
        if node.type not in PARTED or not (kind & WHOLE or loose):
            return
        parts = ["[1:]", "[:-1]", "[::-1]", "[0]", "[-1]"]
        if kind & WHOLE:
            parts += [part for name in self._numbers(node) for part in (f"[{name}:]", f"[:{name}]", f"[{name}]")]
        for part in parts:
            self.replace(node, node.text + part, Operator.SLICE)

    def _slice(self, node: Node) -> None:
        """Move or drop the bounds of a slice."""
        parts = node.text.split(":")
        if len(parts) == 2:
            self.splice(node, node.start, node.end, node.text, f"{parts[1]}:{parts[0]}", Operator.SWAP)
            for text in (f"{parts[0]}:", f":{parts[1]}"):
                if text.strip() != node.text.strip():
                    self.splice(node, node.start, node.end, node.text, text, Operator.DROP)
            if not parts[1].strip():
                for bound in ("-1", *self._numbers(node)):
                    self.splice(node, node.start, node.end, node.text, f"{parts[0]}:{bound}", Operator.SLICE)

    def _filter(self, node: Node) -> None:
        """Drop the filter of a comprehension, or give it one."""
        clauses = [child for child in node.named if child.type == "if_clause"]
        for clause in clauses:
            self.splice(clause, clause.start, clause.end, clause.text, "", Operator.DROP)
        if not clauses:
            for name in self._targets(node):
                self.splice(node, node.end - 1, node.end - 1, "", f" if {name}", Operator.CLAUSE)

    def _targets(self, node: Node) -> list[str]:
        lefts = [child.child("left") for child in node.named if child.type == "for_in_clause"]
        return [left.text for left in lefts if left is not None and left.type == "identifier"]

    def _wrap(self, node: Node, role: Role) -> None:
        """WRP: a call around an expression, or a method of it."""
        if node.type not in WRAPPED or role is Role.RECEIVER:
            return
        if node.type != "integer":
            for call in self._calls_for(node):
                self.replace(node, f"{call}({node.text})", Operator.WRAP)
            kind = self.kind(node)
            if node.type != "binary_operator" and not kind & (Kind.NUMBER | Kind.BOOLEAN):
                usual = ["lower", "strip"] if kind & Kind.STRING else []
                for method in dict.fromkeys([*self.context.bare_methods[:NAMES], *usual]):
                    self.replace(node, f"{node.text}.{method}()", Operator.WRAP)
            if kind & Kind.NUMBER and role in (Role.VALUE, Role.RETURN):
                self.replace(node, f"max(0, {node.text})", Operator.WRAP)
                self.replace(node, f"min(0, {node.text})", Operator.WRAP)
        target = self._assigned(node)
        if target is not None and target != node.text:
            self.replace(node, f"max({target}, {node.text})", Operator.WRAP)
            self.replace(node, f"min({target}, {node.text})", Operator.WRAP)

    def _assigned(self, node: Node) -> str | None:
        parent = node.parent
        if parent is None or parent.type != "assignment" or node.field != "right" or self.kind(node) & WHOLE:
            return None
        left = parent.child("left")
        return left.text if left is not None and left.type in ("identifier", "subscript") else None

    def _calls_for(self, node: Node) -> list[str]:
        kind = self.kind(node)
        calls = list(self.context.single_argument_calls)
        for names, needed in CALLS_BY_KIND:
            if kind & needed or (not kind and needed is not Kind.STRING):
                calls += names
        outer = node.parent.parent if node.parent is not None and node.parent.type == "argument_list" else None
        around = outer.child("function") if outer is not None else None
        skip = {around.text if around is not None else "", "print", "range"}
        return [call for call in dict.fromkeys(calls) if call not in skip]

    def _arithmetic(self, node: Node, role: Role) -> None:
        """BIN: one more operand."""
        if node.type not in ("identifier", "call", "subscript", "integer", "binary_operator") or role is Role.RECEIVER:
            return
        kind = self.kind(node)
        base = node.text if node.type != "binary_operator" or self._tight(node) else f"({node.text})"
        if kind & Kind.NUMBER and role is not Role.ITERABLE:
            names = self._numbers(node)
            if node.type == "integer":
                names = names[:2]
            for name in names:
                self.replace(node, f"{base} + {name}", Operator.ARITHMETIC, atomic=False)
                self.replace(node, f"{base} - {name}", Operator.ARITHMETIC, atomic=False)
            if node.type == "identifier":
                self.replace(node, f"{base} * {base}", Operator.ARITHMETIC, atomic=False)
            if role in (Role.VALUE, Role.RETURN):
                whole = node.text if self._atomic(node) else f"({node.text})"
                for factor in (" / 2", " // 2", " * 2"):
                    self.replace(node, whole + factor, Operator.ARITHMETIC, atomic=False)
        elif kind & WHOLE and node.type != "integer":
            for name in self.scope.names(kind, known=True)[:NAMES]:
                if name != node.text:
                    self.replace(node, f"{base} + {name}", Operator.ARITHMETIC, atomic=False)
                    self.replace(node, f"{name} + {base}", Operator.ARITHMETIC, atomic=False)

    def _clause(self, node: Node) -> None:
        """CLS: one more clause of a condition."""
        parent = node.parent
        if parent is not None and parent.type in ("boolean_operator", "not_operator"):
            return
        text = node.text if node.type not in ("conditional_expression", "lambda") else f"({node.text})"
        mixed = text if node.type != "boolean_operator" else f"({text})"
        words = set(re.findall(r"\w+", text))
        for name in [each for each in self.scope.names() if each not in words][:CLAUSES]:
            for clause in (
                f"not {name} or {mixed}",
                f"{name} and {mixed}",
                f"{mixed} or {name}",
                f"{mixed} and not {name}",
            ):
                self.replace(node, clause, Operator.CLAUSE, atomic=False)
        for other in self.context.conditions[:DONORS]:
            if other != node.text and words & set(re.findall(r"[A-Za-z_]\w*", other)):
                inner = f"({other})" if " or " in other or " and " in other else other
                self.replace(node, f"{mixed} and {inner}", Operator.CLAUSE, atomic=False)
                self.replace(node, f"{mixed} or {inner}", Operator.CLAUSE, atomic=False)

    def _donor(self, node: Node) -> None:
        """EXR: plastic surgery with the most similar expressions of the starting program."""
        if node.type in COMPOSITE:
            mine = frozenset(each.text for each in node.walk() if not each.children)
            ranked = sorted(
                (-len(mine & words) / len(mine | words), position, text)
                for position, (text, words) in enumerate(self.context.donors.get(node.type, ()))
                if text != node.text
            )
            for _, _, text in ranked[:DONORS]:
                self.replace(node, text, Operator.DONOR, atomic=node.type in ("call", "subscript", "attribute"))
            if node.type in ("call", "subscript", "attribute"):
                for name in self.scope.names(self.kind(node)):
                    self.replace(node, name, Operator.DONOR)
        elif node.type == "identifier":
            for kind in ("call", "subscript", "attribute", "binary_operator"):
                containing = [text for text, words in self.context.donors.get(kind, ()) if node.text in words]
                for text in containing[: DONORS - 1]:
                    self.replace(node, text, Operator.DONOR, atomic=kind != "binary_operator")

    def _arguments(self, node: Node) -> None:
        """ARG: fewer or further arguments."""
        function, arguments = node.child("function"), node.child("arguments")
        if function is None or arguments is None or arguments.type != "argument_list":
            return
        given = [each for each in arguments.named if each.type != "comment"]
        if len(given) > 1:
            for left, right in itertools.pairwise(given):
                self._cut(arguments, left.end, right.end)
            self._cut(arguments, given[0].start, given[1].start)
        if function.text == "range":
            self._range(given)
        elif function.text == "sorted" and len(given) == 1 and given[0].type != "generator_expression":
            for extra in (", reverse=True", ", key=len"):
                self.splice(given[0], given[0].end, given[0].end, "", extra, Operator.ARGUMENT)

    def _range(self, given: list[Node]) -> None:
        if len(given) == 1:
            for start in ("1", "2", *self._numbers(given[0])[:2]):
                self.splice(given[0], given[0].start, given[0].start, "", f"{start}, ", Operator.ARGUMENT)
            self.replace(given[0], f"{given[0].text} - 1, -1, -1", Operator.ARGUMENT)
        elif len(given) == 2:
            for step in ("2", "-1", *self._numbers(given[1])[:2]):
                self.splice(given[1], given[1].end, given[1].end, "", f", {step}", Operator.ARGUMENT)


BOOLEAN = frozenset({"comparison_operator", "boolean_operator", "not_operator"})
