"""Shaping: potentials by hand, and exact planning that shows that no optimal policy changes."""

from __future__ import annotations

import numpy as np
import pytest

from reward_machines.errors import MachineError
from reward_machines.shaping import EdgeCounts, ShapedMachine, Shaping, events_of, potentials
from reward_machines.text_formats import load, loads

LADDER = """\
states low middle high won lost
initial low
terminal won lost
low -> middle when a & !b & !c
low -> high when b & !c
low -> won when c & a reward 1
low -> lost when c & !a reward -0.5
middle -> high when b & !c
middle -> low when !a & !b & !c
middle -> won when c & b reward 1
high -> middle when a & !b & !c
high -> won when c reward 1
"""
GAMMA = 0.9
STATES, ACTIONS = 5, 3
EVENTS = [frozenset(), frozenset("a"), frozenset("b"), frozenset("ab"), frozenset("c"), frozenset("ac")]


@pytest.fixture(scope="module")
def machine():
    return loads(LADDER)


# potentials -----------------------------------------------------------------------------------------


def test_values_by_hand():
    """Two rungs, value iteration solved on paper."""
    machine = loads("states a b c\ninitial a\nterminal c\na -> b when x\na -> c when y & !x\nb -> c when x reward 2\n")
    assert potentials(machine, 0.5, "optimistic") == pytest.approx({"a": 1.0, "b": 2.0, "c": 0.0})
    upper = 0.2 * 2 / (1 - 0.8 * 0.5)
    lower = 0.2 * 0.5 * upper / (1 - 0.8 * 0.5)
    assert potentials(machine, 0.5, "probability", 0.2) == pytest.approx({"a": lower, "b": upper, "c": 0.0})
    assert potentials(machine, 0.5, "probability", {("b", "c"): 0.2}) == pytest.approx({"a": 0, "b": upper, "c": 0})
    assert potentials(machine, 0.5, "rank") == {"a": 0.0, "b": 0.5, "c": 0.0}


def test_the_ladder_of_code():
    """Where edges skip rungs, optimistic values are flat; with chances they rise (formulation, conclusion 9)."""
    rungs = ("start", "parses", "runs", "some")
    flat = potentials(load("repair"), 0.99, "optimistic")
    assert [flat[rung] for rung in rungs] == [1.0] * 4
    rising = [potentials(load("repair"), 0.99)[rung] for rung in rungs]
    assert rising == sorted(set(rising))


def test_vectors_count_by_their_sum():
    """A vector is worth what its components are together."""
    one = loads("states a b\ninitial a\nterminal b\na -> b when x reward 3\n")
    two = loads("states a b\ninitial a\nterminal b\ncomponents k l\na -> b when x reward k=1 l=2\n")
    assert potentials(one, GAMMA) == pytest.approx(potentials(two, GAMMA))


def test_counted_chances():
    """What was seen replaces the prior."""
    machine = loads("states a b\ninitial a\nterminal b\na -> b when x reward 1\n")
    counts = EdgeCounts(machine, prior=0.5, weight=2)
    assert counts.chances() == {("a", "b"): 0.5}
    for _ in range(8):
        counts.observe("a", "a")
    counts.observe("a", "b")
    assert counts.chances() == {("a", "b"): pytest.approx(2 / 11)}
    assert potentials(machine, 1.0, "probability", counts.chances())["a"] == pytest.approx(1.0)


def test_what_cannot_be_used_is_explained(machine):
    """Discount, method, chance, and a cycle that pays at gamma 1."""
    with pytest.raises(MachineError, match="gamma must be in"):
        potentials(machine, 0.0)
    with pytest.raises(MachineError, match="method must be one of"):
        potentials(machine, 0.9, "vi")
    with pytest.raises(MachineError, match=r"chance must be in \[0, 1\], got 1.5"):
        potentials(machine, 0.9, "probability", 1.5)
    cycle = loads("states a b\ninitial a\nendless\na -> b when x reward 1\nb -> a when x reward 1\n")
    assert potentials(cycle, 0.5, "optimistic")["a"] == pytest.approx(2.0)
    with pytest.raises(MachineError, match="pays a cycle"):
        potentials(cycle, 1.0, "optimistic")


# one step -------------------------------------------------------------------------------------------


def test_termination_and_truncation():
    """Phi counts as 0 where machine or environment terminated, and is kept otherwise, a truncation included."""
    shaping = Shaping({"low": 1.0, "high": 3.0}, 0.5)
    assert shaping("low", "high", False) == 0.5
    assert shaping("low", "high", True) == -1.0


