"""How well a growing text agrees with a reference: BLEU by sacrebleu, and edit similarity.

Both keep their statistics, so that one more token costs a few additions and not a second reading of the text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from code_envs.errors import MissingDependencyError

__all__ = ["Bleu", "EditSimilarity"]

ORDERS = 4


class Bleu:
    """Sentence BLEU-4 of a text that grows token by token.

    The score is that of `sacrebleu.sentence_bleu(" ".join(text), [" ".join(reference)], tokenize="none",
    use_effective_order=True)` with the smoothing given, divided by 100; of no token at all it is 0.

    Args:
        reference: Tokens of the reference.
        smoothing: sacrebleu's `smooth_method`: "exp" or "add-k".

    Raises:
        MissingDependencyError: If sacrebleu is not installed.
    """

    def __init__(self, reference: Sequence[str], smoothing: str = "exp") -> None:
        try:
            from sacrebleu.metrics.bleu import BLEU
        except ImportError as error:
            raise MissingDependencyError("sacrebleu", "text") from error
        self._compute = BLEU.compute_bleu
        self._smoothing = smoothing
        self._length = len(reference)
        self._left = [
            Counter(tuple(reference[place : place + order]) for place in range(len(reference) - order + 1))
            for order in range(1, ORDERS + 1)
        ]
        self._correct = [0] * ORDERS
        self._tokens: list[str] = []
        self.score = 0.0

    def add(self, token: str) -> float:
        """Append a token; returns the score of the text with it, in [0, 1]."""
        self._tokens.append(token)
        for order, left in enumerate(self._left, 1):
            found = tuple(self._tokens[-order:])
            if len(found) == order and left[found] > 0:
                left[found] -= 1
                self._correct[order - 1] += 1
        count = len(self._tokens)
        total = [max(count - order, 0) for order in range(ORDERS)]
        result = self._compute(
            list(self._correct), total, count, self._length, smooth_method=self._smoothing, effective_order=True
        )
        # the geometric mean of ones is a rounding error above 100
        self.score = min(float(result.score) / 100, 1.0)
        return self.score


class EditSimilarity:
    """1 - Levenshtein distance / length of the longer text, in characters, of a text that grows.

    Args:
        reference: The reference.
    """

    def __init__(self, reference: str) -> None:
        self._reference = np.array([ord(each) for each in reference], np.int64)
        self._steps = np.arange(len(reference) + 1)
        self._text = ""
        self._row: NDArray[np.int64] = self._steps

    def of(self, text: str) -> float:
        """The similarity of a text, in [0, 1]; quick where it continues the last one."""
        if not text.startswith(self._text):
            self._text, self._row = "", self._steps
        for each in text[len(self._text) :]:
            self._row = self._extended(ord(each))
        self._text = text
        longer = max(len(text), len(self._reference))
        return 1 - float(self._row[-1]) / longer if longer else 1.0

    def _extended(self, character: int) -> NDArray[np.int64]:
        row = self._row + 1
        row[1:] = np.minimum(row[1:], self._row[:-1] + (self._reference != character))
        extended: NDArray[np.int64] = np.minimum.accumulate(row - self._steps) + self._steps
        return extended
