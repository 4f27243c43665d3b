"""Enumeration of the candidate edits of a program, in a canonical order.

An edit changes one statement; everything else is remembered. An enumerator keeps the rewrites of every
expression and statement it has seen, so that a step pays for what changed only, and the arrays of a
program are concatenations of remembered ones. What it gives depends on the starting program alone, never
on what it has seen, so that the episodes of a task share one.
"""

from __future__ import annotations

import functools
import zlib
from array import array
from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tree_sitter import Node as TreeSitterNode

from code_envs.syntax.candidates import (
    COLUMNS,
    FREQUENT,
    NEW_TOKENS,
    NODE_KINDS,
    Batch,
    CandidateSet,
    joined,
)
from code_envs.syntax.context import Context, function_name
from code_envs.syntax.expressions import CoreExpressions
from code_envs.syntax.languages import Grammar
from code_envs.syntax.minimal import Key, leftmost, minimal
from code_envs.syntax.program import Program
from code_envs.syntax.python_expressions import PythonExpressions
from code_envs.syntax.rewrite import Rewrite, surroundings
from code_envs.syntax.statements import (
    Insertions,
    NextStatements,
    Pair,
    Place,
    Setting,
    WholeStatements,
    deleted,
    swapped,
    swapped_arms,
)
from code_envs.syntax.tokens import DEDENT, INDENT, NEWLINE, PADDING, TokenIds, lex, tokens_of
from code_envs.syntax.tree import Node, lighten

__all__ = ["Enumerator"]

SHARED, REMEMBERED = 32, 512
"""Enumerators that a process keeps, and statements that each remembers before it forgets all.

Each statement takes some 18 KB. With 128 and 1024, 10,000 random steps took 356 MiB, and 10 % less time."""
VISIBLE = 48
"""Of a replacement, so many characters decide what an agent sees."""
_PADDING = (PADDING,) * NEW_TOKENS


@dataclass(frozen=True, slots=True)
class _Unit:
    """A header, a statement or all of a compound one: token ids with byte offsets, and the rewrites inside it.

    A compound statement hardly ever comes back unchanged, so that the batches of its parts are not put together.
    """

    tokens: NDArray[np.int32]
    offsets: NDArray[np.int32]
    batches: list[tuple[int, Batch]]


