"""CodeRepair-v0: the MDP."""

from __future__ import annotations

import json
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import data_equivalence

import code_envs  # noqa: F401  registers the ids
from code_envs.envs.repair import FIRST_EDIT, SUBMIT, UNDO, CodeRepairEnv
from code_envs.errors import ConfigurationError, ExecutorError
from code_envs.execution.executor import Executor, Job, Limits
from code_envs.tasks.cases import Case, CaseSuite
from code_envs.tasks.task import Task, TaskSet


def suite(*cases: tuple[tuple, object]) -> CaseSuite:
    return CaseSuite("grow", [Case.of("grow", arguments, expected) for arguments, expected in cases])


REFERENCE = "def grow(n):\n    total = 0\n    for i in range(n):\n        total += i\n    return total\n"
ONE_FAULT = REFERENCE.replace("+=", "-=")
TWO_FAULTS = ONE_FAULT.replace("total = 0", "total = 1")
REWARD = suite(((0,), 0), ((1,), 0), ((4,), 6), ((5,), 10))
HELD_OUT = suite(((3,), 3), ((6,), 15))


def task(name: str, start: str, *faults: str, held_out: CaseSuite = HELD_OUT) -> Task:
    return Task(
        f"small-v0/{name}", "Add the numbers below n.", "grow", REFERENCE, start, REWARD, held_out, 1000, faults=faults
    )


@pytest.fixture
def tasks() -> TaskSet:
    return TaskSet(
        "small-v0",
        (task("one", ONE_FAULT, REFERENCE), task("two", TWO_FAULTS, ONE_FAULT, REFERENCE)),
        "MIT",
        "these tests",
        "0",
    )


@pytest.fixture
def env(tasks: TaskSet, executor: Executor) -> CodeRepairEnv:
    return CodeRepairEnv(tasks=tasks, executor=executor, expert=True)


def start(env: CodeRepairEnv, name: str = "one"):
    return env.reset(seed=0, options={"task_id": f"small-v0/{name}"})


def wrong_edit(env: CodeRepairEnv, info: dict) -> int:
    """A valid edit that is not the expert's."""
    valid = np.flatnonzero(env.action_masks()[FIRST_EDIT:]) + FIRST_EDIT
    return int(next(action for action in valid if action != info["expert_action"]))


def edit_to(env: CodeRepairEnv, program: str) -> int:
    """The action that turns the current program into another."""
    assert env.state is not None
    source = env.state.path[-1].program.source
    for action in range(FIRST_EDIT, int(env.action_space.n)):
        edit = env.edit(action)
        if edit and source[: edit.start] + edit.text + source[edit.end :] == program.encode():
            return action
    raise AssertionError(f"no candidate gives {program!r}")


def test_expert_repairs_one_fault(env):
    """The expert's edit passes every test, ends the episode and earns the missing share plus one."""
    _, info = start(env)
    assert info["measurements"]["tests"] == 0.5
    _, reward, terminated, truncated, info = env.step(info["expert_action"])
    assert (terminated, truncated) == (True, False)
    assert reward == pytest.approx(0.5 + 1 - 0.01)
    assert info["program"] == REFERENCE
    assert info["held_out"] == 1.0
    assert info["is_success"] is True
    assert {"edited", "all_tests", "test_gained", "parses", "runs"} <= info["events"]


def test_expert_repairs_two_faults(env):
    """With two injected faults the expert's way has two edits."""
    _, info = start(env, "two")
    for last in (False, True):
        _, _, terminated, _, info = env.step(info["expert_action"])
        assert terminated is last
    assert info["program"] == REFERENCE


def test_expert_undoes_a_wrong_edit(env):
    """Off the known way, the expert takes the last edit back."""
    _, info = start(env)
    _, _, _, _, info = env.step(wrong_edit(env, info))
    assert info["expert_action"] == UNDO


