"""A reply's body may be anything, and becomes an outcome without an exception."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from code_envs.execution import protocol, wire
from code_envs.execution.executor import CallStatus, Outcome, Status


def reply(body: bytes, end: int = wire.END_EXIT, code: int = 0) -> protocol.Reply:
    return protocol.Reply(wire.REPLY.pack(wire.MAGIC, 1, end, code, 0, 5000, 2000, 3000, 10, 0, len(body)))


def judge(body: bytes, count: int = 2, end: int = wire.END_EXIT, code: int = 0) -> Outcome:
    return protocol.outcome(reply(body, end, code), body, count)


PIECES = st.sampled_from(
    b'["r"]\n|["v",1]\n|["v",1|["s","","",""|,3,[1,2]]\n|["e","E","m",1]\n|["o","x"]\n|["x"]\n|["m","MemoryError","",0]\n'
    b'|["c","S","m",1]\n|[|{|\n|null|\xff|"|1e999|NaN|99999999999999999999'.split(b"|")
)


@settings(max_examples=500, deadline=None)
@given(st.lists(PIECES | st.binary(max_size=8), max_size=8), st.integers(0, 4), st.integers(0, 4), st.integers(0, 31))
def test_any_body_gives_an_outcome(pieces, count, end, code):
    """The number of results is always the number of calls, and OK means that every call was reported."""
    outcome = judge(b"".join(pieces), count, end, code)
    assert len(outcome.results) == count
    if outcome.status is Status.OK:
        assert all(result.status is not CallStatus.NOT_RUN for result in outcome.results)
    assert outcome.cpu_s == pytest.approx(0.002)


@pytest.mark.parametrize(
    ("body", "end", "code", "status"),
    [
        (b'["r"]\n["v",1]\n["v",2]\n', wire.END_EXIT, 0, Status.OK),
        (b'["r"]\n["v",1]\n', wire.END_EXIT, 0, Status.EXITED),
        (b"", wire.END_EXIT, 0, Status.EXITED),
        (b'["r"]\n["v",1]\n["v",2]\n["v",3]\n', wire.END_EXIT, 0, Status.BAD_OUTPUT),
        (b'["r"]\n["v",1]\n["v",2', wire.END_EXIT, 0, Status.BAD_OUTPUT),
        (b'["r"]\n["v",1]\n["v",2', wire.END_SIGNAL, 11, Status.CRASHED),
        (b'["r"]\n', wire.END_SIGNAL, 9, Status.MEMORY_LIMIT),
        (b'["r"]\n', wire.END_SIGNAL, 24, Status.CPU_LIMIT),
        (b'["r"]\n["x"]\n', wire.END_EXIT, 0, Status.OUTPUT_LIMIT),
        (b'["c","SyntaxError","bad",3]\n', wire.END_EXIT, 0, Status.COMPILE_ERROR),
        (b'["c","SyntaxError","bad",-3]\n', wire.END_EXIT, 0, Status.BAD_OUTPUT),
        (b"[" * 400_000 + b"\n", wire.END_EXIT, 0, Status.BAD_OUTPUT),
        (b'["r"]\n["v",' + b"9" * 5000 + b"]\n", wire.END_EXIT, 0, Status.BAD_OUTPUT),
        (b'["r"]\n["v",1,"","",true,[]]\n', wire.END_EXIT, 0, Status.BAD_OUTPUT),
        (b'["r"]\n["v",1,"","",1,[0]]\n', wire.END_EXIT, 0, Status.BAD_OUTPUT),
    ],
)
def test_statuses(body, end, code, status):
    """How the process ended is the runner's word; what it reported must have the right shape."""
    assert judge(body, 2, end, code).status is status


def test_complete_lines_survive_a_crash():
    """The cut line of a crashed process does not cost the lines before it."""
    outcome = judge(b'["r"]\n["v",1]\n["v",2', 2, wire.END_SIGNAL, 11)
    assert [result.status for result in outcome.results] == [CallStatus.VALUE, CallStatus.NOT_RUN]
    assert outcome.code == 11


# other languages --------------------------------------------------------------------------------

