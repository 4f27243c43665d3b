"""Tokens as ids: a fixed vocabulary, slots for the names of a program, buckets for words of text.

Names and literals get slots by their order of first appearance in the program an episode starts with, so
that renaming a variable does not change what an agent sees. Those that edits bring in, and those for which
no slot is left, share a few slots by hash. Words of a description share the slot of the name they spell;
other words fall into hashed buckets.
"""

from __future__ import annotations

import builtins
import keyword
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping

__all__ = [
    "DEDENT",
    "INDENT",
    "NEWLINE",
    "PADDING",
    "SEPARATOR",
    "VOCABULARY_SIZE",
    "TokenIds",
    "laid_out",
    "lex",
    "tokens_of",
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
SHARED_SLOTS = 8
"""So many of the slots of each kind are for tokens that the starting program does not have."""
TEXTS = 256
"""Texts whose ids are remembered."""
_NAMES = _SPECIAL + len(FIXED)
_LITERAL = _NAMES + NAME_SLOTS
_BUCKET = _LITERAL + LITERAL_SLOTS
VOCABULARY_SIZE = _BUCKET + BUCKETS
"""Number of token ids; every id is in [0, VOCABULARY_SIZE)."""

_CAMEL = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\w\s]")


def lex(text: str) -> list[tuple[int, str]]:
    """Character offset and text of each token; comments count as operators and names."""
    return [(match.start(), match.group()) for match in _TOKEN.finditer(text)]


def laid_out(text: str, ids: Mapping[str, int], indent: int = 4) -> list[int]:
    """Ids of a program whose lines are indented by multiples of a number of spaces, with its layout as tokens.

    Args:
        text: The program, whole or in parts.
        ids: Id of each token (`TokenIds`).
        indent: Spaces of one level.
    """
    found: list[int] = []
    level = 0
    for line in text.split("\n"):
        if not line.strip():
            continue
        depth = (len(line) - len(line.lstrip(" "))) // indent
        if found:
            found.append(NEWLINE)
        found += [INDENT] * (depth - level) if depth >= level else [DEDENT] * (level - depth)
        level = depth
        found += [ids[token] for token in _TOKEN.findall(line)]
    return found


def tokens_of(text: str, length: int) -> list[str]:
    """The tokens within the first characters of a text."""
    return _TOKEN.findall(text, 0, length)


class TokenIds(dict[str, int]):
    """Token -> id for the programs of one episode: a pure function of the program it starts with.

    Args:
        start: The starting program.
    """

    def __init__(self, start: str = "") -> None:
        super().__init__(FIXED)
        tokens = [token for token in dict.fromkeys(_TOKEN.findall(start)) if token not in self]
        self._enter(filter(_is_name, tokens), _NAMES, NAME_SLOTS - SHARED_SLOTS)
        self._enter(filter(_is_literal, tokens), _LITERAL, LITERAL_SLOTS - SHARED_SLOTS)
        self._known = dict(self)
        self._texts: dict[str, tuple[int, ...]] = {}

    def _enter(self, tokens: Iterable[str], first: int, count: int) -> None:
        self.update(zip(tokens, range(first, first + count), strict=False))

    def __missing__(self, token: str) -> int:
        """The id of a token that the starting program does not have, remembered."""
        shared = zlib.crc32(token.encode()) % SHARED_SLOTS
        if _is_name(token):
            found = _NAMES + NAME_SLOTS - SHARED_SLOTS + shared
        elif _is_literal(token):
            found = _LITERAL + LITERAL_SLOTS - SHARED_SLOTS + shared
        else:
            found = UNKNOWN
        self[token] = found
        return found

    def text(self, description: str) -> tuple[int, ...]:
        """Ids of a description: names known from the starting program keep their slot, other words get a bucket."""
        found = self._texts.get(description)
        if found is None:
            if len(self._texts) == TEXTS:
                self._texts.clear()
            found = self._texts[description] = tuple(self._read(description))
        return found

    def _read(self, description: str) -> Iterator[int]:
        for token in _TOKEN.findall(description):
            known = self._known.get(token)
            if known is not None:
                yield known
            elif _is_literal(token):
                yield self[token]
            else:
                for part in _CAMEL.findall(token):
                    yield _BUCKET + zlib.crc32(part.lower().encode()) % BUCKETS


def _is_name(token: str) -> bool:
    return token[0].isidentifier()


def _is_literal(token: str) -> bool:
    return token[0].isdigit() or token[0] in "\"'`."
