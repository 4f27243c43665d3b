"""RewardMachine: a finite automaton over events that pays reward for its transitions.

A machine is (U, u0, F, delta_u, delta_r) as in Toro Icarte et al. (2022), "Reward Machines: Exploiting Reward Function
Structure in Reinforcement Learning", JAIR 73. It knows no environment: an episode joins it through the set of events
that each step made true. Its states say in words what has happened, so an agent that sees the state of the machine
sees a Markov reward even where the reward depends on history.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Any, NamedTuple, NoReturn

from reward_machines.errors import FormulaError, MachineError
from reward_machines.formula import Formula, parse, together

__all__ = ["MachineStep", "Reward", "RewardMachine", "Transition", "total"]

Reward = float | tuple[float, ...]
"""A number, or one number for each of the machine's components."""
FORMAT = "reward-machine-1"
_FIELDS = ("name", "states", "initial", "terminal", "components", "fall", "first_match", "endless")


def total(reward: Reward) -> float:
    """The reward as one number: the sum of its components."""
    return math.fsum(reward) if isinstance(reward, tuple) else reward


@dataclass(frozen=True, slots=True)
class Transition:
    """An edge of a machine.

    Args:
        source: State that it leaves.
        target: State that it enters.
        guard: When it fires.
        reward: What it pays; its length is the number of the machine's components, if it has any.
        line: Line of the file, from 1; 0 where there is none.
    """

    source: str
    target: str
    guard: Formula
    reward: Reward = 0.0
    line: int = field(default=0, compare=False)


class MachineStep(NamedTuple):
    """What the events of a step did to a machine."""

    state: str
    reward: Reward
    terminal: bool