class Enumerator:
    """Enumerates the candidate edits of the programs that come from one starting program.

    Args:
        start: The program an episode starts with; its names, constants and expressions are what
            edits may draw on for the whole episode.
    """

    @classmethod
    def of(cls, start: Program) -> Enumerator:
        """The enumerator of a starting program that this process shares."""
        return _shared(start.source, start.language)

    def __init__(self, start: Program) -> None:
        self.context = Context(start)
        self.ids = TokenIds(start.text)
        self._python = start.language == "python"
        self._frequency = Counter(token for _, token in lex(start.text) if token[0].isidentifier())
        self._forget()

    def _forget(self) -> None:
        self._nodes: dict[tuple[Any, ...], Batch] = {}
        self.sections: dict[tuple[Place, tuple[bytes, ...], str], _Unit] = {}
        self._units: dict[tuple[bytes, str, str], _Unit] = {}
        self._places: dict[tuple[Place, str], Batch] = {}
        self._pairs: dict[Pair, Batch] = {}
        self._settings: dict[tuple[Setting, str, tuple[bytes, ...]], tuple[Batch, Batch]] = {}
        self._lines: dict[tuple[Setting, str], frozenset[bytes]] = {}
        self._changes: dict[str, _Change] = {}

    def __call__(self, program: Program, window: tuple[int, int] | None = None) -> CandidateSet:
        """The candidate edits of a program.

        Args:
            program: The program.
            window: Only edits of statements that touch these bytes; all by default.
        """
        if len(self.sections) > REMEMBERED:
            self._forget()
        walk = _Walk(self, program.source, window or (0, len(program.source)), window is not None)
        walk.block(program.tree.root_node, "", _Surroundings())
        return CandidateSet(program.source, walk.batches, walk.tokens, walk.offsets)

    def unit(self, text: bytes, node: TreeSitterNode, scope: str, skip: frozenset[str]) -> _Unit:
        """Tokens and inner rewrites of a statement, remembered by its text."""
        key = (text, node.type, scope)
        found = self._units.get(key)
        if found is None:
            found = self._units[key] = self._new_unit(text, node, scope, skip)
        return found

    def _new_unit(self, text: bytes, node: TreeSitterNode, scope: str, skip: frozenset[str]) -> _Unit:
        decoded = text.decode("utf-8", "replace")
        lexed = lex(decoded)
        offsets = [start for start, _ in lexed]
        if len(decoded) != len(text):
            offsets = [len(decoded[:start].encode()) for start in offsets]
        tokens = np.array([self.ids[token] for _, token in lexed], np.int32)
        parts: list[tuple[int, Batch]] = []
        if scope or not self._python:
            root = lighten(node, skip)
            nodes = [each for each in root.walk(self.context.grammar.opaque) if not _is_sign(each)]
            parts = [(each.start, self._expression(each, scope)) for each in nodes]
            parts = [(start, batch) for start, batch in parts if batch.texts]
        return _Unit(tokens, np.array(offsets, np.int32), [(0, Batch.joined(parts, text))])

    def _expression(self, node: Node, scope: str) -> Batch:
        """Rewrites that belong to one node, remembered by its text and what it is to its parents."""
        key = (scope, node.type, node.text, *surroundings(node))
        found = self._nodes.get(key)
        if found is None:
            maker = PythonExpressions if self._python else CoreExpressions
            rewriter = maker(self.context, self.context.scope(scope))
            rewriter.visit(node)
            found = self._nodes[key] = self._batch(rewriter.found, node.text.encode(), node.start)
        return found

    def statement(self, place: Place, node: TreeSitterNode, scope: str) -> Batch:
        """Rewrites of a statement as a whole, remembered by its place."""
        key = (place, scope)
        found = self._places.get(key)
        if found is None:
            if self._python:
                rewrites = WholeStatements(place, node, self.context.scope(scope)).found
            else:
                rewrites = deleted(place, self.context.grammar.empty) + swapped_arms(place, node)
            found = self._places[key] = self._batch(rewrites, place.text)
        return found

    def pair(self, pair: Pair, node: TreeSitterNode) -> Batch:
        """Rewrites of a statement and the next one, remembered."""
        found = self._pairs.get(pair)
        if found is None:
            rewrites = NextStatements(pair, node).found if self._python else swapped(pair)
            found = self._pairs[pair] = self._batch(rewrites, pair.text)
        return found

    def repeated(self, setting: Setting, scope: str, beside: tuple[bytes, bytes]) -> tuple[bytes, ...]:
        """Which of a statement and the one before it `insertions` must not offer behind it.

        What a statement says itself is not put behind it, nor what the statement before it says: the insertions
        of that one, and its repetition, give the same programs.
        """
        lines = self._lines.get((setting, scope))
        if lines is None:
            made = Insertions(setting, self.context.scope(scope)).after
            lines = self._lines[setting, scope] = frozenset(each.text.strip().encode() for each in made)
        return tuple([text for text in beside if text in lines])

    def insertions(self, setting: Setting, scope: str, repeated: tuple[bytes, ...]) -> tuple[Batch, Batch]:
        """New statements before and behind one, remembered by its setting."""
        key = (setting, scope, repeated)
        found = self._settings.get(key)
        if found is None:
            made = Insertions(setting, self.context.scope(scope))
            after = [each for each in made.after if each.text.strip().encode() not in repeated]
            found = self._settings[key] = (self._batch(made.before), self._batch(after))
        return found

    def _batch(self, rewrites: list[Rewrite], source: bytes = b"", base: int = 0) -> Batch:
        """Rewrites of a text that starts at byte `base`, without those that give the same result as an earlier one."""
        if not rewrites:
            return _EMPTY
        keys: dict[Key, bytes] = {}
        values = array("i")
        changes = self._changes
        for start, end, old, new, operator, node, role in rewrites:
            if old == new:
                continue
            head, tail, text = minimal(old, new)
            if head or tail:
                start += head if old.isascii() else len(old[:head].encode())
                end -= tail if old.isascii() else len(old[len(old) - tail :].encode())
            encoded, seen = changes.get(text) or self._change(text)
            start -= base
            end -= base
            key = (start, end - start, encoded)
            if start == end or not encoded:
                key = leftmost(key, source)
            if key not in keys:
                keys[key] = encoded
                values.extend((start, end, len(encoded), operator, _node_kind(node), role, *seen))
        return Batch(np.frombuffer(values, np.int32).reshape(-1, COLUMNS), list(keys.values()), list(keys))

    def _change(self, text: str) -> _Change:
        """A replacement, remembered."""
        tokens = tokens_of(text, VISIBLE)
        frequency, ids = self._frequency, self.ids
        often = max([frequency[token] for token in tokens if token in frequency], default=0)
        seen = [ids[token] for token in tokens[:NEW_TOKENS]]
        found = _Change(text.encode(), (min(often, FREQUENT), *seen, *_PADDING[len(seen) :]))
        self._changes[text] = found
        return found


