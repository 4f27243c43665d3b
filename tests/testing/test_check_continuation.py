"""`check_continuation` finds snapshots and forks that do not hold the whole state."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from code_envs.envs.repair import CodeRepairEnv
from code_envs.testing.continuation import check_continuation, continuation


class Counting(CodeRepairEnv):
    """Its observation depends on steps that no snapshot knows."""

    steps = 0

    def _advance(self, episode, outcome):
        self.steps += 1
        return super()._advance(episode, outcome)

    def _observation(self, episode):
        return {**super()._observation(episode), "text": np.full(self.text_tokens, self.steps, np.int32)}


class Stale(CodeRepairEnv):
    """Restoring tells of another reward."""

    def restore(self, data):
        observation, info = super().restore(data)
        return observation, {**info, "vector_reward": np.zeros(3, np.float32)}


class Forgetful(CodeRepairEnv):
    """A snapshot that forgets where the random numbers stood."""

    def restore(self, data):
        found = super().restore(data)
        self.np_random = np.random.default_rng(99)
        return found


class Shared(CodeRepairEnv):
    """A fork that shares its episode with its origin."""

    def fork(self):
        twin = super().fork()
        twin.state = self.state
        return twin


BROKEN = {
    Counting: "fork to go on as its origin|origin to leave a fork|restore\\(\\) to give the moment",
    Stale: r"Expected restore\(\) to give the moment of the snapshot",
    Forgetful: "Expected a fork to go on as its origin does",
    Shared: "Expected steps of a fork to leave its origin as it was",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_each_fault_is_named(kind, tiny, executor):
    """An environment whose state is not all in the snapshot is found."""
    env = kind(tasks=tiny, executor=executor, max_candidates=64, max_executions=6)
    with pytest.raises(AssertionError, match=BROKEN[kind]):
        check_continuation(env, 0, 25, None)


def test_a_sound_environment_passes(env):
    """Episodes of CodeRepair go on, also past their end."""
    check_continuation(env, 0, 25, None)


def test_a_fresh_process_is_compared(executor, monkeypatch):
    """An id is restored in another process; what goes on there in another way is found."""
    kwargs = {"max_candidates": 64, "max_executions": 5}
    made = gymnasium.make("CodeRepair-v0", executor=executor, **kwargs)
    monkeypatch.setattr("code_envs.testing.continuation.in_fresh_process", lambda *_: ["another"])
    with pytest.raises(AssertionError, match="restored in a fresh process"):
        check_continuation(made, 0, 6, ("CodeRepair-v0", kwargs))


def test_other_environments_are_left_alone():
    """What is not of Code Envs has no snapshots to check."""
    check_continuation(gymnasium.make("CartPole-v1"), 0, 5, None)


def test_continuation_goes_past_the_end(env):
    """The next episodes are part of what is compared."""
    env.reset(seed=0)
    assert len(continuation(env, 0, 20)) > 21