TOOLCHAIN_PIECES = st.sampled_from(
    [
        b'["d",0,""]\n', b'["d",1,""]\n', b'["d",1,"candidate.c:1:1: error: x"]\n', b'["d",1]\n', b'["d",true,""]\n',
        b'["d",0,7]\n', b'["l","cpu_limit",0,""]\n', b'["l","ok",0,""]\n', b'["l","exited",-1,""]\n',
        b'["l","exited",99999999999999999999,""]\n', b'["l",[],{},""]\n', b'["l"]\n', b'["l","poison",0,""]\n',
        b'["l","TypeError","x",3]\n', b'["l","crashed",true,""]\n', b"[[]]\n", b"[]\n",
    ]
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(
    st.lists(TOOLCHAIN_PIECES | PIECES | st.binary(max_size=8), max_size=8),
    st.integers(0, 4),
    st.integers(0, 4),
    st.integers(0, 31),
    st.sampled_from(["c", "javascript", "python"]),
)
def test_any_toolchain_report_gives_an_outcome(pieces, count, end, code, language):
    """As above, with the lines that a driver adds."""
    body = b"".join(pieces)
    outcome = protocol.outcome(reply(body, end, code), body, count, language)
    assert len(outcome.results) == count
    assert 0 <= outcome.code < 256
    assert outcome.status is not Status.POISON
    if outcome.status is Status.OK:
        assert all(result.status is not CallStatus.NOT_RUN for result in outcome.results)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'["d",0,""]\n["r"]\n["v","1"]\n', Status.OK),
        (b'["d",0,""]\n["r"]\n["l","cpu_limit",0,""]\n', Status.CPU_LIMIT),
        (b'["d",1,""]\n', Status.COMPILE_ERROR),
        (b'["r"]\n["v",1]\n["l","ok",0,""]\n', Status.OK),
        (b'["r"]\n["l","ok",0,""]\n', Status.EXITED),
        (b'["r"]\n["l","exited",3,"text"]\n', Status.EXITED),
        (b'["l","TypeError","x is null",3]\n["l","ok",0,""]\n', Status.LOAD_ERROR),
        (b'["c","SyntaxError","x",3]\n["l","ok",0,""]\n', Status.COMPILE_ERROR),
        (b'["x"]\n["l","ok",0,""]\n', Status.OUTPUT_LIMIT),
        # shapes that no driver writes
        (b'["d"]\n["r"]\n["v",1]\n', Status.BAD_OUTPUT),
        (b'["d","0",""]\n["r"]\n["v",1]\n', Status.BAD_OUTPUT),
        (b'["d",0,""]\n["d",0,""]\n["r"]\n["v",1]\n', Status.BAD_OUTPUT),
        (b'["r"]\n["v",1]\n["l","exited",256,""]\n', Status.BAD_OUTPUT),
        (b'["r"]\n["v",1]\n["l","exited",-9,""]\n', Status.BAD_OUTPUT),
        (b'["r"]\n["v",1]\n["l","exited","3",""]\n', Status.BAD_OUTPUT),
        (b'["r"]\n["v",1]\n["l",3,3,""]\n', Status.BAD_OUTPUT),
        (b'["r"]\n["l","ok",0,""]\n["v",1]\n', Status.BAD_OUTPUT),
        (b'["r"]\n["l","memory_limit",0,""]\n["l","ok",0,""]\n', Status.BAD_OUTPUT),
    ],
)
def test_toolchain_statuses(body, status):
    """The driver's two lines, where they may stand, and what is made of others."""
    outcome = protocol.outcome(reply(body), body, 1, "javascript")
    assert outcome.status is status, outcome


@pytest.mark.parametrize(
    "body",
    [
        b'["d",1,"candidate.c:1:1: error: x"]\n',
        b'["r"]\n["v",1]\n["l","memory_limit",0,""]\n',
        b'["d",0,""]\n["r"]\n["v",1]\n',
    ],
)
def test_a_python_program_has_no_driver(body):
    """These lines mean nothing in the report of a Python program."""
    outcome = protocol.outcome(reply(body), body, 1)
    assert (outcome.status, outcome.diagnostics) == (Status.BAD_OUTPUT, ())


def test_a_long_ending_is_cut():
    """What a program said at its end is bounded."""
    body = b'["r"]\n["l","exited",1,"' + b"m" * 10_000 + b'"]\n'
    assert len(protocol.outcome(reply(body), body, 1, "c").message) == 300


def test_many_digits_in_a_text():
    """A text may hold more digits than a number."""
    body = b'["r"]\n["v","' + b"7" * 5000 + b'"]\n["v",["' + b"0" * 5000 + b'",12]]\n'
    assert [result.value for result in judge(body).results] == ["7" * 5000, ["0" * 5000, 12]]
