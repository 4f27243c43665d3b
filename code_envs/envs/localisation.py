"""Fault localisation: which lines the failing tests run, or which the compiler complains about."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from code_envs.execution.executor import Diagnostic

__all__ = ["Suspicion", "closeness", "complained", "ochiai"]

REACH = 8
"""Lines around an error that are suspicious."""
TAB = 8
NEARBY = 4.0


class Suspicion:
    """Value, share of what fails, and rank of each line.

    Args:
        value: Ochiai value per line, or nearness to an error, L + 1 of them; entry 0 is unused.
        failing: Share of the failing tests that run the line, or of the errors in it, L + 1 of them.

    Attributes:
        value: (L + 1,) float32.
        failing: (L + 1,) float32.
        highest: Whether no line has a higher value, (L + 1,) bool; False where nothing is suspicious.
        rank: How many different values are higher, (L + 1,) float32.
    """

    __slots__ = ("failing", "highest", "rank", "value")

    def __init__(self, value: Sequence[float], failing: Sequence[float]) -> None:
        ranks = {each: rank for rank, each in enumerate(sorted(set(value), reverse=True))}
        self.value = np.array(value, np.float32)
        self.failing = np.array(failing, np.float32)
        self.rank = np.array([ranks[each] for each in value], np.float32)
        self.highest = (self.rank == 0) & (self.value > 0)

    @classmethod
    def none(cls, lines: int) -> Suspicion:
        """No information: every line alike."""
        return cls([0.0] * (lines + 1), [0.0] * (lines + 1))


def ochiai(runs: Sequence[Sequence[int]], passed: Sequence[bool], lines: int) -> Suspicion:
    """Suspicion of each line from the lines that each test ran.

    Args:
        runs: Executed lines of each test, 1-based.
        passed: Whether each test passed.
        lines: Number of lines of the program.

    Source: Abreu, Zoeteweij and van Gemund (2007), failed(s) / sqrt(total failed * executed(s)).
    """
    failures = sum(not ok for ok in passed)
    if not failures:
        return Suspicion.none(lines)
    failed, executed = [0] * (lines + 1), [0] * (lines + 1)
    # most tests run the same lines; arrays of so few numbers cost more than lists
    for (run, ok), count in Counter(zip(map(tuple, runs), passed, strict=True)).items():
        for line in set(run):
            if 0 < line <= lines:  # the candidate reports its own lines, and may lie
                executed[line] += count
                failed[line] += 0 if ok else count
    value = [bad / math.sqrt(failures * every) if bad else 0.0 for bad, every in zip(failed, executed, strict=True)]
    return Suspicion(value, [bad / failures for bad in failed])


def complained(diagnostics: Sequence[Diagnostic], lines: int) -> Suspicion:
    """Suspicion of each line from the errors of a compiler: 1 where one is, 1 / (1 + distance) around it.

    Args:
        diagnostics: What the compiler said; errors without a line tell nothing.
        lines: Number of lines of the program.
    """
    errors = [each.line for each in diagnostics if each.severity == "error" and 0 < each.line <= lines]
    if not errors:
        return Suspicion.none(lines)
    value = [0.0] * (lines + 1)
    counts = Counter(errors)
    for wrong in counts:
        for line in range(max(1, wrong - REACH), min(lines, wrong + REACH) + 1):
            value[line] = max(value[line], 1 / (1 + abs(line - wrong)))
    return Suspicion(value, [counts[line] / len(errors) for line in range(lines + 1)])


def closeness(diagnostics: Sequence[Diagnostic], source: bytes, starts: NDArray[np.int32]) -> NDArray[np.float32]:
    """How close edits are to the places of errors: 4 / (4 + bytes between them), 0 without any.

    Args:
        diagnostics: What the compiler said.
        source: The program.
        starts: First byte of each edit, (N,) int32.

    Returns:
        One number per edit, (N,) float32 in [0, 1].
    """
    lines = source.split(b"\n")
    begins = np.cumsum([0, *(len(line) + 1 for line in lines)])
    points = {
        int(begins[each.line - 1]) + _byte(lines[each.line - 1], each.column)
        for each in diagnostics
        if each.severity == "error" and 0 < each.line <= len(lines)
    }
    close = np.zeros(len(starts), np.float32)
    for point in sorted(points):
        np.maximum(close, NEARBY / (NEARBY + np.abs(starts - point)), out=close, casting="same_kind")
    return close


def _byte(line: bytes, column: int) -> int:
    """Byte of a line at a column as gcc counts them: 1-based, as shown, with tab stops at every eighth."""
    shown = at = 0
    for letter in line.decode("utf-8", "replace"):
        if shown >= column - 1:
            break
        shown += TAB - shown % TAB if letter == "\t" else 1
        at += len(letter.encode())
    return min(at, len(line))