def test_undo_restores_program_and_costs_nothing(env):
    """Undo brings back the program and its share of tests, without cost or execution, and masks the tried edit."""
    first, info = start(env)
    action = wrong_edit(env, info)
    _, gained, _, _, after = env.step(action)
    observation, lost, _, _, info = env.step(UNDO)
    assert info["program"] == ONE_FAULT
    assert gained + lost == pytest.approx(-0.01)
    assert info["measurements"]["executions"] == after["measurements"]["executions"] == 1
    assert "reverted" in info["events"]
    assert first["action_mask"][action] == 1
    assert observation["action_mask"][action] == 0


def test_masked_action_is_invalid_and_costs(env):
    """A masked action changes nothing, is reported and costs as much as an edit."""
    start(env)
    _, reward, _, _, info = env.step(UNDO)
    assert info["events"] >= {"invalid"}
    assert info["program"] == ONE_FAULT
    assert reward == pytest.approx(-0.01)
    assert info["measurements"]["executions"] == 0


def test_only_invalid_actions_still_end_the_episode(tasks, executor):
    """Masked actions spend the budget, so no agent can stall."""
    env = CodeRepairEnv(tasks=tasks, executor=executor, max_executions=3)
    start(env)
    ends = [env.step(UNDO)[2:4] for _ in range(3)]
    assert ends == [(False, False), (False, False), (False, True)]


def test_known_program_is_not_executed_again(env):
    """An edit that leads to a program of this episode costs budget but no execution."""
    start(env)
    env.step(edit_to(env, TWO_FAULTS))
    _, _, _, _, info = env.step(edit_to(env, ONE_FAULT))
    assert info["program"] == ONE_FAULT
    assert info["measurements"]["executions"] == 1
    assert info["measurements"]["edits"] == 2


def test_submit_ends_without_success(env):
    """Submitting a faulty program terminates the episode with no reward."""
    start(env)
    _, reward, terminated, truncated, info = env.step(SUBMIT)
    assert (reward, terminated, truncated) == (0.0, True, False)
    assert info["is_success"] is False
    assert "submitted" in info["events"]


def test_budget_truncates(tasks, executor):
    """The last execution truncates the episode."""
    env = CodeRepairEnv(tasks=tasks, executor=executor, max_executions=1, expert=True)
    _, info = start(env)
    _, _, terminated, truncated, info = env.step(wrong_edit(env, info))
    assert (terminated, truncated) == (False, True)
    assert "budget_spent" in info["events"]


def test_held_out_tests_decide_success(executor):
    """A program that passes the reward tests only is plausible, not repaired."""
    strict = task("one", ONE_FAULT, REFERENCE, held_out=suite(((3,), 3), ((6,), 16)))
    env = CodeRepairEnv(tasks=TaskSet("small-v0", (strict,), "MIT", "", "0"), executor=executor, expert=True)
    _, info = env.reset(seed=0)
    assert "held_out" not in info
    _, _, terminated, _, info = env.step(info["expert_action"])
    assert terminated
    assert info["held_out"] == 0.5
    assert info["is_success"] is False


def test_returns_are_the_change_of_the_share(env):
    """Rewards add up: whatever the path, the tests' part is last share minus first."""
    rng = np.random.default_rng(3)
    observation, info = start(env, "two")
    first, total = info["measurements"]["tests"], 0.0
    for _ in range(20):
        action = rng.choice(np.flatnonzero(observation["action_mask"][1:])) + 1
        observation, _, terminated, truncated, info = env.step(int(action))
        total += info["vector_reward"][0]
        if terminated or truncated:
            break
    assert total == pytest.approx(info["measurements"]["tests"] - first, abs=1e-5)


class Broken(Executor):
    """Hands jobs to a real executor until told to fail."""

    def __init__(self, inner: Executor) -> None:
        self.inner = inner
        self.broken = False

    def submit(self, job):
        if self.broken:
            raise ExecutorError("the worker is lost")
        return self.inner.submit(job)

    def capabilities(self, language: str = "python"):
        return self.inner.capabilities()

    def close(self) -> None:
        self.broken = True


