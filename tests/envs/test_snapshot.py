"""Episodes can be saved, restored in another process, forked, and go on as if nothing had happened."""

from __future__ import annotations

import json

import gymnasium
import numpy as np
import pytest

import code_envs  # noqa: F401  registers the ids
from code_envs.envs.snapshot import Snapshot
from code_envs.errors import ConfigurationError, ExecutorError
from code_envs.testing.evidence import canonical, in_fresh_process


def walk(env, steps, seed):
    """Random valid actions; what came of them."""
    random = np.random.default_rng(seed)
    record = []
    for _ in range(steps):
        action = np.int64(random.choice(np.flatnonzero(env.action_masks())))
        transition = env.step(action)
        record.append(canonical(list(transition)))
        if transition[2] or transition[3]:
            record.append(canonical(list(env.reset())))
    return record


def continued(data: str, steps: int, seed: int) -> list:
    """What the fresh process does: restore and go on."""
    env = gymnasium.make("CodeRepair-v0", max_candidates=64, max_executions=6).unwrapped
    env.restore(data.encode())
    return walk(env, steps, seed)


@pytest.fixture
def env(executor):
    made = gymnasium.make("CodeRepair-v0", max_candidates=64, max_executions=6, executor=executor).unwrapped
    made.reset(seed=3)
    return made


def test_a_restored_episode_goes_on_in_another_process(env):
    """The snapshot carries the state, the drawing of later tasks included."""
    walk(env, 2, seed=0)
    data = env.snapshot()
    assert continued.__module__ == __name__
    there = in_fresh_process(f"{__name__}:continued", data.decode(), 10, 1)
    assert there == walk(env, 10, seed=1)


def test_restore_gives_the_moment_and_executes_nothing(env, monkeypatch):
    """The observation and the info are those of the moment; the sandbox is not needed."""
    env.step(np.flatnonzero(env.action_masks()[2:])[-1] + 2)
    observation, _, over, _, info = env.step(np.flatnonzero(env.action_masks()[2:])[-1] + 2)
    data = env.snapshot()
    env.reset()
    assert not over
    monkeypatch.setattr(env.executor, "submit", None)
    again = env.restore(data)
    assert canonical(list(again)) == canonical([observation, info])


def test_a_fork_and_its_origin_do_not_meet(env):
    """Both go on from the same state, each with its own random numbers."""
    twin = env.fork()
    first = walk(twin, 12, seed=2)
    assert first == walk(env, 12, seed=2)
    assert env.np_random is not twin.np_random
    assert env.action_space is not twin.action_space


def test_a_sandbox_failure_is_part_of_the_story(env, monkeypatch):
    """An episode that a failure ended is restored as one, without a sandbox."""
    action = np.int64(np.flatnonzero(env.action_masks()[2:])[0] + 2)

    def fail(job):
        raise ExecutorError("the worker is lost")

    monkeypatch.setattr(env.executor, "submit", fail)
    *_, info = env.step(action)
    assert info["executor_error"] == "the worker is lost"
    _, again = env.restore(env.snapshot())
    assert canonical(again) == canonical(info)
    with pytest.raises(ConfigurationError, match="over"):
        env.step(action)


def test_a_snapshot_of_something_else_is_refused(env, executor):
    """Another class, other arguments, other tasks, other formats and other data: each is named."""
    data = env.snapshot()
    other = gymnasium.make("CodeRepair-v0", max_candidates=64, max_executions=7, executor=executor).unwrapped
    with pytest.raises(ConfigurationError, match=r"max_executions=6 \(here 7\)"):
        other.restore(data)
    with pytest.raises(ConfigurationError, match=r"what snapshot\(\) gave"):
        env.restore(b"\x80 pickle")
    with pytest.raises(ConfigurationError, match="format 99"):
        env.restore(json.dumps(json.loads(data) | {"format": 99}).encode())
    with pytest.raises(ConfigurationError, match="of a Other, not of a CodeRepairEnv"):
        env.restore(Snapshot.decode(data)._replace(environment="Other").encode())


def test_random_numbers_go_on_from_where_they_were(env):
    """Numbers that were drawn since the episode began are not drawn again after `restore`."""
    env.np_random.random(3)
    twin = env.fork()
    assert twin.np_random.integers(1 << 60) == env.np_random.integers(1 << 60)
