"""CodeRepair-v0 on C programs that do not compile: the compiler is the judge, the edits are over tokens."""

import shutil

import gymnasium
import numpy as np
import pytest

from code_envs.envs.localisation import closeness, complained
from code_envs.envs.observation import FIRST_TOKEN_EDIT
from code_envs.envs.repair import FIRST_EDIT, SUBMIT, UNDO, CodeRepairEnv
from code_envs.execution.executor import Diagnostic
from code_envs.syntax.token_edits import TokenEdit
from code_envs.syntax.tokens import SEPARATOR, VOCABULARY_SIZE
from code_envs.tasks.assembly import Source
from code_envs.tasks.compile_suite import CompileDraft, assemble_compiled
from code_envs.testing import check_env
from code_envs.vector import CodeVectorEnv

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc on PATH")

RIGHT = """#include <stdio.h>
int main() {
    int total = 0;
    for (int i = 0; i < 5; i++) {
        total = total + i;
    }
    printf("%d", total);
    return 0;
}
"""
STARTS = {
    "semicolon": RIGHT.replace("total + i;", "total + i"),
    "two": RIGHT.replace("total + i;", "totl + i;").replace("return 0;", "retrn 0;"),
    "bracket": RIGHT.replace("i++) {", "i++ {"),
    "name": RIGHT.replace('"%d", total', '"%d", totall'),
}
OFFERED = 120


@pytest.fixture(scope="module")
def tasks(executor):
    drafts = [CompileDraft(name, "Repair it.", start, RIGHT, name) for name, start in STARTS.items()]
    return assemble_compiled(Source("small-v0", "MIT", "these tests", "0" * 64), drafts, executor)


@pytest.fixture
def env(tasks, executor):
    return CodeRepairEnv(tasks=tasks, executor=executor, expert=True)


def begin(env, name):
    return env.reset(seed=0, options={"task_id": f"small-v0/{name}"})


def edit_to(env, program):
    """The action that gives a program."""
    source = env.state.path[-1].program.source
    for action in range(FIRST_EDIT, int(env.action_space.n)):
        edit = env.edit(action)
        if edit and source[: edit.start] + edit.text + source[edit.end :] == program.encode():
            return action
    raise AssertionError(f"no candidate gives {program!r}")


def test_the_expert_repairs(env):
    """The edit that gives the reference ends the episode, with everything that a success brings."""
    _, info = begin(env, "semicolon")
    assert info["outcome"]["status"] == "compile_error"
    assert info["outcome"]["message"].startswith("expected")
    assert info["outcome"]["passed"] == (False,)
    assert info["measurements"]["errors"] == 1
    _, reward, terminated, _, info = env.step(info["expert_action"])
    assert terminated
    assert reward == pytest.approx(1 + 1 - 0.01)
    assert info["program"] == RIGHT
    assert info["outcome"] == {"status": "ok", "passed": (True,), "message": ""}
    assert info["measurements"]["errors"] == 0
    assert (info["held_out"], info["is_success"]) == (1.0, True)
    assert {"edited", "parses", "test_gained", "all_tests"} <= info["events"]


def test_each_error_that_goes_earns_its_share(env):
    """Of the errors of a program, an edit that removes some earns their share, and undoing it loses that again."""
    _, info = begin(env, "two")
    errors = info["measurements"]["errors"]
    assert errors >= 2
    assert len(info["outcome"]["passed"]) == errors
    action = edit_to(env, STARTS["two"].replace("retrn", "return"))
    _, reward, terminated, _, info = env.step(action)
    left = info["measurements"]["errors"]
    assert not terminated
    assert 0 < left < errors
    assert reward == pytest.approx((errors - left) / errors - 0.01)
    assert sum(info["outcome"]["passed"]) == errors - left
    _, lost, _, _, info = env.step(UNDO)
    assert lost == pytest.approx((left - errors) / errors)
    assert info["program"] == STARTS["two"]


