"""The three ways to write a program: by productions of a grammar, by tokens, as a whole text.

A draft is the program so far and what may be done to it. Each action of a draft that has numbered actions is a row of
`candidates` and a row of `candidate_scores`:

| column of `candidate_scores` | grammar | token |
|---|---|---|
| 0 | opens no hole | ends the program |
| 1 | share of its words that the description has | the same |
| 2 | how often it was used already | the same |
| 3 | depth of the hole | how often it stands in the description |
| 4 | slack of the budget | tokens left |
| 5 | share of the slack that it takes | stands after the same token already |
| 6 | uses a parameter or variable that nothing uses yet | the same |
| 7 | its type is known | is a name or a constant |
"""

from __future__ import annotations

import re
import string
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from code_envs.envs.observation import FIRST_GRAMMAR, FIRST_WRITING, SCORES
from code_envs.syntax.candidates import CANDIDATE_WIDTH
from code_envs.syntax.derivation import LOCALS, LOOP_NAMES, Derivation, Production, Signature
from code_envs.syntax.grammar import TYPES, Family
from code_envs.syntax.parsing import find_derivation
from code_envs.syntax.program import Program
from code_envs.syntax.spacing import BREAK, DEEPER, LESS_DEEP, Spacing
from code_envs.syntax.tokens import TokenIds, laid_out, lex

__all__ = ["Draft", "GrammarDraft", "TextDraft", "TokenDraft"]

OLD, NEW = 3, 5
ROLES = {kind: number for number, kind in enumerate(("body", "suite", "rest", "any", *TYPES), 1)}
NO_EXPERT = -1


class Draft(ABC):
    """A program in the making.

    Attributes:
        ids: Id of each token, a function of the signature.
        used: Productions or tokens so far.
        complete: Whether the program is complete.
    """

    ids: TokenIds
    used: int
    complete: bool

    def __init__(self, signature: Signature) -> None:
        constants = " ".join(text for kind in sorted(signature.constants) for text in signature.constants[kind])
        self.signature = signature
        self.ids = TokenIds(f"{signature.line} {constants}")
        self.used = 0
        self.complete = False

    @property
    @abstractmethod
    def text(self) -> str:
        """The program so far."""

    @abstractmethod
    def apply(self, action: Any) -> None:
        """Take a valid action."""

    @abstractmethod
    def mask(self) -> NDArray[np.bool_]:
        """Valid actions, (A,) bool; none when the program is complete."""

    @abstractmethod
    def rows(self) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """What each action does: `candidates` and `candidate_scores`."""

    @property
    def slack(self) -> float:
        """Share of the budget that is free, in [0, 1]."""
        return 0.0

    @property
    def nesting(self) -> float:
        """How deep the next action stands, in [0, 1]."""
        return 0.0

    def tokens(self) -> list[int]:
        """Token ids of the program so far."""
        return laid_out(self.text, self.ids)

    def errors(self) -> int:
        """What the parser finds wrong with the program so far; nothing before it has begun."""
        return 0


