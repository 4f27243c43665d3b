"""Candidate edits of a program, as arrays, in a canonical order.

An edit changes one statement; everything else is remembered. The enumerator of an episode keeps the
rewrites and the token ids of every statement it has seen, so that a step pays for the changed
statement only, and the arrays of a program are concatenations of remembered ones.
"""

from __future__ import annotations

import functools
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tree_sitter import Node as TreeSitterNode

from code_envs.syntax.context import Context, function_name
from code_envs.syntax.expressions import CoreExpressions
from code_envs.syntax.program import Edit, Program
from code_envs.syntax.python_expressions import PythonExpressions
from code_envs.syntax.rewrite import Rewrite
from code_envs.syntax.statements import Insertions, Place, Setting, WholeStatements, core_statements
from code_envs.syntax.tokens import DEDENT, INDENT, NEWLINE, TokenIds, lex, words
from code_envs.syntax.tree import lighten

__all__ = ["CANDIDATE_WIDTH", "NODE_KINDS", "NO_SIZE_CHANGE", "CandidateSet", "Enumerator", "round_robin"]

NODE_KINDS = 128
"""Node kinds are hashed into [1, NODE_KINDS)."""
OLD_TOKENS, NEW_TOKENS = 3, 5
POSITION = 3
"""Column of the token position in `CandidateSet.features`."""
CANDIDATE_WIDTH = 4 + OLD_TOKENS + NEW_TOKENS
"""Columns of `CandidateSet.features`: operator, node kind, role, token position, old and new tokens."""
NO_SIZE_CHANGE = 0.5


class CandidateSet:
    """Every candidate edit of one program, in canonical order, with the program's tokens.

    Attributes:
        starts: First replaced byte, (N,) int64.
        ends: Byte behind the last replaced one, (N,) int64.
        texts: Replacements, N of them.
        operators: `code_envs.syntax.rewrite.Operator` of each, (N,) int32.
        lines: Line of the edit, 1-based, (N,) int64.
        tokens: Token ids of the program, (L,) int32.
    """

    __slots__ = ("_batches", "_offsets", "ends", "lines", "operators", "starts", "texts", "tokens")

    def __init__(
        self,
        source: bytes,
        batches: list[tuple[int, _Batch]],
        tokens: list[NDArray[np.int32]],
        offsets: list[NDArray[np.int64]],
    ) -> None:
        filled = [(base, batch) for base, batch in batches if batch.texts]
        base = np.repeat([base for base, _ in filled], [len(batch.texts) for _, batch in filled]).astype(np.int64)
        self._batches = [batch for _, batch in filled]
        self._offsets = _joined(offsets, np.int64)
        self.starts = _joined([batch.starts for batch in self._batches], np.int64) + base
        self.ends = _joined([batch.ends for batch in self._batches], np.int64) + base
        self.texts = [text for batch in self._batches for text in batch.texts]
        self.operators = _joined([batch.operators for batch in self._batches], np.int32)
        breaks = np.flatnonzero(np.frombuffer(source, np.uint8) == ord("\n"))
        self.lines = np.searchsorted(breaks, self.starts, "left") + 1
        self.tokens = _joined(tokens, np.int32)

    def __len__(self) -> int:
        return len(self.texts)

    def edit(self, number: int) -> Edit:
        """One candidate as an edit."""
        return Edit(int(self.starts[number]), int(self.ends[number]), self.texts[number])

    def rows(self) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """What an agent sees of each candidate.

        Returns:
            Operator, node kind, role, token position, old tokens, new tokens, (N, CANDIDATE_WIDTH) int32; size
            change and nearness of the new names, each in [0, 1], (N, 2) float32.
        """
        if not self._batches:
            return np.zeros((0, CANDIDATE_WIDTH), np.int32), np.zeros((0, 2), np.float32)
        rows = [batch.rows() for batch in self._batches]
        features = np.concatenate([features for features, _ in rows])
        features[:, POSITION] = np.maximum(np.searchsorted(self._offsets, self.starts, "right") - 1, 0)
        return features, np.concatenate([static for _, static in rows])


