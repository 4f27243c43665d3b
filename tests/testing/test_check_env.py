"""`check_env` passes a sound environment and names what is wrong with each unsound one."""

import gymnasium
import numpy as np
import pytest

from code_envs.errors import ConfigurationError
from code_envs.testing import check_env
from code_envs.testing.evidence import canonical, difference, in_fresh_process


class Spoilt(gymnasium.Wrapper):
    """An environment with one fault in its transitions."""

    def __init__(self, env, fault):
        super().__init__(env)
        self.fault = fault
        self.steps = 0

    def step(self, action):
        self.steps += 1
        return self.fault(self.steps, *self.env.step(action))


def change(info, **entries):
    return {**info, **entries}


FAULTS = {
    "reward too high": (lambda n, o, r, te, tr, i: (o, r + 5, te, tr, i), "Expected a reward in"),
    "reward not finite": (lambda n, o, r, te, tr, i: (o, float("nan"), te, tr, i), "finite number"),
    "vector outside": (
        lambda n, o, r, te, tr, i: (o, r, te, tr, change(i, vector_reward=np.full(3, 9, np.float32))),
        "vector reward",
    ),
    "observation outside": (
        lambda n, o, r, te, tr, i: ({**o, "feedback": o["feedback"] + 2}, r, te, tr, i),
        "feedback",
    ),
    "mask differs": (
        lambda n, o, r, te, tr, i: ({**o, "action_mask": 1 - o["action_mask"]}, r, te, tr, i),
        "'action_mask' to be the same",
    ),
    "clock in info": (lambda n, o, r, te, tr, i: (o, r, te, tr, change(i, n=n)), "second time"),
    "key gone": (
        lambda n, o, r, te, tr, i: (o, r, te, tr, {key: i[key] for key in i if key != "measurements"}),
        "measurements",
    ),
    "unknown event": (lambda n, o, r, te, tr, i: (o, r, te, tr, change(i, events={"won"})), "won"),
    "masked action accepted": (
        lambda n, o, r, te, tr, i: (o, r, te, tr, change(i, events=i["events"] - {"invalid"})),
        "Expected the event 'invalid'",
    ),
    "valid action refused": (
        lambda n, o, r, te, tr, i: (o, r, te, tr, change(i, events=i["events"] | {"invalid"})),
        "Expected a valid action to have an effect",
    ),
    "measurement gone": (
        lambda n, o, r, te, tr, i: (o, r, te, tr, change(i, measurements=dict(list(i["measurements"].items())[1:]))),
        "at every step",
    ),
    "measurement not finite": (
        lambda n, o, r, te, tr, i: (o, r, te, tr, change(i, measurements=i["measurements"] | {"tests": float("inf")})),
        "Expected finite floats as measurements",
    ),
    "measurement an int": (
        lambda n, o, r, te, tr, i: (o, r, te, tr, change(i, measurements=i["measurements"] | {"edits": 1})),
        "Expected finite floats as measurements",
    ),
    "numpy flag": (lambda n, o, r, te, tr, i: (o, r, np.bool_(te), tr, i), "two bools"),
}


def test_a_sound_environment_passes(env):
    """The environment that the faults below are added to has none."""
    check_env(env)


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_named(env, name, monkeypatch):
    """A fault in the transitions is found, and the message says which."""
    monkeypatch.setattr("code_envs.testing.env._check_by_sb3", lambda _: None)  # it would find some of them first
    fault, message = FAULTS[name]
    with pytest.raises(AssertionError, match=message):
        check_env(Spoilt(env, fault), steps=12)


def test_gymnasium_warnings_are_failures(env):
    """What Gymnasium's checker merely warns of fails the check."""
    env.observation_space["feedback"] = gymnasium.spaces.Box(-np.inf, np.inf, (12,), np.float32)
    with pytest.raises(AssertionError, match=r"Gymnasium's check_env .*warned"):
        check_env(env)


def test_kwargs_belong_to_an_id(env):
    """An environment that was made has its arguments already."""
    with pytest.raises(ConfigurationError, match="kwargs are for an id"):
        check_env(env, kwargs={})


def test_order_that_depends_on_hashes_is_found():
    """A fresh process has other string hashes, and the difference is shown with both values."""
    here = [0]
    there = in_fresh_process("builtins:list", [1])
    assert difference(here, there) == "[0]: 0 and 1"


def test_failure_of_the_fresh_process_is_shown():
    """Its error text is part of the message."""
    with pytest.raises(AssertionError, match="ModuleNotFoundError"):
        in_fresh_process("no_such_module:f")


def test_canonical_values():
    """Equal values become equal, others do not; NaN equals itself."""
    assert canonical({"b", "a"}) == ["a", "b"]
    assert canonical(float("nan")) == canonical(float("nan"))
    assert canonical(np.zeros(100)) == canonical(np.zeros(100))
    assert canonical(np.zeros(100)) != canonical(np.zeros(100, np.float32))
    assert canonical(1) != canonical(1.0)
    assert canonical(np.array([{"a": 1}, None], object)) == [{"a": 1}, None]
    with pytest.raises(AssertionError, match="object"):
        canonical({"x": object()})


def test_difference_names_the_place():
    """The first difference is found inside nested values."""
    assert difference({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}) == ""
    assert difference({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}) == "['a'][1]['b']: 2 and 3"
    assert difference([1], [1, 2]) == ": [1] and [1, 2]"
    assert (
        difference({"a": {"b": 1}}, {"a": {"c": 1}})
        == "['a']: keys only in the first: ['b'], only in the second: ['c']"
    )
