"""From tokens back to text: where the spaces and the indentation of written code go.

What has one customary place follows fixed rules, and what is a matter of taste (spaces around operators, behind
commas, inside braces, the width of an indentation) follows the file that the code is written into.
"""

from __future__ import annotations

import keyword
from collections import Counter
from collections.abc import Iterator, Sequence

from code_envs.syntax.tokens import lex

__all__ = ["BREAK", "DEEPER", "LESS_DEEP", "STRUCTURE", "Spacing"]

BREAK, DEEPER, LESS_DEEP = "<newline>", "<indent>", "<dedent>"
STRUCTURE = (BREAK, DEEPER, LESS_DEEP)
"""Tokens of layout; the last two change the indentation of the line that just began."""

_OPENING, _CLOSING = {"(": ")", "[": "]", "{": "}"}, {")": "(", "]": "[", "}": "{"}
_UNARY = frozenset("- + ~ * ** ! & @ ++ --".split())
_OPERANDS = frozenset("None True False self this null true false".split())
_WORDS = frozenset(keyword.kwlist) - _OPERANDS | {"new", "throw", "case", "typeof"}
_PREFIXES = frozenset("f r b u rb br F R B U fr rf".split())
_UNIT = 4


class Spacing:
    """How a file spaces its code.

    Args:
        text: The file, or what is known of it.
        tokenised: Whether the file's own tokens are parted by single spaces; then all are.
    """

    def __init__(self, text: str, tokenised: bool = False) -> None:
        self._tokenised = tokenised
        self.unit = _unit(text)
        spaced: Counter[str] = Counter()
        seen: Counter[str] = Counter()
        for line in [] if tokenised else text.split("\n"):
            for name, space in _junctions(line):
                seen[name] += 1
                spaced[name] += space
        self._taste = {name: 2 * spaced[name] > count for name, count in seen.items()}

    def text(self, before: str, tokens: Sequence[str]) -> str:
        """What tokens look like behind a text, layout included.

        Args:
            before: The text that they continue; its last line decides on the first space and the indentation.
            tokens: Tokens of `code_envs.syntax.tokens.lex` and of `STRUCTURE`.
        """
        stem = before.rpartition("\n")[2]
        depth = self.depth(before) if not stem else _width(stem)
        lines: list[str] = []
        line, fresh = [token for _, token in lex(stem)] if not self._tokenised else stem.split(), not stem
        written = len(line)
        for token in tokens:
            if token == BREAK:
                lines.append(self._line(line, written, "" if lines else stem, depth, fresh))
                depth = self._next(line, depth)
                line, written, fresh = [], 0, True
            elif token == DEEPER:
                depth += self.unit
            elif token == LESS_DEEP:
                depth = max(depth - self.unit, 0)
            else:
                line.append(token)
        lines.append(self._line(line, written, "" if lines else stem, depth, fresh))
        return "\n".join(lines)

    def tokens(self, before: str, text: str) -> list[str]:
        """The tokens that `text` is, written behind `before`: the inverse of the method `text`, up to spaces."""
        if self._tokenised:
            return text.split()
        stem = before.rpartition("\n")[2]
        depth = self.depth(before) if not stem else _width(stem)
        found: list[str] = []
        line = [token for _, token in lex(stem)]
        fresh = not stem
        for number, each in enumerate(text.split("\n")):
            if number:
                depth = self._next(line, depth)
                found.append(BREAK)
                line, fresh = [], True
            if fresh and each.strip():
                steps = round((_width(each) - depth) / self.unit)
                found += [DEEPER if steps > 0 else LESS_DEEP] * abs(steps)
                depth = max(depth + steps * self.unit, 0)
            tokens = [token for _, token in lex(each)]
            line += tokens
            found += tokens
        return found

    def depth(self, before: str) -> int:
        """The indentation that an editor would give the line behind a text that ends with a line break."""
        for line in reversed(before.split("\n")):
            if line.strip():
                return self._next([token for _, token in lex(line)], _width(line))
        return 0

    def _next(self, line: Sequence[str], depth: int) -> int:
        return depth + self.unit if line and line[-1] in (":", "{") else depth

    def _line(self, line: Sequence[str], written: int, stem: str, depth: int, fresh: bool) -> str:
        """The text of a line from token `written` on."""
        if not line[written:]:
            return ""
        parts = [" " * depth] if fresh and not self._tokenised else []
        brackets: list[str] = []
        for number, token in enumerate(line):
            if number >= written and number:
                apart = not stem[-1:].isspace() if number == written and stem else True
                parts.append(" " * (apart and self._space(line, number, brackets)))
            if number >= written:
                parts.append(token)
            _enter(brackets, token)
        return "".join(parts)

    def _space(self, line: Sequence[str], number: int, brackets: Sequence[str]) -> bool:
        if self._tokenised:
            return True
        previous = line[number - 2] if number > 1 else ""
        name, usual = _junction(previous, line[number - 1], line[number], brackets[-1] if brackets else "")
        return self._taste.get(name, usual) if name else usual


def _junctions(line: str) -> Iterator[tuple[str, bool]]:
    """What is a matter of taste between two tokens of a line, and whether the line has a space there."""
    brackets: list[str] = []
    before, previous, end = "", "", 0
    for offset, token in lex(line):
        if token == "#":
            return
        if previous:
            name, _ = _junction(before, previous, token, brackets[-1] if brackets else "")
            if name:
                yield name, offset > end
        _enter(brackets, token)
        before, previous, end = previous, token, offset + len(token)


def _junction(before: str, left: str, right: str, bracket: str) -> tuple[str, bool]:
    """Name of what is between two tokens ("" where it is no matter of taste), and whether a space is usual there."""
    if right in (",", ";") or left == "." or right == ".":
        return "", left in _WORDS or (right in _WORDS and left == ".")
    if left == "{" or right == "}":
        return "brace", False
    if left in _OPENING or right in _CLOSING:
        return "", False
    if left in (",", ";"):
        return f"behind {left}", True
    if right == ":":
        return "", False
    if left == ":":
        return f"colon in {bracket}", bracket != "["
    if _unary(before, left):
        return "", False
    if right in ("(", "["):
        return "", not _operand(left)
    if "=" in (left, right) and bracket == "(":
        return "= in (", False
    if right in _UNARY and _unary(left, right):
        return "", True
    if left in _PREFIXES and right[:1] in "\"'":
        return "", False
    for token in (left, right):
        if not _wordlike(token) and token not in _CLOSING:
            return f"operator {token}", token not in ("++", "--", "::")
    return "", True


def _enter(brackets: list[str], token: str) -> None:
    if token in _OPENING:
        brackets.append(token)
    elif token in _CLOSING and brackets:
        brackets.pop()


def _unary(before: str, token: str) -> bool:
    return token in _UNARY and (not before or not _operand(before)) and before not in (".",)


def _operand(token: str) -> bool:
    """Whether a token ends an operand: what follows calls it, indexes it, or is a binary operator."""
    return (_wordlike(token) and token not in _WORDS) or token in _CLOSING


def _wordlike(token: str) -> bool:
    return token[0].isidentifier() or token[0].isdigit() or token[0] in "\"'`" or (token[0] == "." and len(token) > 1)


def _width(line: str) -> int:
    expanded = line.expandtabs(_UNIT)
    return len(expanded) - len(expanded.lstrip())


def _unit(text: str) -> int:
    """The smallest step of indentation in a text; 4 where nothing is indented."""
    return min((width for line in text.split("\n") if line.strip() and (width := _width(line)) > 1), default=_UNIT)