def test_a_sandbox_failure_is_never_a_reward_of_zero(tasks, executor):
    """A lost sandbox truncates the episode and says so; it does not terminate it."""
    broken = Broken(executor)
    env = CodeRepairEnv(tasks=tasks, executor=broken, expert=True)
    _, info = start(env)
    broken.broken = True
    _, reward, terminated, truncated, info = env.step(wrong_edit(env, info))
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert info["executor_error"] == "the worker is lost"
    assert info["program"] == ONE_FAULT
    with pytest.raises(ExecutorError):
        env.reset(seed=0)


def test_a_failure_of_the_held_out_tests_truncates_and_keeps_the_reward(tasks, executor):
    """The program was repaired; only that it is really correct could not be found out."""
    broken = Broken(executor)
    env = CodeRepairEnv(tasks=tasks, executor=broken, expert=True)
    _, info = start(env)
    outcome = executor.run(env.begin(info["expert_action"]))
    job = env.finish(outcome)
    assert isinstance(job, Job)
    broken.broken = True
    with pytest.raises(ConfigurationError, match="over"):
        env.begin(UNDO)
    _, reward, terminated, truncated, info = env.abandon(ExecutorError("the worker is lost"))
    assert reward > 1
    assert (terminated, truncated) == (False, True)
    assert info["executor_error"] == "the worker is lost"
    assert "is_success" not in info


def test_the_last_step_asks_for_the_held_out_tests(tasks, executor):
    """`finish` gives the job, its outcome gives the transition; `step` does both."""
    first, second = (CodeRepairEnv(tasks=tasks, executor=executor, expert=True) for _ in range(2))
    _, info = start(first)
    start(second)
    action = info["expert_action"]
    job = first.finish(executor.run(first.begin(action)))
    assert data_equivalence(first.finish(executor.run(job)), second.step(action))


def test_tests_of_the_executor_failing_at_the_end_truncate(tasks, executor):
    """If only the held-out run fails, the episode is truncated as well."""
    broken = Broken(executor)
    env = CodeRepairEnv(tasks=tasks, executor=broken)
    start(env)
    broken.broken = True
    _, _, terminated, truncated, info = env.step(SUBMIT)
    assert (terminated, truncated) == (False, True)
    assert "is_success" not in info


def test_names_do_not_change_the_observation(executor):
    """Renaming the variables of a program leaves every array as it was."""
    renamed = {
        text: text.replace("total", "zz").replace("i ", "kk ").replace(" i\n", " kk\n")
        for text in (ONE_FAULT, REFERENCE)
    }
    observations = []
    for first, last in ((ONE_FAULT, REFERENCE), (renamed[ONE_FAULT], renamed[REFERENCE])):
        tasks = TaskSet("small-v0", (task("one", first, last),), "MIT", "", "0")
        observations.append(CodeRepairEnv(tasks=tasks, executor=executor).reset(seed=0)[0])
    for key in ("code", "text", "feedback", "action_mask"):
        assert np.array_equal(observations[0][key], observations[1][key]), key
    assert np.array_equal(observations[0]["candidates"], observations[1]["candidates"])


def test_more_candidates_than_actions_are_cut(tasks, executor):
    """A small action space keeps that many candidates, of many operators."""
    env = CodeRepairEnv(tasks=tasks, executor=executor, max_candidates=24)
    observation, _ = start(env)
    assert observation["action_mask"].shape == (24,)
    assert observation["action_mask"].sum() == 23  # no edit to undo
    assert len(set(observation["candidates"][FIRST_EDIT:, 0].tolist())) > 10


