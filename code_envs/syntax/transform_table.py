"""The transformations of one program as arrays: what an agent chooses from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from code_envs.syntax.candidates import CANDIDATE_WIDTH, NO_SIZE_CHANGE, round_robin
from code_envs.syntax.program import Program
from code_envs.syntax.tokens import TokenIds, lex
from code_envs.syntax.transformations import DEEP, Transformable

__all__ = ["STATIC", "TransformTable"]

STATIC = 4
"""Columns of `TransformTable.scores`."""


class TransformTable:
    """Candidates with what an agent sees of them.

    Args:
        program: The program.
        listed: Its transformations (`code_envs.syntax.transformations.transformations`).
        ids: Token ids of the episode.
        first: Number of the first transformation in the first column of `rows`.
        limit: How many to keep: the transformations take turns, the deepest places first.

    Attributes:
        candidates: Those kept, in canonical order, N of them.
        kinds: Transformation of each, (N,) int64.
        lines: Line of each, (N,) int64.
        tokens: Token ids of the program, (L,) int32.
        rows: What each candidate is, (N, CANDIDATE_WIDTH) int32.
        scores: Loops around the place, whether that is the most there are, size change, line, each in [0, 1],
            (N, 4) float32.
    """

    __slots__ = ("candidates", "kinds", "lines", "rows", "scores", "tokens")

    def __init__(self, program: Program, listed: list[Transformable], ids: TokenIds, first: int, limit: int) -> None:
        self.candidates = _cut(listed, limit)
        self.kinds = np.array([each.transformation for each in self.candidates], np.int64)
        self.lines = np.array([each.line for each in self.candidates], np.int64)
        text = program.text
        lexed = lex(text)
        self.tokens = np.array([ids[token] for _, token in lexed], np.int32)
        starts = np.array([start for start, _ in lexed], np.int64)
        if len(text) != len(program.source):
            starts = np.array([len(text[:start].encode()) for start in starts], np.int64)
        self.rows = np.zeros((len(self.candidates), CANDIDATE_WIDTH), np.int32)
        for number, each in enumerate(self.candidates):
            self.rows[number] = each.row(program.source, ids, starts, first)
        self.scores = _scores(self.candidates, program.source.count(b"\n") + 1)

    def __len__(self) -> int:
        return len(self.candidates)


def _cut(listed: list[Transformable], limit: int) -> list[Transformable]:
    kinds = np.array([each.transformation for each in listed], np.int32)
    depths = np.array([min(each.depth, DEEP) / DEEP for each in listed], np.float32)
    return [listed[int(number)] for number in round_robin(kinds, depths, limit)]


def _scores(candidates: list[Transformable], lines: int) -> NDArray[np.float32]:
    scores = np.zeros((len(candidates), STATIC), np.float32)
    deepest = max((each.depth for each in candidates), default=0)
    for number, each in enumerate(candidates):
        grown = len(each.edit.text) - each.edit.end + each.edit.start
        change = NO_SIZE_CHANGE + NO_SIZE_CHANGE * grown / (abs(grown) + 20)
        scores[number] = min(each.depth, DEEP) / DEEP, each.depth == deepest, change, min(each.line / lines, 1)
    return scores
