"""Spectrum-based fault localisation: which lines the failing tests run."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

__all__ = ["Suspicion", "ochiai"]


class Suspicion:
    """Ochiai value, share of failing tests, and rank of each line.

    Args:
        value: Ochiai value per line, L + 1 of them; entry 0 is unused.
        failing: Share of the failing tests that run the line, L + 1 of them.

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
