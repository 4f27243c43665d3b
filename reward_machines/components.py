"""Reward components: facts about a program become numbers in [0, 1], each good when large.

A component is a pure function of `info["measurements"]`; what the facts mean is said in docs/rewards.md. Components
are bounded by their range and never divided by a running deviation: one that is saturated would be blown up by it.
Some say nothing about a program that does not work: an empty one has the best style. These are *gated*: multiplied by
the share of tests that pass.

Source: DTERM, eq. 6, 11 and 12.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BUILT_IN", "Component", "Components"]

Measurements = Mapping[str, float]
Spec = str | Mapping[str, Any]
GATE = "tests"
ABSENT = ("error", "zero")


def _always() -> bool:
    return True


@dataclass(frozen=True)
class Component:
    """One component.

    Args:
        name: Its name.
        needs: Names of the measurements that it reads.
        function: From measurements to [0, 1].
        meaning: What 0 and 1 mean.
        gated: Whether it counts only in proportion to the tests that pass.
        parameters: What else made it, JSON values, so that it can be made again; None if it cannot.
        active: Tells whether it may count yet; one that may not has the value 0.
    """

    name: str
    needs: tuple[str, ...]
    function: Callable[[Measurements], float]
    meaning: str
    gated: bool = False
    parameters: Mapping[str, Any] | None = None
    active: Callable[[], bool] = field(default=_always)

    def value(self, measurements: Measurements) -> float:
        """The value in [0, 1].

        Args:
            measurements: At least those of `needs`.

        Raises:
            ValueError: If the function gives a number outside of [0, 1].
        """
        if not self.active():
            return 0.0
        value = float(self.function(measurements))
        if not 0 <= value <= 1:
            raise ValueError(
                f"component {self.name!r} must give a number in [0, 1], got {value} of {dict(measurements)}"
            )
        return value


def _compile(lam: float = 0.5, most: int = 10) -> Component:
    """exp(-lam * errors), errors cut at `most`, for one mistake may cause many messages (eq. 11)."""
    _positive(lam=lam, most=most)
    return Component(
        "compile",
        ("errors",),
        lambda facts: math.exp(-lam * min(max(facts["errors"], 0.0), most)),
        "1 without errors, exp(-lam) for each",
        parameters={"lam": lam, "most": most},
    )


def _share(name: str, meaning: str) -> Callable[[], Component]:
    def make() -> Component:
        return Component(name, (name,), lambda facts: min(max(facts[name], 0.0), 1.0), meaning, parameters={})

    return make


def _style(lines: float = 10.0) -> Component:
    """exp(-findings per `lines` lines)."""
    _positive(lines=lines)
    return Component(
        "style",
        ("findings", "lines"),
        lambda facts: math.exp(-lines * max(facts["findings"], 0.0) / max(facts["lines"], 1.0)),
        "1 without a finding of the linter, exp(-1) for one in ten lines",
        gated=True,
        parameters={"lines": lines},
    )


def _efficiency(most: float = 20.0) -> Component:
    """Logarithm of the cost ratio, cut at a factor of `most` either way, as a number in [0, 1]."""
    if not most > 1:
        raise ValueError(f"most must be a factor above 1, got {most}")

    def value(facts: Measurements) -> float:
        if facts[GATE] < 1 or facts["cost_ratio"] <= 0:
            return 0.0
        cheaper = math.log(facts["cost_ratio"]) / math.log(most)
        return (1 + min(max(cheaper, -1.0), 1.0)) / 2

    return Component(
        "efficiency",
        ("cost_ratio", GATE),
        value,
        "0 while a test fails; 1/2 for the cost of the baseline, 1 for a twentieth",
        gated=True,
        parameters={"most": most},
    )


def _size() -> Component:
    """1 for a program no longer than the reference, less in proportion to its length."""
    return Component(
        "size",
        ("size_ratio",),
        lambda facts: 1 / max(facts["size_ratio"], 1.0),
        "1 if no longer than the reference, 1/2 for twice the length",
        gated=True,
        parameters={},
    )


def _preference(path: str) -> Component:
    """What a head learned of recorded comparisons (eq. 12); see `reward_machines.preference`."""
    from reward_machines.preference import PreferenceHead

    return PreferenceHead.load(path).component(path)


BUILT_IN: dict[str, Callable[..., Component]] = {
    "compile": _compile,
    "tests": _share("tests", "share of the reward tests that pass"),
    "similarity": _share("similarity", "likeness of the text to a reference: 1 is the same"),
    "ast_similarity": _share("ast_similarity", "likeness of the syntax tree to that of a reference"),
    "style": _style,
    "efficiency": _efficiency,
    "size": _size,
    "preference": _preference,
}
"""The components that come with this package, by name."""


class Components:
    """Components in a fixed order: what turns measurements into a vector.

    Args:
        components: Each a name of `BUILT_IN`, a mapping with `name` and the arguments of that component (`lam`,
            `most` for compile; `lines` for style; `most` for efficiency; `path` for preference), or a `Component`.
        absent: What a component is worth whose measurements an environment does not supply: "error" raises, "zero"
            gives 0, so that one order of components serves environments of every kind.

    Raises:
        ValueError: If there is none, a name is unknown or twice, or an argument cannot be used.
    """

    def __init__(self, components: Iterable[Spec | Component], absent: str = "error") -> None:
        if isinstance(components, str):
            raise ValueError(f'components are a list, such as ["compile", "tests"]; got {components!r}')
        self._components = tuple(each if isinstance(each, Component) else _made(each) for each in components)
        self.names = tuple(each.name for each in self._components)
        self.absent = absent
        if not self.names or len(set(self.names)) < len(self.names):
            raise ValueError(f"components must have different names, at least one; got {list(self.names)}")
        if absent not in ABSENT:
            raise ValueError(f"absent must be one of {list(ABSENT)}, got {absent!r}")

    def __len__(self) -> int:
        return len(self._components)

    def __iter__(self) -> Iterator[Component]:
        return iter(self._components)

    @property
    def active(self) -> tuple[bool, ...]:
        """Which of the K components may count yet."""
        return tuple(each.active() for each in self._components)

    def values(self, measurements: Measurements) -> NDArray[np.float32]:
        """Values of the components, not gated.

        Args:
            measurements: `info["measurements"]`.

        Returns:
            (K,) float32 in [0, 1], a fresh array.

        Raises:
            ValueError: If a measurement is missing and `absent` is "error".
        """
        missing = self.missing(measurements)
        if missing and self.absent == "error":
            raise ValueError(_explained(missing, measurements))
        known = [0.0 if each.name in missing else each.value(measurements) for each in self._components]
        return np.array(known, np.float32)

    def gated(self, measurements: Measurements) -> NDArray[np.float32]:
        """Values of the components, the gated ones multiplied by the share of tests that pass.

        Args:
            measurements: `info["measurements"]`; `tests` too where a component is gated.

        Returns:
            (K,) float32 in [0, 1], a fresh array.

        Raises:
            ValueError: As `values`; also if `tests` is missing.
        """
        missing = self.missing(measurements, gate=True)
        if missing and self.absent == "error":
            raise ValueError(_explained(missing, measurements))
        share = min(max(float(measurements.get(GATE, 0.0)), 0.0), 1.0)
        gate = np.array([share if each.gated else 1.0 for each in self._components], np.float32)
        return self.values(measurements) * gate

    def missing(self, measurements: Iterable[str], gate: bool = False) -> dict[str, list[str]]:
        """The components that cannot be had, each with the measurements that it lacks.

        Args:
            measurements: Names of the measurements that there are.
            gate: Whether gated components need `tests` too.
        """
        there = set(measurements)
        lacking = {}
        for each in self._components:
            needs = dict.fromkeys((*each.needs, GATE) if gate and each.gated else each.needs)
            lacking[each.name] = [name for name in needs if name not in there]
        return {name: needs for name, needs in lacking.items() if needs}

    def spec(self) -> dict[str, Any]:
        """The components as JSON values; `from_spec` makes them again.

        Raises:
            ValueError: If a component was made of a function of your own, or learned and not saved.
        """
        own = [each.name for each in self._components if each.parameters is None]
        if own:
            raise ValueError(
                f"components {own} are no JSON values: they hold functions of your own, or were not loaded from a "
                "file. Use those of BUILT_IN by name; save a preference head and give its path"
            )
        listed = [{"name": each.name, **(each.parameters or {})} for each in self._components]
        return {"components": listed, "absent": self.absent}

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any] | Sequence[Spec]) -> Components:
        """Make components of what `spec` gave, or of a list of names.

        Args:
            spec: `{"components": [...], "absent": ...}`, or the list alone.

        Raises:
            ValueError: If it is neither, or as the class says.
        """
        if not isinstance(spec, Mapping):
            return cls(spec)
        if set(spec) - {"components", "absent"} or "components" not in spec:
            raise ValueError(f'a spec is {{"components": [...], "absent": "error" or "zero"}}; got {dict(spec)!r}')
        return cls(spec["components"], spec.get("absent", "error"))


def _made(spec: Spec) -> Component:
    name, arguments = (spec, {}) if isinstance(spec, str) else (spec.get("name"), dict(spec))
    arguments.pop("name", None)
    if name not in BUILT_IN:
        raise ValueError(f"no component is named {name!r}; use one of {list(BUILT_IN)}, or make a Component")
    try:
        return BUILT_IN[name](**arguments)
    except TypeError as error:
        raise ValueError(f"component {name!r} does not take these arguments: {error}") from error


def _positive(**arguments: float) -> None:
    for name, value in arguments.items():
        if not (isinstance(value, int | float) and value > 0):
            raise ValueError(f"{name} must be a number above 0, got {value!r}")


def _explained(missing: Mapping[str, list[str]], measurements: Iterable[str]) -> str:
    lacking = sorted({each for needs in missing.values() for each in needs})
    return (
        f"components {list(missing)} need the measurements {lacking}, which are not among "
        f"{sorted(measurements)}. wrappers.measured.Measured adds what an environment can supply; "
        'absent="zero" makes a component 0 where it cannot'
    )
