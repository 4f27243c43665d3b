"""Tokens as ids: a fixed vocabulary, slots for the names of an episode, buckets for words of text.

Names and literals get slots by their order of first appearance within an episode, so that renaming a
variable does not change what an agent sees. Words of a description share the slot of the name they
spell; other words fall into hashed buckets.
"""

from __future__ import annotations

import builtins
import itertools
import keyword
import re
import zlib
from collections.abc import Iterable

__all__ = [
    "DEDENT",
    "INDENT",
    "NEWLINE",
    "PADDING",
    "SEPARATOR",
    "VOCABULARY_SIZE",
    "TokenIds",
    "lex",
]

PADDING, UNKNOWN, START, SEPARATOR, NEWLINE, INDENT, DEDENT, STRING, NUMBER = range(9)
_SPECIAL = 16

_TOKEN = re.compile(
    r"""(?:[^\W\d]\w*)
    |(?:0[xXbBoO][\da-fA-F_]+|\d[\d_]*\.?\d*(?:[eE][+-]?\d+)?|\.\d+)
    |(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)
    |(?:\*\*=|//=|>>>|>>=|<<=|===|!==|\.\.\.|->|:=|=>|\*\*|//|<<|>>|<=|>=|==|!=|\+=|-=|\*=|/=|%=|&=|\|=|\^=|@=
        |&&|\|\||\+\+|--|[-+*/%@&|^~<>=()\[\]{},:;.?!\\$\#])
    |\S""",
    re.VERBOSE,
)

_OPERATORS = (
    "+ - * / // % ** @ & | ^ ~ << >> >>> < <= > >= == != === !== = += -= *= /= //= %= **= &= |= ^= >>= <<= @= "
    ":= -> => ( ) [ ] { } , : ; . ... ? ! && || ++ --"
).split()
_LITERALS = [*map(str, range(17)), "100", "1000", "0.0", "1.0", "0.5", "2.0", "''", '""', "' '", '" "']
_METHODS = (
    "append extend insert pop remove clear sort reverse index count copy add discard update get keys values items "
    "setdefault popleft appendleft join split rsplit strip lstrip rstrip replace lower upper swapcase capitalize title "
    "isdigit isalpha isalnum isupper islower isspace startswith endswith find rfind format zfill encode decode "
    "union intersection difference issubset issuperset most_common heappush heappop heapify bisect bisect_left "
    "bisect_right sqrt floor ceil gcd pi log log2 log10 pow factorial comb perm product permutations combinations "
    "chain accumulate groupby reduce Counter defaultdict deque OrderedDict math re random collections itertools "
    "functools heapq string operator match search sub findall fullmatch self cls key reverse start stop step"
).split()
_OTHER_LANGUAGES = (
    "function const let var new this null undefined true false typeof switch case default do void public private "
    "static final int double float boolean char String List ArrayList Map HashMap Math length push slice charAt size"
).split()
_FEEDBACK = (
    "passed failed expected got raised timeout crashed compile_error load_error step_limit not_run opaque value "
    "AssertionError TypeError ValueError IndexError KeyError NameError AttributeError ZeroDivisionError "
    "UnboundLocalError RecursionError OverflowError StopIteration RuntimeError SyntaxError IndentationError"
).split()


def _fixed() -> dict[str, int]:
    words = [
        *keyword.kwlist,
        *keyword.softkwlist,
        *_OPERATORS,
        *_LITERALS,
        *(name for name in dir(builtins) if not name.startswith("_") and name[0].islower()),
        *_METHODS,
        *_OTHER_LANGUAGES,
        *_FEEDBACK,
    ]
    return {word: _SPECIAL + number for number, word in enumerate(dict.fromkeys(words))}


FIXED = _fixed()
NAME_SLOTS, LITERAL_SLOTS, BUCKETS = 64, 32, 512
_NAMES = _SPECIAL + len(FIXED)
_LITERAL = _NAMES + NAME_SLOTS
_BUCKET = _LITERAL + LITERAL_SLOTS
VOCABULARY_SIZE = _BUCKET + BUCKETS
"""Number of token ids; every id is in [0, VOCABULARY_SIZE)."""

_CAMEL = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\w\s]")


def lex(text: str) -> list[tuple[int, str]]:
    """Character offset and text of each token; comments count as operators and names."""
    return [(match.start(), match.group()) for match in _TOKEN.finditer(text)]


class TokenIds:
    """The token ids of one episode; slots are handed out in order of first appearance."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = dict(FIXED)
        self._names = 0
        self._literals = 0

    def __getitem__(self, token: str) -> int:
        """The id of one token of code."""
        found = self._ids.get(token)
        return self._assign(token) if found is None else found

    def first(self, text: str, count: int) -> list[int]:
        """Ids of the first tokens of a text, padded with 0 to `count` of them."""
        known = self._ids
        tokens = [match.group() for match in itertools.islice(_TOKEN.finditer(text), count)]
        ids = [known[token] if token in known else self._assign(token) for token in tokens]
        return ids + [PADDING] * (count - len(ids))

    def code(self, tokens: Iterable[str]) -> list[int]:
        """Ids of tokens of code."""
        return [self[token] for token in tokens]

    def text(self, description: str) -> list[int]:
        """Ids of a description: names known from the code keep their slot, other words get a bucket."""
        ids: list[int] = []
        for token in _TOKEN.findall(description):
            known = self._ids.get(token)
            if known is not None:
                ids.append(known)
            elif token[0].isdigit() or token[0] in "\"'`":
                ids.append(self._assign(token))
            else:
                ids.extend(_BUCKET + zlib.crc32(part.lower().encode()) % BUCKETS for part in _CAMEL.findall(token))
        return ids

    def _assign(self, token: str) -> int:
        first = token[0]
        if first.isidentifier():
            identifier = _NAMES + min(self._names, NAME_SLOTS - 1)
            self._names += 1
        elif first.isdigit() or first in "\"'`.":
            identifier = _LITERAL + min(self._literals, LITERAL_SLOTS - 1)
            self._literals += 1
        else:
            identifier = UNKNOWN
        self._ids[token] = identifier
        return identifier