def _joined(arrays: list[NDArray[Any]], dtype: type) -> NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.zeros(0, dtype)


class _Batch:
    """Rewrites of one statement; offsets are relative to its first byte, features are made on first use."""

    __slots__ = ("_make", "_rows", "ends", "operators", "starts", "texts")

    def __init__(
        self,
        edits: list[tuple[int, int, bytes]],
        operators: list[int],
        make: Callable[[], tuple[NDArray[np.int32], NDArray[np.float32]]],
    ) -> None:
        self.starts = np.array([edit[0] for edit in edits], np.int64)
        self.ends = np.array([edit[1] for edit in edits], np.int64)
        self.texts = [edit[2] for edit in edits]
        self.operators = np.array(operators, np.int32)
        self._make = make
        self._rows: tuple[NDArray[np.int32], NDArray[np.float32]] | None = None

    def rows(self) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Features (N, C) int32 and static scores (N, 2) float32."""
        if self._rows is None:
            self._rows = self._make()
        return self._rows


@dataclass(frozen=True, slots=True)
class _Unit:
    """One statement or header: token ids with byte offsets, and the rewrites inside it."""

    tokens: NDArray[np.int32]
    offsets: NDArray[np.int64]
    batch: _Batch


class Enumerator:
    """Enumerates the candidate edits of the programs of one episode.

    Args:
        start: The program the episode starts with; its names, constants and expressions are what
            edits may draw on for the whole episode.
    """

    def __init__(self, start: Program) -> None:
        self.context = Context(start)
        self.ids = TokenIds()
        self._python = start.language == "python"
        self._units: dict[tuple[bytes, str, str], _Unit] = {}
        self._places: dict[tuple[Place, str], _Batch] = {}
        self._settings: dict[tuple[Setting, str], tuple[_Batch, _Batch]] = {}
        self._known_words: dict[str, _Words] = {}

    def __call__(self, program: Program, window: tuple[int, int] | None = None) -> CandidateSet:
        """The candidate edits of a program.

        Args:
            program: The program.
            window: Only edits of statements that touch these bytes; all by default.
        """
        walk = _Walk(self, program, window or (0, len(program.source)))
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
        tokens = np.array(self.ids.code(token for _, token in lexed), np.int32)
        maker = PythonExpressions if self._python else CoreExpressions
        rewriter = maker(self.context, self.context.scope(scope))
        if scope or not self._python:
            rewriter.read(lighten(node, skip))
        return _Unit(tokens, np.array(offsets, np.int64), self._batch(rewriter.found, decoded))

    def statement(self, place: Place, node: TreeSitterNode, scope: str) -> _Batch:
        """Rewrites of a statement as a whole, remembered by its place."""
        key = (place, scope)
        found = self._places.get(key)
        if found is None:
            if self._python:
                rewrites = WholeStatements(place, node, self.context.scope(scope)).found
            else:
                rewrites = core_statements(place, self.context.grammar.empty)
            found = self._places[key] = self._batch(rewrites, "")
        return found

    def insertions(self, setting: Setting, scope: str) -> tuple[_Batch, _Batch]:
        """New statements before and behind one, remembered by its setting."""
        key = (setting, scope)
        found = self._settings.get(key)
        if found is None:
            made = Insertions(setting, self.context.scope(scope))
            found = self._settings[key] = (self._batch(made.before, ""), self._batch(made.after, ""))
        return found

    def _batch(self, rewrites: Iterable[Rewrite], unit_text: str) -> _Batch:
        seen: dict[tuple[int, int, bytes], tuple[Rewrite, str, str]] = {}
        for rewrite in rewrites:
            edit, old, new = _minimal(rewrite)
            if edit not in seen and (edit[0] != edit[1] or edit[2]):
                seen[edit] = (rewrite, old, new)

        def rows() -> tuple[NDArray[np.int32], NDArray[np.float32]]:
            counts = Counter(_WORD.findall(unit_text)) if unit_text else None
            features: list[list[int]] = []
            static: list[tuple[float, float]] = []
            for edit, (rewrite, old, new) in seen.items():
                inserted = self._words(new)
                kind = _node_kind(rewrite.node)
                features.append([rewrite.operator, kind, rewrite.role, 0, *self._words(old).ids[:OLD_TOKENS], *inserted.ids])
                change = len(edit[2]) - (edit[1] - edit[0])
                near = max([counts[name] for name in inserted.names]) if counts and inserted.names else 0
                static.append((NO_SIZE_CHANGE + NO_SIZE_CHANGE * change / (abs(change) + 10), min(near / 4, 1.0)))
            return (
                np.array(features, np.int32).reshape(-1, CANDIDATE_WIDTH),
                np.array(static, np.float32).reshape(-1, 2),
            )

        return _Batch(list(seen), [int(rewrite.operator) for rewrite, _, _ in seen.values()], rows)

    def _words(self, text: str) -> _Words:
        found = self._known_words.get(text)
        if found is None:
            ids = self.ids.code(words(text[:CHARACTERS]))
            found = self._known_words[text] = _Words((ids + [0] * NEW_TOKENS)[:NEW_TOKENS], _WORD.findall(text))
        return found


class _Words(NamedTuple):
    """Token ids, padded, and names of a short text."""

    ids: list[int]
    names: list[str]


class _Surroundings(NamedTuple):
    """What a block knows of the blocks around it."""

    in_function: bool = False
    function_body: bool = False
    in_loop: bool = False


class _Walk:
    """One pass over a program's statements that gathers remembered arrays."""

    def __init__(self, enumerator: Enumerator, program: Program, window: tuple[int, int]) -> None:
        self.enumerator = enumerator
        self.window = window
        self.source = program.source
        self.table = enumerator.context.grammar
        self.python = self.table.name == "python"
        self.skipped = self.table.blocks | CLAUSES
        self.batches: list[tuple[int, _Batch]] = []
        self.tokens: list[NDArray[np.int32]] = []
        self.offsets: list[NDArray[np.int64]] = []

    def block(self, block: TreeSitterNode, scope: str, around: _Surroundings) -> None:
        """Visit the statements of a block."""
        statements = [each for each in block.named_children if each.type not in COMMENTS]
        for number, node in enumerate(statements):
            following = statements[number + 1] if number + 1 < len(statements) else None
            if not around.in_function and block.parent is None:
                scope = function_name(node, self.table)
            self.statement(node, following, number == 0, scope, around)

    def statement(
        self, node: TreeSitterNode, following: TreeSitterNode | None, first: bool, scope: str, around: _Surroundings
    ) -> None:
        """Visit one statement: its edits as a whole, its own expressions, then its blocks."""
        if node.end_byte < self.window[0] or node.start_byte > self.window[1]:
            return
        if around.in_function:
            start, end = node.start_byte, node.end_byte
            place = self._place(node, following, first, around)
            self.batches.append((start, self.enumerator.statement(place, node, scope)))
            if self.python:
                before, after = self.enumerator.insertions(place.setting, scope)
                self.batches.append((start, before))
                self.batches.append((end, after))
        self._part(node, scope, around)
        self._structure(NEWLINE, node.end_byte)

    def _part(self, node: TreeSitterNode, scope: str, around: _Surroundings) -> None:
        """A statement or a clause of one: its header, then its blocks and clauses."""
        children = node.children if node.type in self.table.compound or node.type in CLAUSES else []
        inner = [child for child in children if child.type in self.skipped or child.type in self.table.compound]
        start = node.start_byte
        text = self.source[start : inner[0].start_byte if inner else node.end_byte].rstrip()
        if not _docstring(node):
            unit = self.enumerator.unit(text, node, scope, self.skipped if inner else frozenset())
            self.tokens.append(unit.tokens)
            self.offsets.append(unit.offsets + start)
            self.batches.append((start, unit.batch))
        if node.type in self.table.functions:
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
                self.statement(child, None, True, scope, around)
            else:
                self._part(child, scope, around)

    def _structure(self, token: int, offset: int) -> None:
        self.tokens.append(_STRUCTURE[token])
        self.offsets.append(np.array([offset], np.int64))

    def _place(
        self, node: TreeSitterNode, following: TreeSitterNode | None, first: bool, around: _Surroundings
    ) -> Place:
        source, start, end = self.source, node.start_byte, node.end_byte
        line = source.rfind(b"\n", 0, start) + 1
        indent = source[line:start].decode("utf-8", "replace")
        stop = source.find(b"\n", end)
        rest = source[end : stop if stop >= 0 else len(source)].strip()
        inline = bool(indent.strip()) or (bool(rest) and not rest.startswith((b"#", b"//")))
        text = source[start:end]
        if following is None:
            return Place(Setting(node.type, "", indent, inline, first, True, *around), text, b"", b"")
        gap, next_text = source[end : following.start_byte], source[following.start_byte : following.end_byte]
        return Place(Setting(node.type, following.type, indent, inline, first, False, *around), text, gap, next_text)


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
COMMENTS = frozenset({"comment", "line_comment", "block_comment"})
_STRUCTURE = {token: np.array([token], np.int32) for token in (NEWLINE, INDENT, DEDENT)}


