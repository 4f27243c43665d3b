"""TextToSQL-v0: the MDP."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

import code_envs  # noqa: F401  registers the ids
from code_envs.envs.observation import FIRST_SQL, FIRST_TRANSFORMATION
from code_envs.envs.text_to_sql import TextToSQLEnv
from code_envs.errors import ConfigurationError
from code_envs.syntax.sql_query import HOLE
from code_envs.syntax.tokens import FIXED
from code_envs.testing.evidence import canonical, in_fresh_process


@pytest.fixture
def env(executor):
    return TextToSQLEnv(executor=executor, expert=True)


def play(env, task_id):
    """Follow the expert to the end."""
    observation, info = env.reset(seed=0, options={"task_id": task_id})
    rewards, over = [], False
    while not over:
        observation, reward, terminated, truncated, info = env.step(info["expert_action"])
        rewards.append(reward)
        over = terminated or truncated
    return rewards, terminated, observation, info


def test_the_expert_answers_every_built_in_question(env):
    """The reward is 1 at the end and 0 before; the answer holds on the other database as well."""
    for task in env.tasks:
        rewards, terminated, observation, info = play(env, task.task_id)
        assert terminated
        assert rewards == [0.0] * (len(rewards) - 1) + [1.0]
        assert (info["held_out"], info["is_success"]) == (1.0, True)
        assert {"answered", "complete", "runs"} <= info["events"]
        assert info["measurements"]["choices"] == len(rewards)
        assert info["outcome"] == {"status": "ok", "passed": (True,), "message": ""}
        assert observation["feedback"][-3:].tolist() == [1, 1, 1]


def test_a_complete_wrong_query_earns_nothing(env):
    """Another table: the query runs, and does not answer."""
    _, info = env.reset(seed=0, options={"task_id": "sql-v0/library-0"})
    assert info["program"] == f"SELECT {HOLE} FROM {HOLE}"
    env.step(1 - (info["expert_action"] == 1))
    assert env.step(0)[4]["expert_action"] == -1
    over = False
    while not over:
        valid = np.flatnonzero(env.action_masks())
        ends = [action for action in valid if env.option(int(action)).value == "end"]
        _, reward, over, _, info = env.step(int((ends or valid)[0]))
    assert (reward, info["held_out"], info["is_success"]) == (0.0, 0.0, False)
    assert info["measurements"]["executes"] == 1.0
    assert "answered" not in info["events"]


def test_right_by_chance_is_found_on_the_other_database(env, monkeypatch):
    """A constant that happens to be right fails where the rows are others."""
    task = env.tasks["sql-v0/library-12"]
    monkeypatch.setattr(type(env.tasks[0].held_out), "run", _blind(task))
    _, _, _, info = play(env, task.task_id)
    assert (info["measurements"]["match"], info["held_out"], info["is_success"]) == (1.0, 0.0, False)


def _blind(task):
    """`Database.run` that finds other rows on the held-out database for any query but the known one."""
    original = type(task.database).run

    def run(database, query):
        result = original(database, query)
        if database == task.held_out and query != task.query:
            return type(result)("ok", ((-1,),))
        return result

    return run


def test_masked_actions_spend_the_budget(executor):
    """They change nothing, and no agent can stall with them."""
    env = TextToSQLEnv(executor=executor, max_actions=3)
    observation, before = env.reset(seed=0)
    masked = int(np.flatnonzero(observation["action_mask"] == 0)[0])
    ends = []
    for _ in range(3):
        _, reward, terminated, truncated, info = env.step(masked)
        ends.append((reward, terminated, truncated))
        assert "invalid" in info["events"]
        assert info["program"] == before["program"]
    assert ends == [(0.0, False, False), (0.0, False, False), (0.0, False, True)]
    assert (info["held_out"], info["is_success"]) == (0.0, False)


def test_observation(env):
    """The hole's position points at its token; the rows tell productions; what the question mentions stands out."""
    observation, info = env.reset(seed=0, options={"task_id": "sql-v0/library-10"})  # ... of the genre poetry
    hit = False
    while info["expert_action"] >= 0:
        count = int(observation["action_mask"].sum())
        rows, scores = observation["candidates"][:count], observation["candidate_scores"][:count]
        assert FIRST_SQL <= rows[:, 0].min() <= rows[:, 0].max() < FIRST_TRANSFORMATION
        assert (observation["code"][rows[:, 3]] == FIXED[HOLE]).all() or "join" in str(env.option(0)) or count
        if env.state.derivation.decision.slot == "value":
            assert scores[info["expert_action"], 3] == 1
            hit = True
        observation, _, terminated, _, info = env.step(info["expert_action"])
        if terminated:
            break
    assert hit


def test_depth_is_a_budget(executor):
    """Without depth there are no subqueries: the expert finds no way to a nested query."""
    env = TextToSQLEnv(executor=executor, max_depth=1, expert=True)
    _, info = env.reset(seed=0, options={"task_id": "sql-v0/library-28"})
    while info["expert_action"] >= 0:
        *_, info = env.step(info["expert_action"])
    assert "WHERE pages >" in info["program"] or "WHERE pages ..." in info["program"]


def test_other_tasks_are_refused(executor):
    with pytest.raises(ConfigurationError, match="needs tasks of the kind 'SqlTask'"):
        TextToSQLEnv(tasks="builtin", executor=executor)
    with pytest.raises(ConfigurationError, match="max_depth"):
        TextToSQLEnv(executor=executor, max_depth=0)


@pytest.mark.data
def test_spider(executor):
    """The real questions work as well, by name."""
    env = TextToSQLEnv(tasks="spider", executor=executor, expert=True)
    rewards, terminated, _, info = play(env, "spider-v0/0")
    assert (rewards[-1], terminated, info["is_success"]) == (1.0, True, True)


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
    env = gymnasium.make("TextToSQL-v0", max_candidates=64).unwrapped
    env.restore(data.encode())
    return walk(env, steps, seed)


def test_a_restored_episode_goes_on_in_another_process(executor):
    """Snapshots and forks hold all that the MDP depends on."""
    env = gymnasium.make("TextToSQL-v0", max_candidates=64, executor=executor).unwrapped
    env.reset(seed=5)
    walk(env, 7, seed=0)
    data, twin = env.snapshot().decode(), env.fork()
    here = walk(env, 20, seed=1)
    assert walk(twin, 20, seed=1) == here
    assert in_fresh_process(f"{__name__}:continued", data, 20, 1) == here


def test_render(executor):
    env = TextToSQLEnv(executor=executor, render_mode="ansi")
    env.reset(seed=0)
    env.step(0)
    assert "SELECT" in env.render()
