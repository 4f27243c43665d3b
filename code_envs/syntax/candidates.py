"""Candidate edits of a program as arrays: what an agent chooses from."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from code_envs.syntax.minimal import Key, leftmost
from code_envs.syntax.program import Edit

__all__ = ["CANDIDATE_WIDTH", "NODE_KINDS", "NO_SIZE_CHANGE", "Batch", "CandidateSet", "joined", "round_robin"]

NODE_KINDS = 128
"""Node kinds are hashed into [1, NODE_KINDS)."""
OLD_TOKENS, NEW_TOKENS = 3, 5
POSITION = 3
"""Column of the token position in what `CandidateSet.rows` gives."""
CANDIDATE_WIDTH = 4 + OLD_TOKENS + NEW_TOKENS
"""Columns of what `CandidateSet.rows` gives: operator, node kind, role, token position, old and new tokens."""
NO_SIZE_CHANGE = 0.5
FREQUENT = 8
"""A name that occurs so often in the starting program has the frequency 1."""

START, END, LENGTH, OPERATOR, KIND, ROLE, OFTEN, NEW = range(8)
COLUMNS = NEW + NEW_TOKENS
"""Columns of a batch: replaced bytes, length of the replacement, what it is, how often its names occur, its tokens."""


class Batch:
    """Edits of one text; bytes count from its first.

    Attributes:
        table: One row per edit, (N, COLUMNS) int32.
        texts: Replacements, N of them.
        keys: Equal for two edits of the text exactly if they give the same result; kept for single nodes only.
    """

    __slots__ = ("keys", "table", "texts")

    def __init__(self, table: NDArray[np.int32], texts: list[bytes], keys: list[Key] | None = None) -> None:
        self.table = table
        self.texts = texts
        self.keys = keys

    @classmethod
    def beside(cls, parts: list[tuple[int, Batch]]) -> Batch:
        """The edits of several texts, in order."""
        if not parts:
            return cls(np.zeros((0, COLUMNS), np.int32), [])
        table = np.concatenate([batch.table for _, batch in parts])
        base = np.array([offset for offset, _ in parts], np.int32)
        table[:, : END + 1] += base.repeat([len(batch.texts) for _, batch in parts])[:, None]
        texts: list[bytes] = []
        for _, batch in parts:
            texts += batch.texts
        return cls(table, texts)

    @classmethod
    def joined(cls, parts: list[tuple[int, Batch]], source: bytes) -> Batch:
        """The edits of the nodes of a text, without those that give the same result as an earlier one."""
        seen: set[Key] = set()
        keep: list[bool] = []
        for offset, batch in parts:
            assert batch.keys is not None
            for start, length, text in batch.keys:
                key = (start + offset, length, text)
                before = len(seen)
                seen.add(key if length and text else leftmost(key, source))
                keep.append(len(seen) > before)
        every = cls.beside(parts)
        if all(keep):
            return every
        return cls(every.table[np.array(keep, np.bool_)], list(itertools.compress(every.texts, keep)))


class CandidateSet:
    """Every candidate edit of one program, in canonical order, with the program's tokens.

    Attributes:
        starts: First replaced byte, (N,) int32.
        ends: Byte behind the last replaced one, (N,) int32.
        texts: Replacements, N of them.
        operators: `code_envs.syntax.rewrite.Operator` of each, (N,) int32.
        lines: Line of the edit, 1-based, (N,) int64.
        tokens: Token ids of the program, (L,) int32.
    """

    __slots__ = ("_offsets", "_table", "ends", "lines", "operators", "starts", "texts", "tokens")

    def __init__(
        self,
        source: bytes,
        batches: list[tuple[int, Batch]],
        tokens: list[NDArray[np.int32]],
        offsets: list[NDArray[np.int32]],
    ) -> None:
        every = Batch.beside([(base, batch) for base, batch in batches if batch.texts])
        self._table, self.texts = every.table, every.texts
        self.starts, self.ends, self.operators = (self._table[:, column] for column in (START, END, OPERATOR))
        breaks = np.flatnonzero(np.frombuffer(source, np.uint8) == ord("\n"))
        self.lines = breaks.searchsorted(self.starts) + 1
        self.tokens = joined(tokens)
        self._offsets = joined(offsets)

    def __len__(self) -> int:
        return len(self.texts)

    def edit(self, number: int) -> Edit:
        """One candidate as an edit."""
        return Edit(int(self.starts[number]), int(self.ends[number]), self.texts[number])

    def lengths(self) -> NDArray[np.int32]:
        """Bytes by which each candidate makes the program longer, (N,) int32."""
        return self._table[:, LENGTH] - self.ends + self.starts

    def rows(self, chosen: NDArray[np.int64] | None = None) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """What an agent sees of candidates.

        Args:
            chosen: Their numbers, (K,) int64; all by default.

        Returns:
            Operator, node kind, role, token position, old tokens, new tokens, (K, CANDIDATE_WIDTH) int32; size
            change and how often the new names occur, each in [0, 1], (K, 2) float32.
        """
        table = self._table if chosen is None else self._table[chosen]
        starts, ends = table[:, START], table[:, END]
        features = np.empty((len(table), CANDIDATE_WIDTH), np.int32)
        features[:, :POSITION] = table[:, OPERATOR : ROLE + 1]
        features[:, -NEW_TOKENS:] = table[:, NEW:]
        self._locate(starts, ends, features[:, POSITION:-NEW_TOKENS])
        grown = table[:, LENGTH] - ends + starts
        static = np.empty((len(table), 2), np.float32)
        static[:, 0] = NO_SIZE_CHANGE + NO_SIZE_CHANGE * grown / (np.abs(grown) + 10)
        static[:, 1] = table[:, OFTEN] / FREQUENT
        return features, static

    def _locate(self, starts: NDArray[np.int32], ends: NDArray[np.int32], found: NDArray[np.int32]) -> None:
        """Write the position of each edit, then the first tokens it replaces, 0 behind the last.

        The position is the token that the edit begins in or behind; an edit inside one token replaces that one.
        """
        found[:, 0] = position = np.maximum(self._offsets.searchsorted(starts, "right") - 1, 0)
        first = position + (self._offsets[position] != starts)
        behind = self._offsets.searchsorted(ends)
        inside = first >= behind
        first = np.where(inside, position, first)
        behind = np.where(inside, position + (starts < ends), behind)
        number = first[:, None] + _OLD
        found[:, 1:] = self.tokens.take(number, mode="clip") * (number < behind[:, None])


_OLD = np.arange(OLD_TOKENS)


def joined(arrays: list[NDArray[np.int32]]) -> NDArray[np.int32]:
    """Arrays one after the other."""
    return np.concatenate(arrays) if arrays else np.zeros(0, np.int32)


def round_robin(operators: NDArray[np.int32], priority: NDArray[np.float32], limit: int) -> NDArray[np.int64]:
    """Choose at most `limit` candidates: operators take turns, each offers its highest priority first.

    Args:
        operators: Operator of each candidate, (N,) int32.
        priority: Suspiciousness of each candidate's line, (N,) float32 in [0, 1].
        limit: How many to keep.

    Returns:
        Positions of the chosen candidates in ascending order, (min(N, limit),) int64.
    """
    count = len(operators)
    if count <= limit:
        return np.arange(count)
    order = np.argsort(2.0 * operators - priority, kind="stable")
    sizes = np.bincount(operators)
    turn = np.arange(count) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    full = _full_turns(sizes[sizes > 0].tolist(), limit)
    chosen = np.zeros(count, np.bool_)
    chosen[order[turn < full]] = True
    last = order[turn == full]
    chosen[last[: limit - np.count_nonzero(chosen)]] = True
    return np.flatnonzero(chosen)


def _full_turns(sizes: list[int], limit: int) -> int:
    """How many turns all operators can take before more than `limit` candidates are chosen."""
    turns = 0
    for waiting, size in zip(range(len(sizes), 0, -1), sorted(sizes), strict=True):
        possible = turns + limit // waiting
        if possible < size:
            return possible
        limit -= (size - turns) * waiting
        turns = size
    return turns