def _docstring(node: TreeSitterNode) -> bool:
    return node.type == "expression_statement" and node.child_count == 1 and node.children[0].type == "string"


@functools.cache
def _node_kind(name: str) -> int:
    return zlib.crc32(name.encode()) % (NODE_KINDS - 1) + 1


def _minimal(rewrite: Rewrite) -> tuple[tuple[int, int, bytes], str, str]:
    """The smallest byte range that makes the same change; what differs, widened to whole words and operators."""
    old, new = rewrite.old, rewrite.text
    if not old:
        return (rewrite.start, rewrite.end, new.encode()), old, new
    if len(old) > CHARACTERS and len(new) > CHARACTERS:
        return (rewrite.start, rewrite.end, new.encode()), old, new
    head, tail = _common(old, new)
    start = rewrite.start + (head if old.isascii() else len(old[:head].encode()))
    end = rewrite.end - (tail if old.isascii() else len(old[len(old) - tail :].encode()))
    edit = (start, end, new[head : len(new) - tail].encode())
    while head and (old[head - 1].isalnum() or old[head - 1] in _JOINED):
        head -= 1
    while tail and (old[-tail].isalnum() or old[-tail] in _JOINED):
        tail -= 1
    return edit, old[head : len(old) - tail], new[head : len(new) - tail]


