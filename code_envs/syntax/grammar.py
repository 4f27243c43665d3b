"""A typed grammar of small Python functions: the productions that fill a hole.

A template is Python text with holes. `{num}` is a hole for a number, `{num:6}` one whose operator binds at least as
tightly as level 6 (others get parentheses), `{list[T]}` one for a list of any type T. `{+v:U}` begins and `{-v}` ends
the scope of a new variable of type U, and `{v}` is its name. An `{iter[U]}` is what a loop over elements of type U may
run over: a list, the characters of a text, a range.
"""

from __future__ import annotations

import enum
import re
from functools import cache
from typing import NamedTuple

__all__ = ["EXPRESSIONS", "TYPES", "Family", "Piece", "Template", "element_of", "fits", "templates_of"]


class Family(enum.IntEnum):
    """What kind of production it is; the first column of its row is `FIRST_GRAMMAR` plus this."""

    CONSTANT = 0
    VARIABLE = 1
    ARITHMETIC = 2
    COMPARISON = 3
    LOGIC = 4
    CALL = 5
    INDEX = 6
    COMPREHENSION = 7
    CHOICE = 8
    RETURN = 9
    ASSIGN = 10
    UPDATE = 11
    BRANCH = 12
    LOOP = 13
    END = 14


TYPES = ("num", "bool", "str", "list[num]", "list[str]", "list[bool]", "list[list[num]]", "list[list[str]]")
"""The types of expressions, beside "any", which fits everywhere."""

_LEVELS = {
    "choice": 0, "or": 1, "and": 2, "not": 3, "compare": 4, "add": 5, "mul": 6, "sign": 7, "power": 8, "atom": 9,
}  # fmt: skip

# result type, level, family, template; the order is the order of the candidates
_TABLE = """
bool    compare COMPARISON    {num:6} % {num:7} == {num:5}
num     add     ARITHMETIC    {num:5} + {num:6}
num     add     ARITHMETIC    {num:5} - {num:6}
num     mul     ARITHMETIC    {num:6} * {num:7}
num     mul     ARITHMETIC    {num:6} // {num:7}
num     mul     ARITHMETIC    {num:6} / {num:7}
num     mul     ARITHMETIC    {num:6} % {num:7}
num     power   ARITHMETIC    {num:9} ** {num:8}
num     sign    ARITHMETIC    -{num:7}
num     atom    CALL          abs({num})
num     atom    CALL          min({num}, {num})
num     atom    CALL          max({num}, {num})
num     atom    CALL          len({list[T]})
num     atom    CALL          len({str})
num     atom    CALL          sum({list[num]})
num     atom    CALL          int({str})
num     atom    CALL          ord({str})
num     atom    CALL          {str:9}.count({str})
num     atom    CALL          {str:9}.find({str})
num     atom    CALL          {list[T]:9}.count({T})
num     atom    CALL          {list[T]:9}.index({T})
num     atom    CALL          len(set({iter[U]}))
num     atom    COMPREHENSION sum({+v:U}{num}{-v} for {v} in {iter[U]:1})
num     atom    COMPREHENSION sum({+v:U}{num}{-v} for {v} in {iter[U]:1}{+v:U} if {bool:1}{-v})
num     atom    COMPREHENSION max({+v:U}{num}{-v} for {v} in {iter[U]:1})
num     atom    COMPREHENSION min({+v:U}{num}{-v} for {v} in {iter[U]:1})
bool    compare COMPARISON    {num:5} == {num:5}
bool    compare COMPARISON    {num:5} != {num:5}
bool    compare COMPARISON    {num:5} < {num:5}
bool    compare COMPARISON    {num:5} <= {num:5}
bool    compare COMPARISON    {num:5} > {num:5}
bool    compare COMPARISON    {num:5} >= {num:5}
bool    compare COMPARISON    {str:5} == {str:5}
bool    compare COMPARISON    {str:5} != {str:5}
bool    compare COMPARISON    {str:5} in {str:5}
bool    compare COMPARISON    {str:5} not in {str:5}
bool    compare COMPARISON    {list[T]:5} == {list[T]:5}
bool    compare COMPARISON    {T:5} in {list[T]:5}
bool    compare COMPARISON    {T:5} not in {list[T]:5}
bool    not     LOGIC         not {bool:3}
bool    and     LOGIC         {bool:2} and {bool:3}
bool    or      LOGIC         {bool:1} or {bool:2}
bool    atom    COMPREHENSION all({+v:U}{bool}{-v} for {v} in {iter[U]:1})
bool    atom    COMPREHENSION any({+v:U}{bool}{-v} for {v} in {iter[U]:1})
bool    atom    CALL          {str:9}.isdigit()
bool    atom    CALL          {str:9}.isalpha()
bool    atom    CALL          {str:9}.isupper()
bool    atom    CALL          {str:9}.islower()
bool    atom    CALL          {str:9}.startswith({str})
bool    atom    CALL          {str:9}.endswith({str})
str     add     ARITHMETIC    {str:5} + {str:6}
str     mul     ARITHMETIC    {str:6} * {num:7}
str     atom    CALL          str({num})
str     atom    CALL          {str:9}.upper()
str     atom    CALL          {str:9}.lower()
str     atom    CALL          {str:9}.strip()
str     atom    CALL          {str:9}.title()
str     atom    CALL          {str:9}.swapcase()
str     atom    CALL          {str:9}.replace({str}, {str})
str     atom    CALL          {str:9}.join({list[str]})
str     atom    CALL          {str:9}.join({str})
str     atom    COMPREHENSION {str:9}.join({+v:U}{str}{-v} for {v} in {iter[U]:1})
str     atom    COMPREHENSION {str:9}.join({+v:U}{str}{-v} for {v} in {iter[U]:1}{+v:U} if {bool:1}{-v})
str     atom    INDEX         {str:9}[{num}]
str     atom    INDEX         {str:9}[::-1]
str     atom    INDEX         {str:9}[{num}:]
str     atom    INDEX         {str:9}[:{num}]
list[T] atom    CALL          [{T}]
list[T] add     ARITHMETIC    {list[T]:5} + {list[T]:6}
list[T] mul     ARITHMETIC    {list[T]:6} * {num:7}
list[T] atom    CALL          sorted({list[T]})
list[T] atom    CALL          sorted(set({list[T]}))
list[T] atom    INDEX         {list[T]:9}[::-1]
list[T] atom    INDEX         {list[T]:9}[{num}:]
list[T] atom    INDEX         {list[T]:9}[:{num}]
list[T] atom    COMPREHENSION [{+v:U}{T}{-v} for {v} in {iter[U]:1}]
list[T] atom    COMPREHENSION [{+v:U}{T}{-v} for {v} in {iter[U]:1}{+v:U} if {bool:1}{-v}]
list[num] atom  CALL          list(range({num}))
list[num] atom  CALL          list(range({num}, {num}))
list[str] atom  CALL          {str:9}.split()
list[str] atom  CALL          {str:9}.split({str})
list[str] atom  CALL          list({str})
list[str] atom  CALL          sorted({str})
iter[num] atom  CALL          range({num})
iter[num] atom  CALL          range({num}, {num})
T       atom    INDEX         {list[T]:9}[{num}]
T       atom    CALL          max({list[T]})
T       atom    CALL          min({list[T]})
T       choice  CHOICE        {T:1} if {bool:1} else {T}
"""

