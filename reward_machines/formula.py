"""Guards of transitions: propositional formulas over the names of events.

`all_tests & !timeout | (runs & crashed)`: `!` binds tighter than `&`, and `&` tighter than `|`; `true` and `false` are
constants. A formula is parsed into frozen dataclasses; nothing is ever evaluated as Python.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import product
from typing import NoReturn

from reward_machines.errors import FormulaError

__all__ = ["And", "Constant", "Formula", "Name", "Not", "Or", "parse", "together"]

MAX_NAMES = 16
"""Names that a satisfiability check enumerates: 65,536 cases."""
MAX_DEPTH = 50
_TOKEN = re.compile(r"\s*(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>[!&|()]))")
_CONSTANTS = {"true": True, "false": False, "True": True, "False": False}
_EXPECTED = "Expected a name, 'true', 'false', '!' or '('"


class Formula(ABC):
    """A formula; `str` gives a text that `parse` reads back as an equal one."""

    __slots__ = ()
    _binding = 3
    """How tightly the operator binds: | 0, & 1, ! 2, atoms 3."""

    @abstractmethod
    def evaluate(self, events: Collection[str]) -> bool:
        """Whether it holds when exactly these events are true."""

    @property
    @abstractmethod
    def names(self) -> frozenset[str]:
        """The events that it names."""


@dataclass(frozen=True, slots=True)
class Constant(Formula):
    """True or false."""

    value: bool

    def evaluate(self, events: Collection[str]) -> bool:
        """The constant."""
        return self.value

    @property
    def names(self) -> frozenset[str]:
        """None."""
        return frozenset()

    def __str__(self) -> str:
        return "true" if self.value else "false"


@dataclass(frozen=True, slots=True)
class Name(Formula):
    """An event."""

    name: str

    def evaluate(self, events: Collection[str]) -> bool:
        """Whether the event is among them."""
        return self.name in events

    @property
    def names(self) -> frozenset[str]:
        """The event."""
        return frozenset({self.name})

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Not(Formula):
    """The opposite of a formula."""

    part: Formula
    _binding = 2

    def evaluate(self, events: Collection[str]) -> bool:
        """Whether the part does not hold."""
        return not self.part.evaluate(events)

    @property
    def names(self) -> frozenset[str]:
        """Those of the part."""
        return self.part.names

    def __str__(self) -> str:
        text = str(self.part)
        return f"!{text}" if self.part._binding >= self._binding else f"!({text})"


@dataclass(frozen=True, slots=True)
class And(Formula):
    """All parts hold."""

    parts: tuple[Formula, ...]
    _binding = 1

    def evaluate(self, events: Collection[str]) -> bool:
        """Whether every part holds."""
        return all(part.evaluate(events) for part in self.parts)

    @property
    def names(self) -> frozenset[str]:
        """Those of the parts."""
        return frozenset().union(*(part.names for part in self.parts))

    def __str__(self) -> str:
        return _joined(" & ", self.parts, self._binding)


@dataclass(frozen=True, slots=True)
class Or(Formula):
    """At least one part holds."""

    parts: tuple[Formula, ...]
    _binding = 0

    def evaluate(self, events: Collection[str]) -> bool:
        """Whether a part holds."""
        return any(part.evaluate(events) for part in self.parts)

    @property
    def names(self) -> frozenset[str]:
        """Those of the parts."""
        return frozenset().union(*(part.names for part in self.parts))

    def __str__(self) -> str:
        return _joined(" | ", self.parts, self._binding)


def _joined(sign: str, parts: tuple[Formula, ...], binding: int) -> str:
    return sign.join(str(part) if part._binding > binding else f"({part})" for part in parts)


def parse(text: str) -> Formula:
    """Read a formula.

    Args:
        text: Names (letters, digits, `_`), `true`, `false`, `!`, `&`, `|` and parentheses.

    Raises:
        FormulaError: If it is none; the error points at the column.
    """
    return _Parser(text).whole()


def together(first: Formula, second: Formula) -> frozenset[str] | None:
    """Events under which both formulas hold, the fewest that are found; None if there are none.

    Raises:
        FormulaError: If the two name more than 16 events, for each case is tried.
    """
    names = sorted(first.names | second.names)
    if len(names) > MAX_NAMES:
        raise FormulaError(
            f"Two guards of one state name {len(names)} events together, and at most {MAX_NAMES} can be compared; use "
            "states in between, or let the first match win",
            f"{first}  and  {second}",
        )
    cases = (frozenset(_chosen(names, values)) for values in product((False, True), repeat=len(names)))
    both = (events for events in cases if first.evaluate(events) and second.evaluate(events))
    return min(both, key=lambda events: (len(events), sorted(events)), default=None)


def _chosen(names: list[str], values: tuple[bool, ...]) -> Iterator[str]:
    return (name for name, value in zip(names, values, strict=True) if value)


class _Parser:
    """Recursive descent over the tokens of a text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._at = 0
        self._depth = 0

    def whole(self) -> Formula:
        formula = self._or()
        if self._at < len(self._tokens):
            self._refuse("Expected '&', '|' or the end")
        return formula

    def _or(self) -> Formula:
        parts = [self._and()]
        while self._take("|"):
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _and(self) -> Formula:
        parts = [self._not()]
        while self._take("&"):
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _not(self) -> Formula:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._refuse(f"Nested deeper than {MAX_DEPTH}")
        formula = Not(self._not()) if self._take("!") else self._atom()
        self._depth -= 1
        return formula

    def _atom(self) -> Formula:
        if self._take("("):
            formula = self._or()
            if not self._take(")"):
                self._refuse("Expected '&', '|' or ')'")
            return formula
        if self._at == len(self._tokens) or self._tokens[self._at][0] in "!&|()":
            self._refuse(_EXPECTED)
        word = self._tokens[self._at][0]
        self._at += 1
        return Constant(_CONSTANTS[word]) if word in _CONSTANTS else Name(word)

    def _take(self, sign: str) -> bool:
        found = self._at < len(self._tokens) and self._tokens[self._at][0] == sign
        self._at += found
        return found

    def _refuse(self, reason: str) -> NoReturn:
        if self._at < len(self._tokens):
            word, column = self._tokens[self._at]
            raise FormulaError(f"{reason}, got {word!r}", self._text, column)
        raise FormulaError(f"{reason}, but the formula ends", self._text, len(self._text.rstrip()))


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    """The tokens with their columns."""
    at = 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            column = at + len(text[at:]) - len(text[at:].lstrip())
            raise FormulaError(f"Expected names, '!', '&', '|' and parentheses, got {text[column]!r}", text, column)
        yield match[match.lastgroup or 0], match.start(match.lastgroup or 0)
        at = match.end()
