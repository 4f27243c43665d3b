"""What a C compiler's messages ask for: names to declare, headers to include, the spelling it suggests.

A message is a foreign text: it is searched for quoted names and never trusted beyond that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from code_envs.execution.executor import Diagnostic
from code_envs.syntax.c_tokens import HEADERS, CToken

__all__ = ["Complaints", "declarations", "inclusions"]

TYPES = ("int {};", "float {};", "double {};", "char {};", "long {};", "int {}[1000];", "char {}[1000];", "int *{};")
NAMES = 4
"""Undeclared names for which declarations are offered."""
_LEFT, _RIGHT = "['\u2018`]", "['\u2019]"
_UNDECLARED = re.compile(
    rf"{_LEFT}(\w+){_RIGHT} undeclared|unknown type name {_LEFT}(\w+){_RIGHT}"
    rf"|implicit declaration of function {_LEFT}(\w+){_RIGHT}"
)
_SUGGESTED = re.compile(rf"{_LEFT}(\w+){_RIGHT}.*did you mean {_LEFT}([\w.]+){_RIGHT}")


@dataclass(frozen=True, slots=True)
class Complaints:
    """The messages of a compiler, as edits need them.

    Args:
        lines: Lines with errors, each once, in the compiler's order.
        undeclared: Names that it does not know, in its order; those of the errors first.
        suggested: What it would write instead, by name.
    """

    lines: tuple[int, ...] = ()
    undeclared: tuple[str, ...] = ()
    suggested: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, diagnostics: Sequence[Diagnostic]) -> Complaints:
        """Read messages."""
        ordered = sorted(diagnostics, key=lambda each: each.severity != "error")
        names = (found for each in ordered for found in _groups(_UNDECLARED.search(each.message)))
        suggested: dict[str, tuple[str, ...]] = {}
        for each in ordered:
            match = _SUGGESTED.search(each.message)
            if match:
                suggested[match[1]] = tuple(dict.fromkeys((*suggested.get(match[1], ()), match[2])))
        errors = (each.line for each in diagnostics if each.severity == "error" and each.line)
        return cls(tuple(dict.fromkeys(errors)), tuple(dict.fromkeys(names)), suggested)


def _groups(match: re.Match[str] | None) -> Iterable[str]:
    return () if match is None else (each for each in match.groups() if each)


def declarations(source: bytes, tokens: Sequence[CToken], complaints: Complaints) -> list[tuple[int, str]]:
    """Declarations of undeclared names, and where: at the start of the function that uses one, and of the file."""
    found = []
    for name in complaints.undeclared[:NAMES]:
        body = _function_start(tokens, name)
        for form in TYPES:
            if body is not None:
                found.append((body, "\n    " + form.format(name)))
        for form in TYPES:
            found.append((_behind_directives(source), form.format(name) + "\n"))
    return found


def _function_start(tokens: Sequence[CToken], name: str) -> int | None:
    """End of the `{` that opens the function in which a name is first used."""
    depth, start = 0, None
    for token in tokens:
        if token.text == "{":
            start = token.end if depth == 0 else start
            depth += 1
        elif token.text == "}":
            depth = max(depth - 1, 0)
        elif token.text == name and start is not None:
            return start
    return start


def _behind_directives(source: bytes) -> int:
    """Start of the first line behind the first `#include` and its like that follow one another."""
    at = 0
    for line in source.splitlines(keepends=True):
        if line.strip() and not line.lstrip().startswith(b"#"):
            break
        at += len(line)
    return at if at < len(source) else 0


def inclusions(source: bytes, tokens: Sequence[CToken]) -> list[tuple[int, str]]:
    """Headers that are not included yet, those with names that the program uses first; and missing `#`."""
    used = {each.text for each in tokens}
    missing = [header for header in HEADERS if header.encode() not in source]
    missing.sort(key=lambda header: not used.intersection(HEADERS[header].split()))
    found = [(0, f"#include <{header}>\n") for header in missing]
    for before, token in zip((None, *tokens), tokens, strict=False):
        if token.text in ("include", "define") and (before is None or before.text != "#"):
            found.append((token.start, "#"))
    return found
