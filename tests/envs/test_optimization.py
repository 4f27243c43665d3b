"""CodeOptimization-v0: the MDP."""

from __future__ import annotations

import math

import gymnasium
import numpy as np
import pytest

import code_envs  # noqa: F401  registers the ids
from code_envs.envs.observation import FIRST_TOKEN_EDIT, FIRST_TRANSFORMATION
from code_envs.envs.optimization import FIRST_EDIT, SUBMIT, UNDO, CodeOptimizationEnv
from code_envs.envs.pricing import REPEATS, Pricing
from code_envs.errors import ConfigurationError, ExecutorError
from code_envs.syntax.transformations import Transformation
from code_envs.tasks.cases import Case, CaseSuite
from code_envs.tasks.task import Task, TaskSet
from code_envs.testing.evidence import canonical, in_fresh_process

SLOW = """\
def common(xs, ys):
    total = 0
    for x in xs:
        if x in ys:
            total += x
    return total
"""
FAST = "def common(xs, ys):\n    known = set(ys)\n    return sum(x for x in xs if x in known)\n"


def suite(*sizes: int) -> CaseSuite:
    lists = [(list(range(size)), list(range(0, 2 * size, 2))) for size in sizes]
    return CaseSuite("common", [Case.of("common", pair, sum(set(pair[0]) & set(pair[1]))) for pair in lists])


def tasks_of(start: str | None, held_out: CaseSuite | None = None) -> TaskSet:
    task = Task(
        "small-v0/common", "Add what both have.", "common", FAST, start, suite(0, 5, 60), held_out or suite(9, 40)
    )
    return TaskSet("small-v0", (task,), "MIT", "these tests", "0")


@pytest.fixture
def env(executor):
    return CodeOptimizationEnv(tasks=tasks_of(SLOW), executor=executor, expert=True)


def action_of(env: CodeOptimizationEnv, kind: Transformation, text: str = "") -> int:
    """The first valid action of a kind whose replacement has a text."""
    for action in np.flatnonzero(env.action_masks()):
        found = env.candidate(int(action))
        if found is not None and found.transformation is kind and text.encode() in found.edit.text:
            return int(action)
    raise AssertionError(f"no candidate {kind!r} with {text!r}")


def test_a_cheaper_program_earns_the_log_ratio(env):
    """The return is the logarithm of the cost ratio, less the executions; success is told at the end."""
    _, info = env.reset(seed=0)
    first, total = info["measurements"]["cost"], 0.0
    for kind in (Transformation.CONTAINER, Transformation.SUM):
        _, reward, terminated, truncated, info = env.step(action_of(env, kind))
        assert (terminated, truncated) == (False, False)
        assert {"edited", "cheaper", "all_tests", "runs"} <= info["events"]
        total += reward
    gain = math.log(first / info["measurements"]["cost"])
    assert gain > 0.7
    assert total == pytest.approx(gain - 0.02)
    _, reward, terminated, _, info = env.step(SUBMIT)
    assert (reward, terminated, info["held_out"], info["is_success"]) == (0.0, True, 1.0, True)
    assert "submitted" in info["events"]
    assert "ys_set = set(ys)\n    total += sum(x for x in xs if x in ys_set)" in info["program"]


def test_what_breaks_a_test_is_taken_back(env):
    """A broken test costs a tenth and the execution; the program stays and the candidate is masked."""
    env.reset(seed=0)
    action = action_of(env, Transformation.EARLY_EXIT)
    observation, reward, _, _, info = env.step(action)
    assert info["program"] == SLOW
    assert reward == pytest.approx(-0.11)
    assert "broken" in info["events"]
    assert "edited" not in info["events"]
    assert (info["measurements"]["broken"], info["measurements"]["edits"]) == (1.0, 0.0)
    assert 0 < info["measurements"]["tests"] < 1
    assert observation["action_mask"][action] == 0
    assert observation["feedback"][3] == 1