class _Change(NamedTuple):
    """A replacement as bytes; how often its names occur in the starting program, and its first token ids."""

    text: bytes
    seen: tuple[int, ...]


class _Surroundings(NamedTuple):
    """What a block knows of the blocks around it."""

    in_function: bool = False
    function_body: bool = False
    in_loop: bool = False


class _Walk:
    """One pass over a program's statements that gathers remembered arrays."""

    def __init__(self, enumerator: Enumerator, source: bytes, window: tuple[int, int], windowed: bool) -> None:
        self.enumerator = enumerator
        self.window = window
        self.windowed = windowed
        self.source = source
        self.table = enumerator.context.grammar
        self.python = self.table.name == "python"
        self.skipped = self.table.blocks | CLAUSES
        self.batches: list[tuple[int, Batch]] = []
        self.tokens: list[NDArray[np.int32]] = []
        self.offsets: list[NDArray[np.int32]] = []

    def block(self, block: TreeSitterNode, scope: str, around: _Surroundings) -> None:
        """Visit the statements of a block."""
        statements = [each for each in block.named_children if each.type not in COMMENTS]
        for number, node in enumerate(statements):
            following = statements[number + 1] if number + 1 < len(statements) else None
            if not around.in_function and block.parent is None:
                scope = function_name(node, self.table)
            previous = statements[number - 1] if number else None
            self.statement(node, following, previous, scope, around)

    def statement(
        self,
        node: TreeSitterNode,
        following: TreeSitterNode | None,
        previous: TreeSitterNode | None,
        scope: str,
        around: _Surroundings,
    ) -> None:
        """Visit one statement, or take what an equal one in an equal place gave before."""
        start = node.start_byte
        if node.end_byte < self.window[0] or start > self.window[1]:
            return
        if not around.in_function or node.type in CLAUSES:
            self._part(node, scope, around)
            self._structure(NEWLINE, node.end_byte)
            return
        place = self._place(node, following, previous is None, around)
        repeated: tuple[bytes, ...] = ()
        if self.python:
            earlier = b"" if previous is None else self.source[previous.start_byte : previous.end_byte]
            repeated = self.enumerator.repeated(place.setting, scope, (place.text, earlier))
        section = self._remembered(node, place, repeated, scope, around)
        self.batches += [(start + base, batch) for base, batch in section.batches]
        self.tokens.append(section.tokens)
        self.offsets.append(section.offsets + start)
        if following is not None:
            gap = self.source[node.end_byte : following.start_byte]
            pair = Pair(place, gap, self.source[following.start_byte : following.end_byte])
            self.batches.append((start, self.enumerator.pair(pair, node)))

    def _remembered(
        self, node: TreeSitterNode, place: Place, repeated: tuple[bytes, ...], scope: str, around: _Surroundings
    ) -> _Unit:
        known = self.enumerator.sections
        key = (place, repeated, scope)
        if self.windowed or key not in known:
            inside = _Walk(self.enumerator, self.source, self.window, self.windowed)
            inside._gather(node, place, repeated, scope, around)
            section = inside._section(node)
            if self.windowed:
                return section
            known[key] = section
        return known[key]

    def _gather(
        self, node: TreeSitterNode, place: Place, repeated: tuple[bytes, ...], scope: str, around: _Surroundings
    ) -> None:
        """A statement's edits as a whole, its own expressions, then its blocks."""
        start, end = node.start_byte, node.end_byte
        self.batches.append((start, self.enumerator.statement(place, node, scope)))
        if self.python:
            before, after = self.enumerator.insertions(place.setting, scope, repeated)
            self.batches += [(start, before), (end, after)]
        self._part(node, scope, around)
        self._structure(NEWLINE, end)

    def _section(self, node: TreeSitterNode) -> _Unit:
        """What was gathered, relative to a statement."""
        start = node.start_byte
        batches = [(base - start, batch) for base, batch in self.batches if batch.texts]
        if node.type not in self.table.compound:
            batches = [(0, Batch.beside(batches))]
        return _Unit(joined(self.tokens), joined(self.offsets) - start, batches)

    def _part(self, node: TreeSitterNode, scope: str, around: _Surroundings) -> None:
        """A statement or a clause of one: its header, then its blocks and clauses."""
        opened = node if self.python or node.type in self.table.compound else _function_of(node, self.table)
        children = opened.children if opened.type in self.table.compound or opened.type in OPENED else []
        inner = [child for child in children if child.type in self.skipped or child.type in self.table.compound]
        if inner and not self.python:  # the condition of `do {...} while (condition)` stands behind its block
            behind = [child for child in children if child.is_named and child.start_byte > inner[0].start_byte]
            inner = [child for child in children if child in inner or (child in behind and child.type not in COMMENTS)]
        start = node.start_byte
        text = self.source[start : inner[0].start_byte if inner else node.end_byte].rstrip()
        touched = start <= self.window[1] and start + len(text) >= self.window[0]
        if touched and not _docstring(node):
            unit = self.enumerator.unit(text, node, scope, self._skip(inner))
            self.tokens.append(unit.tokens)
            self.offsets.append(unit.offsets + start)
            self.batches += [(start, batch) for _, batch in unit.batches]
        if opened.type in self.table.functions:
            around = _Surroundings(True, True, False)
        elif node.type in self.table.loops:
            around = _Surroundings(around.in_function, False, True)
        elif inner:
            around = around._replace(function_body=False)
        for child in inner:
            if child.type in self.table.blocks:
                self._structure(INDENT, child.start_byte)
                self.block(child, scope, around)
                self._structure(DEDENT, child.end_byte)
            elif child.type in self.table.compound:
                self.statement(child, None, None, scope, around)
            else:
                self._part(child, scope, around)

    def _skip(self, inner: list[TreeSitterNode]) -> frozenset[str]:
        return self.skipped | {child.type for child in inner} if inner else frozenset()

    def _structure(self, token: int, offset: int) -> None:
        self.tokens.append(_STRUCTURE[token])
        self.offsets.append(np.array([offset], np.int32))

    def _place(
        self, node: TreeSitterNode, following: TreeSitterNode | None, first: bool, around: _Surroundings
    ) -> Place:
        source, start, end = self.source, node.start_byte, node.end_byte
        line = source.rfind(b"\n", 0, start) + 1
        indent = source[line:start].decode("utf-8", "replace")
        stop = source.find(b"\n", end)
        rest = source[end : stop if stop >= 0 else len(source)].strip()
        inline = bool(indent.strip()) or (bool(rest) and not rest.startswith((b"#", b"//")))
        type_, last = ("", True) if following is None else (following.type, False)
        return Place(Setting(node.type, type_, indent, inline, first, last, *around), source[start:end])


