"""One rewrite of a statement, the operators that make them, and where in a program they stand."""

from __future__ import annotations

import enum
from typing import NamedTuple

from code_envs.syntax.context import Context, Scope, kind_of
from code_envs.syntax.tree import Node

__all__ = ["Operator", "Rewrite", "Rewriter", "Role", "role_of", "surroundings"]


class Operator(enum.IntEnum):
    """The family of edit operators; the two first stand for the actions that are no edits."""

    SUBMIT = 1
    UNDO = 2
    OPERATOR = 3
    IDENTIFIER = 4
    CONSTANT = 5
    OFF_BY_ONE = 6
    DROP = 7
    SWAP = 8
    CALLEE = 9
    NEGATE = 10
    SLICE = 11
    DONOR = 12
    WRAP = 13
    ARITHMETIC = 14
    CLAUSE = 15
    DELETE = 16
    MOVE = 17
    INSERT_ASSIGNMENT = 18
    INSERT_COLLECT = 19
    INSERT_GUARD = 20
    INSERT_DUPLICATE = 21
    ARGUMENT = 22
    STATEMENT = 23


class Role(enum.IntEnum):
    """What an expression is to its parent."""

    OTHER = 1
    CONDITION = 2
    INDEX = 3
    SLICE = 4
    ARGUMENT = 5
    OPERAND = 6
    COMPARAND = 7
    CLAUSE = 8
    VALUE = 9
    TARGET = 10
    RETURN = 11
    ITERABLE = 12
    ELEMENT = 13
    RECEIVER = 14
    CALLEE = 15
    CONTAINER = 16
    STATEMENT = 17


DELIMITED = frozenset(
    {
        Role.CONDITION,
        Role.INDEX,
        Role.SLICE,
        Role.ARGUMENT,
        Role.VALUE,
        Role.RETURN,
        Role.ITERABLE,
        Role.ELEMENT,
    }
)
"""Roles where an expression needs no parentheses."""

_BY_FIELD = {
    "condition": Role.CONDITION,
    "subscript": Role.INDEX,
    "index": Role.INDEX,
    "object": Role.RECEIVER,
    "function": Role.CALLEE,
    "left": Role.OPERAND,
    "right": Role.VALUE,
}
_BY_PARENT = {
    "slice": Role.SLICE,
    "argument_list": Role.ARGUMENT,
    "arguments": Role.ARGUMENT,
    "keyword_argument": Role.ARGUMENT,
    "binary_operator": Role.OPERAND,
    "binary_expression": Role.OPERAND,
    "comparison_operator": Role.COMPARAND,
    "boolean_operator": Role.CLAUSE,
    "not_operator": Role.CLAUSE,
    "unary_operator": Role.OPERAND,
    "unary_expression": Role.OPERAND,
    "return_statement": Role.RETURN,
    "list": Role.ELEMENT,
    "array": Role.ELEMENT,
    "tuple": Role.ELEMENT,
    "set": Role.ELEMENT,
    "expression_list": Role.ELEMENT,
    "pair": Role.ELEMENT,
    "if_clause": Role.CLAUSE,
    "variable_declarator": Role.VALUE,
}
_TARGETS = frozenset(
    {
        "assignment",
        "augmented_assignment",
        "for_statement",
        "for_in_statement",
        "for_in_clause",
        "update_expression",
        "assignment_expression",
        "augmented_assignment_expression",
    }
)
_PATTERNS = frozenset({"pattern_list", "tuple_pattern", "list_pattern"})


def role_of(node: Node) -> Role:
    """What a node is to its parent; parentheses are looked through."""
    if node.role is None:
        node.role = _role_of(node)
    return node.role


def _role_of(node: Node) -> Role:
    parent = node.parent
    if parent is None:
        return Role.STATEMENT
    if parent.type == "parenthesized_expression":
        return role_of(parent) if parent.parent is not None else Role.CONDITION
    if parent.type in _PATTERNS or parent.type in ("del_statement", "as_pattern", "named_expression"):
        return Role.TARGET
    if parent.type in _TARGETS:
        if node.field == "left" or parent.type == "update_expression":
            return Role.TARGET
        return Role.VALUE if "assignment" in parent.type else Role.ITERABLE
    if parent.type in _BY_PARENT:
        return _BY_PARENT[parent.type]
    if node.field in ("value", "array") and parent.type in ("subscript", "array_access"):
        return Role.CONTAINER
    return _BY_FIELD.get(node.field, Role.OTHER)


class Rewrite(NamedTuple):
    """Replace [start, end), relative to the statement, by `text`.

    `node` and `role` say what was touched; `old` is the replaced text.
    """

    start: int
    end: int
    old: str
    text: str
    operator: Operator
    node: str
    role: Role


def surroundings(node: Node) -> tuple[str, int, str, str]:
    """Everything around a node that its rewrites depend on: two nodes of equal text and surroundings have the same.

    That is its field, its role, its parent's type, and, where the parent is a list of arguments, an assignment or
    a comparison, the called function, the target, or whether the comparison is by identity.
    """
    parent = node.parent
    if parent is None:
        return node.field, Role.STATEMENT, "", ""
    beside = ""
    if parent.type == "argument_list" and parent.parent is not None:
        function = parent.parent.child("function")
        beside = function.text if function is not None else ""
    elif parent.type == "assignment" and node.field == "right":
        left = parent.child("left")
        beside = left.text if left is not None and left.type in ("identifier", "subscript") else ""
    elif node.type == "none":
        beside = "is" if any(each.type in ("is", "is not") for each in parent.children) else ""
    return node.field, role_of(node), parent.type, beside


class Rewriter:
    """Collects the rewrites of one statement.

    Args:
        context: What repairs of this episode may draw on.
        scope: The names of the function that the statement stands in.
    """

    def __init__(self, context: Context, scope: Scope) -> None:
        self.context = context
        self.scope = scope
        self.table = context.grammar
        self.found: list[Rewrite] = []

    def replace(self, node: Node, text: str, operator: Operator, atomic: bool = True) -> None:
        """Replace a node, in parentheses where the place needs them; lines that stood in brackets may leave them."""
        role = role_of(node)
        if "\n" in text or (not atomic and not self.delimited(node, role)):
            text = f"({text})"
        if text not in (node.text, f"({node.text})"):
            self.found.append(Rewrite(node.start, node.end, node.text, text, operator, node.type, role))

    def splice(self, node: Node, start: int, end: int, old: str, text: str, operator: Operator) -> None:
        """Replace a range that belongs to a node."""
        if old != text:
            self.found.append(Rewrite(start, end, old, text, operator, node.type, role_of(node)))

    def delimited(self, node: Node, role: Role) -> bool:
        """Whether any expression may stand in a node's place without parentheses."""
        parent = node.parent
        if parent is not None and parent.type == "parenthesized_expression":
            return True
        if parent is not None and parent.type == "for_in_clause":
            return False
        return role in DELIMITED

    def kind(self, node: Node) -> int:
        """What an expression seems to be."""
        return kind_of(node, self.scope)
