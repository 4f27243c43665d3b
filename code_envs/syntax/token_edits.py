"""Candidate edits of programs that do not compile: over tokens, as there is no tree to trust.

The edits of the lines that the compiler complains about, then of the lines around them, in a canonical order. They
keep no promise about the syntax: most make the program worse. Only C so far.
Source: the operators are those that single-line fixes of students' programs need; see Ahmed et al. (2018), TRACER,
and Gupta et al. (2017), DeepFix, for what such errors are.
"""

from __future__ import annotations

import enum
import functools
from array import array
from collections import Counter
from collections.abc import Sequence

import numpy as np

from code_envs.execution.executor import Diagnostic
from code_envs.syntax.c_tokens import KNOWN, CToken, Place, TokenKind, distance, is_word, lexed
from code_envs.syntax.candidates import COLUMNS, FREQUENT, NEW_TOKENS, Batch, CandidateSet
from code_envs.syntax.compiler_repairs import Complaints, declarations, inclusions
from code_envs.syntax.minimal import Key, leftmost
from code_envs.syntax.program import Edit
from code_envs.syntax.tokens import NEWLINE, PADDING, TokenIds, tokens_of

__all__ = ["FIRST", "LANGUAGES", "TokenEdit", "TokenEnumerator", "TokenProgram"]

LANGUAGES = ("c",)
FIRST = 104
"""Number of the first operator; equals `code_envs.envs.observation.FIRST_TOKEN_EDIT`."""
NEAR = 160
"""Tokens whose edits are enumerated; more where one line is longer."""
REACH = 3
"""Lines around one with an error that count as near."""
SHARED = 128
DISTANT = 2
OTHERS = 24
"""Names that are offered in place of an undeclared one."""
VISIBLE = 48


class TokenEdit(enum.IntEnum):
    """The operators of token edits."""

    DELETE = FIRST
    DELETE_PAIR = FIRST + 1
    DELETE_LINE = FIRST + 2
    DELETE_GROUP = FIRST + 3
    INSERT_SEMICOLON = FIRST + 4
    INSERT_COMMA = FIRST + 5
    INSERT_BRACKET = FIRST + 6
    INSERT_QUOTE = FIRST + 7
    INSERT_OPERATOR = FIRST + 8
    INSERT_WORD = FIRST + 9
    REPLACE_SIGN = FIRST + 10
    REPLACE_NAME = FIRST + 11
    REPLACE_MISSPELT = FIRST + 12
    ASSIGNMENT = FIRST + 13
    SWAP = FIRST + 14
    JOIN = FIRST + 15
    SPLIT = FIRST + 16
    CLOSE_LINE = FIRST + 17
    CLOSE_FILE = FIRST + 18
    DECLARE = FIRST + 19
    INCLUDE = FIRST + 20
    PARENTHESIZE = FIRST + 21
    SUGGESTED = FIRST + 22


BEHIND = {
    ";": TokenEdit.INSERT_SEMICOLON,
    ",": TokenEdit.INSERT_COMMA,
    ")": TokenEdit.INSERT_BRACKET,
    "]": TokenEdit.INSERT_BRACKET,
    "}": TokenEdit.INSERT_BRACKET,
    '"': TokenEdit.INSERT_QUOTE,
    "'": TokenEdit.INSERT_QUOTE,
}
"""What is inserted right behind a token."""
BEFORE = {
    "(": TokenEdit.INSERT_BRACKET,
    "[": TokenEdit.INSERT_BRACKET,
    "{": TokenEdit.INSERT_BRACKET,
    '"': TokenEdit.INSERT_QUOTE,
    "'": TokenEdit.INSERT_QUOTE,
    **dict.fromkeys("=+&*<>", TokenEdit.INSERT_OPERATOR),
}
"""What is inserted right before a token."""
WORDS = ("if", "else", "int", "for", "while", "return", "char", "float", "double", "void", "case", "break", "0")
_WORD_AFTER = frozenset({"", "(", "{", "}", ";", ",", "=", "else", "return", "case"})
_ALIKE = (
    (";", ":", ",", "."),
    ("(", "[", "{"),
    (")", "]", "}"),
    ("<", "<=", "<<", "("),
    (">", ">=", ">>", ")", "->"),
    ("!=", "!", "=!", "=="),
    ("=>", ">="),
    ("&&", "&", ","),
    ("||", "|"),
    ("+", "++", "+=", "-", "*"),
    ("-", "--", "-=", "_"),
    ("/", "\\", "//"),
    ("%", "&", "/"),
    ("'", '"', "`"),
    ("^", "*"),
    ("**", "*"),
    (",", "&&", ")"),
    ("]", ")", ";"),
)
REPLACEMENTS = {
    sign: tuple(dict.fromkeys(other for group in _ALIKE if sign in group for other in group if other != sign))
    for sign in dict.fromkeys(each for group in _ALIKE for each in group)
}
"""Signs that one may have been typed for."""
_FOREIGN = ('"', "'", "-", "")
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_ENDS = frozenset({";", ",", ")", "{"})
_HEADS = frozenset({"if", "while", "for", "switch"})


