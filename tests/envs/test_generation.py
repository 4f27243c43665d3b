"""CodeGeneration-v0: three ways to write, one MDP."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

import code_envs  # noqa: F401  registers the ids
from code_envs.envs.generation import CodeGenerationEnv
from code_envs.errors import ConfigurationError, ExecutorError
from code_envs.tasks.sources import load
from code_envs.testing import check_env
from code_envs.testing.evidence import canonical


@pytest.fixture(scope="module")
def tasks(executor):
    return load("curriculum", executor)


@pytest.fixture
def env(tasks, executor):
    return CodeGenerationEnv(tasks=tasks, executor=executor, expert=True)


def start(env, name):
    return env.reset(seed=0, options={"task_id": f"curriculum-v0/{name}"})


def test_the_expert_writes_the_reference(env):
    """Each production fills the leftmost hole; the complete program is executed and earns share and success."""
    _, info = start(env, "sum_of_squares_of_two")
    assert info["program"] == "def sum_of_squares_of_two(a, b):\n    ...\n"
    programs, rewards = [], []
    terminated = False
    while not terminated:
        observation, reward, terminated, truncated, info = env.step(info["expert_action"])
        programs.append(info["program"])
        rewards.append(reward)
    assert programs[1] == "def sum_of_squares_of_two(a, b):\n    return ... + ...\n"
    assert programs[-1] == "def sum_of_squares_of_two(a, b):\n    return a * a + b * b\n"
    assert rewards == [0.0] * (len(rewards) - 1) + [2.0]
    assert info["held_out"] == 1.0
    assert info["is_success"] is True
    assert {"complete", "all_tests", "parses", "runs", "edited"} <= info["events"]
    assert not truncated
    assert not observation["action_mask"].any()


def test_off_the_way_the_expert_is_silent(env):
    """Another production than the reference's has no label any more."""
    _, info = start(env, "double")
    valid = np.flatnonzero(env.action_masks())
    *_, info = env.step(next(action for action in valid if action != info["expert_action"]))
    assert info["expert_action"] == -1


def test_a_partly_right_program_earns_its_share_once(tasks, executor):
    """With several attempts, only what is better than the best program before is paid."""
    env = CodeGenerationEnv(tasks=tasks, executor=executor, max_attempts=3, expert=True)
    start(env, "clamped_below")
    shares, rewards = [], []
    for _ in range(2):
        for key in ("return num", "name n"):
            offered = env.state.draft.derivation.candidates()
            *_, reward, terminated, _, info = env.step([each.key for each in offered].index(key))
        shares.append(info["measurements"]["tests"])
        rewards.append(reward)
    assert 0 < shares[0] < 1
    assert shares[1] == shares[0]
    assert rewards == pytest.approx([shares[0], 0.0])
    assert not terminated
    assert info["program"].endswith("return n\n")


def test_masked_actions_cost_and_end_the_episode(env):
    """A masked action changes nothing, costs 0.01, and as many as there are steps truncate the episode."""
    _, info = start(env, "double")
    for count in range(env.max_steps):
        observation, reward, terminated, truncated, after = env.step(511)
        assert reward == pytest.approx(-0.01)
        assert after["program"] == info["program"]
        assert "invalid" in after["events"]
        assert truncated == (count == env.max_steps - 1)
    assert after["held_out"] == 0.0
    assert after["is_success"] is False
    assert not terminated
    assert observation["feedback"][7] == 1.0


def test_tokens_write_a_program(tasks, executor):
    """Tokens become text with the spaces of Python; a wrong one is counted, and only the end is left at the limit."""
    env = CodeGenerationEnv(tasks=tasks, executor=executor, actions="token", max_steps=8)
    start(env, "double")
    names = env.state.draft._offered
    *_, info = env.step(names.index("return"))
    *_, info = env.step(names.index("*"))
    assert info["measurements"]["errors"] > 0
    *_, info = env.step(names.index("n"))
    assert info["program"] == "def double(n):\n    return *n\n"
    _, _, terminated, _, info = env.step(0)
    assert terminated
    assert info["program"].startswith("def double(n):")
    start(env, "double")
    for token in ("return", "n", "*", "2"):
        env.step(names.index(token))
    _, reward, terminated, _, info = env.step(0)
    assert (reward, terminated, info["is_success"]) == (2.0, True, True)
    start(env, "double")
    for _ in range(7):
        env.step(names.index("n"))
    assert np.flatnonzero(env.action_masks()).tolist() == [0]


def test_texts_have_turns_with_feedback(tasks, executor):
    """A failed program is followed by what went wrong, and then by another turn."""
    env = CodeGenerationEnv(tasks=tasks, executor=executor, actions="text")
    observation, _ = start(env, "double")
    assert "times 2" in observation["task"]
    assert "def double(n):" in observation["task"]
    assert observation["feedback"] == ""
    observation, reward, terminated, _, _ = env.step("def double(n): return n / 0")
    assert (reward, terminated) == (0.0, False)
    assert "ZeroDivisionError" in observation["feedback"]
    _, reward, terminated, _, info = env.step("def double(n):\n    return n + n")
    assert (reward, terminated, info["is_success"]) == (2.0, True, True)
    with pytest.raises(ConfigurationError, match="text"):
        env.action_masks()
    start(env, "double")
    with pytest.raises(ConfigurationError, match="not in"):
        env.step(3)


@pytest.mark.parametrize("kwargs", [{"actions": "token"}, {"max_attempts": 2, "expert": True}])
def test_configurations_conform(tasks, executor, kwargs):
    """The other front-ends keep the same contracts."""
    check_env(CodeGenerationEnv(tasks=tasks, executor=executor, **kwargs), walks=1, steps=20)


def test_a_sandbox_failure_truncates(env, monkeypatch):
    """The episode ends without a reward of its own; the program is not judged."""
    _, info = start(env, "double")
    for _ in range(3):
        *_, info = env.step(info["expert_action"])

    def fail(job):
        raise ExecutorError("the worker is lost")

    monkeypatch.setattr(env.executor, "submit", fail)
    _, reward, terminated, truncated, info = env.step(info["expert_action"])
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert info["executor_error"] == "the worker is lost"
    assert "held_out" not in info


def test_snapshots(env):
    """A half-written program is continued elsewhere."""
    _, info = start(env, "all_doubled")
    for _ in range(3):
        observation, _, _, _, info = env.step(info["expert_action"])
    twin = env.fork()
    assert canonical(twin.state.program) == canonical(info["program"])
    assert canonical(list(twin.restore(env.snapshot()))) == canonical([observation, info])


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"actions": "words"}, "actions must be one of"),
        ({"actions": "token", "expert": True}, "expert=True needs actions='grammar'"),
        ({"max_steps": 1}, "max_steps must be at least 4"),
        ({"tasks": "stdlib"}, "needs tasks of the kind 'Task'"),
    ],
)
def test_bad_arguments_are_explained(kwargs, message):
    """Each says what was expected."""
    with pytest.raises(ConfigurationError, match=message):
        gymnasium.make("CodeGeneration-v0", **kwargs)


def test_rendering(tasks, executor):
    """The program so far is shown."""
    env = CodeGenerationEnv(tasks=tasks, executor=executor, render_mode="ansi")
    start(env, "double")
    assert "def double(n):" in env.render()