def test_undo_gives_the_potential_back(env):
    """Undo costs nothing but what the edit had earned."""
    _, info = env.reset(seed=0)
    _, gained, _, _, _ = env.step(action_of(env, Transformation.SUM))
    _, lost, _, _, info = env.step(UNDO)
    assert gained + lost == pytest.approx(-0.01)
    assert info["program"] == SLOW
    assert {"reverted", "dearer"} <= info["events"]
    assert info["measurements"]["executions"] == 1


def test_the_dear_direction_is_a_loss(env):
    """A copy in the loop's header makes the program dearer, and pays so."""
    env.reset(seed=0)
    _, reward, _, _, info = env.step(action_of(env, Transformation.COPY, "list(xs)"))
    assert reward < -0.01
    assert "dearer" in info["events"]
    assert not env.step(SUBMIT)[4]["is_success"]


def test_masked_actions_cost_and_end_the_episode(executor):
    """A masked action changes nothing, costs an execution's price and spends the budget."""
    env = CodeOptimizationEnv(tasks=tasks_of(SLOW), executor=executor, max_executions=2)
    env.reset(seed=0)
    _, reward, _, truncated, info = env.step(UNDO)
    assert (reward, truncated, info["program"]) == (pytest.approx(-0.01), False, SLOW)
    assert "invalid" in info["events"]
    _, _, terminated, truncated, info = env.step(UNDO)
    assert (terminated, truncated) == (False, True)
    assert "budget_spent" in info["events"]
    assert info["is_success"] is False


def test_a_known_program_is_not_executed_again(env):
    """An edit back to a program of this episode costs budget, not an execution."""
    env.reset(seed=0)
    env.step(action_of(env, Transformation.COPY, "list(xs)"))
    _, reward, _, _, info = env.step(action_of(env, Transformation.COPY))
    assert reward > 0
    assert info["program"] == SLOW
    assert (info["measurements"]["executions"], info["measurements"]["edits"]) == (1.0, 2.0)


def test_the_expert_climbs(env):
    """It takes the largest gain of a step, and submits where none is left."""
    _, info = env.reset(seed=0)
    start = info["measurements"]["cost"]
    for _ in range(8):
        action = info["expert_action"]
        _, _, terminated, _, info = env.step(action)
        if terminated:
            break
    assert info["is_success"]
    assert info["measurements"]["cost"] < start / 2


def test_the_end_is_judged_on_tests_that_no_reward_saw(executor):
    """A program that only the held-out tests find wrong is no success."""
    other = CaseSuite("common", [Case.of("common", ([1, 2], [2]), 99)])
    env = CodeOptimizationEnv(tasks=tasks_of(SLOW, other), executor=executor)
    env.reset(seed=0)
    env.step(action_of(env, Transformation.CONTAINER))
    info = env.step(SUBMIT)[4]
    assert (info["held_out"], info["is_success"]) == (0.0, False)


def test_observation(env):
    """Rows say what an action is; memory of tries shows in the scores."""
    observation, _ = env.reset(seed=0)
    count = int(observation["action_mask"].sum()) - 1
    assert observation["candidates"][:2, 0].tolist() == [1, 2]
    rows = observation["candidates"][FIRST_EDIT : FIRST_EDIT + count]
    assert FIRST_TRANSFORMATION <= rows[:, 0].min() <= rows[:, 0].max() < FIRST_TOKEN_EDIT
    assert (observation["code"][rows[:, 3]] > 0).all()
    kind = action_of(env, Transformation.SUM)
    observation, *_ = env.step(kind)
    again, *_ = env.step(UNDO)
    assert again["candidate_scores"][kind, 4] > 0
    assert again["candidate_scores"][kind, 5] > 0.5
    assert again["candidate_scores"][kind, 6] == 1


def test_few_actions_take_turns(executor):
    """A small action space holds candidates of different kinds."""
    env = CodeOptimizationEnv(tasks=tasks_of(SLOW), executor=executor, max_candidates=5)
    observation, _ = env.reset(seed=0)
    assert observation["action_mask"].tolist() == [1, 0, 1, 1, 1]
    assert len({env.candidate(action).transformation for action in (2, 3, 4)}) == 3


