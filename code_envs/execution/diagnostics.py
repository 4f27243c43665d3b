"""What a compiler said, as data.

The text names lines of the candidate and quotes it: it is taken apart by one regular expression and never
trusted beyond that. Whether a program compiles is the compiler's exit code; how many errors it has is not proof of
anything: a program can add messages (`#error`, `#line`), and hide all but one behind a fatal error (`#include "none"`).
"""

from __future__ import annotations

import re

from code_envs.execution.executor import Diagnostic

__all__ = ["parse"]

_MESSAGE = re.compile(
    r"^(?P<file>[^:\n]+):(?P<line>\d+):(?:(?P<column>\d+):)? (?P<kind>fatal error|error|warning): (?P<text>.*)$"
)
_DRIVER = re.compile(r"^(?:gcc|g\+\+|cc1|cc1plus|collect2|error): (?:fatal |internal compiler )?error: (?P<text>.*)$")
_ASSEMBLER = re.compile(r"^(?:[^:\n]+\.s:(?:\d+:)?|as:) (?:Error: |Fatal error: |(?=out of memory))(?P<text>.*)$")
_LINKER = re.compile(r"(?P<text>(?:undefined reference to|multiple definition of) .*)$")
TEXT_LIMIT = 200


def parse(text: str, failed: bool) -> tuple[Diagnostic, ...]:
    """The errors and warnings in what gcc, g++ or javac wrote.

    Args:
        text: Standard output and error of the compiler.
        failed: Whether it gave up the program: then there is at least one error.
    """
    found = [each for line in text.splitlines() if (each := _diagnostic(line)) is not None]
    if failed and not any(each.severity == "error" for each in found):
        last = next((line for line in reversed(text.splitlines()) if line.strip()), "the compiler failed silently")
        found.append(Diagnostic("error", last[:TEXT_LIMIT]))
    return tuple(found)


def _diagnostic(line: str) -> Diagnostic | None:
    match = _MESSAGE.match(line)
    if match is None:
        if line.startswith("collect2: error: ld returned "):
            return None  # the linker has said why
        other = _LINKER.search(line) or _DRIVER.match(line) or _ASSEMBLER.match(line)
        return None if other is None else Diagnostic("error", other["text"][:TEXT_LIMIT])
    severity = "warning" if match["kind"] == "warning" else "error"
    inside = match["file"].endswith((".c", ".cpp", ".java"))
    number, column = (int(match["line"][:9]), int((match["column"] or "0")[:9])) if inside else (0, 0)
    return Diagnostic(severity, match["text"][:TEXT_LIMIT], number, column)
