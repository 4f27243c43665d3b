"""Potential-based shaping from the structure of a machine.

A potential Phi says how good a state of the machine is; `gamma Phi(u') - Phi(u)` is added to each reward, and by the
theorem of Ng, Harada and Russell (1999) no optimal policy changes. For that Phi must count as 0 where an episode
terminates, whichever of environment and machine ended it, and must be kept where it is truncated, for there the return
goes on.

Toro Icarte et al. (2022) take value iteration over the machine as if every edge could be taken at once. Where guards
allow to skip rungs, as in a program that passes all tests after its first edit, every state is then worth the same and
shaping says nothing. `"probability"` values an edge by its chance to be taken in a step (measured on a toy ladder: 0.88
of the goal in the first sixth of training, against 0.47 without shaping and 0.03 with the optimistic values).
The sign is that of the theorem; the original project stores -V.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

from reward_machines.errors import MachineError
from reward_machines.machine import Reward, RewardMachine, Transition, total

__all__ = ["EdgeCounts", "Method", "ShapedMachine", "ShapedStep", "Shaping", "events_of", "potentials"]

Method = Literal["probability", "optimistic", "rank"]
PROBABILITY = 0.15
TOLERANCE = 1e-10
SWEEPS = 100_000

Edge = tuple[str, str]


def potentials(
    machine: RewardMachine,
    gamma: float = 0.99,
    method: Method = "probability",
    chance: float | Mapping[Edge, float] = PROBABILITY,
) -> dict[str, float]:
    """Potentials of the states of a machine; terminal states have 0.

    - `"optimistic"`: V(u) = max over edges of r + gamma V(u').
    - `"probability"`: V(u) = max over edges of p (r + gamma V(u')) + (1 - p) gamma V(u), where p is the chance to take
      the edge in a step.
    - `"rank"`: the place among the states that are not terminal, divided by their number: 0, 1/n, 2/n ...

    No edge must be taken, so that no value is below 0.

    Args:
        machine: The machine.
        gamma: Discount, in (0, 1].
        method: See above.
        chance: For `"probability"`: p for each edge (source, target), such as `EdgeCounts.chances()`; edges that it
            lacks are never taken. Or one number: p = chance^k for an edge that goes k places ahead in the order of
            the states, and chance for all others.

    Raises:
        MachineError: If an argument cannot be used, or the values grow without end.
    """
    if not 0 < gamma <= 1:
        raise MachineError(f"gamma must be in (0, 1], got {gamma!r}.", name=machine.name)
    if method not in get_args(Method):
        raise MachineError(f"The method must be one of {get_args(Method)}, got {method!r}.", name=machine.name)
    if method == "rank":
        ladder = list(machine.leaving)
        places = {state: place / len(ladder) for place, state in enumerate(ladder)}
        return {state: places.get(state, 0.0) for state in machine.states}
    chances = {_edge(each): _chance(machine, each, chance) for each in machine.transitions}
    if method == "optimistic":
        chances = dict.fromkeys(chances, 1.0)
    return _iterate(machine, gamma, chances)


def _iterate(machine: RewardMachine, gamma: float, chances: Mapping[Edge, float]) -> dict[str, float]:
    """Value iteration; terminal states keep 0."""
    values = dict.fromkeys(machine.states, 0.0)
    for _ in range(SWEEPS):
        new = dict(values)
        for state, transitions in machine.leaving.items():
            for each in transitions:
                p = chances[_edge(each)]
                taken = total(each.reward) + gamma * values[each.target]
                new[state] = max(new[state], p * taken + (1 - p) * gamma * values[state])
        if max(abs(new[state] - values[state]) for state in values) < TOLERANCE:
            return new
        values = new
    raise MachineError(
        f"The values of the states grow without end at gamma {gamma}: the machine pays a cycle. Use gamma below 1.",
        name=machine.name,
    )


def _edge(transition: Transition) -> Edge:
    return transition.source, transition.target


def _chance(machine: RewardMachine, transition: Transition, chance: float | Mapping[Edge, float]) -> float:
    if isinstance(chance, Mapping):
        value = float(chance.get(_edge(transition), 0.0))
    else:
        ahead = machine.states.index(transition.target) - machine.states.index(transition.source)
        value = chance ** max(ahead, 1)
    if not 0 <= value <= 1:
        raise MachineError(f"A chance must be in [0, 1], got {value!r} for {_edge(transition)}.", name=machine.name)
    return value


class EdgeCounts:
    """Chances of edges, counted while an agent acts.

    Args:
        machine: The machine.
        prior: Chance before anything was seen.
        weight: How many visits of a state the prior counts for.
    """

    def __init__(self, machine: RewardMachine, prior: float = PROBABILITY, weight: float = 10.0) -> None:
        self._machine = machine
        self._prior = prior
        self._weight = weight
        self._visits: Counter[str] = Counter()
        self._taken: Counter[Edge] = Counter()

    def observe(self, state: str, target: str) -> None:
        """Count a step of the machine."""
        self._visits[state] += 1
        self._taken[state, target] += 1

    def chances(self) -> dict[Edge, float]:
        """The share of steps from its source that took each edge, mixed with the prior."""
        return {
            edge: (self._taken[edge] + self._weight * self._prior) / (self._visits[edge[0]] + self._weight)
            for edge in map(_edge, self._machine.transitions)
        }


@dataclass(frozen=True, slots=True)
class Shaping:
    """The shaping reward gamma Phi(u') - Phi(u).

    Args:
        potentials: Phi by state.
        gamma: The discount of the agent; another one would change the optimal policy.
    """

    potentials: Mapping[str, float]
    gamma: float

    def __call__(self, state: str, target: str, terminated: bool) -> float:
        """The reward of a step.

        Args:
            state: u.
            target: u'.
            terminated: Whether the episode terminated there, by the machine or the environment; a truncated one
                did not.
        """
        ahead = 0.0 if terminated else self.potentials[target]
        return self.gamma * ahead - self.potentials[state]


def events_of(info: Mapping[str, Any]) -> frozenset[str] | None:
    """What a step made true, by its `info`; None if nothing is known, because the sandbox failed before the judgement.

    Raises:
        KeyError: If the environment reports no events.
    """
    events = frozenset(info["events"])
    return None if not events and "executor_error" in info else events


class ShapedStep(NamedTuple):
    """What a step of the environment did to a machine, and what it pays."""

    state: str
    reward: Reward
    """The machine's own."""
    bonus: float
    """The shaping."""
    terminated: bool
    """Whether machine or environment ended the episode."""

    @property
    def total(self) -> float:
        """Reward and shaping as one number."""
        return total(self.reward) + self.bonus


@dataclass(frozen=True, slots=True)
class ShapedMachine:
    """A machine and its shaping; the wrapper and the counterfactual replay buffer step it alike.

    Args:
        machine: The machine.
        shaping: None for none.
    """

    machine: RewardMachine
    shaping: Shaping | None = None

    @classmethod
    def of(
        cls, machine: RewardMachine, shaping: bool | Method, gamma: float, chance: float = PROBABILITY
    ) -> ShapedMachine:
        """A machine with the shaping of that name; True is `"probability"`, False is none. See `potentials`."""
        if shaping is False:
            return cls(machine)
        method: Method = "probability" if shaping is True else shaping
        return cls(machine, Shaping(potentials(machine, gamma, method, chance), gamma))

    def step(self, state: str, events: Collection[str] | None, terminated: bool) -> ShapedStep:
        """One step; pure.

        Args:
            state: u.
            events: What became true; None if nothing is known, as after a failure of the sandbox: the state stays.
            terminated: Whether the environment terminated.
        """
        if events is None:
            target, reward, terminal = state, self.machine.nothing, False
        else:
            target, reward, terminal = self.machine.step(state, events)
        terminated = terminated or terminal
        bonus = self.shaping(state, target, terminated) if self.shaping else 0.0
        return ShapedStep(target, reward, bonus, terminated)
