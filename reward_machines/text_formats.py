"""Reward machines as text: our readable format, and the line format of the original project.

Ours::

    # Rewards: 1 when all tests pass.
    states start some done              U, in the order of the one-hot vector
    initial start
    terminal done
    start -> some when some_tests & !all_tests
    start -> done when all_tests reward 1
    some -> done when all_tests reward 1

Further lines: `components tests style` makes rewards vectors, written `reward tests=1 style=0.5`; `otherwise lost`
ends the machine in the terminal state `lost` where no guard matches, instead of staying; `match first` takes the first
transition that matches; `endless` says that no state is terminal. `#` begins a comment.

The format of RodrigoToroIcarte/reward_machines is read with its own semantics: the first match fires, and events that
nothing matches end the episode with reward 0, in a state `fallen`. There are two differences. Guards are parsed, never
executed, and name whole events, where the original looks for letters in a string. And each line is a transition of its
own, where the original keeps only the last guard between two states, or into any terminal state.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection
from importlib import resources
from pathlib import Path

from reward_machines.errors import FormulaError, MachineError
from reward_machines.formula import Formula, parse
from reward_machines.machine import Reward, RewardMachine, Transition

__all__ = ["available", "dumps", "load", "loads"]

FALLEN = "fallen"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ARROW = re.compile(r"(?P<source>\S+)\s*->\s*(?P<target>\S+)(?P<rest>.*)")
_REST = re.compile(r"\s+when\s+(?P<guard>.+?)(?:\s+reward\s+(?P<reward>.+))?\s*")
_ORIGINAL_FIRST = re.compile(r"u?-?\d+")
_ORIGINAL_LIST = re.compile(r"\[(?P<states>[^\]]*)\]")
_ORIGINAL = re.compile(
    r"\(\s*(?P<source>u?-?\d+)\s*,\s*(?P<target>u?-?\d+)\s*,\s*(?P<quote>['\"])(?P<guard>.*?)(?P=quote)\s*,\s*"
    r"(?P<function>\w+)\s*\((?P<reward>[^()]*)\)\s*\)"
)
_LISTS = ("states", "terminal", "components")
_SINGLE = ("initial", "otherwise")
_WORDS = {"match": "first", "endless": ""}

Lines = list[tuple[int, str]]


def available() -> list[str]:
    """Names of the machines that come with the package."""
    folder = resources.files("reward_machines") / "machines"
    return sorted(each.name.removesuffix(".rm") for each in folder.iterdir() if each.name.endswith(".rm"))


def load(name_or_path: str, vocabulary: Collection[str] | None = None) -> RewardMachine:
    """A machine by its name, from a file, or from its text.

    Args:
        name_or_path: One of `available()`, the path of a file, or the text itself, which has more than one line or
            is JSON.
        vocabulary: Events that guards may name; None means any.

    Raises:
        MachineError: If there is no such machine, or it is not one.
    """
    if "\n" in name_or_path or name_or_path.lstrip().startswith("{"):
        return loads(name_or_path, vocabulary=vocabulary)
    if name_or_path in available():
        text = (resources.files("reward_machines") / "machines" / f"{name_or_path}.rm").read_text(encoding="utf-8")
        return loads(text, name_or_path, vocabulary)
    path = Path(name_or_path)
    if not path.is_file():
        near = difflib.get_close_matches(name_or_path, available(), 1)
        hint = f"did you mean {near[0]!r}?" if near else f"the machines are {available()}."
        raise MachineError(f"There is no machine and no file {name_or_path!r}; {hint}")
    return loads(path.read_text(encoding="utf-8"), path.name, vocabulary)


def loads(text: str, name: str = "", vocabulary: Collection[str] | None = None) -> RewardMachine:
    """A machine from its text: our format, JSON, or the original project's.

    Args:
        text: The text; its first line tells which format it is.
        name: For messages.
        vocabulary: Events that guards may name; None means any.

    Raises:
        MachineError: If it is not a machine; the message names the line.
    """
    stripped = ((number, line.partition("#")[0].strip()) for number, line in enumerate(text.splitlines(), 1))
    lines = [(number, line) for number, line in stripped if line]
    if not lines:
        raise MachineError("The text of the machine is empty; begin with a line 'states ...'.", name=name)
    if lines[0][1].startswith("{"):
        machine = RewardMachine.from_json(text)
    elif _ORIGINAL_FIRST.fullmatch(lines[0][1]):
        machine = _read_original(lines, name)
    else:
        machine = _Reader(lines, name).machine()
    if vocabulary is not None:
        machine.require(vocabulary)
    return machine


def dumps(machine: RewardMachine) -> str:
    """The machine in our format; `loads` reads it back as an equal one."""
    lines = [f"states {' '.join(machine.states)}", f"initial {machine.initial}"]
    lines.append("endless" if machine.endless else f"terminal {' '.join(machine.terminal)}")
    if machine.components:
        lines.append(f"components {' '.join(machine.components)}")
    if machine.fall is not None:
        lines.append(f"otherwise {machine.fall}")
    if machine.first_match:
        lines.append("match first")
    for each in machine.transitions:
        reward = _reward_text(each.reward, machine.components)
        lines.append(f"{each.source} -> {each.target} when {each.guard}{reward}")
    return "\n".join(lines) + "\n"


def _reward_text(reward: Reward, components: tuple[str, ...]) -> str:
    if not isinstance(reward, tuple):
        return f" reward {reward!r}" if reward else ""
    parts = [f"{name}={value!r}" for name, value in zip(components, reward, strict=True) if value]
    return f" reward {' '.join(parts)}" if parts else ""


# ours -----------------------------------------------------------------------------------------------


class _Reader:
    """Reads our format."""

    def __init__(self, lines: Lines, name: str) -> None:
        self._name = name
        self._all = lines
        self._declared: dict[str, tuple[str, ...]] = {}
        self._lines: dict[str, int] = {}
        self._arrows: Lines = []

    def machine(self) -> RewardMachine:
        for number, line in self._all:
            if "->" in line:
                self._arrows.append((number, line))
            else:
                self._declare(number, line)
        last = self._all[-1][0]
        for word in ("states", "initial"):
            if word not in self._declared:
                raise MachineError(f"The line '{word} ...' is missing.", last, self._name)
        single = {word: self._declared[word][0] for word in _SINGLE if word in self._declared}
        return RewardMachine(
            states=self._declared["states"],
            initial=single["initial"],
            terminal=self._declared.get("terminal", ()),
            transitions=tuple(self._transition(number, line) for number, line in self._arrows),
            components=self._declared.get("components", ()),
            fall=single.get("otherwise"),
            first_match="match" in self._declared,
            endless="endless" in self._declared,
            name=self._name,
            lines=self._lines,
        )

    def _declare(self, number: int, line: str) -> None:
        word, *names = line.split()
        if word not in (*_LISTS, *_SINGLE, *_WORDS):
            known = [*_LISTS, *_SINGLE, "match first", "endless", "source -> target when formula reward number"]
            raise MachineError(f"Expected one of {known}, got {line!r}.", number, self._name)
        if word in self._declared:
            raise MachineError(f"The line '{word}' stands twice; write it once.", number, self._name)
        if word in _WORDS and " ".join(names) != _WORDS[word]:
            raise MachineError(f"Expected {f'{word} {_WORDS[word]}'.strip()!r}, got {line!r}.", number, self._name)
        if (word in _SINGLE and len(names) != 1) or (word in _LISTS and not names):
            raise MachineError(f"Expected {word!r} and a name, got {line!r}.", number, self._name)
        for name in names:
            if not _NAME.fullmatch(name):
                raise MachineError(f"A name has letters, digits and '_' only, got {name!r}.", number, self._name)
            if word != "components":
                # the last line that names a state is the one to look at: `terminal` stands below `states`
                self._lines[name] = number
        self._declared[word] = tuple(names)

    def _transition(self, number: int, line: str) -> Transition:
        arrow = _ARROW.fullmatch(line)
        rest = _REST.fullmatch(arrow["rest"]) if arrow else None
        if arrow is None or rest is None:
            raise MachineError(
                f"Expected 'source -> target when formula reward number', got {line!r}.", number, self._name
            )
        guard = _guard(rest["guard"], number, self._name)
        return Transition(arrow["source"], arrow["target"], guard, self._reward(rest["reward"], number), number)

    def _reward(self, text: str | None, number: int) -> Reward:
        components = self._declared.get("components", ())
        if not components:
            return _number(text or "0", number, self._name)
        values = dict.fromkeys(components, 0.0)
        for part in (text or "").split():
            key, sign, value = part.partition("=")
            if not sign or key not in values:
                wanted = " ".join(f"{each}=..." for each in components)
                raise MachineError(f"Expected 'reward {wanted}', got {part!r}.", number, self._name)
            values[key] = _number(value, number, self._name)
        return tuple(values.values())


def _guard(text: str, number: int, name: str) -> Formula:
    try:
        return parse(text)
    except FormulaError as error:
        raise MachineError(str(error), number, name) from error


def _number(text: str, number: int, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise MachineError(f"Expected a finite number as reward, got {text!r}.", number, name)
    return value


# the original project's -----------------------------------------------------------------------------


def _read_original(lines: Lines, name: str) -> RewardMachine:
    """Line 1 the initial state, line 2 the list of terminal ones, then one transition per line."""
    (first_line, initial), *more = lines
    if not more:
        raise MachineError("Expected the list of terminal states, such as '[3]', in the second line.", first_line, name)
    (second_line, listed), *rest = more
    match = _ORIGINAL_LIST.fullmatch(listed)
    if match is None:
        raise MachineError(f"Expected the list of terminal states, such as '[3]', got {listed!r}.", second_line, name)
    terminal = list(dict.fromkeys(_original_name(each) for each in match["states"].split(",") if each.strip()))
    found = [_read_original_line(number, line, name) for number, line in rest]
    transitions = tuple(each for each in found if each.source not in terminal)  # the original ignores the others
    states = {_original_name(initial): first_line} | {
        state: each.line for each in transitions for state in (each.source, each.target)
    }
    kept = [each for each in terminal if each in states]
    ordered = [each for each in states if each not in kept]
    return RewardMachine(
        states=(*ordered, *kept, FALLEN),
        initial=_original_name(initial),
        terminal=(*kept, FALLEN),
        transitions=transitions,
        fall=FALLEN,
        first_match=True,
        name=name,
        lines=states,
    )


def _read_original_line(number: int, line: str, name: str) -> Transition:
    match = _ORIGINAL.fullmatch(line)
    if match is None:
        raise MachineError(f"Expected \"(0,1,'a&!b',ConstantRewardFunction(1))\", got {line!r}.", number, name)
    if match["function"] != "ConstantRewardFunction":
        raise MachineError(
            f"The reward {match['function']!r} depends on the environment; a machine's rewards are numbers, written "
            "ConstantRewardFunction(1).",
            number,
            name,
        )
    source, target = (_original_name(match[each]) for each in ("source", "target"))
    return Transition(
        source, target, _guard(match["guard"], number, name), _number(match["reward"], number, name), number
    )


def _original_name(text: str) -> str:
    """`0` and `u0` are the state u0."""
    return f"u{text.strip().removeprefix('u')}".replace("-", "_")