def test_shaped_machine(machine):
    """Reward and shaping side by side; a failed sandbox moves nothing."""
    shaped = ShapedMachine.of(machine, "rank", GAMMA)
    done = shaped.step("low", {"b"}, False)
    assert (done.state, done.reward, done.terminated) == ("high", 0.0, False)
    assert done.bonus == pytest.approx(GAMMA * 2 / 3)
    assert shaped.step("high", {"c"}, False).total == pytest.approx(1 - 2 / 3)
    assert shaped.step("high", set(), True).total == pytest.approx(-2 / 3)
    assert shaped.step("high", None, False) == ("high", 0.0, pytest.approx((GAMMA - 1) * 2 / 3), False)
    assert ShapedMachine.of(machine, False, GAMMA).step("low", {"b"}, False).bonus == 0
    assert events_of({"events": frozenset(), "executor_error": "lost"}) is None
    assert events_of({"events": {"a"}, "executor_error": "lost"}) == {"a"}


def test_the_sum_telescopes(machine):
    """Over an episode, the discounted shaping is gamma^T Phi_T - Phi_0, whatever happens in between."""
    shaped = ShapedMachine.of(machine, True, GAMMA)
    assert shaped.shaping is not None
    phi = shaped.shaping.potentials
    for last, ahead in (({"b"}, phi["high"]), ({"c"}, 0.0)):
        state, sum_ = "low", 0.0
        steps = [{"a"}, {"b"}, {"a"}, {"b"}, last]
        for time, events in enumerate(steps):
            state, _, bonus, _ = shaped.step(state, events, False)
            sum_ += GAMMA**time * bonus
        assert sum_ == pytest.approx(GAMMA ** len(steps) * ahead - phi["low"])


# exact planning -------------------------------------------------------------------------------------


class World:
    """A random MDP of 5 states and 3 actions whose steps make events true; state 4 ends an episode when entered."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.chances = rng.dirichlet(np.full(STATES, 0.5), (STATES, ACTIONS))  # (S, A, S)
        self.events = rng.integers(len(EVENTS), size=(STATES, ACTIONS, STATES))

    def outcomes(self, state, action):
        """Chance, next state, events and whether the environment terminated."""
        for target, chance in enumerate(self.chances[state, action]):
            yield chance, target, EVENTS[self.events[state, action, target]], target == STATES - 1


def plan(world, machine, reward):
    """Q-values of the product of world and machine by value iteration, {(s, u): (A,)}."""
    values = {(state, u): 0.0 for state in range(STATES) for u in machine.leaving}
    for _ in range(300):
        table = {}
        for state, u in values:
            row = np.zeros(ACTIONS)
            for action in range(ACTIONS):
                for chance, target, events, over in world.outcomes(state, action):
                    moved = machine.step(u, events)
                    terminated = over or moved.terminal
                    ahead = 0.0 if terminated else values[target, moved.state]
                    row[action] += chance * (reward(u, moved, terminated) + GAMMA * ahead)
            table[state, u] = row
        values = {key: row.max() for key, row in table.items()}
    return table


def best(table):
    """The optimal actions of each product state."""
    return {key: frozenset(np.flatnonzero(row > row.max() - 1e-9)) for key, row in table.items()}


@pytest.mark.parametrize("method", ["probability", "optimistic", "rank"])
@pytest.mark.parametrize("seed", range(3))
def test_shaping_keeps_the_optimal_policy(machine, method, seed):
    """In every state of world and machine the optimal actions are those without shaping, and Q shifts by Phi."""
    shaping = Shaping(potentials(machine, GAMMA, method), GAMMA)
    plain = plan(World(seed), machine, lambda u, moved, over: moved.reward)
    shaped = plan(World(seed), machine, lambda u, moved, over: moved.reward + shaping(u, moved.state, over))
    assert best(shaped) == best(plain)
    for key, row in plain.items():
        assert shaped[key] == pytest.approx(row - shaping.potentials[key[1]], abs=1e-6)


WRONG = {
    "bonus for a high state": lambda phi, u, v, over: 0.0 if over else GAMMA * phi[v],
    "potential kept on termination": lambda phi, u, v, over: GAMMA * phi[v] - phi[u],
    "potential dropped at every step": lambda phi, u, v, over: -phi[u],
    "without the discount": lambda phi, u, v, over: (0.0 if over else phi[v]) - phi[u],
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_shaping_changes_it(machine, name):
    """The check above can fail: each of these mistakes changes an optimal action in some world."""
    phi = {state: 3 * value for state, value in potentials(machine, GAMMA, "rank").items()}
    changed = []
    for seed in range(6):
        plain = plan(World(seed), machine, lambda u, moved, over: moved.reward)
        wrong = plan(World(seed), machine, lambda u, moved, over: moved.reward + WRONG[name](phi, u, moved.state, over))
        right = Shaping(phi, GAMMA)
        shaped = plan(World(seed), machine, lambda u, moved, over: moved.reward + right(u, moved.state, over))  # noqa: B023
        assert best(shaped) == best(plain)
        changed.append(best(wrong) != best(plain))
        if changed[-1]:
            break
    assert any(changed)
