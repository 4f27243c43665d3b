"""C programs that need not parse, as tokens, and the words that their authors mistype.

No tree: a program with a compile error has none that can be trusted. Offsets are bytes of the source.
"""

from __future__ import annotations

import enum
import functools
import re
from bisect import bisect_right
from typing import NamedTuple

from code_envs.syntax.tokens import lex

__all__ = ["HEADERS", "KEYWORDS", "KNOWN", "CToken", "Place", "TokenKind", "distance", "is_word", "lexed"]

KEYWORDS = tuple(
    "auto break case char const continue default do double else enum extern float for goto if inline int long register "
    "return short signed sizeof static struct switch typedef union unsigned void volatile while".split()
)
HEADERS = {
    "stdio.h": "printf scanf puts gets getchar putchar fgets sprintf sscanf NULL FILE EOF stdin stdout",
    "stdlib.h": "malloc calloc realloc free abs exit atoi atof rand srand qsort size_t RAND_MAX",
    "string.h": "strlen strcmp strcpy strcat strncmp strncpy strstr strchr strrev memset memcpy",
    "math.h": "sqrt pow fabs floor ceil sin cos tan exp log log10 round fmod M_PI",
    "ctype.h": "isalpha isdigit isupper islower isspace isalnum toupper tolower",
    "stdbool.h": "bool true false",
    "limits.h": "INT_MAX INT_MIN LONG_MAX LONG_MIN CHAR_MAX UINT_MAX",
    "float.h": "FLT_MAX DBL_MAX",
}
"""Headers that an edit can include, with the names that ask for them."""
KNOWN = (*KEYWORDS, "main", "include", "define", *(name for names in HEADERS.values() for name in names.split()))
"""Words that a misspelt one may mean."""

_HIDDEN = re.compile(
    r"""(?P<kept>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|//[^\n]*|/\*.*?\*/""",
    re.DOTALL,
)
_FOREIGN = re.compile(r"[\x80-\xff]+")
_NOT_NEWLINE = re.compile(r"[^\n]")


class TokenKind(enum.IntEnum):
    """What a token is; the kind column of a token edit."""

    NAME = 1
    KEYWORD = 2
    NUMBER = 3
    TEXT = 4
    QUOTE = 5
    OPENING = 6
    CLOSING = 7
    SEPARATOR = 8
    OPERATOR = 9
    FOREIGN = 10


class Place(enum.IntEnum):
    """Where in its line a token edit stands; the role column of a token edit."""

    FIRST = 1
    INSIDE = 2
    LAST = 3
    LINE = 4
    FILE = 5


class CToken(NamedTuple):
    """One token: its bytes, text, line (1-based) and kind."""

    start: int
    end: int
    text: str
    line: int
    kind: TokenKind


def lexed(source: bytes) -> list[CToken]:
    """The tokens of a program outside its comments; bytes that are not ASCII are one token where they stand alone."""
    text = source.decode("latin-1")  # one character per byte
    visible = _HIDDEN.sub(_blanked, text)
    plain = _FOREIGN.sub(lambda run: "$" + " " * (len(run[0]) - 1), visible)
    breaks = [at for at, letter in enumerate(text) if letter == "\n"]
    return [_token(source, visible, start, found, bisect_right(breaks, start) + 1) for start, found in lex(plain)]


def _blanked(match: re.Match[str]) -> str:
    return match[0] if match["kept"] else _NOT_NEWLINE.sub(" ", match[0])


def _token(source: bytes, visible: str, start: int, found: str, line: int) -> CToken:
    if found == "$" and (foreign := _FOREIGN.match(visible, start)):
        return CToken(start, foreign.end(), _decoded(source[start : foreign.end()]), line, TokenKind.FOREIGN)
    end = start + len(found)
    return CToken(start, end, _decoded(source[start:end]) if "$" in found else found, line, _kind(found))


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "replace")


@functools.lru_cache(maxsize=4096)
def _kind(token: str) -> TokenKind:
    if is_word(token):
        return TokenKind.KEYWORD if token in KEYWORDS else TokenKind.NAME
    if token[0].isdigit() or (token[0] == "." and token[1:2].isdigit()):
        return TokenKind.NUMBER
    if token[0] in "\"'`":
        return TokenKind.TEXT if len(token) > 1 else TokenKind.QUOTE
    for kind, signs in ((TokenKind.OPENING, "([{"), (TokenKind.CLOSING, ")]}"), (TokenKind.SEPARATOR, ";,:")):
        if token in signs:
            return kind
    return TokenKind.OPERATOR


def is_word(token: str) -> bool:
    """Whether a token is a name or a keyword."""
    return token[0].isalpha() or token[0] == "_"


@functools.lru_cache(maxsize=1 << 16)
def distance(first: str, second: str, limit: int = 2) -> int:
    """Letters to insert, delete, replace or swap with the next one to turn one word into another; at most limit + 1.

    Source: Damerau (1964); this is the restricted form, which edits no letter twice.
    """
    if abs(len(first) - len(second)) > limit:
        return limit + 1
    older: list[int] = []
    row = list(range(len(second) + 1))
    for i, letter in enumerate(first, 1):
        older, last, row = row, older, [i]
        for j, other in enumerate(second, 1):
            best = min(older[j] + 1, row[j - 1] + 1, older[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == second[j - 2] and first[i - 2] == other:
                best = min(best, last[j - 2] + 1)
            row.append(best)
        if min(row) > limit:
            return limit + 1
    return min(row[-1], limit + 1)