CLAUSES = frozenset(
    {
        "elif_clause",
        "else_clause",
        "except_clause",
        "except_group_clause",
        "finally_clause",
        "catch_clause",
        "case_clause",
    }
)
OPENED = CLAUSES | {"arrow_function", "function_expression"}
COMMENTS = frozenset({"comment", "line_comment", "block_comment"})
_STRUCTURE = {token: np.array([token], np.int32) for token in (NEWLINE, INDENT, DEDENT)}


def _function_of(node: TreeSitterNode, table: Grammar) -> TreeSitterNode:
    """The function that a declaration such as `const f = (a) => {...}` gives a name to, or else the node itself."""
    if node.type in ("lexical_declaration", "variable_declaration") and node.named_child_count == 1:
        value = node.named_children[0].child_by_field_name("value")
        if value is not None and value.type in table.functions:
            return value
    return node


def _is_sign(node: Node) -> bool:
    """Whether a node is an operator, a bracket or the like, which has no rewrites of its own."""
    return node.type == node.text and not node.children and not node.text[0].isalnum()


def _docstring(node: TreeSitterNode) -> bool:
    return node.type == "expression_statement" and node.child_count == 1 and node.children[0].type == "string"


@functools.lru_cache(maxsize=SHARED)
def _shared(source: bytes, language: str) -> Enumerator:
    return Enumerator(Program(source, language))


_EMPTY = Batch(np.zeros((0, COLUMNS), np.int32), [], [])


@functools.cache
def _node_kind(name: str) -> int:
    return zlib.crc32(name.encode()) % (NODE_KINDS - 1) + 1
