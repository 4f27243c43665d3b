"""CodeRepair-v0 on JavaScript programs: no traces, no step limit, the rest as for Python."""

import json
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as check_gymnasium

import code_envs  # noqa: F401  registers the ids
from code_envs.envs.repair import FIRST_EDIT, CodeRepairEnv
from code_envs.tasks.sources import load
from code_envs.testing import check_env

DECLARATION = "const sumBelow = (n) => {\n"
BODY = "  let total = 0\n  for (let i = 0; i < n; i++) {\n    total += i\n  }\n  return total\n}\n"
RECORD = {
    "task_id": "JavaScript/0",
    "declaration": DECLARATION,
    "canonical_solution": BODY,
    "buggy_solution": BODY.replace("i < n", "i <= n"),
    "docstring": "Add the numbers below n.",
    "entry_point": "sumBelow",
    "test": "".join(f"console.assert(sumBelow({n}) === {n * (n - 1) // 2})\n" for n in range(1, 7)),
    "example_test": "",
}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    file = tmp_path_factory.mktemp("javascript") / "pack.jsonl"
    file.write_text(json.dumps(RECORD) + "\n")
    return file


@pytest.fixture
def env(path):
    made = gymnasium.make("CodeRepair-v0", tasks=f"humanevalpack:{path}", timeout_s=0.5)
    yield made
    made.close()


@pytest.mark.slow
def test_checkers(env):
    """Gymnasium's checker and ours find nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_gymnasium(env.unwrapped)
    check_env(env, walks=1, steps=10)


def test_random_rollout(env):
    """Twenty steps: observations and rewards in their spaces, every line equally suspicious."""
    rng = np.random.default_rng(5)
    observation, info = env.reset(seed=0)
    operators = set(observation["candidates"][FIRST_EDIT:, 0].tolist())
    for _ in range(20):
        assert env.observation_space.contains(observation)
        assert not observation["candidate_scores"][:, [0, 1, 3]].any()
        action = int(rng.choice(np.flatnonzero(observation["action_mask"][1:])) + 1)
        observation, reward, terminated, truncated, info = env.step(action)
        assert -1.01 <= reward <= 1.99
        if terminated or truncated:
            assert {"held_out", "is_success"} <= set(info)
            observation, info = env.reset()
    assert len(operators) >= 5


def test_the_right_edit_repairs(env):
    """One candidate of the starting program undoes the fault; every test of both suites passes then."""
    env.reset(seed=0)
    inner = env.unwrapped
    source = (DECLARATION + RECORD["buggy_solution"]).encode()
    wanted = (DECLARATION + BODY).encode()
    for action in range(FIRST_EDIT, int(inner.action_space.n)):
        edit = inner.edit(action)
        if edit and source[: edit.start] + edit.text + source[edit.end :] == wanted:
            break
    _, reward, terminated, _, info = env.step(action)
    assert (terminated, info["is_success"], info["outcome"]["status"]) == (True, True, "ok")
    assert reward > 0.99


def test_programs_that_do_not_compile_are_told(env):
    """What tree-sitter takes and Node refuses ends as a compile error, with Node's message."""
    inner = env.unwrapped
    env.reset(seed=0)
    outcome = inner.executor.run(inner.tasks[0].reward_tests.job(b"const a = 1; const a = 2;", inner.limits))
    assert outcome.status == "compile_error"
    assert "already been declared" in outcome.message


def test_injected_faults(path, executor):
    """Mutants of JavaScript programs can be undone by the expert's edit."""
    tasks = load(f"mutants:humanevalpack:{path}", executor)
    env = CodeRepairEnv(tasks=tasks, executor=executor, expert=True)
    for task in tasks:
        _, info = env.reset(options={"task_id": task.task_id})
        _, _, terminated, _, info = env.step(info["expert_action"])
        assert terminated
        assert info["is_success"]