class GrammarDraft(Draft):
    """Fill the leftmost hole with a production.

    Args:
        signature: What is known of the function.
        actions: Number of actions A.
        budget: Productions in all.
        depth: How deep expressions may nest.
        description: What the function should do.
        reference: A correct program, for the expert.
    """

    def __init__(
        self, signature: Signature, actions: int, budget: int, depth: int, description: str, reference: str | None
    ) -> None:
        super().__init__(signature)
        self.derivation = Derivation(signature, budget, depth)
        self._actions = actions
        self._depth = depth
        self._said = _words(description)
        self._uses: Counter[str] = Counter()
        self._way = None if reference is None else find_derivation(signature, reference, budget, depth)
        self._offered = self.derivation.candidates()[:actions]

    @property
    def text(self) -> str:
        """The program so far, with `...` for each hole."""
        return self.derivation.text

    def apply(self, action: int) -> None:
        """Fill the leftmost hole."""
        chosen = self._offered[action]
        if self._way is not None:
            self._way = self._way[1:] if self._way and self._way[0] == chosen.key else None
        self._uses.update((chosen.key, *chosen.names))
        self.derivation.apply(chosen)
        self.used = self.derivation.used
        self.complete = self.derivation.complete
        self._offered = [] if self.complete else self.derivation.candidates()[: self._actions]

    def expert_action(self) -> int:
        """The next production of the reference, -1 off its way."""
        if not self._way:
            return NO_EXPERT
        keys = [production.key for production in self._offered]
        return keys.index(self._way[0]) if self._way[0] in keys else NO_EXPERT

    def mask(self) -> NDArray[np.bool_]:
        """Valid actions, (A,) bool."""
        mask = np.zeros(self._actions, np.bool_)
        mask[: len(self._offered)] = True
        return mask

    @property
    def slack(self) -> float:
        """Share of the budget beyond the shortest completion."""
        return self.derivation.slack / self.derivation.budget

    @property
    def nesting(self) -> float:
        """Depth of the leftmost hole."""
        return 0.0 if self.complete else self.derivation.hole.depth / self._depth

    def rows(self) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """What each production does: family, kind, type of the hole, position, tokens before, its tokens."""
        rows = np.zeros((self._actions, CANDIDATE_WIDTH), np.int32)
        scores = np.zeros((self._actions, SCORES), np.float32)
        if self.complete:
            return rows, scores
        before = laid_out(self.derivation.written, self.ids)
        kind = self.derivation.hole.kind
        head = [ROLES.get(kind.replace("iter", "list"), 0), len(before), *_last(before)]
        count = len(self._offered)
        rows[:count] = [[FIRST_GRAMMAR + each.family, each.kind, *head, *self._new(each)] for each in self._offered]
        scores[:count] = [self._scores(each) for each in self._offered]
        return rows, scores

    def _new(self, production: Production) -> list[int]:
        found = [self.ids[token] for token in _first(production.text)]
        return found + [0] * (NEW - len(found))

    def _scores(self, production: Production) -> list[float]:
        cost = len(production.holes)
        used = self._uses[production.key]
        words = _words(production.key)
        return [
            float(cost == 0),
            len(words & self._said) / len(words) if words else 0.0,
            used / (used + 2),
            self.nesting,
            self.slack,
            min(cost / (self.derivation.slack + 1), 1.0),
            float(any(not self._uses[name] for name in production.names)),
            float(production.family != Family.VARIABLE or self.derivation.scope.get(production.names[0]) != "any"),
        ]


class TokenDraft(Draft):
    """Append a token; syntax can break.

    Args:
        signature: What is known of the function.
        description: What the function should do.
        actions: Number of actions A.
        limit: Tokens in all.
    """

    END = "<end>"

    def __init__(self, signature: Signature, description: str, actions: int, limit: int) -> None:
        super().__init__(signature)
        self._actions = actions
        self._limit = limit
        self._said = Counter(token for _, token in lex(description))
        self._offered = _vocabulary(
            signature, [token for _, token in lex(description) if token.isidentifier()], actions
        )
        self._written: list[str] = []
        self._spacing = Spacing("")

    @property
    def text(self) -> str:
        """The program so far."""
        before = f"{self.signature.line}\n    "
        return before + self._spacing.text(before, self._written) + "\n"

    def apply(self, action: int) -> None:
        """Append a token, or end the program."""
        self.used += 1
        if action == 0:
            self.complete = True
        else:
            self._written.append(self._offered[action])

    def mask(self) -> NDArray[np.bool_]:
        """Valid actions, (A,) bool: indentation changes at the beginning of a line; the last token is the end."""
        mask = np.zeros(self._actions, np.bool_)
        if self.complete:
            return mask
        mask[0] = True
        if self.used < self._limit - 1:
            mask[: len(self._offered)] = True
            layout = self._written[-1:] == [BREAK] or self._written[-1:] == [LESS_DEEP]
            mask[[self._offered.index(DEEPER), self._offered.index(LESS_DEEP)]] = layout
        return mask

    @property
    def slack(self) -> float:
        """Share of the tokens that are left."""
        return 1 - self.used / self._limit

    def errors(self) -> int:
        """Nodes that the parser marks as wrong or missing."""
        if not self._written:
            return 0
        nodes, found = [Program(self.text.encode()).tree.root_node], 0
        while nodes:
            node = nodes.pop()
            found += node.is_error or node.is_missing
            if node.has_error:
                nodes += node.children
        return found

    def rows(self) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """What each token is: family, kind, 0, position, the tokens before, the token."""
        rows = np.zeros((self._actions, CANDIDATE_WIDTH), np.int32)
        scores = np.zeros((self._actions, SCORES), np.float32)
        count = len(self._offered)
        uses = Counter(self._written)
        last = self._written[-1:]
        after = {b for a, b in zip(self._written, self._written[1:], strict=False) if [a] == last}
        parameters = set(self.signature.parameters)
        rows[:count, 0] = FIRST_WRITING + 1
        rows[0, 0] = FIRST_WRITING
        rows[:count, 1] = [1 + _token_kind(token) for token in self._offered]
        rows[:count, 3] = len(self.tokens())
        rows[:count, 4 : 4 + OLD] = _last([self.ids[token] for token in self._written])
        rows[:count, -NEW] = [self.ids[token] for token in self._offered]
        for number, token in enumerate(self._offered):
            said, used = self._said[token], uses[token]
            named = token in parameters
            scores[number] = (
                number == 0, said > 0, used / (used + 2), said / (said + 2), self.slack, token in after,
                named and not used, named,
            )  # fmt: skip
        return rows, scores


