"""What a transformation needs to know of a place in a Python program: names, loops, indentation.

A `Site` wraps one program. Its answers are guesses from the syntax alone: a transformation that they allow is meant
to preserve the meaning of the program, and the tests decide whether it does.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import NamedTuple

from code_envs.syntax.program import Program
from code_envs.syntax.tree import Node, lighten

__all__ = [
    "LOOPS",
    "Change",
    "Site",
    "Transformation",
    "ancestors",
    "depth",
    "identifiers",
    "is_pure",
    "previous",
    "reads",
    "statement_of",
    "statements",
    "within",
    "writes",
]

LOOPS = frozenset({"for_statement", "while_statement"})
COMPREHENSIONS = frozenset(
    {"generator_expression", "list_comprehension", "set_comprehension", "dictionary_comprehension"}
)
FUNCTIONS = frozenset({"function_definition", "lambda"})
MUTATORS = frozenset(
    "append extend insert pop remove clear sort reverse add discard update setdefault popleft appendleft".split()
)
EFFECTS = MUTATORS | {"print", "next", "input", "write"}
STATEMENTS = frozenset({"block", "module"})


class Transformation(enum.IntEnum):
    """The family of transformations; the number is the first column of `candidates`, less FIRST_TRANSFORMATION."""

    SUM = 0
    """A loop that adds up becomes `sum`."""
    COLLECT = 1
    """A loop that appends, adds or stores becomes a comprehension, `extend` or `update`."""
    ANY_ALL = 2
    """A loop that looks for something becomes `any` or `not any`."""
    EXTREME = 3
    """A loop that keeps the largest or smallest becomes `max` or `min`."""
    JOIN = 4
    """A text that grows in a loop becomes `join`."""
    COUNT = 5
    """A loop that counts becomes `count` or `len`."""
    UNIQUE = 6
    """A list without repetitions is made by `dict.fromkeys`."""
    CONTAINER = 7
    """Membership is asked of a set, a list that is emptied from its front becomes a deque."""
    HOIST = 8
    """What does not change in a loop is worked out before it."""
    UNSWITCH = 9
    """A condition that does not change in a loop moves out of it."""
    EARLY_EXIT = 10
    """`break` behind what a condition in a loop does."""
    DIRECT_ITERATION = 11
    """`range(len(xs))` becomes the items, or `enumerate`."""
    MERGE_LOOPS = 12
    """Two neighbouring loops over the same become one."""
    LOOKUP = 13
    """An inner loop that looks for a key becomes a lookup."""
    DIVISOR_BOUND = 14
    """A loop ends at the square root."""
    MEMOISE = 15
    """`functools.cache`."""
    CONDITION = 16
    """`if c: return True` and else False becomes the condition."""
    DEAD = 17
    """A statement goes."""
    COMMON = 18
    """An expression that is worked out twice gets a name."""
    CLOSED_SUM = 19
    """A sum over a range becomes a formula."""
    LAZY = 20
    """A list becomes a generator, or the other way round; `sum(v for v in xs)` becomes `sum(xs)`."""
    STRENGTH = 21
    """A cheaper operator or function of the same value, or the dear one: `x ** 2`, `sorted(xs)[0]`, `pow`."""
    INLINE = 22
    """A name is replaced by its value, which is then worked out at every use."""
    COPY = 23
    """A copy goes, or comes."""


class Change(NamedTuple):
    """Replace the bytes [start, end) of the program by `text`; `node` is what was touched."""

    transformation: Transformation
    start: int
    end: int
    text: str
    node: Node


class Site:
    """One program with a light copy of its tree; offsets count from the first byte.

    Args:
        program: A Python program that parses.
    """

    def __init__(self, program: Program) -> None:
        self.source = program.source
        self.root = lighten(program.tree.root_node, frozenset({"comment"}), 0)
        self._names = {each.text for each in self.root.walk() if each.type == "identifier"}

    def fresh(self, name: str) -> str:
        """A name that the program does not have: `name`, or with the first number that makes it new."""
        if name not in self._names:
            return name
        return next(f"{name}_{number}" for number in range(2, 1000) if f"{name}_{number}" not in self._names)

    def indent(self, node: Node) -> str:
        """White space before the first token of the line that a node begins on."""
        line = self.source.rfind(b"\n", 0, node.start) + 1
        text = self.source[line : node.start]
        return text[: len(text) - len(text.lstrip())].decode()

    def text(self, start: int, end: int, replaced: list[tuple[int, int, str]] | None = None) -> str:
        """A part of the program, with ranges inside it replaced; they must not overlap."""
        parts, at = [], start
        for first, last, new in sorted(replaced or ()):
            parts += [self.source[at:first].decode("utf-8", "replace"), new]
            at = last
        return "".join([*parts, self.source[at:end].decode("utf-8", "replace")])

    def moved(self, node: Node, indent: str, replaced: list[tuple[int, int, str]] | None = None) -> str:
        """The text of a statement or block at another indentation; its first line has none."""
        old = self.indent(node)
        first, *rest = self.text(node.start, node.end, replaced).split("\n")
        return "\n".join([first, *(indent + line.removeprefix(old) if line.strip() else line for line in rest)])


def ancestors(node: Node) -> Iterator[Node]:
    """The nodes above a node, nearest first."""
    parent = node.parent
    while parent is not None:
        yield parent
        parent = parent.parent


def statements(block: Node | None) -> list[Node]:
    """The statements of a block."""
    return [] if block is None else block.named


def statement_of(node: Node) -> Node:
    """The statement that a node stands in; itself for a statement."""
    while node.parent is not None and node.parent.type not in STATEMENTS:
        node = node.parent
    return node


def previous(statement: Node) -> Node | None:
    """The statement before one in its block."""
    block = statement.parent
    if block is None or block.type not in STATEMENTS:
        return None
    place = next(number for number, each in enumerate(block.named) if each is statement)
    return block.named[place - 1] if place else None


def within(node: Node, top: Node) -> bool:
    """Whether a node is `top` or below it."""
    return top.start <= node.start and node.end <= top.end


def depth(node: Node) -> int:
    """How many loops and comprehensions a node stands in, up to the function around it."""
    count = 0
    for each in ancestors(node):
        if each.type in FUNCTIONS:
            break
        count += each.type in LOOPS or each.type in COMPREHENSIONS
    return count


def identifiers(node: Node) -> list[Node]:
    """The names below a node, without those of attributes and keyword arguments."""
    return [
        each
        for each in node.walk()
        if each.type == "identifier"
        and each.field != "attribute"
        and not (each.field == "name" and each.parent is not None and each.parent.type == "keyword_argument")
    ]


def _is_target(name: Node) -> bool:
    """Whether a name is bound where it stands."""
    node = name
    for parent in ancestors(name):
        if parent.type in ("pattern_list", "tuple_pattern", "list_pattern", "list_splat_pattern"):
            node = parent
            continue
        bound = {"assignment", "augmented_assignment", "for_statement", "for_in_clause"}
        if parent.type in bound:
            return node.field == "left"
        return parent.type == "named_expression" and node.field == "name"
    return False


def _is_mutated(name: Node) -> bool:
    """Whether a name's object is changed where it stands: an item is assigned or a mutating method called."""
    node, parent = name, name.parent
    while parent is not None and parent.type in ("subscript", "attribute") and node.field in ("value", "object"):
        above = parent.parent
        if above is None:
            return False
        if above.type in ("assignment", "augmented_assignment") and parent.field == "left":
            return True
        if above.type in ("pattern_list", "del_statement"):
            return True
        method = parent.child("attribute")
        if above.type == "call" and method is not None and method.text in MUTATORS:
            return True
        node, parent = parent, above
    return False


def reads(node: Node) -> set[str]:
    """Names whose value is used below a node; a name that is only bound there is not among them."""
    found = set()
    for each in identifiers(node):
        parent = each.parent
        augmented = parent is not None and parent.type == "augmented_assignment"
        if augmented or not _is_target(each):
            found.add(each.text)
    return found


def writes(node: Node) -> set[str]:
    """Names that are bound below a node, or whose object is changed there."""
    return {each.text for each in identifiers(node) if _is_target(each) or _is_mutated(each)}


def is_pure(node: Node) -> bool:
    """Whether an expression seems to have no effect: no call of a name that is known for one."""
    for each in node.walk():
        if each.type in ("yield", "await", "named_expression"):
            return False
        if each.type == "call":
            function = each.child("function")
            name = function.child("attribute") if function is not None and function.type == "attribute" else function
            if name is not None and name.text in EFFECTS:
                return False
    return True
