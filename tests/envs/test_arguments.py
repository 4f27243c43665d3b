"""An environment's settings come from the signature of its constructor, and snapshots compare them."""

from __future__ import annotations

import inspect
import json

import gymnasium
import pytest

from code_envs.envs.repair import CodeRepairEnv
from code_envs.errors import ConfigurationError
from code_envs.registration import ENVIRONMENTS

WRITING = {"max_tokens", "max_candidates"}
SETTINGS = {
    "CodeRepair-v0": {"max_executions", "max_candidates"},
    "CodeGeneration-v0": {"actions", "max_attempts", "max_steps", "max_depth", "max_candidates"},
    "CodeCompletion-v0": {"actions", *WRITING},
    "CodeTranslation-v0": WRITING,
    "CodeSummarization-v0": WRITING,
    "CodeSearch-v0": {"pool_size", "max_picks", "distractors", "bm25", "inspect", "function_tokens", "corpus"},
    "CodeOptimization-v0": {"cost", "max_executions", "max_candidates"},
    "TextToSQL-v0": {"max_depth", "max_actions", "max_candidates"},
}
"""What each environment's snapshots compared when it still wrote its settings down."""
EVERYWHERE = {"tasks", "timeout_s", "memory_mib", "code_tokens", "text_tokens", "expert"}


class Extended(CodeRepairEnv):
    """Hands on what it does not know."""

    def __init__(self, bonus=1.0, **arguments):
        super().__init__(**arguments)
        self.bonus = bonus


class Forgetful(CodeRepairEnv):
    """Keeps none of its own arguments."""

    def __init__(self, bonus=1.0, malus=0.0, **arguments):
        super().__init__(**arguments)


def identity(env):
    """What a snapshot says of its environment."""
    env.reset(seed=0)
    return json.loads(env.snapshot())["identity"]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_snapshots_compare_what_they_always_did(name, executor):
    """The same names with the same JSON values, whether or not the defaults were written."""
    plain = gymnasium.make(name, executor=executor).unwrapped
    found = identity(plain)
    assert set(found) == SETTINGS[name] | EVERYWHERE
    parameters = inspect.signature(type(plain)).parameters
    defaults = {key: each.default for key, each in parameters.items() if key not in ("tasks", "executor")}
    assert identity(gymnasium.make(name, executor=executor, **defaults).unwrapped) == found
    fixed = {key: value for key, value in defaults.items() if key in found and value is not None}
    assert fixed == {key: found[key] for key in fixed}


def test_arguments_that_are_handed_on_count(executor):
    """A class that takes `**arguments` is told apart by all of them, and by its own."""
    first = Extended(executor=executor, max_candidates=64)
    assert identity(first).items() >= {"bonus": 1.0, "max_candidates": 64, "max_executions": 32}.items()
    other = Extended(executor=executor, max_candidates=64, bonus=2.0)
    with pytest.raises(ConfigurationError, match=r"bonus=1\.0 \(here 2\.0\)"):
        other.restore(first.snapshot())


def test_an_argument_that_is_not_kept_is_named(executor):
    """The message says what to write where."""
    env = Forgetful(executor=executor, max_candidates=64)
    env.reset(seed=0)
    with pytest.raises(ConfigurationError, match=r"\['bonus', 'malus'\].*`self\.bonus = bonus` in its constructor"):
        env.snapshot()
