"""What an agent that writes may append next: the tokens of a context, a fixed vocabulary, and how well each fits.

A `Vocabulary` belongs to one task. It offers the tokens of the context (copy slots, the nearest first) and a fixed
list of the language, always under the same numbers. At every step it says of each token how the context goes on
after what was written last: how often it follows the last one, two and three tokens, whether it continues the
longest passage that the context has in common with what was written, whether its kind follows. These shares are
what makes a small policy write well, because most of what is written in a file stands in it already.
"""

from __future__ import annotations

import enum
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from code_envs.syntax.spacing import BREAK, DEEPER, LESS_DEEP, STRUCTURE
from code_envs.syntax.tokens import BUCKETS, DEDENT, FIXED, INDENT, NEWLINE, NUMBER, STRING, VOCABULARY_SIZE

__all__ = [
    "END",
    "FOLLOWING",
    "HISTORY",
    "MATCH",
    "Context",
    "Family",
    "Kind",
    "Language",
    "Role",
    "View",
    "Vocabulary",
    "word_id",
]

END = 0
"""Number of the token that ends the text."""
MATCH = 8
"""Longest passage that is looked for in the context, in tokens."""
HISTORY, FOLLOWING = 3, 4
"""Written tokens that a row shows, and tokens that it shows behind the copied one."""
SCORES = 8
OFTEN, NEAR = 3, 16
CLASSES = 3


class Family(enum.IntEnum):
    """Where a token comes from; added to `FIRST_WRITING` in the first column of `candidates`."""

    END = 0
    FIXED = 1
    COPY = 2
    STRUCTURE = 3


class Kind(enum.IntEnum):
    """What kind of token it is."""

    END = 1
    STRUCTURE = 2
    KEYWORD = 3
    OPERATOR = 4
    OPENING = 5
    CLOSING = 6
    NAME = 7
    NUMBER = 8
    STRING = 9
    VARIANT = 10


class Role(enum.IntEnum):
    """Where in the context the copied token stands."""

    NONE = 0
    SAME_LINE = 1
    NEAR = 2
    BEFORE = 3
    AFTER = 4
    SIGNATURE = 5
    DESCRIPTION = 6


class Context(NamedTuple):
    """What the agent may copy from, as tokens.

    Args:
        tokens: The tokens, line breaks included.
        roles: `Role` of each.
        gap: Number of the token that the written text stands before, or -1 where it stands apart.
    """

    tokens: Sequence[str]
    roles: Sequence[int]
    gap: int


class View(NamedTuple):
    """The arrays of one step, for N tokens and the end."""

    rows: NDArray[np.int32]
    """(N + 1, 12) as `code_envs.envs.observation` has them, without the number of the family."""
    scores: NDArray[np.float32]
    """(N + 1, 8)."""
    places: NDArray[np.int64]
    """Where in the context each would be copied from, -1 for nowhere, (N + 1,)."""


@dataclass(frozen=True, slots=True)
class Language:
    """What a vocabulary must know of the written language.

    Args:
        fixed: Tokens that are always offered, the most needed first.
        keywords: Those that are keywords.
        plain: How a token is compared with others: two tokens that mean the same have the same plain form.
        variants: What a token of the context may become when it is copied, itself first.
        needed: So many of the fixed tokens are on offer even where the context has too many of its own.
        sparse: Whether tokens that the context does not have are passed over when passages are compared.
        breaks: The token that a line break of the context stands for; None where it stands for the end.
    """

    fixed: Sequence[str]
    keywords: frozenset[str] = frozenset()
    plain: Callable[[str], str] = str
    variants: Callable[[str], Iterable[str]] = lambda token: (token,)
    breaks: str | None = None
    needed: int = 0
    sparse: bool = False