def test_more_errors_earn_nothing(env):
    """An edit that makes it worse changes nothing in the share, and the count says it."""
    _, info = begin(env, "semicolon")
    start = STARTS["semicolon"]
    _, reward, _, _, info = env.step(edit_to(env, start.replace("total + i", "total + ")))
    assert reward == pytest.approx(-0.01)
    assert info["measurements"]["errors"] >= 1
    assert info["measurements"]["tests"] == 0


def test_hiding_errors_earns_nothing(env):
    """The compiler stops at an include that it does not find; that it says less then is no progress."""
    begin(env, "two")
    broken = STARTS["two"].replace("<stdio.h>", "<stdioo.h>")
    outcome = env.executor.run(env.tasks["small-v0/two"].reward_tests.job(broken.encode(), env.limits))
    assert outcome.errors == 1
    assert env.tasks["small-v0/two"].reward_tests.grade(outcome, env.executor).share == 0


def test_what_the_agent_sees(env):
    """Operators of the family, suspicion at the line with the error, the message behind the description."""
    observation, info = begin(env, "name")
    version = env.state.path[-1]
    kept = len(version.kept)
    rows = observation["candidates"][FIRST_EDIT : FIRST_EDIT + kept]
    scores = observation["candidate_scores"][FIRST_EDIT : FIRST_EDIT + kept]
    assert env.observation_space.contains(observation)
    assert set(rows[:, 0].tolist()) <= {int(each) for each in TokenEdit}
    assert rows[:, 0].min() >= FIRST_TOKEN_EDIT
    lines = version.candidates.lines[version.kept]
    assert set(scores[lines == 7, 0]) == {1.0}
    assert set(scores[lines == 7, 1]) == {1.0}
    assert set(scores[lines == 6, 0]) == {0.5}
    assert set(scores[lines == 7, 3]) == {1.0}
    assert not scores[lines != 7, 1].any()
    text = observation["text"].tolist()
    message = env.state.enumerator.ids.text(info["outcome"]["message"])
    assert text[text.index(SEPARATOR) + 1 :][: len(message)] == list(message)
    assert observation["feedback"][[0, 1, 2, 5]].tolist() == [0, 0, 1, 1]