ROLLOUT = """
import hashlib, json, sys
import gymnasium, numpy as np, code_envs
env = gymnasium.make("CodeRepair-v0", executor=sys.argv[1]).unwrapped
rng = np.random.default_rng(7)
observation, info = env.reset(seed=11)
digest = hashlib.sha256()
for _ in range(25):
    for key in sorted(observation):
        digest.update(observation[key].tobytes())
    digest.update(json.dumps([info["task_id"], info["program"], sorted(info["events"]), str(info["outcome"])]).encode())
    action = rng.choice(np.flatnonzero(observation["action_mask"][1:])) + 1
    observation, reward, terminated, truncated, info = env.step(int(action))
    digest.update(str(reward).encode())
    if terminated or truncated:
        observation, info = env.reset()
print(digest.hexdigest())
"""


def test_same_seed_same_rollout_across_processes():
    """Two processes with other hash seeds and numbers of workers see the same episodes."""
    digests = set()
    for hash_seed, executor in (("1", "local"), ("2", "local:2")):
        done = subprocess.run(
            [sys.executable, "-c", ROLLOUT, executor],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": hash_seed, "PATH": ""},
        )
        digests.add(done.stdout)
    assert len(digests) == 1


def test_reset_seed_picks_the_task(tasks, executor):
    """The seed decides the task, and other seeds reach other tasks."""
    env = CodeRepairEnv(tasks=tasks, executor=executor)
    names = [env.reset(seed=seed)[1]["task_id"] for seed in range(12)]
    assert names == [env.reset(seed=seed)[1]["task_id"] for seed in range(12)]
    assert len(set(names)) == 2


def test_observations_and_infos_are_fresh(env):
    """Arrays and dicts of one step are not shared with the next."""
    before, info = start(env)
    kept, text = {key: value.copy() for key, value in before.items()}, str(info)
    _, _, _, _, after = env.step(wrong_edit(env, info))
    assert data_equivalence(before, kept)
    assert str(info) == text
    assert after["measurements"] is not info["measurements"]


def test_spec_survives_json():
    """An environment can be made again from its spec as JSON."""
    env = gymnasium.make("CodeRepair-v0", max_executions=5, timeout_s=1.5)
    spec = EnvSpec.from_json(env.spec.to_json())
    again = gymnasium.make(spec)
    assert again.unwrapped.max_executions == 5
    assert again.unwrapped.limits == Limits(cpu_s=1.5)
    assert json.loads(env.spec.to_json())["id"] == "CodeRepair-v0"


def test_bad_arguments_are_explained(tasks, executor):
    """Wrong arguments, actions and options give errors that say what is expected."""
    with pytest.raises(ConfigurationError, match="max_executions must be at least 1, got 0"):
        CodeRepairEnv(tasks=tasks, executor=executor, max_executions=0)
    with pytest.raises(ConfigurationError, match="has splits"):
        CodeRepairEnv(tasks=tasks, split="dev", executor=executor)
    with pytest.raises(ConfigurationError, match="render_mode 'human' is not one of"):
        CodeRepairEnv(tasks=tasks, executor=executor, render_mode="human")
    with pytest.raises(ConfigurationError, match="mutants:"):
        CodeRepairEnv(tasks="builtin", executor=executor)
    with pytest.raises(TypeError, match="max_edits"):
        gymnasium.make("CodeRepair-v0", max_edits=3)
    env = CodeRepairEnv(tasks=tasks, executor=executor)
    with pytest.raises(ConfigurationError, match="call reset"):
        env.step(0)
    with pytest.raises(ConfigurationError, match="expected 'task_id'"):
        env.reset(options={"task": "one"})
    with pytest.raises(ConfigurationError, match="Did you mean"):
        env.reset(options={"task_id": "small-v0/on"})
    env.reset(seed=0)
    with pytest.raises(ConfigurationError, match="not in Discrete"):
        env.step(512)
    env.step(SUBMIT)
    with pytest.raises(ConfigurationError, match="episode is over"):
        env.step(SUBMIT)
