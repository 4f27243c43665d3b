"""`check_vector_env` passes a native vector environment that equals Gymnasium's, and names how another differs."""

from __future__ import annotations

from functools import partial

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from code_envs.envs.repair import CodeRepairEnv
from code_envs.testing import check_vector_env
from code_envs.vector import CodeVectorEnv

NAME = "SpoiltRepair-v0"
SMALL = {"max_candidates": 64, "max_executions": 3, "code_tokens": 32}


class Spoilt(CodeVectorEnv):
    """A vector environment with one fault in its transitions."""

    def __init__(self, fault, **kwargs):
        super().__init__(env=CodeRepairEnv, **kwargs)
        self.fault = fault
        if fault == "mode":
            self.metadata = {**self.metadata, "autoreset_mode": AutoresetMode.DISABLED}
        if fault == "space":
            self.single_action_space = gymnasium.spaces.Discrete(3)

    def reset(self, *, seed=None, options=None):
        masked = "reset_mask" in (options or {})
        if masked and self.fault == "mask ignored":
            options = None
        if self.fault == "seeds equal" and isinstance(seed, int):
            seed = [seed] * self.num_envs
        return super().reset(seed=seed, options=options)

    def step(self, actions):
        observations, rewards, terminated, truncated, infos = super().step(actions)
        if self.fault == "reward":
            rewards[0] += 1
        if self.fault == "terminated":
            terminated, truncated = terminated | truncated, np.zeros_like(truncated)
        if self.fault == "final":
            infos = {key: value for key, value in infos.items() if "final" not in key}
        if self.fault == "observation":
            observations = {**observations, "feedback": observations["feedback"][::-1].copy()}
        return observations, rewards, terminated, truncated, infos


FAULTS = {
    "reward": r"at step 1 in mode NEXT_STEP, got another reward",
    "terminated": r"got another terminated",
    "final": r"in mode SAME_STEP, got another info: keys only in the first: \['_final_info', '_final_obs'",
    "observation": r"got another observation\['feedback'\]",
    "mask ignored": r"at the masked reset after step \d+ in mode DISABLED",
    "seeds equal": r"at the reset in mode NEXT_STEP",
    "mode": r"metadata\['autoreset_mode'\]",
    "space": "Expected single_action_space",
}


@pytest.fixture
def spoilt(request):
    """A registered id whose vector environment has a fault."""
    gymnasium.register(NAME, CodeRepairEnv, vector_entry_point=partial(Spoilt, request.param))
    yield request.param
    del gymnasium.registry[NAME]


@pytest.mark.slow
def test_the_native_one_passes(executor):
    """It equals SyncVectorEnv in the three autoreset modes."""
    check_vector_env("CodeRepair-v0", steps=8, executor=executor, **SMALL)


@pytest.mark.parametrize("spoilt", FAULTS, indirect=True)
def test_each_fault_is_named(spoilt, executor):
    """A difference is found, and the message says in which mode, where and how."""
    with pytest.raises(AssertionError, match=FAULTS[spoilt]):
        check_vector_env(NAME, steps=8, executor=executor, **SMALL)


def test_a_walk_without_an_end_shows_nothing(executor):
    """Where no episode ends, autoreset was not checked, and that is a failure."""
    with pytest.raises(AssertionError, match="Expected an episode to end within 1 steps"):
        check_vector_env("CodeRepair-v0", steps=1, most=1, executor=executor, max_candidates=64)
