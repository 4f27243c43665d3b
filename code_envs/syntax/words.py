"""Words of texts and of code alike: the parts of identifiers in lower case, each with one id.

Search compares what a text says with what a function is made of. So `parseHTTPHeader`, `parse_http_header` and
"Parse an HTTP header" all have the words parse, http and header, and a word has the same id wherever it occurs:
that of a keyword or builtin where it is one (`code_envs.syntax.tokens`), a hashed bucket otherwise.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from code_envs.syntax.tokens import TokenIds

__all__ = ["STOP_WORDS", "word_ids", "words"]

STOP_WORDS = frozenset(
    (
        "a an and are as at be been being but by can could did do does each either etc for from had has have having "
        "how i if in into is it its itself may might must no nor not of off on only onto or other our own per shall "
        "should so some such than that the their them then there these they this those to too upon was we were what "
        "when where whether which while who whose will with would you your"
    ).split()
)
"""English words that say nothing about what a function does."""
KNOWN_WORDS = 65536
"""So many ids of words are remembered."""

_LETTERS = re.compile(r"[^\W\d_]+")
_PART = re.compile(r"[A-Z]+(?![^A-Z])|[A-Z]?[^A-Z]+")
_ids = TokenIds()


def words(text: str) -> list[str]:
    """The words of a text or of code, in order; numbers and signs are none."""
    found = []
    for run in _LETTERS.findall(text):
        if run.islower():
            found.append(run)
        else:
            found += [part.lower() for part in _PART.findall(run)]
    return found


def word_ids(parts: Iterable[str]) -> list[int]:
    """The id of each word, in [1, VOCABULARY_SIZE)."""
    return [_id(part) for part in parts]


@functools.lru_cache(KNOWN_WORDS)
def _id(word: str) -> int:
    return (_ids.text(word) or (_ids[word],))[0]
