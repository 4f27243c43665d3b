"""Pictures of machines as text."""

from __future__ import annotations

import re

import pytest

from reward_machines.drawing import to_dot, to_mermaid
from reward_machines.text_formats import available, load, loads

VECTOR = "states a end\ninitial a\nterminal end\ncomponents k l\notherwise end\na -> end when x & y reward k=1 l=0.5\n"


def test_dot():
    """States, edges with guard and reward, double lines, and the fall."""
    assert to_dot(loads(VECTOR)) == (
        "digraph {\n  rankdir=LR;\n  node [shape=circle];\n  begin [shape=point];\n"
        '  s0 [label="a"];\n  s1 [label="end" shape=doublecircle];\n  begin -> s0;\n'
        '  s0 -> s1 [label="x & y / k=1 l=0.5"];\n  s0 -> s1 [label="otherwise" style=dashed];\n}\n'
    )


def test_mermaid():
    """The same for Mermaid, whose reserved words are never names."""
    assert to_mermaid(loads(VECTOR)) == (
        'stateDiagram-v2\n  direction LR\n  state "a" as s0\n  state "end" as s1\n  [*] --> s0\n'
        "  s0 --> s1: x & y / k=1 l=0.5\n  s0 --> s1: otherwise\n  s1 --> [*]\n"
    )


@pytest.mark.parametrize("name", available())
def test_every_transition_is_drawn(name):
    """One edge per transition, besides those that begin and end."""
    machine = load(name)
    assert len(re.findall(r"s\d+ -> s\d+", to_dot(machine))) == len(machine.transitions)
    assert len(re.findall(r"s\d+ --> s\d+", to_mermaid(machine))) == len(machine.transitions)
