"""Literals that a question suggests for a query: its numbers, its quoted and capitalised words, values it mentions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from code_envs.syntax.sql_query import Column, Literal

__all__ = ["QuestionValues"]

NUMBERS = {
    word: str(number) for number, word in enumerate("zero one two three four five six seven eight nine ten".split())
}
FEW = 6
"""A column with so few distinct values offers them all."""
MOST = 64
RUN = 4
"""Longest run of words that is taken for a name."""
_WORD = re.compile(r"[^\W_]+(?:[-'.][^\W_]+)*")
_QUOTED = re.compile(r"\"([^\"]+)\"|(?<!\w)'((?:[^']|'(?=\w))+)'|“([^”]+)”")


class QuestionValues:
    """What a column may be compared with in the answer to a question.

    Args:
        question: The question.
        stored: The distinct texts of a column.
    """

    def __init__(self, question: str, stored: Callable[[Column], Sequence[str]]) -> None:
        self._stored = stored
        self._words = _WORD.findall(question)
        self._plain = f" {' '.join(word.casefold() for word in self._words)} "
        digits = re.findall(r"\d+(?:,\d{3})*(?:\.\d+)?", question)
        spelled = [NUMBERS[word.casefold()] for word in self._words if word.casefold() in NUMBERS]
        self.numbers = list(dict.fromkeys([*(each.replace(",", "") for each in digits), *spelled]))
        self.quoted = ["".join(each) for each in _QUOTED.findall(question)]
        self._memo: dict[tuple[Column | None, str], tuple[Literal, ...]] = {}

    def __call__(self, column: Column | None, operator: str) -> tuple[Literal, ...]:
        """Literals for a comparison, in a fixed order; at least one."""
        if operator == "limit" or column is None:
            column, operator = None, "limit" if operator == "limit" else "number"
        key = (column, operator if operator in ("limit", "number", "like", "not like") else "")
        if key not in self._memo:
            texts = self._texts(column, key[1])
            self._memo[key] = tuple(dict.fromkeys(Literal.of(text) for text in texts))[:MOST]
        return self._memo[key]

    def mentions(self, text: str) -> bool:
        """Whether the question has a text, up to case and punctuation."""
        words = " ".join(word.casefold() for word in _WORD.findall(text))
        return bool(words) and f" {words} " in self._plain

    def _texts(self, column: Column | None, kind: str) -> list[str]:
        if column is None:
            whole = [each for each in self.numbers if "." not in each]
            return [*whole, *(["1", "3"] if kind == "limit" else ["0", "1", "2"])]
        if kind in ("like", "not like"):
            words = [*self.quoted, *(word for word in self._words if len(word) > 3 or word[0].isupper())]
            return [pattern.format(word) for word in words for pattern in ("%{}%", "{}%", "%{}")]
        stored = self._stored(column)
        known = [each for each in stored if self.mentions(each)]
        few = list(stored) if len(stored) <= FEW else []
        if column.number:
            return [*self.numbers, *known, *few] or ["0"]
        return [*known, *self.quoted, *few, *self._names(), *self.numbers] or ["0"]

    def _names(self) -> list[str]:
        """Runs of words that begin with a capital letter, longest first, not the first word of the question alone."""
        found = []
        for length in range(RUN, 0, -1):
            for start in range(len(self._words) - length + 1):
                run = self._words[start : start + length]
                if run[0][0].isupper() and run[-1][0].isupper() and (start or length > 1):
                    found.append(" ".join(run))
        return found