class TokenProgram:
    """Source text without a tree; for edits that need none.

    Args:
        source: The program, UTF-8.
        language: One of `LANGUAGES`.
    """

    __slots__ = ("language", "source")

    def __init__(self, source: bytes, language: str = "c") -> None:
        self.source = source
        self.language = language

    @property
    def text(self) -> str:
        """The source as text; undecodable bytes are replaced."""
        return self.source.decode("utf-8", "replace")

    def apply(self, edit: Edit) -> TokenProgram:
        """The program after an edit.

        Raises:
            ValueError: If the range lies outside the program.
        """
        if not 0 <= edit.start <= edit.end <= len(self.source):
            raise ValueError(f"Edit range [{edit.start}, {edit.end}) is not inside [0, {len(self.source)}].")
        return TokenProgram(self.source[: edit.start] + edit.text + self.source[edit.end :], self.language)


class TokenEnumerator:
    """Enumerates the token edits of the programs that come from one starting program.

    Args:
        start: The program an episode starts with; its names are what edits may draw on.
    """

    @classmethod
    def of(cls, start: TokenProgram) -> TokenEnumerator:
        """The enumerator of a starting program that this process shares."""
        return _shared(start.source, start.language)

    def __init__(self, start: TokenProgram) -> None:
        self.ids = TokenIds(start.text)
        self.frequency = Counter(each.text for each in lexed(start.source) if is_word(each.text))
        self.names = tuple(name for name in self.frequency if name not in KNOWN)
        self._seen: dict[str, tuple[int, ...]] = {}
        self._similar: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}

    def __call__(self, program: TokenProgram, diagnostics: Sequence[Diagnostic]) -> CandidateSet:
        """The candidate edits of a program.

        Args:
            program: The program.
            diagnostics: What the compiler said of it.
        """
        tokens = lexed(program.source)
        walk = _Walk(self, program.source, tokens, Complaints.of(diagnostics))
        walk.all()
        ids, offsets = array("i"), array("i")
        for number, token in enumerate(tokens):
            if number and token.line != tokens[number - 1].line:
                ids.append(NEWLINE)
                offsets.append(tokens[number - 1].end)
            ids.append(self.ids[token.text])
            offsets.append(token.start)
        return CandidateSet(
            program.source, [(0, walk.batch())], [np.array(ids, np.int32)], [np.array(offsets, np.int32)]
        )

    def seen(self, text: str) -> tuple[int, ...]:
        """How often the names of a replacement occur in the starting program, and its first token ids."""
        found = self._seen.get(text)
        if found is None:
            tokens = tokens_of(text, VISIBLE)
            often = max([self.frequency[token] for token in tokens if token in self.frequency], default=0)
            ids = [self.ids[token] for token in tokens[:NEW_TOKENS]]
            found = (min(often, FREQUENT), *ids, *[PADDING] * (NEW_TOKENS - len(ids)))
            self._seen[text] = found
        return found

    def similar(self, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of the starting program and known words that a name may be misspelt for."""
        found = self._similar.get(name)
        if found is None:
            own, known = (
                tuple(each for each in words if each != name and _close(name, each)) for words in (self.names, KNOWN)
            )
            found = self._similar[name] = (own, known)
        return found

    def others(self, name: str) -> list[str]:
        """Names of the starting program that may stand for an undeclared one, the most similar first."""
        return sorted(
            (each for each in self.names if each != name),
            key=lambda other: (distance(name, other, 3), -self.frequency[other]),
        )[:OTHERS]


def _close(name: str, other: str) -> bool:
    return distance(name, other) <= (1 if len(name) <= 3 else DISTANT)


@functools.lru_cache(maxsize=SHARED)
def _shared(source: bytes, language: str) -> TokenEnumerator:
    return TokenEnumerator(TokenProgram(source, language))


class _Walk:
    """One pass over the tokens near the complaints."""

    def __init__(
        self, enumerator: TokenEnumerator, source: bytes, tokens: list[CToken], complaints: Complaints
    ) -> None:
        self.enumerator = enumerator
        self.source = source
        self.tokens = tokens
        self.complaints = complaints
        self.lines = _lines(tokens)
        self.values = array("i")
        self.texts: list[bytes] = []
        self.known: set[Key] = set()

    def batch(self) -> Batch:
        """What was offered."""
        return Batch(np.frombuffer(self.values, np.int32).reshape(-1, COLUMNS), self.texts)

    def offer(self, start: int, end: int, text: str, operator: TokenEdit, kind: TokenKind, place: Place) -> None:
        """Add an edit, unless an earlier one gives the same program."""
        encoded = text.encode()
        if self.source[start:end] == encoded:
            return
        key = leftmost((start, end - start, encoded), self.source)
        if key in self.known:
            return
        self.known.add(key)
        self.values.extend((start, end, len(encoded), operator, kind, place, *self.enumerator.seen(text)))
        self.texts.append(encoded)

    def all(self) -> None:
        """Every operator, near lines in the order of the file."""
        for line in sorted(self._near()):
            first, behind = self.lines[line]
            for number in range(first, behind):
                self._delete(number)
                self._insert(number)
                self._replace(number)
                self._neighbours(number)
            self._line(first, behind)
        self._file()

    def _near(self) -> list[int]:
        """Lines to edit, the most suspicious first, until there are tokens enough."""
        wrong = self.complaints.lines or tuple(self.lines)[:1]
        apart = {line: min(abs(line - each) for each in wrong) for line in self.lines}
        chosen: list[int] = []
        count = 0
        for line in sorted(self.lines, key=lambda each: (apart[each], each)):
            first, behind = self.lines[line]
            if chosen and (count + behind - first > NEAR or apart[line] > REACH):
                break
            chosen.append(line)
            count += behind - first
        return chosen

    def _place(self, number: int) -> Place:
        line = self.tokens[number].line
        if number == 0 or self.tokens[number - 1].line != line:
            return Place.FIRST
        if number + 1 == len(self.tokens) or self.tokens[number + 1].line != line:
            return Place.LAST
        return Place.INSIDE

    def _without(self, start: int, end: int) -> str:
        """What must stand in place of deleted bytes, so that no two words become one."""
        left, right = self.source[start - 1 : start].decode("latin-1"), self.source[end : end + 1].decode("latin-1")
        return " " if (left.isalnum() or left == "_") and (right.isalnum() or right == "_") else ""

    def _delete(self, number: int) -> None:
        token, place = self.tokens[number], self._place(number)
        kind = token.kind
        text = self._without(token.start, token.end)
        self.offer(token.start, token.end, text, TokenEdit.DELETE, kind, place)
        if number + 1 < len(self.tokens) and self.tokens[number + 1].line == token.line:
            end = self.tokens[number + 1].end
            self.offer(token.start, end, self._without(token.start, end), TokenEdit.DELETE_PAIR, kind, place)
        if token.text in "([{":
            stop = self._group_end(number)
            if stop is not None:
                self.offer(token.start, stop, self._without(token.start, stop), TokenEdit.DELETE_GROUP, kind, place)

    def _group_end(self, number: int) -> int | None:
        """End of the bracket that a token opens, if it closes in the same line."""
        closers: list[str] = []
        for token in self.tokens[number : self.lines[self.tokens[number].line][1]]:
            if token.text in _CLOSING:
                closers.append(_CLOSING[token.text])
            elif closers and token.text == closers[-1]:
                closers.pop()
                if not closers:
                    return token.end
        return None

    def _insert(self, number: int) -> None:
        token, place = self.tokens[number], self._place(number)
        for text, operator in BEFORE.items():
            self.offer(token.start, token.start, text, operator, token.kind, place)
        before = self.tokens[number - 1].text if number else ""
        if place is Place.FIRST or before in _WORD_AFTER:
            for word in WORDS:
                self.offer(token.start, token.start, word + " ", TokenEdit.INSERT_WORD, token.kind, place)
        for text, operator in BEHIND.items():
            self.offer(token.end, token.end, text, operator, token.kind, place)

    def _replace(self, number: int) -> None:
        token, place = self.tokens[number], self._place(number)
        start, end, text, _, kind = token
        for other in REPLACEMENTS.get(text, ()):
            self.offer(start, end, other, TokenEdit.REPLACE_SIGN, kind, place)
        if text in ("=", "=="):
            self.offer(start, end, "==" if text == "=" else "=", TokenEdit.ASSIGNMENT, kind, place)
        if kind is TokenKind.FOREIGN:
            for other in _FOREIGN:
                self.offer(start, end, other, TokenEdit.REPLACE_SIGN, kind, place)
        if is_word(text):
            self._replace_word(token, place)

    def _replace_word(self, token: CToken, place: Place) -> None:
        start, end, text, _, kind = token
        for other in self.complaints.suggested.get(text, ()):
            self.offer(start, end, other, TokenEdit.SUGGESTED, kind, place)
        own, known = self.enumerator.similar(text)
        if text in self.complaints.undeclared:
            own = tuple(self.enumerator.others(text))
        for other in own:
            self.offer(start, end, other, TokenEdit.REPLACE_NAME, kind, place)
        for other in known:
            self.offer(start, end, other, TokenEdit.REPLACE_MISSPELT, kind, place)
        for cut in range(1, len(text)):
            head, tail = text[:cut], text[cut:]
            if head in KNOWN or (head in self.enumerator.frequency and tail in self.enumerator.frequency):
                for between in (" ", "("):
                    self.offer(start + cut, start + cut, between, TokenEdit.SPLIT, kind, place)

    def _neighbours(self, number: int) -> None:
        if number + 1 == len(self.tokens) or self._place(number) is Place.LAST:
            return
        first, second = self.tokens[number], self.tokens[number + 1]
        if second.line != first.line:
            return
        place = self._place(number)
        gap = self.source[first.end : second.start].decode("latin-1")
        if gap.isascii() and first.text != second.text:
            swapped = second.text + gap + first.text
            self.offer(first.start, second.end, swapped, TokenEdit.SWAP, first.kind, place)
        if gap and not gap.strip() and (is_word(first.text) or not is_word(second.text)):
            self.offer(first.end, second.start, "", TokenEdit.JOIN, first.kind, place)

    def _line(self, first: int, behind: int) -> None:
        """Edits of a line as a whole."""
        line = self.tokens[first:behind]
        start, end, kind = line[0].start, line[-1].end, line[0].kind
        self.offer(start, end, "", TokenEdit.DELETE_LINE, kind, Place.LINE)
        for number, token in enumerate(line):  # a statement of the line, or an element of a list in it
            ends = (later for later in range(number + 1, len(line)) if line[later].text in _ENDS)
            stop = next(ends, len(line) - 1)
            if token.text in ",;{}" and stop > number + 1:
                last = line[stop].end if line[stop].text == ";" and token.text != "," else line[stop - 1].end
                begin = token.start if token.text == "," else token.end
                self.offer(begin, last, "", TokenEdit.DELETE_GROUP, token.kind, Place.LINE)
        for text, at in _closers(line):
            self.offer(at, at, text, TokenEdit.CLOSE_LINE, kind, Place.LINE)
        for number, token in enumerate(line[:-1]):
            if token.text in _HEADS:
                self._parenthesize(line, number)

    def _parenthesize(self, line: list[CToken], number: int) -> None:
        """Brackets around what stands behind `if` and its like."""
        last = len(line) - 1
        while last > number + 1 and line[last].text in ("{", ";", "}"):
            last -= 1
        begin, end = line[number + 1].start, line[last].end
        inside = self.source[begin:end].decode("utf-8", "replace")
        self.offer(begin, end, f"({inside})", TokenEdit.PARENTHESIZE, line[number].kind, Place.LINE)

    def _file(self) -> None:
        """Edits that need the whole file: its last brackets, declarations and includes."""
        end = self.tokens[-1].end if self.tokens else len(self.source)
        depth = sum((each.text == "{") - (each.text == "}") for each in self.tokens)
        for text in ("\n}", "\n}" * max(depth, 2), ";", "*/"):
            self.offer(end, end, text, TokenEdit.CLOSE_FILE, TokenKind.CLOSING, Place.FILE)
        for at, text in declarations(self.source, self.tokens, self.complaints):
            self.offer(at, at, text, TokenEdit.DECLARE, TokenKind.NAME, Place.FILE)
        for at, text in inclusions(self.source, self.tokens):
            self.offer(at, at, text, TokenEdit.INCLUDE, TokenKind.NAME, Place.FILE)


def _lines(tokens: list[CToken]) -> dict[int, tuple[int, int]]:
    """Number of the first token of each line, and of the one behind its last."""
    found: dict[int, tuple[int, int]] = {}
    for number, token in enumerate(tokens):
        first, _ = found.get(token.line, (number, 0))
        found[token.line] = (first, number + 1)
    return found


def _closers(line: list[CToken]) -> list[tuple[str, int]]:
    """Texts that close what a line leaves open, and where; at its end and before a last `;` or `{`."""
    open_: list[str] = []
    quote = ""
    for token in line:
        if token.kind is TokenKind.QUOTE:
            quote = "" if quote == token.text else quote or token.text
        elif token.text in _CLOSING:
            open_.append(token.text)
        elif token.text in _CLOSING.values() and open_ and _CLOSING[open_[-1]] == token.text:
            open_.pop()
    include = len(line) > 1 and line[1].text == "include" and line[-1].text != ">"
    missing = quote + "".join(_CLOSING[each] for each in reversed(open_) if each != "{") + ">" * include
    body = len(line)
    while body > 1 and line[body - 1].text in (";", "{", ":"):
        body -= 1
    places = dict.fromkeys((line[body - 1].end, line[-1].end))
    texts = dict.fromkeys((missing, missing + ";", missing + "{", '"' + missing, '");', ");", " {", "*/"))
    return [(text, at) for at in places for text in texts if text]
