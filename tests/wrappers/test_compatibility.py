"""Every algorithm of SB3 and its contrib package learns a few steps in every environment, or says what fits."""

from __future__ import annotations

import copy
import inspect
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import sb3_contrib
import stable_baselines3

from agents.policies import FusionPolicy, MaskableFusionPolicy
from code_envs.errors import ConfigurationError
from code_envs.registration import ENVIRONMENTS
from wrappers.compatibility import ALGORITHMS, suited, table

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "sb3.md"
SMALL = {
    "max_candidates": 256, "pool_size": 16, "code_tokens": 64, "function_tokens": 16,
    "max_executions": 3, "max_steps": 6, "max_picks": 6,
}  # fmt: skip
NET = {"net_arch": [16]}
ROLLOUT = {"n_steps": 8, "batch_size": 8, "policy_kwargs": NET}
REPLAY = {"buffer_size": 64, "learning_starts": 4, "batch_size": 4, "train_freq": 2, "policy_kwargs": NET}
SETTINGS = {
    "PPO": ROLLOUT | {"n_epochs": 1},
    "A2C": {"n_steps": 4, "policy_kwargs": NET},
    "TRPO": ROLLOUT,
    "MaskablePPO": ROLLOUT | {"n_epochs": 1},
    "RecurrentPPO": ROLLOUT | {"n_epochs": 1, "policy_kwargs": NET | {"lstm_hidden_size": 16}},
    "DQN": REPLAY,
    "QRDQN": REPLAY,
    "SAC": REPLAY,
    "TD3": REPLAY,
    "DDPG": REPLAY,
    "TQC": REPLAY,
    "CrossQ": REPLAY,
    "ARS": {"n_delta": 1, "policy_kwargs": NET},
}
QUICK = ("A2C", "MaskablePPO", "SAC")
STEPS = 16


def make(environment, executor):
    """A small instance of an id."""
    module, _, name = ENVIRONMENTS[environment]["entry_point"].partition(":")
    __import__(module)
    known = inspect.signature(getattr(sys.modules[module], name)).parameters
    return gymnasium.make(environment, executor=executor, **{key: SMALL[key] for key in SMALL if key in known})


def learn(environment, algorithm, executor):
    """A few learning steps; returns the model."""
    kind = getattr(stable_baselines3, algorithm, None) or getattr(sb3_contrib, algorithm)
    env = make(environment, executor)
    model = kind(*suited(kind, env), seed=0, device="cpu", **copy.deepcopy(SETTINGS[algorithm]))
    before = [each.clone() for each in model.policy.parameters()]
    model.learn(STEPS)
    assert model.num_timesteps >= STEPS
    moved = [
        not np.array_equal(old.detach(), new.detach())
        for old, new in zip(before, model.policy.parameters(), strict=True)
    ]
    assert any(moved) or algorithm == "ARS"
    return model


def test_the_table_has_every_algorithm():
    """All that SB3 and contrib offer for one agent are in the table; HER is a replay buffer."""
    offered = {
        name
        for package in (stable_baselines3, sb3_contrib)
        for name, each in vars(package).items()
        if inspect.isclass(each) and hasattr(each, "learn")
    }
    assert ALGORITHMS.keys() == offered
    assert SETTINGS.keys() == offered


@pytest.mark.slow
@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_pair_learns(environment, algorithm, executor):
    """Each algorithm acts and updates in each registered environment."""
    learn(environment, algorithm, executor)


@pytest.mark.parametrize("algorithm", QUICK)
def test_some_learn_repair(algorithm, executor):
    """With the mask, without it, and in a cube."""
    model = learn("CodeRepair-v0", algorithm, executor)
    actions = {"action_masks": model.env.env_method("action_masks")[0]} if algorithm == "MaskablePPO" else {}
    assert model.predict(model.get_env().reset(), **actions)[0] is not None


def test_our_policies_are_handed_through(executor):
    """A policy that fits is given back with the environment as it is."""
    env = make("CodeRepair-v0", executor)
    assert suited("PPO", env, FusionPolicy) == (FusionPolicy, env)
    assert suited(sb3_contrib.MaskablePPO, env, MaskableFusionPolicy) == (MaskableFusionPolicy, env)
    assert suited("DQN", env) == ("MultiInputPolicy", env)


class Masked(gymnasium.Wrapper):
    """Hides the masks."""

    def has_wrapper_attr(self, name):
        return name != "action_masks" and super().has_wrapper_attr(name)


class Texts(gymnasium.ActionWrapper):
    """Acts by text."""

    def __init__(self, env):
        super().__init__(env)
        self.action_space = gymnasium.spaces.Text(9)


UNFIT = {
    "unknown": (lambda env: suited("HER", env), "no rule for the algorithm 'HER'"),
    "text": (lambda env: suited("PPO", Texts(env)), "another `actions` argument"),
    "flat": (lambda env: suited("SAC", gymnasium.wrappers.FlattenObservation(env)), "as gymnasium.make gives it"),
    "no masks": (lambda env: suited("MaskablePPO", Masked(env)), "use PPO instead"),
    "actor for values": (lambda env: suited("DQN", env, FusionPolicy), "use 'MultiInputPolicy' with DQN instead"),
    "pointer for points": (
        lambda env: suited("SAC", env, FusionPolicy),
        "a policy for PPO, A2C, TRPO; use 'MlpPolicy'",
    ),
    "other pointer": (
        lambda env: suited("MaskablePPO", env, FusionPolicy),
        "use 'MaskableFusionPolicy' with MaskablePPO",
    ),
    "other name": (
        lambda env: suited("RecurrentPPO", env, "MultiInputPolicy"),
        "works with the policy 'MultiInputLstm",
    ),
}


@pytest.mark.parametrize("name", UNFIT)
def test_pairs_that_cannot_work_say_what_to_use(name, executor):
    """One sentence, before torch is touched."""
    call, message = UNFIT[name]
    with pytest.raises(ConfigurationError) as error:
        call(make("CodeRepair-v0", executor))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_the_documentation_has_the_table():
    """docs/sb3.md shows the table that the code has."""
    assert table() in PAGE.read_text()


def test_wrappers_need_no_sb3():
    """Neither torch nor SB3 is imported by the package."""
    program = "import sys, wrappers.compatibility; print(*{name.partition('.')[0] for name in sys.modules})"
    answer = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"torch", "stable_baselines3", "sb3_contrib"} & set(answer.stdout.split()) == set()
