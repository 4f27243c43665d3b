"""What compilers say becomes data, whatever a program makes them say."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from code_envs.execution.diagnostics import TEXT_LIMIT, parse
from code_envs.execution.executor import Diagnostic

GCC = """candidate.c: In function 'main':
candidate.c:3:12: warning: initialization of 'int *' from 'int' makes pointer from integer [-Wint-conversion]
candidate.c:4:3: error: 'missing' undeclared (first use in this function)
candidate.c:4:3: note: each undeclared identifier is reported only once for each function it appears in
In file included from /usr/include/stdio.h:27,
                 from candidate.c:1:
/usr/include/features.h:9:2: error: #error not here
"""
JAVAC = """Main.java:3: error: incompatible types: String cannot be converted to int
    int x = "text";
            ^
Main.java:9: warning: [removal] stop() in Thread has been deprecated and marked for removal
1 error
1 warning
"""
LINKER = """/usr/bin/ld: /tmp/cc.o: in function `main':
candidate.c:(.text+0xa): undefined reference to `f'
/usr/bin/ld: candidate.c:(.text+0x14): undefined reference to `g'
collect2: error: ld returned 1 exit status
"""
ASSEMBLER = """candidate.c: Assembler messages:
/tmp/cc.s:4: Error: no such instruction: `none'
/tmp/cc.s: Fatal error: can't write 18 bytes to section .text of /tmp/cc.o: 'File too big'
"""


def error(message: str, line: int = 0, column: int = 0) -> Diagnostic:
    return Diagnostic("error", message, line, column)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        (
            GCC,
            (
                Diagnostic(
                    "warning",
                    "initialization of 'int *' from 'int' makes pointer from integer [-Wint-conversion]",
                    3,
                    12,
                ),
                error("'missing' undeclared (first use in this function)", 4, 3),
                error("#error not here"),  # the line of another file is none of the candidate's
            ),
        ),
        (
            JAVAC,
            (
                error("incompatible types: String cannot be converted to int", 3),
                Diagnostic("warning", "[removal] stop() in Thread has been deprecated and marked for removal", 9),
            ),
        ),
        (LINKER, (error("undefined reference to `f'"), error("undefined reference to `g'"))),
        (
            ASSEMBLER,
            (
                error("no such instruction: `none'"),
                error("can't write 18 bytes to section .text of /tmp/cc.o: 'File too big'"),
            ),
        ),
        ("candidate.cpp:1:10: fatal error: x.h: No such file\n", (error("x.h: No such file", 1, 10),)),
        ("gcc: internal compiler error: Killed program cc1\n", (error("Killed program cc1"),)),
        ("error: invalid source release\n", ()),
        ("as: out of memory allocating 9 bytes\n", (error("out of memory allocating 9 bytes"),)),
    ],
)  # fmt: skip
def test_messages(text, expected):
    """gcc, its assembler and linker, and javac: severity, text, and the candidate's own lines."""
    assert parse(text, failed=False) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the compiler failed silently"),
        ("\n \n", "the compiler failed silently"),
        ("what it said\nat last\n\n", "at last"),
        ("candidate.c:1:1: warning: only a warning\n", "candidate.c:1:1: warning: only a warning"),
        ("x" * 999, "x" * TEXT_LIMIT),
        ("collect2: error: ld returned 1 exit status", "collect2: error: ld returned 1 exit status"),
    ],
)
def test_a_failure_has_an_error(text, message):
    """Where a compiler failed and named no error, its last words are one."""
    assert parse(text, failed=True)[-1] == error(message)


@pytest.mark.parametrize(
    "text",
    [
        "candidate.c:" + "9" * 10_000 + ":1: error: x",
        "candidate.c:1:" + "9" * 10_000 + ": error: x",
        "candidate.c:٣:٤: error: x",
        "candidate.c:0:0: error: " + "m" * 10_000,
        "a" * 100_000 + ".c:1:1: error: x",
        "candidate.c:1:1: error: \x1b[2J\u202e\x00",
    ],
)
def test_hostile_messages(text):
    """Numbers and texts are bounded, whatever a program made of file names and lines."""
    (found,) = parse(text, failed=True)
    assert found.severity == "error"
    assert 0 <= found.line < 1_000_000_000
    assert 0 <= found.column < 1_000_000_000
    assert len(found.message) <= TEXT_LIMIT


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["candidate.c", ":", "1", " error: ", "warning: ", "\n", "undefined reference to ", "gcc", "\r"]
        )
        | st.text(max_size=4)
    ).map("".join),
    st.booleans(),
)
def test_any_text_is_parsed(text, failed):
    """No text is refused, and a failure always has an error."""
    found = parse(text, failed)
    assert all(each.severity in ("error", "warning") and each.line >= 0 for each in found)
    assert not failed or any(each.severity == "error" for each in found)