@dataclass(frozen=True)
class RewardMachine:
    """The automaton; its parts are checked when it is made, and it never changes.

    Args:
        states: U, in the order that counts: of the one-hot vector, and from the first rung of a ladder to the last.
        initial: u0.
        terminal: F: states that end the episode; nothing leaves them.
        transitions: delta_u and delta_r.
        components: Names of the components of its rewards; empty where rewards are numbers.
        fall: The terminal state that events lead to which no guard matches; None means that the state stays.
        first_match: The first transition that matches fires, in the order of the file. By default it is an error if
            two guards of a state can hold together.
        endless: The machine is meant to have no terminal state.
        name: For messages and drawings.
        lines: Lines of the file where states were first named.

    Raises:
        MachineError: If it is not a machine; the message names the line.
    """

    states: tuple[str, ...]
    initial: str
    terminal: tuple[str, ...]
    transitions: tuple[Transition, ...]
    components: tuple[str, ...] = ()
    fall: str | None = None
    first_match: bool = False
    endless: bool = False
    name: str = field(default="", compare=False)
    lines: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        self._check_names()
        for transition in self.transitions:
            self._check(transition)
        self._check_reachable()
        if not self.first_match:
            self._check_deterministic()

    # what it does ---------------------------------------------------------------------------------

    def step(self, state: str, events: Collection[str]) -> MachineStep:
        """Follow the transition whose guard the events match; a pure function.

        Where none matches, the state stays and the reward is 0, or the machine ends in `fall`.

        Args:
            state: u, a state that is not terminal.
            events: What became true in a step of the environment.

        Returns:
            u', delta_r(u, u'), and whether u' is terminal.

        Raises:
            MachineError: If the state is unknown or terminal.
        """
        if state in self.terminal:
            raise MachineError(f"{state!r} is terminal; begin again with {self.initial!r}.", name=self.name)
        if state not in self.leaving:
            raise MachineError(f"Expected one of the states {list(self.states)}, got {state!r}.", name=self.name)
        for transition in self.leaving[state]:
            if transition.guard.evaluate(events):
                return MachineStep(transition.target, transition.reward, transition.target in self.terminal)
        if self.fall is None:
            return MachineStep(state, self.nothing, False)
        return MachineStep(self.fall, self.nothing, True)

    @cached_property
    def leaving(self) -> dict[str, tuple[Transition, ...]]:
        """The transitions of each state that is not terminal."""
        return {
            state: tuple(each for each in self.transitions if each.source == state)
            for state in self.states
            if state not in self.terminal
        }

    @property
    def nothing(self) -> Reward:
        """The reward of staying: 0."""
        return (0.0,) * len(self.components) if self.components else 0.0

    @property
    def names(self) -> frozenset[str]:
        """The events that its guards name."""
        return frozenset().union(*(each.guard.names for each in self.transitions))

    # whether it is one ----------------------------------------------------------------------------

    def require(self, vocabulary: Collection[str]) -> None:
        """Check that guards name known events only.

        Args:
            vocabulary: Events that can happen, such as `code_envs.events.EVENTS`.

        Raises:
            MachineError: If one is unknown; the message names the line and the nearest known event.
        """
        for transition in self.transitions:
            for name in sorted(transition.guard.names - set(vocabulary)):
                near = difflib.get_close_matches(name, vocabulary, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"known are {sorted(vocabulary)}."
                self._refuse(f"The event {name!r} of the guard '{transition.guard}' is unknown; {hint}", transition)

    def _check_names(self) -> None:
        for what, names in (("state", self.states), ("terminal state", self.terminal), ("component", self.components)):
            twice = [name for position, name in enumerate(names) if name in names[:position]]
            if twice:
                self._refuse(f"The {what} {twice[0]!r} is declared twice; names are unique.", twice[0])
        wanted = {self.initial, *self.terminal} | ({self.fall} if self.fall is not None else set())
        for name in sorted(wanted - set(self.states)):
            self._refuse(f"The state {name!r} is not declared; states are {list(self.states)}.", name)
        if not self.terminal and not self.endless:
            self._refuse("There is no terminal state; declare one, or say that the machine is endless.", self.initial)
        if self.terminal and self.endless:
            self._refuse(f"An endless machine has no terminal state, got {list(self.terminal)}.", self.terminal[0])
        if self.initial in self.terminal:
            self._refuse(f"The initial state {self.initial!r} is terminal, so nothing can happen.", self.initial)
        if self.fall is not None and self.fall not in self.terminal:
            self._refuse(f"Unmatched events must lead to a terminal state, and {self.fall!r} is none.", self.fall)

    def _check(self, transition: Transition) -> None:
        for name in (transition.source, transition.target):
            if name not in self.states:
                near = difflib.get_close_matches(name, self.states, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"states are {list(self.states)}."
                self._refuse(f"The state {name!r} is not declared; {hint}", transition)
        if transition.source in self.terminal:
            self._refuse(f"A transition leaves {transition.source!r}, which is terminal.", transition)
        reward = transition.reward
        values = reward if isinstance(reward, tuple) else (reward,)
        if isinstance(reward, tuple) != bool(self.components) or len(values) != (len(self.components) or 1):
            wanted = f"one number for each of {list(self.components)}" if self.components else "a number"
            self._refuse(f"A reward of this machine is {wanted}, got {reward!r}.", transition)
        if not all(math.isfinite(value) for value in values):
            self._refuse(f"A reward must be finite, got {reward!r}.", transition)

    def _check_reachable(self) -> None:
        reached, waiting = {self.initial}, [self.initial]
        while waiting:
            state = waiting.pop()
            new = {each.target for each in self.leaving.get(state, ())} - reached
            reached |= new
            waiting += sorted(new)
        lost = [state for state in self.states if state not in reached and state != self.fall]
        if lost:
            self._refuse(
                f"The state {lost[0]!r} cannot be reached from {self.initial!r}; no path leads to it.", lost[0]
            )

    def _check_deterministic(self) -> None:
        for state, transitions in self.leaving.items():
            for first, second in combinations(transitions, 2):
                try:
                    events = together(first.guard, second.guard)
                except FormulaError as error:
                    self._refuse(str(error), second)
                if events is not None:
                    which = "{" + ", ".join(sorted(events)) + "}"
                    other = f"that of line {first.line}" if first.line else "another"
                    self._refuse(
                        f"Two transitions of {state!r} match the events {which}: this one, '{second.guard}', and "
                        f"{other}, '{first.guard}'. Make one of them exclude the other.",
                        second,
                    )

    def _refuse(self, reason: str, about: str | Transition) -> NoReturn:
        line = about.line if isinstance(about, Transition) else self.lines.get(about, 0)
        if isinstance(about, Transition) and not line:
            reason = f"{about.source} -> {about.target}: {reason}"
        raise MachineError(reason, line, self.name)

    # as JSON --------------------------------------------------------------------------------------

    def to_json(self) -> str:
        """The machine as JSON text, which `from_json` reads back as an equal one."""
        rows = [[each.source, each.target, str(each.guard), each.reward] for each in self.transitions]
        fields = {key: getattr(self, key) for key in _FIELDS}
        return json.dumps({"format": FORMAT, **fields, "transitions": rows})

    @classmethod
    def from_json(cls, text: str) -> RewardMachine:
        """Read what `to_json` wrote.

        Raises:
            MachineError: If it is something else.
            FormulaError: If a guard cannot be read.
        """
        try:
            data = json.loads(text)
            if data["format"] != FORMAT:
                raise MachineError(f"Expected the format {FORMAT!r}, got {data['format']!r}.")
            fields: dict[str, Any] = {key: data[key] for key in _FIELDS}
            rows = tuple(
                Transition(source, target, parse(guard), tuple(reward) if isinstance(reward, list) else float(reward))
                for source, target, guard, reward in data["transitions"]
            )
            for key in ("states", "terminal", "components"):
                fields[key] = tuple(fields[key])
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise MachineError(f"This is not the JSON of a reward machine: {error!r}.") from error
        return cls(transitions=rows, **fields)