def _common(old: str, new: str) -> tuple[int, int]:
    """Lengths of the common head and of the common tail behind it."""
    if new.startswith(old):
        return len(old), 0
    if new.endswith(old):
        return 0, len(old)
    limit = min(len(old), len(new))
    head = 0
    while head < limit and old[head] == new[head]:
        head += 1
    tail = 0
    limit -= head
    while tail < limit and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    return head, tail


_JOINED = "_<>=!*/+-&|^"
_WORD = re.compile(r"[^\W\d]\w*")
CHARACTERS = 64
"""Only the beginning of a moved or deleted statement is worth a look: lexing whole blocks cost most of a step."""


def round_robin(operators: NDArray[np.int32], priority: NDArray[np.float32], limit: int) -> NDArray[np.int64]:
    """Choose at most `limit` candidates: operators take turns, each offers its highest priority first.

    Args:
        operators: Operator of each candidate, (N,) int32.
        priority: Suspiciousness of each candidate's line, (N,) float32.
        limit: How many to keep.

    Returns:
        Positions of the chosen candidates in ascending order, (min(N, limit),) int64.
    """
    count = len(operators)
    if count <= limit:
        return np.arange(count)
    order = np.lexsort((np.arange(count), -priority, operators))
    grouped = operators[order]
    first = np.flatnonzero(np.r_[True, grouped[1:] != grouped[:-1]])
    turn = np.arange(count) - np.repeat(first, np.diff(np.r_[first, count]))
    chosen = order[np.lexsort((grouped, turn))[:limit]]
    return np.sort(chosen)


