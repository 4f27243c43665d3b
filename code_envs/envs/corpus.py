"""Functions prepared for search: their words, how rare these are, and BM25 over all of them.

Source: Robertson and Zaragoza (2009) for BM25; the library is bm25s (extra `search`).
"""

from __future__ import annotations

import functools
import importlib
import math
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from code_envs.errors import MissingDependencyError
from code_envs.syntax.words import STOP_WORDS, word_ids, words
from code_envs.tasks.described import Described
from code_envs.tasks.task import digest

__all__ = ["RARE", "Card", "Corpus", "Query", "Sketch", "corpus_of", "described_alike", "sketch"]

RARE = 5
KEPT = 65536
"""So many functions are remembered in prepared form."""
STEM = 4
"""Words that begin with the same letters, so many, count as forms of one word."""
_NAME = re.compile(r"\b(?:def|function|func|fn|class)\s*\*?\s*(?:\([^)]*\)\s*)?(\w+)|(\w+)\s*\(")
_METHOD = re.compile(r"\(\s*(?:self|cls|mcs)\b")


class Sketch(NamedTuple):
    """What search looks at in a function."""

    name: str
    method: bool
    name_words: tuple[str, ...]
    """Distinct words of the name, in order."""
    all_words: tuple[str, ...]
    """Distinct words of the function, those of the name first."""
    signature: frozenset[str]
    """Words of name and parameters."""
    stems: tuple[frozenset[str], frozenset[str]]
    """Beginnings of the words of the name, and of all words."""


@functools.lru_cache(KEPT)
def sketch(code: str) -> Sketch:
    """The sketch of a function; names are found in the usual languages, where none is the name is empty."""
    found = _NAME.search(code)
    name = (found[1] or found[2]) if found else ""
    name_words = tuple(dict.fromkeys(words(name)))
    every = tuple(dict.fromkeys([*name_words, *words(code)]))
    signature = code[found.start() :].partition(")")[0] if found else ""
    stems = frozenset(map(_stem, name_words)), frozenset(map(_stem, every))
    return Sketch(name, bool(_METHOD.search(signature)), name_words, every, frozenset(words(signature)), stems)


class Card(NamedTuple):
    """What an observation shows of a function."""

    words: NDArray[np.int32]
    """Ids of its distinct words, those of the name first, (N,) int32."""
    name: NDArray[np.int32]
    """Ids of the words of the name."""
    rarest: NDArray[np.int32]
    """Ids of the rarest words, RARE of them or fewer; ties in order of appearance."""


class Query:
    """A description's distinct words without stop words, each weighted by how rare it is among functions.

    Args:
        text: The description.
        corpus: The functions.
    """

    def __init__(self, text: str, corpus: Corpus) -> None:
        self.corpus = corpus
        self.words = [word for word in dict.fromkeys(words(text)) if word not in STOP_WORDS]
        self.weights = {word: corpus.rarity(word) for word in self.words}
        self.stems = {word: _stem(word) for word in self.words}
        self.total = sum(self.weights.values()) or 1.0

    def overlaps(self, function: Sketch, hidden: bool) -> tuple[float, ...]:
        """Shares in [0, 1], seven of them, each weighted by rarity.

        Of the words of the query: those in the name, in name and parameters, anywhere, and those with a form in
        the name, and anywhere; of the words of the name: those in the query, and those with a form in it. Of a
        hidden function no more than the name counts.
        """
        signature = set(function.name_words) if hidden else function.signature
        every = function.name_words if hidden else function.all_words
        stems = function.stems[0] if hidden else function.stems[1]
        named = set(function.name_words)
        mine = set(self.stems.values())
        rarity = {word: self.corpus.rarity(word) for word in function.name_words}
        name = sum(rarity.values()) or 1.0
        return (
            self._share(named),
            self._share(signature),
            self._share(set(every)),
            sum(weight for word, weight in self.weights.items() if self.stems[word] in function.stems[0]) / self.total,
            sum(weight for word, weight in self.weights.items() if self.stems[word] in stems) / self.total,
            sum(weight for word, weight in rarity.items() if word in self.weights) / name,
            sum(weight for word, weight in rarity.items() if _stem(word) in mine) / name,
        )

    def _share(self, there: set[str] | frozenset[str]) -> float:
        return sum(weight for word, weight in self.weights.items() if word in there) / self.total


class Corpus:
    """The functions that pools are made of.

    Args:
        functions: Their code, each once.
    """

    def __init__(self, functions: tuple[str, ...]) -> None:
        self.functions = functions
        self.number = {code: number for number, code in enumerate(functions)}
        self._rarity: dict[str, float] = {}
        self._cards: dict[tuple[int, bool], Card] = {}

    def __len__(self) -> int:
        return len(self.functions)

    @functools.cached_property
    def sha256(self) -> str:
        """Digest of the functions, hexadecimal."""
        return digest(*(code.encode("utf-8", "replace") for code in self.functions))

    def rarity(self, word: str) -> float:
        """Logarithm of how few functions have the word, above 0."""
        if not self._rarity:
            often = Counter(word for code in self.functions for word in set(words(code)))
            self._rarity = {each: math.log(1 + len(self) / count) for each, count in often.items()}
        return self._rarity.get(word, math.log(1 + len(self)))

    def card(self, number: int, hidden: bool) -> Card:
        """What is shown of a function, no more than its name while it is hidden."""
        card = self._cards.get((number, hidden))
        if card is None:
            function = sketch(self.functions[number])
            shown = function.name_words if hidden else function.all_words
            rarest = sorted(shown, key=lambda word: -self.rarity(word))[:RARE]
            distinct = dict.fromkeys(word_ids(shown))
            parts = (distinct, word_ids(function.name_words), word_ids(rarest))
            card = Card(*(np.array(list(part), np.int32) for part in parts))
            if len(self._cards) >= KEPT:
                self._cards.clear()
            self._cards[number, hidden] = card
        return card

    def bm25(self, query: Query) -> NDArray[np.float32]:
        """BM25 of every function (Lucene's form, k1 1.5, b 0.75), 0 or more, (len(self),) float32.

        Each distinct word of the query counts once; stop words do not count.

        Raises:
            MissingDependencyError: If bm25s is not installed.
        """
        known = [word for word in query.words if word in self._index.vocab_dict]
        if not known:
            return np.zeros(len(self), np.float32)
        scores: NDArray[np.float32] = self._index.get_scores(known).astype(np.float32)
        return scores

    @functools.cached_property
    def _index(self) -> Any:
        try:
            library = importlib.import_module("bm25s")
        except ImportError as error:
            raise MissingDependencyError("bm25s", "search") from error
        index = library.BM25(method="lucene", k1=1.5, b=0.75, backend="numpy")
        index.index([words(code) or [""] for code in self.functions], show_progress=False)
        return index


@functools.lru_cache(4)
def corpus_of(functions: tuple[str, ...]) -> Corpus:
    """The corpus of these functions; the environments of a process share it."""
    return Corpus(functions)


def described_alike(tasks: Iterable[Described], corpus: Corpus) -> dict[str, NDArray[np.int64]]:
    """By description, the numbers of the functions that it describes."""
    found: dict[str, set[int]] = {}
    for task in tasks:
        found.setdefault(task.text, set()).add(corpus.number[task.code])
    return {text: np.array(sorted(numbers), np.int64) for text, numbers in found.items()}


def _stem(word: str) -> str:
    return word[:STEM]