_PIECE = re.compile(r"\{([+-]?)(?P<what>[\w\[\]]+)(?::(?P<more>\w+))?\}")


class Piece(NamedTuple):
    """A part of a template.

    `kind` is "text", "hole", "enter", "leave" or "name"; `text` is the text, the type, or the variable; `more` is the
    least level of a hole, or the type of the variable that enters.
    """

    kind: str
    text: str
    more: str = ""


class Template(NamedTuple):
    """One production before its type variables are known."""

    number: int
    result: str
    level: int
    family: Family
    text: str
    pieces: tuple[Piece, ...]
    free: tuple[str, ...]
    """Type variables that the result does not determine: none, "T" or "U"."""


def _mentions(pieces: tuple[Piece, ...], name: str) -> bool:
    return any(name in (piece.text if piece.kind == "hole" else piece.more) for piece in pieces if piece.kind != "text")


def _pieces(text: str) -> tuple[Piece, ...]:
    found: list[Piece] = []
    end = 0
    for match in _PIECE.finditer(text):
        if match.start() > end:
            found.append(Piece("text", text[end : match.start()]))
        what, more = match["what"], match["more"] or ""
        if match[1]:
            found.append(Piece("enter" if match[1] == "+" else "leave", what, more))
        else:
            found.append(Piece("name", what) if what == "v" else Piece("hole", what, more or "0"))
        end = match.end()
    if end < len(text):
        found.append(Piece("text", text[end:]))
    return tuple(found)


def _templates() -> tuple[Template, ...]:
    found: list[Template] = []
    for line in _TABLE.strip().splitlines():
        result, level, family, text = line.split(None, 3)
        pieces = _pieces(text)
        free = tuple(name for name in ("T", "U") if name not in result and _mentions(pieces, name))
        found.append(Template(len(found) + 1, result, _LEVELS[level], Family[family], text, pieces, free))
    return tuple(found)


EXPRESSIONS = _templates()
"""Every production of an expression, in canonical order."""


@cache
def templates_of(wanted: str) -> tuple[tuple[Template, str], ...]:
    """The templates whose result fits a type, each with the type T that makes it fit ("" where it has none)."""
    found = []
    for template in EXPRESSIONS:
        bound = _bound(template.result, wanted)
        if bound is not None:
            found.append((template, bound))
    return tuple(found)


def _bound(result: str, wanted: str) -> str | None:
    element = element_of(wanted)
    if result == wanted:
        return ""
    if result == "T":
        return None if wanted.startswith("iter") else wanted
    if wanted.startswith("iter"):
        if result == "list[T]":
            return element
        return "" if result in (f"list[{element}]", "str" if element == "str" else "") else None
    return element if result == "list[T]" and wanted.startswith("list") else None


def element_of(kind: str) -> str:
    """Type of the elements of "list[...]" or "iter[...]"; "" for other types."""
    return kind.partition("[")[2].removesuffix("]") if "[" in kind else ""


def fits(kind: str, wanted: str) -> bool:
    """Whether a variable of one type may stand in a hole of another."""
    if kind in (wanted, "any"):
        return True
    if wanted.startswith("iter"):
        element = element_of(wanted)
        return kind == f"list[{element}]" or (kind == "str" and element == "str")
    return False
