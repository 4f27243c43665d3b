"""The automaton: its steps, and what is refused with which line."""

from __future__ import annotations

import pickle

import pytest

from reward_machines.errors import MachineError
from reward_machines.formula import parse
from reward_machines.machine import MachineStep, RewardMachine, Transition, total
from reward_machines.text_formats import loads

TEXT = """\
# a comment
states start some done
initial start
terminal done
start -> some when some_tests & !all_tests reward 0.25
start -> done when all_tests reward 1
some -> done when all_tests reward 1
"""


def test_one_transition_fires():
    """A match moves and pays; no match stays and pays nothing; a terminal state says so."""
    machine = loads(TEXT)
    assert machine.step("start", {"some_tests", "edited"}) == MachineStep("some", 0.25, False)
    assert machine.step("start", {"some_tests", "all_tests"}) == MachineStep("done", 1.0, True)
    assert machine.step("some", {"some_tests"}) == MachineStep("some", 0.0, False)
    assert machine.names == {"some_tests", "all_tests"}


def test_step_refuses_what_is_no_state():
    """Terminal and unknown states get a message each."""
    machine = loads(TEXT)
    with pytest.raises(MachineError, match=r"'done' is terminal; begin again with 'start'"):
        machine.step("done", set())
    with pytest.raises(MachineError, match=r"Expected one of the states \['start', 'some', 'done'\], got 'other'"):
        machine.step("other", set())


def test_vectors():
    """Components are paid apart; staying pays 0 of each."""
    machine = loads(
        "states a b\ninitial a\nterminal b\ncomponents tests style\na -> b when all_tests reward style=0.5 tests=1\n"
    )
    assert machine.step("a", {"all_tests"}).reward == (1.0, 0.5)
    assert machine.step("a", ()).reward == (0.0, 0.0)
    assert total((1.0, 0.5)) == 1.5
    assert total(2.0) == 2.0


def test_fall_and_first_match():
    """With `otherwise`, events that match nothing end the machine; with `match first`, the order decides."""
    machine = loads(
        "states a b lost\ninitial a\nterminal b lost\notherwise lost\nmatch first\n"
        "a -> a when x & y\na -> b when x reward 2\n"
    )
    assert machine.step("a", {"x", "y"}).state == "a"
    assert machine.step("a", {"x"}) == MachineStep("b", 2.0, True)
    assert machine.step("a", {"y"}) == MachineStep("lost", 0.0, True)


def change(old, new):
    assert old in TEXT
    return TEXT.replace(old, new)


WRONG = {
    "unreachable": (change("-> some when some_tests & !all_tests", "-> start when x"), 2, "'some' cannot be reached"),
    "not deterministic": (
        change("when some_tests & !all_tests", "when some_tests"),
        6,
        r"Two transitions of 'start' match the events \{all_tests, some_tests\}: this one, 'all_tests', and that of "
        r"line 5, 'some_tests'",
    ),
    "no terminal": (change("terminal done\n", ""), 3, "There is no terminal state"),
    "endless with terminal": (TEXT + "endless\n", 4, "An endless machine has no terminal state"),
    "duplicate state": (change("some done", "some some done"), 2, "The state 'some' is declared twice"),
    "duplicate terminal": (change("terminal done", "terminal done done"), 4, "terminal state 'done' is declared twice"),
    "unknown target": (change("-> some when", "-> sone when"), 5, "'sone' is not declared; did you mean 'some'"),
    "unknown initial": (change("initial start", "initial begin"), 3, "'begin' is not declared"),
    "unknown event": (change("when some_tests", "when sometests"), 5, "'sometests' .* unknown; did you mean 'some_te"),
    "leaves terminal": (TEXT + "done -> start when x\n", 8, "leaves 'done', which is terminal"),
    "initial is terminal": (change("terminal done", "terminal done start"), 4, "'start' is terminal, so nothing"),
    "fall is not terminal": (TEXT + "otherwise some\n", 8, "must lead to a terminal state, and 'some' is none"),
    "too many names": (
        change("when some_tests & !all_tests", "when " + " & ".join(f"e{number}" for number in range(17))),
        6,
        "at most 16 can be compared",
    ),
    "infinite": (change("reward 0.25", "reward inf"), 5, "finite number as reward, got 'inf'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors_name_the_line(name):
    """Each mistake is refused where it stands."""
    text, line, message = WRONG[name]
    with pytest.raises(MachineError, match=message) as error:
        loads(text, "my.rm", vocabulary={"some_tests", "all_tests", "x"} | {f"e{number}" for number in range(17)})
    assert error.value.line == line
    assert str(error.value).startswith(f"my.rm, line {line}: ")


def test_errors_without_a_file_name_the_transition():
    """Machines made in Python have no lines."""
    with pytest.raises(MachineError, match=r"a -> b: A reward of this machine is a number, got \(1.0,\)"):
        RewardMachine(("a", "b"), "a", ("b",), (Transition("a", "b", parse("x"), (1.0,)),))
    with pytest.raises(MachineError, match=r"one number for each of \['k', 'l'\], got \(1.0,\)"):
        RewardMachine(("a", "b"), "a", ("b",), (Transition("a", "b", parse("x"), (1.0,)),), components=("k", "l"))


def test_json_round_trip():
    """JSON and pickle give equal machines; other JSON is refused."""
    vector = loads("states a b\ninitial a\nendless\ncomponents k l\na -> b when x | y reward k=1\n")
    for machine in (loads(TEXT), vector):
        assert RewardMachine.from_json(machine.to_json()) == machine
        assert pickle.loads(pickle.dumps(machine)) == machine
        assert hash(RewardMachine.from_json(machine.to_json())) == hash(machine)
    assert loads(TEXT) != vector
    for text in ("{}", "[1]", "{", '{"format": "reward-machine-1"}', '{"format": "other"}'):
        with pytest.raises(MachineError, match=r"JSON|format"):
            RewardMachine.from_json(text)
