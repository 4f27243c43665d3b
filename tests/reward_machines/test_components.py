"""Components: formulas by hand, ranges, the gate, what is missing, and JSON."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_machines.components import BUILT_IN, Component, Components
from reward_machines.weighting import EXPERT

NAMES = [name for name in BUILT_IN if name != "preference"]
FACTS = {
    "errors": 2.0,
    "tests": 0.5,
    "similarity": 0.25,
    "ast_similarity": 0.75,
    "findings": 3.0,
    "lines": 15.0,
    "cost_ratio": 0.0,
    "size_ratio": 4.0,
}


def test_values_are_those_of_the_formulas():
    """Each worked out by hand; the order is that of the names."""
    values = Components(NAMES).values(FACTS)
    expected = [math.exp(-1), 0.5, 0.25, 0.75, math.exp(-2), 0, 0.25]
    assert values.dtype == np.float32
    assert values == pytest.approx(expected)


def test_the_gate_multiplies_by_the_share_of_tests():
    """Style and size count half where half of the tests pass; the others count as they are."""
    expected = [math.exp(-1), 0.5, 0.25, 0.75, math.exp(-2) / 2, 0, 0.125]
    assert Components(NAMES).gated(FACTS) == pytest.approx(expected)
    assert [each.name for each in Components(NAMES) if each.gated] == ["style", "efficiency", "size"]


@pytest.mark.parametrize(("ratio", "expected"), [(1, 0.5), (20, 1), (1000, 1), (1 / 20, 0), (0, 0), (20**0.5, 0.75)])
def test_efficiency_is_a_logarithm(ratio, expected):
    """Half for the cost of the baseline; nothing while a test fails, gated or not."""
    efficiency = Components(["efficiency"])
    assert efficiency.values({"cost_ratio": ratio, "tests": 1.0}) == pytest.approx([expected], abs=1e-6)
    assert efficiency.values({"cost_ratio": ratio, "tests": 0.99}) == [0]


def test_errors_are_cut():
    """One mistake with a thousand messages is worth what ten are (eq. 11)."""
    made = Components([{"name": "compile", "lam": 0.1, "most": 5}])
    assert made.values({"errors": 1000}) == made.values({"errors": 5}) == pytest.approx([math.exp(-0.5)])
    assert Components(["compile"]).values({"errors": 1000}) == pytest.approx([math.exp(-5)])


@given(st.fixed_dictionaries(dict.fromkeys(FACTS, st.floats(-1e6, 1e6))))
def test_values_stay_in_their_range(facts):
    """Whatever the facts, (K,) float32 in [0, 1], and the gate only takes away."""
    components = Components(NAMES)
    values, gated = components.values(facts), components.gated(facts)
    assert values.shape == gated.shape == (len(NAMES),)
    assert ((gated >= 0) & (gated <= values) & (values <= 1)).all()


def test_values_are_fresh_arrays():
    """What a caller does to them stays with the caller."""
    components = Components(["tests"])
    components.values(FACTS)[0] = 9
    assert components.values(FACTS)[0] == 0.5


def test_missing_measurements_are_named():
    """Or worth nothing, where that is asked for."""
    with pytest.raises(ValueError, match=r"\['style'\] need the measurements \['findings', 'lines'\].*Measured"):
        Components(["compile", "style"]).values({"errors": 0.0})
    with pytest.raises(ValueError, match=r"\['size'\] need the measurements \['tests'\]"):
        Components(["size"]).gated({"size_ratio": 1.0})
    forgiving = Components(NAMES, absent="zero")
    assert forgiving.values({"errors": 0.0}).tolist() == [1, 0, 0, 0, 0, 0, 0]
    assert forgiving.gated({"size_ratio": 1.0}).tolist() == [0] * 7
    assert forgiving.missing({"size_ratio"}, gate=True)["size"] == ["tests"]


def test_json_round_trip():
    """Names, arguments and what absence means survive; the values are the same."""
    made = Components(["tests", {"name": "compile", "lam": 0.25}, "style", "size"], absent="zero")
    again = Components.from_spec(json.loads(json.dumps(made.spec())))
    assert (again.names, again.absent) == (made.names, "zero")
    assert again.values(FACTS).tolist() == made.values(FACTS).tolist()
    assert again.spec() == made.spec()
    assert Components.from_spec(["tests"]).names == ("tests",)


def test_a_component_of_your_own():
    """Any function of measurements to [0, 1]; it has no JSON form, and a value out of range is an error."""
    brief = Component("brief", ("lines",), lambda facts: 1 / facts["lines"], "1 for one line", gated=True)
    components = Components(["tests", brief])
    assert components.gated(FACTS) == pytest.approx([0.5, 0.5 / 15])
    with pytest.raises(ValueError, match=r"\['brief'\] are no JSON values"):
        components.spec()
    with pytest.raises(ValueError, match=r"'brief' must give a number in \[0, 1\], got 2.0"):
        components.values({"tests": 1.0, "lines": 0.5})


def test_a_component_that_may_not_count_yet_is_zero():
    """Its function is not asked."""
    asleep = Component("asleep", ("tests",), lambda facts: 1 / 0, "nothing", active=lambda: False)
    components = Components(["tests", asleep])
    assert components.active == (True, False)
    assert components.values(FACTS).tolist() == [0.5, 0]


def test_every_built_in_component_has_an_expert_weight():
    """The two tables have the same names."""
    assert set(EXPERT) == set(BUILT_IN)


WRONG = {
    "none": (lambda: Components([]), "at least one"),
    "twice": (lambda: Components(["tests", "tests"]), "different names"),
    "text": (lambda: Components("tests"), "are a list"),
    "unknown": (lambda: Components(["beauty"]), "no component is named 'beauty'"),
    "nameless": (lambda: Components([{"lam": 1}]), "no component is named None"),
    "argument": (lambda: Components([{"name": "tests", "lam": 1}]), "does not take these arguments"),
    "negative": (lambda: Components([{"name": "compile", "lam": -1}]), "lam must be a number above 0"),
    "factor": (lambda: Components([{"name": "efficiency", "most": 1}]), "a factor above 1"),
    "absent": (lambda: Components(["tests"], absent="skip"), "absent must be one of"),
    "keys": (lambda: Components.from_spec({"names": ["tests"]}), "a spec is"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_used_is_explained(name):
    """One sentence each."""
    call, message = WRONG[name]
    with pytest.raises(ValueError, match=message):
        call()
