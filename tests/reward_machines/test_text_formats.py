"""Machines as text: ours in both directions, the original project's, and those that come with the package."""

from __future__ import annotations

import pytest

from code_envs.events import EVENTS
from code_envs.registration import ENVIRONMENTS
from reward_machines.errors import MachineError
from reward_machines.machine import RewardMachine
from reward_machines.text_formats import available, dumps, load, loads
from wrappers.reward_machine_state import TASK_MACHINES

ORIGINAL = """\
0   # initial
[7,8,9]   # terminal
(0,9,'hack_detected',ConstantRewardFunction(-1))
(0,7,'submitted&all_pass',ConstantRewardFunction(1))
(0,8,'submitted',ConstantRewardFunction(0))
(0, 4, 'all_pass', ConstantRewardFunction(0))
(4,0,"!all_pass&a | b",ConstantRewardFunction(0.5))
(7,0,'all_pass',ConstantRewardFunction(0))
"""


@pytest.mark.parametrize("name", available())
def test_built_in_machines(name):
    """Each reads known events only, can end, and survives both texts."""
    machine = load(name, EVENTS)
    assert machine.terminal
    assert loads(dumps(machine)) == machine
    assert RewardMachine.from_json(machine.to_json()) == machine


def test_every_environment_has_a_machine():
    """One for each id, and a second one for repair."""
    assert TASK_MACHINES.keys() == ENVIRONMENTS.keys()
    assert sorted([*TASK_MACHINES.values(), "repair_best"]) == available()
    assert len(load("repair").states) == 5


def test_the_best_rung_is_never_lost():
    """The second machine has the states of the first, and goes up only."""
    best, repair = load("repair_best"), load("repair")
    assert best.states == repair.states
    place = best.states.index
    assert all(place(each.source) < place(each.target) for each in best.transitions)
    assert {(each.source, each.target) for each in best.transitions} < {
        (each.source, each.target) for each in repair.transitions
    }


@pytest.mark.parametrize(
    "text",
    [
        "states a b\ninitial a\nterminal b\na -> b when x\n",
        "states a b lost\ninitial a\nterminal b lost\notherwise lost\nmatch first\n"
        "a -> b when x & (y | !z) reward -0.1\na -> a when true\n",
        "states a b\ninitial a\nendless\ncomponents k l\na -> b when x reward l=0.1\nb -> a when !x reward k=1e-05\n",
    ],
)
def test_our_format_round_trip(text):
    """Text to machine to text and back."""
    machine = loads(text)
    assert loads(dumps(machine)) == machine


def test_original_format():
    """The first match fires; nothing matched ends with 0; lines from terminal states are ignored."""
    machine = loads(ORIGINAL)
    assert machine.initial == "u0"
    assert machine.terminal == ("u7", "u8", "u9", "fallen")
    assert machine.step("u0", {"submitted", "all_pass"}) == ("u7", 1.0, True)
    assert machine.step("u0", {"submitted"}) == ("u8", 0.0, True)
    assert machine.step("u0", {"all_pass", "hack_detected"}) == ("u9", -1.0, True)
    assert machine.step("u0", set()) == ("fallen", 0.0, True)
    assert machine.step("u4", {"b", "all_pass"}) == ("u0", 0.5, False)
    assert loads(dumps(machine)) == machine
    assert all(each.source != "u7" for each in machine.transitions)


def test_original_format_without_terminals():
    """A machine without terminal states, as the original's of the half-cheetah, can end only by falling off."""
    machine = loads("u0\n[]\n(u0,u1,'a',ConstantRewardFunction(1))\n(u1,u0,'!a',ConstantRewardFunction(0))\n")
    assert machine.terminal == ("fallen",)
    assert machine.step("u1", set()) == ("u0", 0.0, False)


WRONG = {
    "empty": ("# nothing\n", 0, "is empty"),
    "no states": ("initial a\nterminal b\na -> b when x\n", 3, "The line 'states ...' is missing"),
    "unknown line": ("states a b\nfinal b\n", 2, "Expected one of .*, got 'final b'"),
    "twice": ("states a b\nstates c\n", 2, "'states' stands twice"),
    "no name": ("states a b\ninitial\n", 2, "Expected 'initial' and a name"),
    "bad name": ("states a b-c\n", 1, "letters, digits and '_' only, got 'b-c'"),
    "no guard": ("states a b\ninitial a\nterminal b\na -> b reward 1\n", 4, "Expected 'source -> target when formula"),
    "bad guard": ("states a b\ninitial a\nterminal b\na -> b when x && y\n", 4, "got '&' at column 4"),
    "bad reward": ("states a b\ninitial a\nterminal b\na -> b when x reward much\n", 4, "got 'much'"),
    "match what": ("states a b\nmatch last\n", 2, "Expected 'match first', got 'match last'"),
    "component": (
        "states a b\ninitial a\nterminal b\ncomponents k\na -> b when x reward j=1\n",
        5,
        "Expected 'reward k=...', got 'j=1'",
    ),
    "original list": ("0\n(0,1,'a',ConstantRewardFunction(1))\n", 2, "list of terminal states"),
    "original alone": ("0\n", 1, "list of terminal states"),
    "original line": ("0\n[1]\n(0,1,a)\n", 3, 'Expected "\\(0,1'),
    "original function": ("0\n[1]\n(0,1,'a',RewardControl())\n", 3, "'RewardControl' depends on the environment"),
    "original code": ("0\n[1]\n(0,1,'a',ConstantRewardFunction(open))\n", 3, "Expected a finite number"),
    "original guard": ("0\n[1]\n(0,1,'a b',ConstantRewardFunction(1))\n", 3, "got 'b' at column 3"),
    "original unreachable": ("0\n[1]\n(5,1,'a',ConstantRewardFunction(1))\n", 3, "'u5' cannot be reached"),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors_name_the_line(name):
    """What cannot be read is refused where it stands."""
    text, line, message = WRONG[name]
    with pytest.raises(MachineError, match=message) as error:
        loads(text, "my.rm")
    assert error.value.line == line


def test_load(tmp_path):
    """By name, from a file, from the text itself; what is none of these is explained."""
    path = tmp_path / "mine.rm"
    path.write_text(dumps(load("repair")))
    assert load(str(path)) == load("repair") == load(dumps(load("repair"))) == load(load("repair").to_json())
    with pytest.raises(MachineError, match=r"no file 'repaire'; did you mean 'repair'"):
        load("repaire")
    with pytest.raises(MachineError, match=r"the machines are \['completion'"):
        load("xyzzy")
