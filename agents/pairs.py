"""Pairs of code and text that belong together: the positives of a contrastive loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["Batch", "Pairs"]


class Batch(NamedTuple):
    """Some pairs."""

    code: torch.Tensor
    text: torch.Tensor
    groups: torch.Tensor


class Pairs:
    """Token ids of code and text, as the environment's observation has them, with the task of each pair.

    Put in reference solutions, and programs that passed all tests. An agent's own unverified programs as positives
    ruin the alignment: they dropped success from .61 to .10 on a toy.

    Args:
        code: Token ids padded with 0, (N, T) int32.
        text: Token ids padded with 0, (N, M) int32.
        groups: Task of each pair; pairs of one task, or of one text, are no negatives of each other. None: all differ
            but those of the same text.
        capacity: Pairs that `add` keeps beside these; the oldest go first.

    Raises:
        ValueError: If the numbers of rows differ, or there are less than two pairs.
    """

    def __init__(
        self,
        code: NDArray[np.int32],
        text: NDArray[np.int32],
        groups: Sequence[str] | None = None,
        capacity: int = 4096,
    ) -> None:
        code, text = np.asarray(code, np.int32), np.asarray(text, np.int32)
        if code.ndim != 2 or text.ndim != 2 or len(code) != len(text) or len(code) < 2:
            raise ValueError(f"Expected code (N, T) and text (N, M) with N >= 2, got {code.shape} and {text.shape}.")
        if groups is not None and len(groups) != len(code):
            raise ValueError(f"Expected a task for each of the {len(code)} pairs, got {len(groups)}.")
        self.capacity = capacity
        self._numbers: dict[str, int] = {}
        names = [f"pair {number}" for number in range(len(code))] if groups is None else groups
        self._given = (code, text, np.array([self._number(*each) for each in zip(names, text, strict=True)]))
        self._added: dict[bytes, tuple[NDArray[np.int32], NDArray[np.int32], int]] = {}

    def __len__(self) -> int:
        return len(self._given[0]) + len(self._added)

    def add(self, code: NDArray[np.int32], text: NDArray[np.int32], group: str) -> None:
        """Keep a verified pair; one that is there already is not kept twice.

        Args:
            code: (T,) int32.
            text: (M,) int32.
            group: Its task.
        """
        code, text = np.asarray(code, np.int32), np.asarray(text, np.int32)
        self._added.setdefault(code.tobytes() + text.tobytes(), (code.copy(), text.copy(), self._number(group, text)))
        if len(self._added) > self.capacity:
            del self._added[next(iter(self._added))]

    def sample(self, count: int, rng: np.random.Generator) -> Batch:
        """Draw pairs without replacement, all if there are less.

        Args:
            count: Number of pairs B.
            rng: Draws them.

        Returns:
            Ids (B, T) and (B, M) int64, and a number of the task of each, (B,) int64.
        """
        chosen = rng.choice(len(self), size=min(count, len(self)), replace=False)
        first = len(self._given[0])
        added = list(self._added.values())
        rows = [
            (self._given[0][each], self._given[1][each], self._given[2][each]) if each < first else added[each - first]
            for each in chosen
        ]
        columns = zip(*rows, strict=True)
        code, text, groups = (torch.from_numpy(np.stack(column).astype(np.int64)) for column in columns)
        return Batch(code, text, groups)

    def _number(self, group: str, text: NDArray[np.int32]) -> int:
        """A number of the task; a text that was seen before has that of its first task."""
        words = "text " + text.tobytes().hex()
        number = self._numbers.get(f"task {group}", self._numbers.get(words, len(self._numbers)))
        self._numbers.setdefault(f"task {group}", number)
        self._numbers.setdefault(words, number)
        return number
