"""Candidate edits of a program as arrays: what an agent chooses from."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

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

    __slots__ = ("_offsets", "_rows", "ends", "lines", "operators", "starts", "texts", "tokens")

    def __init__(
        self,
        source: bytes,
        batches: list[tuple[int, Batch]],
        tokens: list[NDArray[np.int32]],
        offsets: list[NDArray[np.int64]],
    ) -> None:
        every = Batch.beside([(base, batch) for base, batch in batches if batch.texts])
        self.starts, self.ends, self.texts, self.operators = every.starts, every.ends, every.texts, every.operators
        breaks = np.flatnonzero(np.frombuffer(source, np.uint8) == ord("\n"))
        self.lines = np.searchsorted(breaks, self.starts, "left") + 1
        self.tokens = joined(tokens, np.int32)
        self._offsets = joined(offsets, np.int64)
        self._rows = every.rows

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
        features, static = self._rows()
        features = features.copy()  # equal statements share their rows, not their positions
        features[:, POSITION] = np.maximum(np.searchsorted(self._offsets, self.starts, "right") - 1, 0)
        return features, static


def joined(arrays: list[NDArray[Any]], dtype: type) -> NDArray[Any]:
    """Arrays one after the other; an empty one of the type where there is none."""
    return np.concatenate(arrays) if arrays else np.zeros(0, dtype)


def _stacked(arrays: list[NDArray[Any]], width: int) -> NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.zeros((0, width), np.int32)


Rows = tuple[NDArray[np.int32], NDArray[np.float32]]


class Batch:
    """Rewrites of one text; offsets are relative to its first byte, features are made on first use.

    `keys` are equal for two edits of the text exactly if they give the same result.
    """

    __slots__ = ("_make", "_rows", "ends", "keys", "operators", "starts", "texts")

    def __init__(
        self,
        starts: NDArray[np.int64],
        ends: NDArray[np.int64],
        texts: list[bytes],
        keys: list[Key],
        operators: NDArray[np.int32],
        make: Callable[[], Rows],
    ) -> None:
        self.starts = starts
        self.ends = ends
        self.texts = texts
        self.keys = keys
        self.operators = operators
        self._make: Callable[[], Rows] | None = make
        self._rows: Rows | None = None

    def rows(self) -> Rows:
        """Features (N, C) int32 and static scores (N, 2) float32."""
        if self._rows is None:
            assert self._make is not None
            self._rows = self._make()
            self._make = None  # it holds the rewrites themselves: thousands of objects for the garbage collector
        return self._rows

    @classmethod
    def beside(cls, parts: list[tuple[int, Batch]]) -> Batch:
        """The rewrites of several texts, in order."""
        sizes = [len(batch.texts) for _, batch in parts]
        base = np.repeat(np.array([offset for offset, _ in parts], np.int64), sizes)

        def rows() -> Rows:
            made = [batch.rows() for _, batch in parts]
            features = _stacked([features for features, _ in made], CANDIDATE_WIDTH)
            return features, _stacked([static for _, static in made], 2)

        return cls(
            joined([batch.starts for _, batch in parts], np.int64) + base,
            joined([batch.ends for _, batch in parts], np.int64) + base,
            [text for _, batch in parts for text in batch.texts],
            [],
            joined([batch.operators for _, batch in parts], np.int32),
            rows,
        )

    @classmethod
    def joined(cls, parts: list[tuple[int, Batch]], source: bytes) -> Batch:
        """The rewrites of the parts of a text, without those that give the same result as an earlier one."""
        seen: set[Key] = set()
        keep: list[bool] = []
        for offset, batch in parts:
            for start, length, text in batch.keys:
                key = (start + offset, length, text)
                if not (length and text):
                    key = leftmost(key, source)
                keep.append(key not in seen)
                seen.add(key)
        every = cls.beside(parts)
        if all(keep):
            return every
        kept = np.array(keep, np.bool_)

        def rows() -> Rows:
            features, static = every.rows()
            return features[kept], static[kept]

        texts = list(itertools.compress(every.texts, keep))
        return cls(every.starts[kept], every.ends[kept], texts, [], every.operators[kept], rows)


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
