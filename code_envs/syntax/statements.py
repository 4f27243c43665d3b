"""The core operators on whole statements: delete and move, for every language; the rest for Python.

A `Setting` is where a statement stands; what may be inserted before or behind it depends on nothing
else. A `Place` adds its text, a `Pair` the next statement. All are keys: rewrites are relative to the statement,
so they can be remembered while the rest of the program changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tree_sitter import Node as TreeSitterNode

from code_envs.syntax.context import Kind, Scope, compatible
from code_envs.syntax.rewrite import Operator, Rewrite, Role

__all__ = [
    "Insertions",
    "NextStatements",
    "Pair",
    "Place",
    "Setting",
    "WholeStatements",
    "deleted",
    "swapped",
    "swapped_arms",
]


class Setting(NamedTuple):
    """Where a statement stands; equal settings have equal insertions."""

    type: str
    next_type: str
    indent: str
    inline: bool
    first: bool
    last: bool
    in_function: bool
    function_body: bool
    in_loop: bool


class Place(NamedTuple):
    """A statement in its setting; equal places have equal rewrites of the statement."""

    setting: Setting
    text: bytes


class Pair(NamedTuple):
    """A statement and the next one; equal pairs have equal rewrites that need both."""

    place: Place
    gap: bytes
    next_text: bytes

    @property
    def text(self) -> bytes:
        """Both statements and what stands between them."""
        return self.place.text + self.gap + self.next_text


LEAVES = frozenset({"return_statement", "break_statement", "continue_statement", "raise_statement"})
FIXED_STATEMENTS = frozenset(
    {
        "function_definition",
        "class_definition",
        "decorated_definition",
        "import_statement",
        "import_from_statement",
        "function_declaration",
        "class_declaration",
    }
)
LOOPS = frozenset({"for_statement", "while_statement"})
JUMPS = frozenset({"break_statement", "continue_statement"})
BLOCKS = frozenset({"if_statement", "for_statement", "while_statement", "try_statement", "with_statement"})
GUARDS_MAX, RETURNS_MAX, PAIRS_MAX, NAMES_MAX, TARGETS_MAX = 4, 6, 8, 5, 4

Put = Callable[..., None]


def deleted(place: Place, empty: str) -> list[Rewrite]:
    """DEL in any language: delete a statement."""
    setting = place.setting
    if setting.type in FIXED_STATEMENTS:
        return []
    text = empty if (setting.first and setting.last) or (setting.inline and empty == "pass") else ""
    return [_rewrite(setting, 0, len(place.text), place.text, text, Operator.DELETE)]


def swapped(pair: Pair) -> list[Rewrite]:
    """MOV in any language: swap a statement with the next."""
    (setting, text), gap, next_text = pair
    if setting.inline or {setting.type, setting.next_type} & FIXED_STATEMENTS:
        return []
    both = (next_text + gap + text).decode("utf-8", "replace")
    return [_rewrite(setting, 0, len(pair.text), pair.text, both, Operator.MOVE)]


def swapped_arms(place: Place, node: TreeSitterNode) -> list[Rewrite]:
    """SWP of statements in languages with braces: exchange the arms of an `if` that has two."""
    first, second = node.child_by_field_name("consequence"), node.child_by_field_name("alternative")
    if node.type != "if_statement" or first is None or second is None:
        return []
    if second.type == "else_clause":
        second = second.named_children[-1]
    if second.type == "if_statement":
        return []
    start, end = first.start_byte - node.start_byte, second.end_byte - node.start_byte
    between = place.text[first.end_byte - node.start_byte : second.start_byte - node.start_byte].decode(
        "utf-8", "replace"
    )
    swapped = _text(second) + between + _text(first)
    return [_rewrite(place.setting, start, end, place.text[start:end], swapped, Operator.SWAP)]


def _rewrite(setting: Setting, start: int, end: int, old: bytes, text: str, operator: Operator) -> Rewrite:
    return Rewrite(start, end, old.decode("utf-8", "replace"), text, operator, setting.type, Role.STATEMENT)


class Insertions:
    """New Python statements before and behind a statement.

    Args:
        setting: Where the statement stands.
        scope: The names of its function.

    Attributes:
        before: Rewrites relative to the statement's first byte.
        after: Rewrites relative to the byte behind it.
    """

    def __init__(self, setting: Setting, scope: Scope) -> None:
        self.setting = setting
        self.scope = scope
        self.before: list[Rewrite] = []
        self.after: list[Rewrite] = []
        if setting.in_function and not setting.inline and setting.type not in FIXED_STATEMENTS:
            self._collect_all()

    def _before(self, operator: Operator, *lines: str) -> None:
        text = "".join(f"{line}\n{self.setting.indent}" for line in lines)
        self.before.append(_rewrite(self.setting, 0, 0, b"", text, operator))

    def _after(self, operator: Operator, *lines: str) -> None:
        text = "".join(f"\n{self.setting.indent}{line}" for line in lines)
        self.after.append(_rewrite(self.setting, 0, 0, b"", text, operator))

    def _collect_all(self) -> None:
        setting = self.setting
        if setting.function_body and setting.first:
            self._guards()
        leaves = setting.type in LEAVES
        if not leaves:
            edge = setting.last or setting.next_type in LEAVES or setting.type in BLOCKS
            if setting.last:
                self._endings()
            if edge:
                self._collect(self._after)
            self._assignments(self._after, edge)
        if setting.first:
            if leaves:
                self._collect(self._before)
            self._assignments(self._before, leaves)

    def _guards(self) -> None:
        """INSG: leave early for an empty or a special argument."""
        for name in self.scope.parameters[:3]:
            kind = self.scope.kinds.get(name, Kind.UNKNOWN)
            tests = [f"not {name}"]
            if compatible(kind, Kind.NUMBER) and not kind & (Kind.SEQUENCE | Kind.STRING):
                tests += [f"{name} <= 0", f"{name} == 1", f"{name} < 0"]
            elif kind & (Kind.SEQUENCE | Kind.STRING):
                tests += [f"len({name}) == 1"]
            for test in tests:
                for value in self._values()[:GUARDS_MAX]:
                    self._before(Operator.INSERT_GUARD, f"if {test}:", f"    return {value}")

    def _values(self) -> list[str]:
        """Values a guard may return, those that look like what the function returns first."""
        returns = " ".join(self.scope.returns)
        if "True" in returns or "False" in returns or " == " in returns or "all(" in returns or "any(" in returns:
            return ["True", "False", "None", "0"]
        if any(mark in returns for mark in ("'", '"', "str(", "join(")):
            return ["''", "None", "False", "[]"]
        kinds = [self.scope.kinds.get(each, Kind.UNKNOWN) for each in self.scope.returns]
        if "[" in returns or any(kind & Kind.SEQUENCE for kind in kinds):
            return ["[]", "None", "0", self.scope.parameters[0] if self.scope.parameters else "''"]
        return ["0", "1", "-1", "None"]

    def _endings(self) -> None:
        """INSG: leave the function or the loop at the end of a block."""
        assigned = [name for name in self.scope.names() if name not in self.scope.parameters]
        values = [*self.scope.returns, *assigned[:RETURNS_MAX], "True", "False"]
        for value in list(dict.fromkeys(values))[: 2 * RETURNS_MAX]:
            self._after(Operator.INSERT_GUARD, f"return {value}")
        if self.setting.in_loop:
            self._after(Operator.INSERT_GUARD, "break")
            self._after(Operator.INSERT_GUARD, "continue")

    def _collect(self, put: Put) -> None:
        """INSC: put a value into a collection."""
        scope = self.scope
        containers = [
            name for name in scope.names(Kind.SEQUENCE | Kind.SET, known=True) if name not in scope.parameters
        ]
        if not containers:
            return
        for container in containers[:3]:
            method = "add" if scope.kinds[container] & Kind.SET else "append"
            values = [name for name in scope.names() if name != container][:PAIRS_MAX]
            whole = [name for name in scope.parameters if scope.kinds.get(name, 0) & (Kind.SEQUENCE | Kind.STRING)]
            for value in values + [f"{name}[-1]" for name in whole[:1]]:
                put(Operator.INSERT_COLLECT, f"{container}.{method}({value})")

    def _assignments(self, put: Put, edge: bool) -> None:
        """INSA: assign one name to another, count up or down."""
        if not self.setting.in_loop:
            return
        scope = self.scope
        numbers = scope.names(Kind.NUMBER, known=True)
        for name in numbers[:NAMES_MAX]:
            put(Operator.INSERT_ASSIGNMENT, f"{name} += 1")
            put(Operator.INSERT_ASSIGNMENT, f"{name} -= 1")
        if not edge:
            return
        for target in numbers[:TARGETS_MAX]:
            for value in numbers[:TARGETS_MAX]:
                if target != value:
                    put(Operator.INSERT_ASSIGNMENT, f"{target} = {value}")
            put(Operator.INSERT_ASSIGNMENT, f"{target} = 0")
        others = scope.names(Kind.SEQUENCE | Kind.STRING, known=True)
        for target in others[:TARGETS_MAX]:
            for value in others[:TARGETS_MAX]:
                if target != value:
                    put(Operator.INSERT_ASSIGNMENT, f"{target} = {value}")


class _Statements:
    """Rewrites of one Python statement, relative to it.

    Args:
        place: The statement.
        node: Its tree-sitter node.

    Attributes:
        found: The rewrites.
    """

    def __init__(self, place: Place, node: TreeSitterNode) -> None:
        self.place = place
        self.setting = place.setting
        self.node = node
        self.base = node.start_byte
        self.end = len(place.text)
        self.old = place.text
        self.found: list[Rewrite] = []

    def _put(self, operator: Operator, start: int, end: int, text: str) -> None:
        old = self.old[start:end]
        self.found.append(_rewrite(self.setting, start, end, old, text, operator))

    def _start(self, node: TreeSitterNode) -> int:
        return node.start_byte - self.base

    def _end(self, node: TreeSitterNode) -> int:
        return node.end_byte - self.base

    def _parts(self) -> tuple[list[TreeSitterNode], list[TreeSitterNode]]:
        """Clauses and blocks of a compound statement; no block where one is empty."""
        clauses = [each for each in self.node.children if each.type.endswith("_clause")]
        bodies = [below for each in [self.node, *clauses] for below in each.children if below.type == "block"]
        return clauses, bodies if all(body.named_child_count for body in bodies) else []

    def _inner(self, body: TreeSitterNode) -> str | None:
        """Indentation of a block, or None where it does not stand on lines of its own."""
        start = self._start(body)
        lead = self.place.text[self._line_start(start) : start].decode("utf-8", "replace").lstrip("\n")
        return lead if not lead.strip() and len(lead) > len(self.setting.indent) else None

    def _line_start(self, offset: int) -> int:
        """Offset of the line break before `offset`, or 0."""
        return max(self.place.text.rfind(b"\n", 0, offset), 0)


class WholeStatements(_Statements):
    """Rewrites of one Python statement as a whole: another kind, deleted, unwrapped, its parts moved.

    Args:
        place: The statement.
        node: Its tree-sitter node.
        scope: The names of its function.
    """

    def __init__(self, place: Place, node: TreeSitterNode, scope: Scope) -> None:
        super().__init__(place, node)
        self.scope = scope
        if self.setting.in_function and self.setting.type not in FIXED_STATEMENTS:
            self.found += deleted(place, "pass")
            self._statement()
            if not self.setting.inline and self.setting.type in BLOCKS:
                self._blocks()

    def _whole(self, operator: Operator, text: str) -> None:
        self._put(operator, 0, self.end, text)

    # one statement becomes another ----------------------------------------------------------------

    def _statement(self) -> None:
        """STX: another kind of statement with the same parts."""
        match self.setting.type:
            case "break_statement":
                self._whole(Operator.STATEMENT, "continue")
            case "continue_statement":
                self._whole(Operator.STATEMENT, "break")
            case "if_statement" if self.node.child_by_field_name("alternative") is None:
                self._put(Operator.STATEMENT, 0, 2, "while")
            case "while_statement" if not self._jumps(self.node.child_by_field_name("body")):
                self._put(Operator.STATEMENT, 0, 5, "if")
            case "expression_statement":
                self._expression_statement(self.node.children[0])
            case "return_statement" if self.node.named_children:
                self._put(Operator.STATEMENT, 0, self._start(self.node.named_children[0]), "")

    def _expression_statement(self, node: TreeSitterNode) -> None:
        if node.type in ("assignment", "augmented_assignment"):
            left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
            if left is not None and right is not None:
                if right.type != "assignment":
                    self._whole(Operator.STATEMENT, f"return {_text(right)}")
                self._whole(Operator.STATEMENT, f"return {_text(left)}")
            return
        if node.type != "yield":
            self._put(Operator.STATEMENT, 0, 0, "return ")
        function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        if function is None or arguments is None or arguments.named_child_count != 1:
            return
        receiver, value = function.child_by_field_name("object"), arguments.named_children[0]
        if receiver is None or receiver.type not in ("identifier", "attribute", "subscript"):
            return
        if value.type not in ("keyword_argument", "list_splat", "dictionary_splat"):
            self._whole(Operator.STATEMENT, f"{_text(receiver)} = {_text(value)}")
            self._whole(Operator.STATEMENT, f"{_text(receiver)} += {_text(value)}")

    # compound statements --------------------------------------------------------------------------

    def _blocks(self) -> None:
        clauses, bodies = self._parts()
        if not bodies:
            return
        if not clauses and self.setting.type in ("if_statement", "for_statement", "while_statement"):
            self._unwrap(bodies[0])
        for clause in clauses:
            if clause.type in ("else_clause", "elif_clause"):
                self._put(Operator.DELETE, self._line_start(self._start(clause)), self._end(clause), "")
        for body in bodies:
            self._dedent_last(body)
        if self.setting.type == "if_statement":
            self._branches(bodies, clauses)

    def _unwrap(self, body: TreeSitterNode) -> None:
        """DEL: the body without its header."""
        inner = self._inner(body)
        if inner is not None and not self._jumps(body):
            self._whole(Operator.DELETE, _shift(_text(body), inner, self.setting.indent))

    def _dedent_last(self, body: TreeSitterNode) -> None:
        """MOV: the last statement of a block leaves it."""
        inner = self._inner(body)
        if inner is None or body.named_child_count < 2 or self._end(body) != self.end:
            return
        last = body.named_children[-1]
        if self._jumps(last):
            return
        start = self._line_start(self._start(last))
        if last.type != "comment" and not self.place.text[start : self._start(last)].strip():
            moved = f"\n{self.setting.indent}{_shift(_text(last), inner, self.setting.indent)}"
            self._put(Operator.MOVE, start, self.end, moved)

    def _branches(self, bodies: list[TreeSitterNode], clauses: list[TreeSitterNode]) -> None:
        """SWP: exchange the arms; INSD: give an `if` an `else`; STX: `elif` becomes `if`."""
        if len(bodies) == 2 and [each.type for each in clauses] == ["else_clause"]:
            first, second = bodies
            inner = self._inner(first)
            if inner is not None and inner == self._inner(second):
                middle = self.place.text[self._end(first) : self._start(second)].decode("utf-8", "replace")
                swapped = _text(second) + middle + _text(first)
                self._put(Operator.SWAP, self._start(first), self._end(second), swapped)
        if not clauses:
            self._give_else(bodies[0])
        for clause in clauses:
            if clause.type == "elif_clause":
                self._put(Operator.STATEMENT, self._start(clause), self._start(clause) + 4, "if")

    def _give_else(self, body: TreeSitterNode) -> None:
        inner = self._inner(body)
        if inner is None:
            return
        simple = [each for each in body.named_children if each.type == "expression_statement"]
        choices = [_text(each) for each in simple if b"\n" not in (each.text or b"")]
        if self.setting.in_loop:
            numbers = self.scope.names(Kind.NUMBER, known=True)[:3]
            choices += [f"{name} += 1" for name in numbers] + [f"{name} = 0" for name in numbers] + ["break"]
        choices += [f"return {value}" for value in self.scope.returns[:3]]
        for choice in dict.fromkeys(choices):
            text = f"\n{self.setting.indent}else:\n{inner}{choice}"
            self._put(Operator.INSERT_DUPLICATE, self.end, self.end, text)

    def _jumps(self, node: TreeSitterNode | None) -> bool:
        """Whether moving a part of this statement out of it would leave a `break` or `continue` outside loops."""
        if node is None or self.setting.type not in LOOPS or self.setting.in_loop:
            return False
        text = node.text or b""  # looking for the words first spares most walks over whole blocks
        return (b"break" in text or b"continue" in text) and _jumps(node)


class NextStatements(_Statements):
    """Rewrites of one Python statement and the next: swapped, repeated, joined.

    Args:
        pair: Both statements.
        node: The tree-sitter node of the first.
    """

    def __init__(self, pair: Pair, node: TreeSitterNode) -> None:
        super().__init__(pair.place, node)
        self.pair = pair
        self.old = pair.text
        setting = self.setting
        if pair.place.text.endswith(b";"):  # another statement cannot take its place, or follow, without a line break
            return
        if setting.in_function and not setting.inline and setting.type not in FIXED_STATEMENTS:
            self.found += swapped(pair)
            self._duplicate()
            if setting.type in BLOCKS and setting.next_type not in FIXED_STATEMENTS:
                self._indent_next()

    def _duplicate(self) -> None:
        """INSD: the statement once more behind its next neighbour."""
        text, setting = self.place.text, self.setting
        simple = setting.type == "expression_statement" and b"\n" not in text
        if simple and self.pair.next_text != text and setting.next_type not in LEAVES | FIXED_STATEMENTS:
            end = len(self.old)
            self._put(Operator.INSERT_DUPLICATE, end, end, f"\n{setting.indent}{text.decode()}")

    def _indent_next(self) -> None:
        """MOV: the next statement joins the last block."""
        _, bodies = self._parts()
        inner = self._inner(bodies[-1]) if bodies else None
        if inner is None or self._end(bodies[-1]) != self.end:
            return
        lines = self.pair.next_text.split(b"\n")[1:]
        if any(line.strip() and not line.startswith(self.setting.indent.encode()) for line in lines):
            return  # tabs and blanks are mixed
        moved = f"\n{inner}{_shift(self.pair.next_text.decode('utf-8', 'replace'), self.setting.indent, inner)}"
        self._put(Operator.MOVE, self.end, len(self.old), moved)


def _text(node: TreeSitterNode) -> str:
    return (node.text or b"").decode("utf-8", "replace")


def _jumps(node: TreeSitterNode) -> bool:
    """Whether a node holds a `break` or `continue` of a loop around it."""
    if node.type in JUMPS or node.type in FIXED_STATEMENTS:
        return node.type in JUMPS
    if node.type in LOOPS:
        alternative = node.child_by_field_name("alternative")
        return alternative is not None and _jumps(alternative)
    return any(_jumps(child) for child in node.children)


def _shift(text: str, old: str, new: str) -> str:
    """Re-indent every line but the first, which carries no indentation."""
    first, newline, rest = text.partition("\n")
    if not newline:
        return first
    lines = [new + line[len(old) :] if line.startswith(old) else line for line in rest.split("\n")]
    return first + newline + "\n".join(lines)