class TextDraft(Draft):
    """Hand in a whole program.

    Args:
        signature: What is known of the function.
    """

    CHARACTERS = frozenset(string.printable)

    def __init__(self, signature: Signature) -> None:
        super().__init__(signature)
        self._text = ""

    @property
    def text(self) -> str:
        """The program that was handed in."""
        return self._text

    def apply(self, action: str) -> None:
        """Hand in a program."""
        self._text = action
        self.used += 1
        self.complete = True

    def mask(self) -> NDArray[np.bool_]:
        """Every text is an action: there is no mask."""
        return np.zeros(0, np.bool_)

    def rows(self) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Actions are no rows."""
        return np.zeros((0, CANDIDATE_WIDTH), np.int32), np.zeros((0, SCORES), np.float32)

    @classmethod
    def printable(cls, text: str) -> str:
        """The text with "?" for what its space does not hold."""
        return "".join(each if each in cls.CHARACTERS else "?" for each in text)


_WORD = re.compile(r"[a-z]+|\d+")
_MEANINGS = {
    "+": "sum plus added", "-": "minus", "*": "times product", "//": "divided", "/": "divided",
    "%": "divisible rest even", "<": "smaller less", ">": "larger more", "==": "equal same", "!=": "different not",
    "::": "backwards reversed", "abs": "distance", "len": "number length characters elements", "sum": "sum total",
    "max": "largest larger longest", "min": "smallest smaller shortest", "sorted": "order ascending alphabetical",
    "set": "different distinct", "count": "often occurs", "split": "words", "join": "joined", "in": "contains",
    "if": "otherwise only",
}  # fmt: skip
_SYMBOL = re.compile(r"//|::|==|!=|[-+*/%<>]|[a-z]+")


@lru_cache(4096)
def _first(text: str) -> tuple[str, ...]:
    """The first tokens of a production."""
    return tuple(token for _, token in lex(text)[:NEW])


@lru_cache(4096)
def _words(text: str) -> frozenset[str]:
    """The words of a text, and what its operators and functions are called in English."""
    lowered = text.lower()
    found = set(_WORD.findall(lowered))
    for symbol in _SYMBOL.findall(lowered):
        found.update(_MEANINGS.get(symbol, "").split())
    return frozenset(found)


def _last(tokens: Sequence[int]) -> list[int]:
    found = list(tokens[-OLD:])
    return [0] * (OLD - len(found)) + found


_TOKENS = (
    "return if else elif for in while not and or True False None ( ) [ ] : , . = + - * / // % ** == != < <= > >= += "
    "-= *= range len sum min max abs sorted set list str int ord chr all any enumerate zip reversed "
    "append upper lower strip split join replace count find index startswith endswith isdigit isalpha isupper islower"
).split()


def _vocabulary(signature: Signature, said: Sequence[str], actions: int) -> list[str]:
    """The tokens that may be appended, the end first: layout, names, constants, Python's, the description's."""
    named = [*signature.parameters, *(name for names in LOCALS.values() for name in names), *LOOP_NAMES]
    constants = [text for kind in sorted(signature.constants) for text in signature.constants[kind]]
    pieces = [token for text in constants for _, token in lex(text)]
    every = [TokenDraft.END, BREAK, DEEPER, LESS_DEEP, *named, *pieces, *_TOKENS, *said]
    return list(dict.fromkeys(every))[:actions]


def _token_kind(token: str) -> int:
    if token.isidentifier():
        return 1
    return 2 if token[:1].isdigit() or token[:1] in "'\"" else 3