def test_cpu_time(executor):
    """With cost="cpu" every call is made several times, of the program as it is, and the sandbox's clock decides."""
    env = CodeOptimizationEnv(tasks=tasks_of(SLOW), executor=executor, cost="cpu")
    job = env.begin_reset(seed=0)
    assert job.calls.count(b"[[") >= REPEATS
    assert job.source == SLOW.encode()
    _, info = env.finish_reset(executor.run(job))
    assert 0 < info["measurements"]["cost"] < 2
    _, _, _, _, info = env.step(action_of(env, Transformation.CONTAINER))
    assert info["measurements"]["tests"] == 1.0


def test_the_dead_zone(executor):
    """With CPU time a tenth may be noise; steps are exact."""
    assert [Pricing(True, executor).settled(cost, 1.0) for cost in (0.92, 1.08, 0.8, 1.2)] == [1.0, 1.0, 0.8, 1.2]
    assert Pricing(False, executor).settled(0.99, 1.0) == 0.99


def test_sources_without_slow_programs_start_with_the_reference(executor):
    """Any correct program can be optimised; a faulty one is refused."""
    env = CodeOptimizationEnv(tasks=tasks_of(None), executor=executor)
    assert env.reset(seed=0)[1]["program"] == FAST
    wrong = CodeOptimizationEnv(tasks=tasks_of(SLOW.replace("+=", "-=")), executor=executor)
    with pytest.raises(ConfigurationError, match="fails a reward test"):
        wrong.reset(seed=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cost": "money"}, "cost must be one of"),
        ({"max_candidates": 2}, "max_candidates"),
        ({"text_tokens": 9}, "text"),
    ],
)
def test_arguments_are_checked(executor, arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        CodeOptimizationEnv(tasks=tasks_of(SLOW), executor=executor, **arguments)


def test_a_sandbox_failure_truncates(env, monkeypatch):
    """The edit is withdrawn, nothing is earned."""
    env.reset(seed=0)
    action = action_of(env, Transformation.SUM)

    def fail(job):
        raise ExecutorError("the worker is lost")

    monkeypatch.setattr(env.executor, "submit", fail)
    _, reward, terminated, truncated, info = env.step(action)
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert (info["executor_error"], info["program"]) == ("the worker is lost", SLOW)


def walk(env, steps: int, seed: int) -> list:
    random = np.random.default_rng(seed)
    record = []
    for _ in range(steps):
        transition = env.step(np.int64(random.choice(np.flatnonzero(env.action_masks()))))
        record.append(canonical(list(transition)))
        if transition[2] or transition[3]:
            record.append(canonical(list(env.reset())))
    return record


def continued(data: str, steps: int, seed: int) -> list:
    """What the fresh process does: restore and go on."""
    env = gymnasium.make("CodeOptimization-v0", max_candidates=64, max_executions=6).unwrapped
    env.restore(data.encode())
    return walk(env, steps, seed)


@pytest.mark.slow  # loads the slow programs in two processes
def test_a_restored_episode_goes_on_in_another_process(executor):
    """Snapshots and forks hold all that the MDP depends on."""
    env = gymnasium.make("CodeOptimization-v0", max_candidates=64, max_executions=6, executor=executor).unwrapped
    env.reset(seed=5)
    walk(env, 3, seed=0)
    data = env.snapshot().decode()
    twin = env.fork()
    here = walk(env, 10, seed=1)
    assert walk(twin, 10, seed=1) == here
    assert in_fresh_process(f"{__name__}:continued", data, 10, 1) == here


def test_render(executor):
    env = CodeOptimizationEnv(tasks=tasks_of(SLOW), executor=executor, render_mode="ansi")
    env.reset(seed=0)
    env.step(action_of(env, Transformation.SUM))
    assert "cost" in env.render()
