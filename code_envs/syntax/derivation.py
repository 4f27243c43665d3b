"""A program that grows: its text so far, the holes that are still open, and the productions for the leftmost one.

Every derivation can be completed: each hole has a shortest filling, and a production is offered only if the shortest
filling of everything then open fits into the budget.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from code_envs.syntax.grammar import Family, Template, element_of, fits, templates_of

__all__ = ["HOLE", "Derivation", "Hole", "Production", "Signature"]

HOLE = "..."
INDENT = "    "
SHORTEST = {"body": 2, "suite": 2, "rest": 1}
"""Fewest productions that fill a hole of statements; an expression takes one."""
LEAF_KIND, STATEMENT_KIND = 100, 104
"""Node kinds of names and constants, and of the first statement; templates have their numbers."""
LOCALS = {
    "num": ("total", "count", "value", "other"),
    "bool": ("found", "same"),
    "str": ("out", "word"),
    "list": ("items", "rest"),
}
"""Names of new variables by type."""
LOOP_NAMES = ("x", "y", "z", "w")
STATEMENTS = (
    "return", "assign", "set", "add", "subtract", "multiply", "append", "if", "if else", "for", "while", "end",
)  # fmt: skip


class Signature(NamedTuple):
    """What is known of a function before it is written.

    Args:
        name: Its name.
        parameters: Type by name, in order.
        returns: Type of the result.
        constants: Text of the constants that may be used, by type.
    """

    name: str
    parameters: Mapping[str, str]
    returns: str
    constants: Mapping[str, Sequence[str]]

    @property
    def line(self) -> str:
        """The first line of the function."""
        return f"def {self.name}({', '.join(self.parameters)}):"


class Hole(NamedTuple):
    """An open place: `kind` is a type of expression, or "body", "suite" or "rest" for statements."""

    kind: str
    level: int = 0
    depth: int = 0
    indent: int = 0


class _Line(NamedTuple):
    indent: int


class _Enter(NamedTuple):
    name: str
    kind: str


class _Leave(NamedTuple):
    name: str


Item = str | Hole | _Line | _Enter | _Leave


class Production(NamedTuple):
    """One way to fill the leftmost hole."""

    key: str
    """Names it among those of the same hole."""
    kind: int
    family: Family
    items: tuple[Item, ...]
    template: Template | None = None
    names: tuple[str, ...] = ()
    """The variables that it uses or makes."""

    @property
    def holes(self) -> tuple[Hole, ...]:
        """The holes that it opens, in order."""
        return tuple(item for item in self.items if isinstance(item, Hole))

    @property
    def text(self) -> str:
        """Its text, with holes."""
        return "".join(_shown(item) for item in self.items)


def _shown(item: Item) -> str:
    if isinstance(item, str):
        return item
    if isinstance(item, Hole):
        return "" if item.kind == "rest" else HOLE
    return "\n" if isinstance(item, _Line) else ""


class Derivation:
    """A function whose body is being written.

    Args:
        signature: What is known of the function.
        budget: Productions in all.
        depth: How deep expressions may nest.
        nesting: How deep statements may nest.
    """

    def __init__(self, signature: Signature, budget: int = 48, depth: int = 5, nesting: int = 2) -> None:
        self.signature = signature
        self.budget = budget
        self.depth = depth
        self.nesting = nesting
        self.used = 0
        self.scope: dict[str, str] = dict(signature.parameters)
        self._written: list[str] = [signature.line]
        self._open: list[Item] = [Hole("body", indent=1), _Line(1)]
        self._owed = SHORTEST["body"]
        self.kinds = _kinds(signature)
        self._advance()

    def copy(self) -> Derivation:
        """The same derivation, to be continued in another way."""
        twin = copy.copy(self)
        twin.scope = self.scope.copy()
        twin._written = self._written.copy()
        twin._open = self._open.copy()
        return twin

    @property
    def complete(self) -> bool:
        """Whether no hole is left."""
        return not self._open

    @property
    def hole(self) -> Hole:
        """The leftmost hole; there is one while the derivation is not complete."""
        hole = self._open[-1]
        assert isinstance(hole, Hole)
        return hole

    @property
    def written(self) -> str:
        """The text left of the leftmost hole."""
        return "".join(self._written)

    @property
    def text(self) -> str:
        """The program, with `...` for each hole."""
        rest = [
            f"\n{INDENT * item.indent}" if isinstance(item, _Line) else _shown(item) for item in reversed(self._open)
        ]
        return self.written + "".join(rest) + "\n"

    @property
    def slack(self) -> int:
        """Productions that are left beyond the shortest completion."""
        return self.budget - self.used - self._owed

    def candidates(self) -> list[Production]:
        """The productions for the leftmost hole, in canonical order; there is always one."""
        hole = self.hole
        free = self.slack + _shortest(hole) - 1
        made = self._statements(hole) if hole.kind in SHORTEST else self._expressions(hole)
        return [each for each in made if sum(map(_shortest, each.holes)) <= free]

    def apply(self, production: Production) -> None:
        """Fill the leftmost hole."""
        self._owed += sum(map(_shortest, production.holes)) - _shortest(self.hole)
        self._open.pop()
        self._open.extend(reversed(production.items))
        self.used += 1
        self._advance()

    def _advance(self) -> None:
        """Write what needs no choice, up to the next hole."""
        while self._open and not isinstance(self._open[-1], Hole):
            item = self._open.pop()
            if isinstance(item, str):
                self._written.append(item)
            elif isinstance(item, _Line):
                self._written.append(f"\n{INDENT * item.indent}")
            elif isinstance(item, _Enter):
                self.scope[item.name] = item.kind
            elif isinstance(item, _Leave):
                del self.scope[item.name]

    # expressions ----------------------------------------------------------------------------------

    def _expressions(self, hole: Hole) -> Iterator[Production]:
        for name, kind in self.scope.items():
            if fits(kind, hole.kind) or hole.kind == "any":
                yield Production(f"name {name}", LEAF_KIND, Family.VARIABLE, (name,), names=(name,))
        for text in self._constants(hole.kind):
            items: tuple[Item, ...] = ("(", text, ")") if text.startswith("-") and hole.level > 7 else (text,)
            yield Production(f"constant {text}", LEAF_KIND + 1, Family.CONSTANT, items)
        if hole.depth >= self.depth:
            return
        kinds = self.kinds if hole.kind == "any" else [hole.kind]
        for kind in kinds:
            for template, bound in templates_of(kind):
                yield from self._instances(template, bound, hole)

    def _constants(self, kind: str) -> Sequence[str]:
        if kind in ("bool", "any"):
            return ("True", "False")
        if kind.startswith(("list", "iter")):
            return ("[]",)
        return self.signature.constants.get(kind) or (("''",) if kind == "str" else ("0",))

    def _instances(self, template: Template, bound: str, hole: Hole) -> Iterator[Production]:
        """A template with every choice of its free types that occur in this function."""
        free = template.free
        choices = [{"T": bound, free[0]: kind} for kind in self._elements(free[0])] if free else [{"T": bound}]
        for kinds in choices:
            made = self._instance(template, kinds, hole)
            if all(each.kind in self.kinds or each.kind.startswith("iter") for each in made.holes):
                yield made

    def _elements(self, variable: str) -> list[str]:
        """Types for a free type variable: T what a list can hold, U what a variable or a range can be run over for."""
        lists = self.scope.values() if variable == "U" else self.kinds
        scoped = {element_of(kind) for kind in lists if kind.startswith("list")}
        if variable == "U":
            scoped.add("num")
            if any(kind in ("str", "any") for kind in self.scope.values()):
                scoped.add("str")
        return sorted(scoped)

    def _instance(self, template: Template, kinds: Mapping[str, str], hole: Hole) -> Production:
        name = next((each for each in LOOP_NAMES if each not in self.scope), f"v{len(self.scope)}")
        items: list[Item] = []
        for piece in template.pieces:
            if piece.kind == "text":
                items.append(piece.text)
            elif piece.kind == "hole":
                items.append(Hole(_typed(piece.text, kinds), int(piece.more), hole.depth + 1))
            elif piece.kind == "enter":
                items.append(_Enter(name, _typed(piece.more, kinds)))
            else:
                items.append(_Leave(name) if piece.kind == "leave" else name)
        if template.level < hole.level:
            items = ["(", *items, ")"]
        free = template.free
        key = f"{template.text} {kinds[free[0]] if free else ''}".rstrip()
        uses = any(piece.kind == "name" for piece in template.pieces)
        return Production(key, template.number, template.family, tuple(items), template, (name,) if uses else ())

    # statements -----------------------------------------------------------------------------------

    def _statements(self, hole: Hole) -> Iterator[Production]:
        indent, inner = hole.indent, hole.indent + 1
        lead: tuple[Item, ...] = (_Line(indent),) if hole.kind == "rest" else ()
        if hole.kind == "rest":
            yield self._statement("end", Family.END)
        for kind in self.kinds if self.signature.returns == "any" else [self.signature.returns]:
            yield self._statement("return", Family.RETURN, *lead, "return ", Hole(kind), note=kind)
        then = (_Line(indent), Hole("body", indent=indent)) if hole.kind == "body" else (Hole("rest", indent=indent),)
        for production in (*self._simple(hole.kind == "body"), *self._compound(indent, inner)):
            yield production._replace(items=(*lead, *production.items, *then))

    def _statement(
        self, what: str, family: Family, *items: Item, note: str = "", names: tuple[str, ...] = ()
    ) -> Production:
        key = f"{what} {note}".rstrip()
        return Production(key, STATEMENT_KIND + STATEMENTS.index(what), family, items, names=names)

    def _simple(self, outermost: bool) -> Iterator[Production]:
        if outermost:
            for kind in self.kinds:
                name = self._new_name(kind)
                if name:
                    made: tuple[Item, ...] = (f"{name} = ", Hole(kind), _Enter(name, kind))
                    yield self._statement("assign", Family.ASSIGN, *made, note=f"{name} {kind}", names=(name,))
        for name, kind in self.scope.items():
            yield self._statement("set", Family.UPDATE, f"{name} = ", Hole(kind), note=name, names=(name,))
            if kind in ("num", "str") or kind.startswith("list"):
                yield self._statement("add", Family.UPDATE, f"{name} += ", Hole(kind), note=name, names=(name,))
            if kind == "num":
                yield self._statement("subtract", Family.UPDATE, f"{name} -= ", Hole(kind), note=name, names=(name,))
                yield self._statement("multiply", Family.UPDATE, f"{name} *= ", Hole(kind), note=name, names=(name,))
            if kind.startswith("list"):
                items: tuple[Item, ...] = (f"{name}.append(", Hole(element_of(kind)), ")")
                yield self._statement("append", Family.UPDATE, *items, note=name, names=(name,))

    def _compound(self, indent: int, inner: int) -> Iterator[Production]:
        if indent > self.nesting:
            return
        suite = (_Line(inner), Hole("suite", indent=inner))
        yield self._statement("if", Family.BRANCH, "if ", Hole("bool"), ":", *suite)
        yield self._statement(
            "if else", Family.BRANCH, "if ", Hole("bool"), ":", *suite, _Line(indent), "else:", *suite
        )
        name = next((each for each in LOOP_NAMES if each not in self.scope), f"v{len(self.scope)}")
        for kind in self._elements("U"):
            head = (f"for {name} in ", Hole(f"iter[{kind}]"), ":", _Enter(name, kind))
            yield self._statement("for", Family.LOOP, *head, *suite, _Leave(name), note=kind, names=(name,))
        yield self._statement("while", Family.LOOP, "while ", Hole("bool"), ":", *suite)

    def _new_name(self, kind: str) -> str:
        names = LOCALS.get("list" if kind.startswith("list") else kind, ())
        return next((name for name in names if name not in self.scope), "")


def _typed(pattern: str, kinds: Mapping[str, str]) -> str:
    for variable, kind in kinds.items():
        pattern = pattern.replace(variable, kind)
    return pattern


def _shortest(hole: Hole) -> int:
    return SHORTEST.get(hole.kind, 1)


def _kinds(signature: Signature) -> list[str]:
    """The types that can occur in a function: those of its parameters and its result, and what they are made of.

    So there is no text in a function of numbers; where there is text, there are lists of words, too.
    """
    found = {"num": None, "bool": None}
    for kind in (*signature.parameters.values(), signature.returns):
        part = kind
        while part:
            found[part] = None
            part = element_of(part)
    if "any" in found:
        del found["any"]
        found |= dict.fromkeys(("str", "list[num]", "list[str]"))
    if "str" in found:
        found["list[str]"] = None
    return list(found)