class Vocabulary:
    """The tokens that can be written in one task.

    Args:
        context: What can be copied.
        language: The fixed tokens, and how copies change.
        limit: Most tokens, the end not counted.

    Attributes:
        texts: Text of each token; number 0 is the end, "".
        numbers: The number of each text.
        ids: Id of each place of the context.
    """

    def __init__(self, context: Context, language: Language, limit: int) -> None:
        self.context = context
        self.language = language
        self.texts = ["", *_chosen(context, language, limit)]
        self.numbers = {text: number for number, text in enumerate(self.texts) if number}
        self._plain: dict[str, int] = {}
        self._classes: dict[str, int] = {}
        # passages do not reach over the gap
        self._sequence = self._placed([self._plain_number(token) for token in context.tokens], -1)
        self._class_sequence = self._placed([self._class(token) for token in context.tokens], -1)
        self.ids = self._placed([word_id(token) for token in context.tokens], 0)
        self._roles = self._placed([int(role) for role in context.roles], Role.NONE)
        self._places, self._copies = self._pairs()
        ends = "\n" if language.breaks is None else ""
        self._own_classes = np.array([self._class(text or ends) for text in self.texts])
        self._counts = np.bincount(self._copies, minlength=len(self.texts))
        self._static = self._static_rows()
        self._order: tuple[int, NDArray[np.int64]] = (-1, np.zeros(0, np.int64))

    def __len__(self) -> int:
        """Number of tokens, the end included."""
        return len(self.texts)

    # what does not change -------------------------------------------------------------------------

    def _pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Places in the context, and the tokens that can be copied from there."""
        places, copies = [], []
        if self.context.gap < 0:
            places.append(len(self.context.tokens))
            copies.append(END)
        for place, token in enumerate(self.context.tokens):
            shifted = place + (0 <= self.context.gap <= place)
            if token == "\n":
                broken = self.language.breaks
                numbers = [END if broken is None else self.numbers.get(broken, -1)]
            else:
                numbers = [self.numbers.get(text, -1) for text in dict.fromkeys(self.language.variants(token))]
            for number in numbers:
                if number >= 0:
                    places.append(shifted)
                    copies.append(number)
        return np.array(places, np.int64), np.array(copies, np.int64)

    def _placed(self, values: list[int], fill: int) -> NDArray[np.int64]:
        """Values of the tokens by place: the gap has a place of its own, and so has the end of the context."""
        gap = self.context.gap
        return np.array([*values[:gap], fill, *values[gap:], fill] if gap >= 0 else [*values, fill], np.int64)

    def _plain_number(self, token: str) -> int:
        return self._plain.setdefault(self.language.plain(token), len(self._plain))

    def _class(self, token: str) -> int:
        """Number of a token's class: words of the language are their own, names, numbers and strings one each."""
        return self._classes.setdefault(self._class_name(token), len(self._classes))

    def _class_name(self, token: str) -> str:
        kind = self.kind(token)
        return f"{kind}" if kind in (Kind.NAME, Kind.NUMBER, Kind.STRING) else token

    def kind(self, token: str) -> Kind:
        """The kind of a token."""
        if token in STRUCTURE or token == "\n":
            return Kind.STRUCTURE
        if not token:
            return Kind.END
        if token in self.language.keywords:
            return Kind.KEYWORD
        first = token[0]
        if first.isidentifier():
            return Kind.STRING if token[-1] in "\"'" else Kind.NAME
        if first in "([{":
            return Kind.OPENING
        if first in ")]}":
            return Kind.CLOSING
        if first.isdigit() or token.startswith("<NUM"):
            return Kind.NUMBER
        return Kind.STRING if first in "\"'`" else Kind.OPERATOR

    def _static_rows(self) -> NDArray[np.int32]:
        rows = np.zeros((len(self.texts), 4 + HISTORY + 1 + FOLLOWING), np.int32)
        copied = self._counts > 0
        verbatim = {*self.context.tokens}
        for number, text in enumerate(self.texts):
            kind = Kind.END if number == END else self.kind(text)
            rows[number, 0] = Family.COPY if copied[number] and text else Family.FIXED
            if text in STRUCTURE:
                rows[number, 0] = Family.STRUCTURE
            varied = copied[number] and kind == Kind.NAME and text not in verbatim
            rows[number, 1] = Kind.VARIANT if varied else kind
            rows[number, 4 + HISTORY] = word_id(text)
        rows[END, 0] = Family.END
        return rows

    # what changes with every step -----------------------------------------------------------------

    def view(self, history: Sequence[str], pointer: int, brackets: str, window: NDArray[np.int64], here: int) -> View:
        """Rows and scores of all tokens.

        Args:
            history: The last tokens before the next one, those of the context in front of the gap included.
            pointer: The place of the context whose neighbourhood counts as near.
            brackets: The innermost open bracket's closing one, or "".
            window: Position in `code` of each place of the context, -1 for none, (places,) int32.
            here: Position in `code` of the next token.
        """
        matches = self.matches(history)
        places = self._nearest(pointer, matches)
        copied = places >= 0
        rows = self._static.copy()
        rows[:, 2] = np.where(copied, self._roles[places], Role.NONE)
        positions = np.where(copied, window[places], -1)
        rows[:, 3] = np.where(positions >= 0, positions, here)
        for offset, token in enumerate(reversed(history[-HISTORY:])):
            rows[:, 4 + offset] = word_id(token)
        for offset in range(1, FOLLOWING + 1):
            following = np.minimum(places + offset, len(self.ids) - 1)
            inside = copied & (places + offset < len(self.ids))
            rows[:, 4 + HISTORY + offset] = np.where(inside, self.ids[following], 0)
        return View(rows, self._scores(matches, places, history, pointer, brackets), places)

    def matches(self, history: Sequence[str]) -> list[NDArray[np.int64]]:
        """Places behind each occurrence of the last one, two, ... tokens, as long as there are any."""
        sequence = self._sequence
        if self.language.sparse:
            history = [token for token in history if self.language.plain(token) in self._plain]
        found: list[NDArray[np.int64]] = []
        places = self._every_place
        for length, token in enumerate(reversed(history[-MATCH:]), 1):
            number = self._plain.get(self.language.plain(token), -2)
            places = places[places >= length]
            places = places[sequence[places - length] == number]
            if not len(places):
                break
            found.append(places)
        return found

    @cached_property
    def _every_place(self) -> NDArray[np.int64]:
        places = np.arange(len(self._sequence))
        return places[places != self.context.gap]

    def _shares(self, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """How often each token is found at some places."""
        inside = np.zeros(len(self._sequence), np.bool_)
        inside[places] = True
        copies = self._copies[inside[self._places]]
        return np.bincount(copies, minlength=len(self.texts)) / len(places)

    def _nearest(self, pointer: int, matches: list[NDArray[np.int64]]) -> NDArray[np.int64]:
        """Per token the place to copy it from: where the longest passage goes on, else the nearest; -1 for none."""
        places = np.full(len(self.texts), -1, np.int64)
        if self._order[0] != pointer:
            self._order = pointer, np.argsort(-np.abs(self._places - pointer), kind="stable")
        order = self._order[1]
        places[self._copies[order]] = self._places[order]  # the last one stays: the nearest
        for found in matches[:3] + matches[3:][-1:]:
            inside = np.zeros(len(self._sequence), np.bool_)
            inside[found] = True
            chosen = order[inside[self._places[order]]]
            places[self._copies[chosen]] = self._places[chosen]
        return places

    def _scores(
        self,
        matches: Sequence[NDArray[np.int64]],
        places: NDArray[np.int64],
        history: Sequence[str],
        pointer: int,
        brackets: str,
    ) -> NDArray[np.float32]:
        scores = np.zeros((len(self.texts), SCORES), np.float32)
        scores[:, 0] = self._counts / (self._counts + OFTEN)
        for order, found in enumerate(matches[:3]):
            scores[:, 1 + order] = self._shares(found)
        if len(matches) > 3:
            scores[:, 4] = len(matches) / MATCH * self._shares(matches[-1])
        distance = np.abs(places - pointer)
        scores[:, 5] = np.where(places >= 0, 1 / (1 + distance / NEAR), 0)
        scores[:, 6] = self._class_shares(history)
        scores[:, 7] = self._defined
        if brackets:
            scores[END, 7] = 0
            number = self.numbers.get(brackets, END)
            scores[number, 7] = number != END
        else:
            scores[END, 7] = 1
        return scores

    def _class_shares(self, history: Sequence[str]) -> NDArray[np.float64]:
        """How often each token's class follows the classes of the last tokens, in the context."""
        sequence = self._class_sequence
        best = np.zeros(0, np.int64)
        places = self._every_place
        for length, token in enumerate(reversed(history[-CLASSES:]), 1):
            places = places[places >= length]
            places = places[sequence[places - length] == self._classes.get(self._class_name(token), -2)]
            if not len(places):
                break
            best = places
        if not len(best):
            return np.zeros(len(self.texts))
        counts = np.bincount(sequence[best] + 1, minlength=len(self._classes) + 2)
        shares: NDArray[np.float64] = counts[self._own_classes + 1] / len(best)
        return shares

    @cached_property
    def _defined(self) -> NDArray[np.float32]:
        """1 for the names that the context assigns, imports, or has for parameters."""
        defined = {
            token
            for number, token in enumerate(self.context.tokens)
            if self.context.roles[number] == Role.SIGNATURE or self.context.tokens[number + 1 : number + 2] == ["="]
        }
        names = [self.kind(text) == Kind.NAME and text in defined for text in self.texts[1:]]
        return np.array([False, *names], np.float32)


def _chosen(context: Context, language: Language, limit: int) -> list[str]:
    """The tokens of a vocabulary: the fixed ones that no text can do without, those nearest to the gap, the others."""
    middle = max(context.gap, 0)
    order = sorted(range(len(context.tokens)), key=lambda place: abs(2 * (place - middle) + 1))
    copies = (text for place in order for text in language.variants(context.tokens[place]) if text != "\n")
    every = dict.fromkeys([*language.fixed[: min(language.needed, limit)], *copies])
    return list(dict.fromkeys([*list(every)[:limit], *language.fixed]))[:limit]


_LAYOUT = {"\n": NEWLINE, BREAK: NEWLINE, DEEPER: INDENT, LESS_DEEP: DEDENT}


@lru_cache(1 << 16)
def word_id(token: str) -> int:
    """Id of a token that means the same in every task: its own where it is fixed, else a bucket of its spelling.

    An agent that writes must know that `append` is a method, so names have no slots here. Literals share a few ids.
    """
    known = _LAYOUT.get(token) or FIXED.get(token)
    if known is not None:
        return known
    if not token:
        return 0
    if token[0] in "\"'`":
        return STRING
    if token[0].isdigit() or token.startswith("<NUM"):
        return NUMBER
    return VOCABULARY_SIZE - BUCKETS + zlib.crc32(token.encode(errors="surrogatepass")) % BUCKETS
