"""Spectrum-based fault localisation: which lines the failing tests run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Suspicion", "ochiai"]


class Suspicion:
    """Ochiai value, share of failing tests, and rank of each line.

    Args:
        value: Ochiai value per line, (L + 1,) float32; entry 0 is unused.
        failing: Share of the failing tests that run the line, (L + 1,) float32.
    """

    __slots__ = ("failing", "highest", "rank", "value")

    def __init__(self, value: NDArray[np.float32], failing: NDArray[np.float32]) -> None:
        self.value = value
        self.failing = failing
        self.highest = (value == value.max()) & (value > 0)
        order = np.argsort(-value)
        falls = np.diff(value[order], prepend=value[order[:1]]) < 0
        self.rank = np.empty(len(value), np.float32)
        self.rank[order] = np.cumsum(falls)

    @classmethod
    def none(cls, lines: int) -> Suspicion:
        """No information: every line alike."""
        return cls(np.zeros(lines + 1, np.float32), np.zeros(lines + 1, np.float32))


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
    passing: list[int] = []
    failing: list[int] = []
    for run, ok in zip(runs, passed, strict=True):
        (passing if ok else failing).extend(set(run))
    failed = _counts(failing, lines)
    executed = failed + _counts(passing, lines)
    value = failed / np.sqrt(np.maximum(failures * executed, 1))
    return Suspicion(value.astype(np.float32), (failed / failures).astype(np.float32))


def _counts(executed: list[int], lines: int) -> NDArray[np.int64]:
    """How often each line of a program occurs; the candidate reports its own lines, so others are ignored."""
    index = np.array(executed, np.int64)
    return np.bincount(index[(index > 0) & (index <= lines)], minlength=lines + 1)
