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