def test_long_programs_stay_in_the_observation_space(executor):
    """A program of more tokens than the vocabulary has ids: positions stay below its size."""
    long = RIGHT.replace("    return 0;", "    total = total + 1;\n" * (VOCABULARY_SIZE // 4) + "    return 0")
    draft = CompileDraft("long", "d", long, RIGHT, "g")
    env = CodeRepairEnv(
        tasks=assemble_compiled(Source("long-v0", "MIT", "these tests", "0" * 64), [draft], executor), executor=executor
    )
    observation, _ = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    assert observation["candidates"][:, 3].max() == VOCABULARY_SIZE - 1


def test_same_seed_same_rollout(env, tasks, executor):
    """Two environments, one seed, one rollout; a snapshot continues it."""

    def walk(made, steps=6):
        rng = np.random.default_rng(3)
        found = []
        made.reset(seed=4)
        for _ in range(steps):
            _, reward, terminated, truncated, info = made.step(
                int(rng.choice(np.flatnonzero(made.action_masks()[2:]) + 2))
            )
            found.append((info["program"], reward, info["outcome"], info["measurements"]))
            if terminated or truncated:
                made.reset()
        return found

    other = CodeRepairEnv(tasks=tasks, executor=executor, expert=True)
    assert walk(env) == walk(other)
    restored = CodeRepairEnv(tasks=tasks, executor=executor, expert=True)
    restored.restore(env.snapshot())
    assert walk(restored) == walk(env)
    before = env.snapshot()
    twin = env.fork()
    twin.step(FIRST_EDIT)
    assert env.snapshot() == before


def repairing(env, actions):
    """Which of these edits of the starting program make it compile."""
    suite, source = env.state.task.reward_tests, env.state.path[0].program
    jobs = [suite.job(source.apply(env.edit(int(action))).source, env.limits) for action in actions]
    return np.array([suite.grade(outcome, env.executor).all_passed for outcome in env.executor.run_many(jobs)])


def test_the_first_suspicious_line_beats_chance(tasks, executor):
    """Of the edits of the most suspicious line, a greater share repairs the program than of all, which is chance's."""
    env = CodeRepairEnv(tasks=tasks, executor=executor, max_candidates=OFFERED)
    observation, _ = begin(env, "semicolon")
    valid = np.flatnonzero(observation["action_mask"][FIRST_EDIT:]) + FIRST_EDIT
    repairs = repairing(env, valid)
    suspicious = observation["candidate_scores"][valid, 1] == 1
    assert repairs.mean() > 0
    assert repairs[suspicious].mean() > 1.5 * repairs.mean()


def test_submit_and_masked_actions(env):
    """Submit ends without success; a masked action changes nothing and costs as much as an edit."""
    begin(env, "two")
    _, reward, _, _, info = env.step(UNDO)
    assert reward == pytest.approx(-0.01)
    assert "invalid" in info["events"]
    _, reward, terminated, _, info = env.step(SUBMIT)
    assert (reward, terminated, info["is_success"], info["held_out"]) == (0.0, True, False, 0.0)


def test_vector_environment(tasks, executor):
    """Several programs at once, executions overlapped."""
    env = CodeVectorEnv(2, env=CodeRepairEnv, tasks=tasks, executor=executor)
    observations, _ = env.reset(seed=0)
    for _ in range(4):
        actions = [int(np.flatnonzero(mask[FIRST_EDIT:])[0]) + FIRST_EDIT for mask in env.action_masks()]
        observations, rewards, _, _, _ = env.step(np.array(actions))
        assert env.observation_space.contains(observations)
        assert ((rewards >= -1.01) & (rewards <= 1.99)).all()


def test_pictures(tasks, executor):
    """The program with its last edit can be drawn as text."""
    env = CodeRepairEnv(tasks=tasks, executor=executor, render_mode="ansi")
    begin(env, "semicolon")
    env.step(FIRST_EDIT)
    assert "total" in env.render()


@pytest.mark.slow
def test_check_env(env):
    """Our checks and Gymnasium's find nothing."""
    check_env(env, walks=1, steps=8)


@pytest.mark.slow
@pytest.mark.data
def test_check_env_on_real_programs():
    """The same for the id on a few real pairs, also in a fresh process."""
    check_env("CodeRepair-v0", walks=1, steps=6, kwargs={"tasks": "tracer*12"})


@pytest.mark.data
def test_real_programs_fit_the_space(executor):
    """Real programs have candidates within the spaces; for most, one gives the student's own repair to the byte."""
    env = gymnasium.make("CodeRepair-v0", tasks="tracer*30", executor=executor, expert=True)
    known = 0
    for task in env.unwrapped.tasks:
        observation, info = env.reset(options={"task_id": task.task_id})
        assert env.observation_space.contains(observation)
        known += info["expert_action"] >= FIRST_EDIT
    assert known >= len(env.unwrapped.tasks) // 2
    env.close()


def error(line, column):
    return Diagnostic("error", "no", line, column)


def test_suspicion_of_lines():
    """1 where an error is, 1 / (1 + distance) around, 0 beyond eight lines; warnings and unknown lines say nothing."""
    found = complained([error(10, 1), error(10, 4), error(12, 1), Diagnostic("warning", "w", 1), error(99, 1)], 40)
    assert found.value[[10, 11, 12, 13, 20, 21]].tolist() == pytest.approx([1, 0.5, 1, 0.5, 1 / 9, 0])
    assert found.failing[[10, 12, 11]].tolist() == pytest.approx([2 / 3, 1 / 3, 0])
    assert found.highest.nonzero()[0].tolist() == [10, 12]
    assert not complained([error(0, 0)], 3).value.any()


def test_closeness_reads_columns_as_gcc_counts_them():
    """Tabs reach to the next eighth column, letters of several bytes count once."""
    source = "a\n\tb = é + c;\n".encode()
    at = source.index(b"c;")
    starts = np.array([0, at, at + 4], np.int32)
    assert closeness([error(2, 8 + 9)], source, starts)[1:].tolist() == [1, 0.5]
    assert closeness([], source, starts).tolist() == [0, 0, 0]
    assert closeness([error(2, 500)], source, starts)[1] > 0.5
