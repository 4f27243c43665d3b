"""The core operators inside one statement, for every language with a grammar table.

Seven of the ten core operators: another operator, another name, another constant, off by one, dropped
parts, swapped parts, another callee, and negation. The family was designed on QuixBugs and
HumanEvalFix and measured on student programs as well.
"""

from __future__ import annotations

import itertools

from code_envs.syntax.context import Kind
from code_envs.syntax.rewrite import Operator, Rewriter, Role, role_of
from code_envs.syntax.tree import Node

__all__ = ["CoreExpressions"]

MEMBER_FIELDS = frozenset({"attribute", "property", "field"})
NUMERIC_ROLES = frozenset(
    {Role.INDEX, Role.SLICE, Role.ARGUMENT, Role.OPERAND, Role.COMPARAND, Role.VALUE, Role.RETURN}
)
ASSIGNMENTS = frozenset(
    {"assignment", "augmented_assignment", "assignment_expression", "augmented_assignment_expression"}
)
COMMUTATIVE = frozenset({"*", "==", "!=", "===", "!==", "and", "or", "&&", "||", "&", "|", "^", "is", "is not"})


class CoreExpressions(Rewriter):
    """Rewrites of the nodes of one statement; a statement's blocks are not part of it."""

    def visit(self, node: Node) -> None:
        """Collect the rewrites that belong to one node; all lie inside it, and depend on `surroundings` only."""
        table = self.table
        if not node.children or node.type in table.strings:
            self._leaf(node)
        if node.type in table.binary:
            self._binary(node)
        elif node.type in table.unary:
            self._drop_to(node, node.named[-1:])
        elif node.type in table.calls:
            self._call(node)
        elif node.type in table.ternary:
            self._ternary(node)
        elif node.type in table.sequences:
            self._sequence(node)
        elif node.type in table.subscripts:
            self._subscript(node)
        elif node.type in ASSIGNMENTS:
            self._assignment(node)
        elif node.type == "update_expression":
            self._operator(node, next(child for child in node.children if child.type in ("++", "--")))
        if node.type == "pattern_list":
            self._swap_neighbours(node.named)
        self._off_by_one(node)
        self._negate(node)

    def is_value(self, node: Node) -> bool:
        """Whether a node is an expression whose value is used."""
        table = self.table
        if not node.named and node.type not in table.identifiers | table.numbers | table.strings:
            return node.type in table.booleans or node.type in table.nothing
        return (
            node.type in table.identifiers
            or node.type in table.numbers
            or node.type in table.strings
            or node.type in table.binary
            or node.type in table.unary
            or node.type in table.calls
            or node.type in table.members
            or node.type in table.subscripts
            or node.type in table.ternary
            or node.type in ("list", "tuple", "set", "dictionary", "list_comprehension", "array")
        ) and self._is_read(node)

    def _is_read(self, node: Node) -> bool:
        parent = node.parent
        if parent is None or role_of(node) in (Role.TARGET, Role.CALLEE):
            return False
        if node.field in MEMBER_FIELDS or node.field in ("parameter", "constructor"):
            return False
        return not (node.field == "name" and parent.type != "expression_statement")

    # leaves ---------------------------------------------------------------------------------------

    def _leaf(self, node: Node) -> None:
        table = self.table
        if node.field in MEMBER_FIELDS:
            self._callee(node)
        elif node.type in table.identifiers:
            self._identifier(node)
        elif node.type in table.numbers:
            self._number(node)
        elif node.type in table.strings:
            self._string(node)
        elif node.type in table.booleans:
            self.replace(node, next(text for text in table.booleans.values() if text != node.text), Operator.CONSTANT)
        elif node.type in table.nothing and table.name == "python" and not self._beside_is(node):
            for text in ("[]", "0", "False", "True", "''"):
                self.replace(node, text, Operator.CONSTANT)

    def _beside_is(self, node: Node) -> bool:
        """Whether a literal here would make `compile()` warn."""
        return node.parent is not None and any(each.type in ("is", "is not") for each in node.parent.children)

    def _identifier(self, node: Node) -> None:
        role = role_of(node)
        if role is Role.CALLEE:
            self._callee(node)
        elif node.field == "name" and node.parent is not None:
            if node.parent.type in self.table.calls:
                self._callee(node)
        elif role is Role.TARGET or self._is_read(node):
            kind = self.scope.kinds.get(node.text, Kind.UNKNOWN)
            for name in self.scope.names(kind):
                self.replace(node, name, Operator.IDENTIFIER)

    def _callee(self, node: Node) -> None:
        names = [name for group in self.table.siblings if node.text in group for name in group]
        if role_of(node) is Role.CALLEE:
            names += self.context.functions
        for name in dict.fromkeys(names):
            self.replace(node, name, Operator.CALLEE)

    def _number(self, node: Node) -> None:
        try:
            value = int(node.text, 0)
        except ValueError:
            near = ["0", "1"]
        else:
            near = [str(value + 1), str(value - 1), "0", "1", "2", str(-value)]
        names = self.scope.names(Kind.NUMBER, known=True) if self._is_read(node) else []
        for text in dict.fromkeys([*near, *self.context.numbers, *names]):
            self.replace(node, text, Operator.CONSTANT, atomic=not text.startswith("-"))

    def _string(self, node: Node) -> None:
        text = node.text
        if node.parent is None or node.parent.type == "expression_statement" or len(text) < 2 or text[0] not in "\"'":
            return
        quote, inner = text[0], text[1:-1]
        if text.startswith(quote * 3) or "\\" in inner:
            return
        choices = [quote * 2, f"{quote} {quote}", f"{quote}{inner[:-1]}{quote}", f"{quote}{inner.swapcase()}{quote}"]
        for choice in dict.fromkeys([*choices, *self.context.strings]):
            self.replace(node, choice, Operator.CONSTANT)

    # composites -----------------------------------------------------------------------------------

    def _binary(self, node: Node) -> None:
        for position, child in enumerate(node.children):
            if not child.named and 0 < position < len(node.children) - 1:
                self._operator(node, child)
        operands = [child for child in node.named if child.type not in self.opaque_operands]
        if node.type != "comparison_operator":
            self._drop_to(node, operands)
        if len(operands) == 2 and len(node.children) == 3 and node.children[1].type not in COMMUTATIVE:
            self._swap_neighbours(operands)

    opaque_operands = frozenset({"comment", "line_continuation"})

    def _operator(self, node: Node, token: Node) -> None:
        text = " ".join(token.text.split())
        textual = any(child.type in self.table.strings for child in node.named)
        for group in self.table.operators:
            if text not in group:
                continue
            for other in group:
                if not (textual and other in ("-", "/", "//", "**")):
                    self.replace(token, other, Operator.OPERATOR)

    def _drop_to(self, node: Node, parts: list[Node]) -> None:
        role = role_of(node)
        if role is Role.TARGET:
            return
        for part in parts:
            if role is Role.RECEIVER and part.type in self.table.numbers:
                continue
            if part.type not in (
                "keyword_argument",
                "list_splat",
                "dictionary_splat",
                "spread_element",
                "comment",
                "line_continuation",
            ):
                self.replace(node, part.text, Operator.DROP, atomic=self._atomic(part))

    def _atomic(self, node: Node) -> bool:
        table = self.table
        return not (
            node.type in table.binary
            or node.type in table.unary
            or node.type in table.ternary
            or node.type in ("lambda", "await", "yield", "arrow_function", "assignment_expression", "named_expression")
            or node.type == "generator_expression"
        )

    def _assignment(self, node: Node) -> None:
        """Another assignment operator, where the target is one name, item or attribute."""
        left = node.child("left")
        chained = any(each is not None and each.type == node.type for each in (node.parent, *node.named))
        if left is None or left.type in ("pattern_list", "tuple_pattern") or chained or node.child("type") is not None:
            return
        for child in node.children:
            if not child.named and child.type.endswith("="):
                self._operator(node, child)

    def _call(self, node: Node) -> None:
        arguments = next((child for child in node.named if child.type in self.table.arguments), None)
        if arguments is None:
            return
        function = node.child("function") or node
        receiver = function.child("object")
        if node.parent is not None and node.parent.type != "expression_statement":
            self._drop_to(node, ([receiver] if receiver else []) + arguments.named)
        self._swap_neighbours(arguments.named)

    def _ternary(self, node: Node) -> None:
        arms = [child for child in node.named if child.field != "condition"]
        if self.table.name == "python":
            arms = [node.named[0], node.named[-1]]
        self._drop_to(node, arms)
        self._swap(arms[0], arms[-1], node)

    def _sequence(self, node: Node) -> None:
        self._swap_neighbours(node.named)
        if role_of(node) is Role.TARGET:
            return
        if len(node.named) == 1:
            self._drop_to(node, node.named)
        if len(node.named) > 1 and (len(node.named) > 2 or node.type == "list"):
            for left, right in itertools.pairwise(node.named):
                self._cut(node, left.end, right.end)
            self._cut(node, node.named[0].start, node.named[1].start)

    def _cut(self, node: Node, start: int, end: int) -> None:
        self.splice(node, start, end, _between(node, start, end), "", Operator.DROP)

    def _subscript(self, node: Node) -> None:
        value = node.named[0]
        self._drop_to(node, [value])
        if value.type == node.type and len(node.named) == 2 and len(value.named) == 2:
            self._swap(value.named[1], node.named[1], node)

    def _swap_neighbours(self, nodes: list[Node]) -> None:
        plain = [each for each in nodes if each.type != "comment"]
        for left, right in itertools.pairwise(plain):
            if not {"keyword_argument", "list_splat", "dictionary_splat"} & {left.type, right.type}:
                parent = left.parent
                assert parent is not None
                self._swap(left, right, parent)

    def _swap(self, left: Node, right: Node, whole: Node) -> None:
        between = _between(whole, left.end, right.start)
        bare = whole.type in self.table.binary
        first = f"({right.text})" if bare and not self._atomic(right) else right.text
        second = f"({left.text})" if bare and not self._atomic(left) else left.text
        old = left.text + between + right.text
        self.splice(whole, left.start, right.end, old, first + between + second, Operator.SWAP)

    # expressions of a kind ------------------------------------------------------------------------

    def _off_by_one(self, node: Node) -> None:
        table = self.table
        if node.type in table.numbers or not self.is_value(node) or role_of(node) not in NUMERIC_ROLES:
            return
        if node.type in table.strings or node.type in table.unary or node.type in table.booleans:
            return
        kind = self.kind(node)
        loose = role_of(node) in (Role.INDEX, Role.SLICE)
        if kind & Kind.NUMBER or (loose and not kind):
            for suffix in (" + 1", " - 1"):
                text = node.text if self._tight(node) else f"({node.text})"
                self.replace(node, text + suffix, Operator.OFF_BY_ONE, atomic=False)

    def _tight(self, node: Node) -> bool:
        """Whether ` + 1` may follow the text without parentheses."""
        if node.type in ("binary_operator", "binary_expression"):
            operator = node.child("operator")
            return operator is not None and operator.type in ("+", "-", "*", "/", "//", "%", "**")
        return self._atomic(node)

    def _negate(self, node: Node) -> None:
        if not self.is_value(node):
            return
        role = role_of(node)
        if role in (Role.CONDITION, Role.CLAUSE) and node.type not in ("comparison_operator", *self.table.unary):
            text = node.text if self._atomic(node) else f"({node.text})"
            self.replace(node, self.table.negation + text, Operator.NEGATE, atomic=self.table.negation == "!")
        numeric = self.kind(node) & Kind.NUMBER and node.type in (*self.table.identifiers, *self.table.calls)
        if numeric and role in (Role.ARGUMENT, Role.OPERAND, Role.VALUE, Role.RETURN, Role.COMPARAND):
            self.replace(node, f"-{node.text}", Operator.NEGATE, atomic=False)


def _between(node: Node, start: int, end: int) -> str:
    """Text of a byte range inside a node."""
    raw = node.text.encode()
    return raw[start - node.start : end - node.start].decode("utf-8", "replace")
