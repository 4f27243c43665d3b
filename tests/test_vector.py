"""The native vector environment, and SB3's view of it."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from stable_baselines3 import PPO

from agents.policies import FusionPolicy
from agents.vec_env import VectorEnvAdapter
from code_envs.envs.repair import CodeRepairEnv
from code_envs.errors import ConfigurationError, ExecutorError
from code_envs.tasks.mutation import mutants
from code_envs.tasks.sources import load
from code_envs.vector import CodeVectorEnv


@pytest.fixture(scope="module")
def tasks(executor):
    return mutants(load("builtin", executor, limit=6), executor, per_task=1)


def actions_for(masks, rng):
    return np.array([rng.choice(np.flatnonzero(mask[1:])) + 1 for mask in masks])


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_equals_gymnasiums_sync_vector_env(tasks, executor, mode):
    """Overlapping the executions changes nothing: same arrays, rewards, ends and infos as SyncVectorEnv."""
    kwargs = {"tasks": tasks, "executor": executor, "max_executions": 4, "max_candidates": 128}
    native = CodeVectorEnv(3, env=CodeRepairEnv, autoreset_mode=mode, **kwargs)
    sync = SyncVectorEnv([lambda: CodeRepairEnv(**kwargs)] * 3, autoreset_mode=mode)
    rng = np.random.default_rng(0)
    ours, our_info = native.reset(seed=5)
    theirs, their_info = sync.reset(seed=5)
    for _ in range(14):
        assert data_equivalence(ours, theirs)
        assert data_equivalence(our_info, their_info)
        actions = actions_for(ours["action_mask"], rng)
        ours, our_reward, our_end, our_cut, our_info = native.step(actions)
        theirs, their_reward, their_end, their_cut, their_info = sync.step(actions)
        assert np.array_equal(our_reward, their_reward)
        assert np.array_equal(our_end, their_end)
        assert np.array_equal(our_cut, their_cut)


def test_disabled_autoreset_equals_gymnasiums(tasks, executor):
    """Without autoreset a mask says which episodes start anew; a finished one cannot be stepped."""
    kwargs = {"tasks": tasks, "executor": executor, "max_executions": 2, "max_candidates": 64}
    native = CodeVectorEnv(3, env=CodeRepairEnv, autoreset_mode=AutoresetMode.DISABLED, **kwargs)
    sync = SyncVectorEnv([lambda: CodeRepairEnv(**kwargs)] * 3, autoreset_mode=AutoresetMode.DISABLED)
    native.reset(seed=5)
    sync.reset(seed=5)
    masks = native.action_masks()
    actions = np.array([0, *(np.flatnonzero(mask[2:])[0] + 2 for mask in masks[1:])])
    ours, theirs = native.step(actions), sync.step(actions)
    assert ours[2].tolist() == theirs[2].tolist()
    assert ours[2][0]
    with pytest.raises(ConfigurationError, match="reset_mask"):
        native.step(actions)
    ended = ours[2] | ours[3]
    again, infos = native.reset(options={"reset_mask": ended})
    expected, expected_infos = sync.reset(options={"reset_mask": ended.copy()})
    assert data_equivalence(again, expected)
    assert data_equivalence(infos, expected_infos)
    assert native.step(np.zeros(3, np.int64))[2].all()


def test_one_step_hands_everything_to_the_pool_before_it_waits(tasks, executor):
    """Held-out tests and the next episodes' first executions are submitted while others still run."""
    waiting = []

    class Recorded:
        def __init__(self, inner):
            self.inner = inner

        def done(self):
            return self.inner.done()

        def result(self):
            found = self.inner.result()
            waiting.remove(self)
            return found

    class Recorder:
        def __init__(self):
            self.most = 0

        def submit(self, job):
            waiting.append(Recorded(executor.submit(job)))
            self.most = max(self.most, len(waiting))
            return waiting[-1]

    env = CodeVectorEnv(4, env=CodeRepairEnv, tasks=tasks, executor=executor, autoreset_mode="SameStep")
    env.reset(seed=0)
    env.executor = recorder = Recorder()
    *_, infos = env.step(np.zeros(4, np.int64))
    assert infos["_final_info"].all()
    assert infos["final_info"]["_held_out"].all()
    assert recorder.most >= 3
    assert not waiting


def test_make_vec_makes_the_native_one(executor, tasks):
    """`gymnasium.make_vec` uses the native vector environment, and the generic ones work too."""
    native = gymnasium.make_vec("CodeRepair-v0", num_envs=2, tasks=tasks, executor=executor)
    assert isinstance(native.unwrapped, CodeVectorEnv)
    assert native.reset(seed=0)[0]["code"].shape == (2, 256)
    sync = gymnasium.make_vec("CodeRepair-v0", num_envs=2, vectorization_mode="sync", tasks=tasks, executor=executor)
    assert data_equivalence(sync.reset(seed=0)[0], native.reset(seed=0)[0])


def test_ppo_learns_through_the_adapter(executor, tasks):
    """SB3 trains on the adapter and sees the episodes."""
    env = VectorEnvAdapter(
        CodeVectorEnv(4, env=CodeRepairEnv, tasks=tasks, executor=executor, autoreset_mode="SameStep", max_executions=3)
    )
    model = PPO(FusionPolicy, env, n_steps=8, batch_size=16, n_epochs=1, seed=0, device="cpu")
    model.learn(64)
    assert len(model.ep_info_buffer) > 4
    assert all(episode["l"] <= 6 for episode in model.ep_info_buffer)
    assert np.array(env.env_method("action_masks")).shape == (4, 512)


def test_adapter_reports_the_last_observation(executor, tasks):
    """At the end of an episode SB3 finds the last observation and whether the budget cut it."""
    env = VectorEnvAdapter(
        CodeVectorEnv(1, env=CodeRepairEnv, tasks=tasks, executor=executor, autoreset_mode="SameStep", max_executions=1)
    )
    env.seed(3)
    env.reset()
    _, _, dones, infos = env.step(np.array([1]))
    assert dones[0]
    assert infos[0]["TimeLimit.truncated"]
    assert infos[0]["terminal_observation"]["feedback"][6] == 1.0
    assert infos[0]["episode"]["l"] == 1
    assert env.reset_infos[0]["measurements"]["edits"] == 0


def test_adapter_wants_same_step(executor, tasks):
    """Another autoreset mode would give SB3 the wrong observations."""
    with pytest.raises(ValueError, match="SAME_STEP"):
        VectorEnvAdapter(CodeVectorEnv(1, env=CodeRepairEnv, tasks=tasks, executor=executor))


def test_a_lost_execution_truncates_its_episode_only(executor, tasks):
    """One failed execution ends one episode; the others go on."""

    class Failing:
        def done(self):
            return True

        def result(self):
            raise ExecutorError("the worker is lost")

    class FailingOnce:
        def __init__(self):
            self.left = 1

        def submit(self, job):
            self.left -= 1
            return Failing() if self.left == 0 else executor.submit(job)

    env = CodeVectorEnv(3, env=CodeRepairEnv, tasks=tasks, executor=executor)
    observations, _ = env.reset(seed=0)
    env.executor = FailingOnce()
    masks = observations["action_mask"].copy()
    masks[:, :2] = 0
    _, rewards, terminated, truncated, infos = env.step(actions_for(masks, np.random.default_rng(1)))
    assert truncated.tolist() == [True, False, False]
    assert not terminated[0]
    assert rewards[0] == 0
    assert infos["executor_error"][0] == "the worker is lost"


def test_bad_arguments_are_explained(executor, tasks):
    """Wrong numbers, modes and seeds give errors that say what is expected."""
    with pytest.raises(ConfigurationError, match="num_envs"):
        CodeVectorEnv(0, env=CodeRepairEnv, tasks=tasks, executor=executor)
    with pytest.raises(ConfigurationError, match=r"reset_mask must be an array \(2,\) bool"):
        CodeVectorEnv(2, env=CodeRepairEnv, tasks=tasks, executor=executor).reset(options={"reset_mask": [True, False]})
    with pytest.raises(ConfigurationError, match="2 seeds, got 1"):
        CodeVectorEnv(2, env=CodeRepairEnv, tasks=tasks, executor=executor).reset(seed=[1])
