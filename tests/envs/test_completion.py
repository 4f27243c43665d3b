"""CodeCompletion-v0: the MDP."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

import code_envs  # noqa: F401  registers the ids
from code_envs.canonical import canonical
from code_envs.envs.completion import CodeCompletionEnv
from code_envs.errors import ConfigurationError, ExecutorError
from code_envs.syntax.spacing import BREAK, DEEPER, LESS_DEEP
from code_envs.tasks.cases import Case, CaseSuite
from code_envs.tasks.gaps import Gap
from code_envs.tasks.task import Task, TaskSet

END = 0


def suite(*cases):
    return CaseSuite("grow", [Case.of("grow", arguments, expected) for arguments, expected in cases])


REFERENCE = "def grow(n):\n    total = 0\n    for i in range(n):\n        total += i\n    return total\n"
PROGRAM = Task(
    "small-v0/grow",
    "Add the numbers below n.",
    "grow",
    REFERENCE,
    None,
    suite(((0,), 0), ((1,), 0), ((4,), 6), ((5,), 10)),
    suite(((3,), 3), ((6,), 15)),
    1000,
)


def gap(target, name="line", program=PROGRAM, **more):
    before, after = REFERENCE.split(target)
    return Gap(f"small-v0/{name}", before, after, target, "Add the numbers below n.", program, **more)


def task_set(*gaps):
    return TaskSet("small-v0", gaps, "MIT", "these tests", "0" * 64)


@pytest.fixture
def env(executor):
    tasks = task_set(gap("total += i"), gap("for i in range(n):\n        total += i", "span"))
    made = CodeCompletionEnv(tasks=tasks, executor=executor, expert=True, max_tokens=24)
    made.reset(options={"task_id": "small-v0/line"})
    return made


@pytest.fixture
def untested(executor):
    """A gap without tests, in CodeXGLUE's spelling."""
    line = Gap("t-v0/0", "import os\nx = os . path", "", ". join ( '' , x )", tokenised=True)
    made = CodeCompletionEnv(tasks=task_set(line), executor=executor, expert=True, max_tokens=12)
    made.reset(seed=0)
    return made


def write(env, *tokens):
    """Write tokens and end; the last transition, and the sum of the rewards."""
    total = 0.0
    for token in tokens:
        action = env.state.page.vocabulary.numbers[token]
        assert env.token(action) == token
        transition = env.step(action)
        total += transition[1]
    transition = env.step(END)
    return transition, total + transition[1]


def test_expert_writes_the_line(env):
    """The expert's tokens pass every test: the share, plus one, minus a hundredth per token."""
    _, info = env.reset(options={"task_id": "small-v0/line"})
    total, steps, over = 0.0, 0, False
    while not over:
        _, reward, terminated, truncated, info = env.step(info["expert_action"])
        total, steps, over = total + reward, steps + 1, terminated or truncated
    assert steps == 4
    assert (terminated, truncated) == (True, False)
    assert total == pytest.approx(1 + 1 - 3 * 0.01)
    assert info["program"] == REFERENCE
    assert info["written"] == "total += i"
    assert info["measurements"] == {"tests": 1.0, "similarity": 1.0, "exact": 1.0, "tokens": 3.0}
    assert (info["held_out"], info["is_success"]) == (1.0, True)
    assert {"submitted", "matched", "all_tests", "parses"} <= info["events"]


def test_another_right_program_succeeds(env):
    """Where there are tests, they decide, not the reference."""
    transition, total = write(env, "total", "=", "total", "+", "i")
    info = transition[4]
    assert info["is_success"] is True
    assert info["measurements"]["exact"] == 0.0
    assert "matched" not in info["events"]
    assert total == pytest.approx(2 - 0.05)


def test_a_wrong_line_earns_the_share_of_its_tests(env):
    """Two of four reward tests pass by chance; that is the reward, and no more."""
    transition, total = write(env, "total", "-=", "i")
    _, _, terminated, _, info = transition
    assert terminated
    assert info["measurements"]["tests"] == 0.5
    assert info["outcome"]["passed"] == (True, True, False, False)
    assert total == pytest.approx(0.5 - 0.03)
    assert info["is_success"] is False
    assert info["held_out"] == 0.0


def test_success_needs_both_suites(env):
    """A line that passes every held-out test and fails a reward test is no success."""
    transition, _ = write(env, *"total += i if n != 4 else 0".split())
    info = transition[4]
    assert info["held_out"] == 1.0
    assert info["measurements"]["tests"] == 0.75
    assert info["is_success"] is False


def test_nothing_runs_and_nothing_is_paid_before_the_end(env, monkeypatch):
    """Tokens need no sandbox; the reward of one is its cost."""
    monkeypatch.setattr(env.executor, "submit", None)
    number = env.state.page.vocabulary.numbers["total"]
    _, reward, _, _, info = env.step(number)
    assert reward == pytest.approx(-0.01)
    assert info["measurements"]["tests"] == 0.0
    assert "edited" in info["events"]


def test_a_line_that_does_not_parse_is_data(env):
    transition, total = write(env, ")", ")")
    assert transition[4]["outcome"]["status"] == "compile_error"
    assert total == pytest.approx(-0.02)
    assert "parses" not in transition[4]["events"]


def test_an_endless_loop_meets_the_step_limit(env):
    transition, _ = write(env, "while", "True", ":", "pass")
    assert "timeout" in transition[4]["events"]
    assert transition[4]["is_success"] is False


def test_a_masked_action_changes_nothing_and_costs(env):
    """It is reported, costs what a token costs, and spends the budget."""
    before = env._observation(env.state)
    observation, reward, _, _, info = env.step(env.action_space.n - 1)
    assert info["events"] == {"invalid"}
    assert reward == pytest.approx(-0.01)
    assert info["written"] == ""
    for key in ("code", "text", "candidates", "candidate_scores", "action_mask"):
        assert np.array_equal(before[key], observation[key]), key


def test_the_budget_ends_the_episode_and_the_text_is_judged(env):
    """Only masked actions: no agent can stall. With the budget spent on a right line, it counts."""
    ends = [env.step(env.action_space.n - 1)[2:4] for _ in range(24)]
    assert ends == [(False, False)] * 23 + [(False, True)]
    short = CodeCompletionEnv(tasks=env.tasks, executor=env.executor, max_tokens=3)
    short.reset(options={"task_id": "small-v0/line"})
    numbers = short.state.page.vocabulary.numbers
    for token in ("total", "+=", "i"):
        _, reward, terminated, truncated, info = short.step(numbers[token])
    assert (terminated, truncated) == (False, True)
    assert reward == pytest.approx(2 - 0.01)
    assert info["is_success"] is True
    assert {"budget_spent", "matched"} <= info["events"]


def test_a_span_has_layout(env):
    """Line breaks are tokens; indentation follows by itself, and can be changed where a line begins only."""
    _, info = env.reset(options={"task_id": "small-v0/span"})
    numbers = env.state.page.vocabulary.numbers
    assert not env.action_masks()[[numbers[DEEPER], numbers[LESS_DEEP]]].any()
    over = False
    while not over:
        _, _, over, _, info = env.step(info["expert_action"])
    assert info["program"] == REFERENCE
    env.reset(options={"task_id": "small-v0/span"})
    env.step(numbers[BREAK])
    assert env.action_masks()[[numbers[DEEPER], numbers[LESS_DEEP]]].all()
    _, _, _, _, info = env.step(numbers[LESS_DEEP])
    assert "edited" in info["events"]
    assert not env.action_masks()[numbers[DEEPER]]
    env.step(numbers["i"])
    assert env.step(numbers[DEEPER])[4]["events"] == {"invalid"}


def test_single_lines_have_no_layout(env):
    assert BREAK not in env.state.page.vocabulary.numbers


def test_without_tests_only_the_line_itself_is_right(untested):
    """1 for the very tokens, 0 for others; `held_out` says the same."""
    transition, total = write(untested, ".", "join", "(", "''", ",", "x", ")")
    assert total == pytest.approx(1 - 0.07)
    assert transition[4]["program"].endswith("os . path . join ( '' , x )")
    assert (transition[4]["held_out"], transition[4]["is_success"]) == (1.0, True)
    untested.reset(seed=0)
    transition, total = write(untested, ".", "join")
    assert total == pytest.approx(-0.02)
    assert transition[4]["held_out"] == 0.0
    assert 0 < transition[4]["measurements"]["similarity"] < 1


def test_the_expert_is_silent_off_its_way(untested):
    numbers = untested.state.page.vocabulary.numbers
    assert untested.step(numbers["("])[4]["expert_action"] == -1


def test_the_expert_is_silent_where_a_token_is_not_on_offer(executor):
    line = Gap("t-v0/0", "x = 1\ny", "", "= zorro", tokenised=True)
    env = CodeCompletionEnv(tasks=task_set(line), executor=executor, expert=True)
    _, info = env.reset(seed=0)
    assert env.step(info["expert_action"])[4]["expert_action"] == -1


def test_the_observation_shows_the_gap(env):
    """Before, written, mark, behind: in this order, and the candidates' positions point into it."""
    observation, _ = env.reset(options={"task_id": "small-v0/line"})
    first = observation["code"]
    number = env.state.page.vocabulary.numbers["total"]
    observation, *_ = env.step(number)
    code, row = observation["code"], observation["candidates"][number]
    gap_at = env.state.page.vocabulary.context.gap
    assert code[gap_at] == row[7]
    assert np.array_equal(first[:gap_at], code[:gap_at])
    assert np.array_equal(first[gap_at:-1], code[gap_at + 1 :])
    for action in env.state.page.vocabulary.numbers.values():
        row = observation["candidates"][action]
        if row[0] == 34:
            assert code[row[3]] == row[7], env.token(action)


def test_long_programs_keep_the_neighbourhood_of_the_gap(executor):
    """A file longer than `code` is cut on both sides; positions of what is cut away point at the gap."""
    before = "".join(f"name{n} = {n}\n" for n in range(200))
    long = Gap("t-v0/0", before, "\n" + before, "name7 = name8")
    env = CodeCompletionEnv(tasks=task_set(long), executor=executor, max_tokens=8)
    observation, _ = env.reset(seed=0)
    assert (observation["code"][:-8] > 0).all()  # the rest is room for what will be written
    mark = int(np.flatnonzero(observation["code"] == 3)[0])
    assert 150 < mark < 200
    assert observation["candidates"][:, 3].max() < 256
    for _ in range(7):
        observation, *_ = env.step(5)
        assert env.observation_space.contains(observation)


def test_a_sandbox_failure_truncates(env, monkeypatch):
    """It is never a reward of zero, and the episode is told again as it was."""

    def fail(job):
        raise ExecutorError("the worker is lost")

    monkeypatch.setattr(env.executor, "submit", fail)
    _, reward, terminated, truncated, info = env.step(END)
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert info["executor_error"] == "the worker is lost"
    _, again = env.restore(env.snapshot())
    assert canonical(again) == canonical(info)


def test_snapshot_and_fork(env):
    """A restored episode and a fork go on as the original does."""
    numbers = env.state.page.vocabulary.numbers
    env.step(numbers["total"])
    data, twin = env.snapshot(), env.fork()
    ends = [canonical(list(write(each, "+=", "i")[0])) for each in (env, twin)]
    env.restore(data)
    ends.append(canonical(list(write(env, "+=", "i")[0])))
    assert ends[0] == ends[1] == ends[2]


def test_arguments(executor):
    with pytest.raises(ConfigurationError, match="actions must be 'token', got 'edit'"):
        CodeCompletionEnv(actions="edit", executor=executor)
    with pytest.raises(ConfigurationError, match="of the kind 'Gap'; those of 'builtin-v0' are of the kind 'Task'"):
        CodeCompletionEnv(tasks="builtin", executor=executor)
    with pytest.raises(ConfigurationError, match=r"knows \['java', 'python'\], not 'cobol'"):
        CodeCompletionEnv(tasks=task_set(gap("total += i", language="cobol")), executor=executor).reset(seed=0)


def test_vector_environment(executor):
    """`make_vec` gives the native vector environment; its episodes are those of the single one."""
    vector = gymnasium.make_vec("CodeCompletion-v0", num_envs=2, executor=executor, max_tokens=4)
    single = gymnasium.make("CodeCompletion-v0", executor=executor, max_tokens=4)
    observations, _ = vector.reset(seed=3)
    alone, _ = single.reset(seed=4)
    assert np.array_equal(observations["candidates"][1], alone["candidates"])
    for _ in range(4):
        observations, rewards, *_ = vector.step(np.array([9, 9]))
        alone, reward, *_ = single.step(9)
        assert rewards[1] == pytest.approx(reward)
    assert np.array_equal(observations["text"][1], alone["text"])


def test_every_default_line_can_be_written():
    """The expert knows the way through each of the built-in gaps."""
    env = gymnasium.make("CodeCompletion-v0").unwrapped
    assert len(env.tasks) == 64
    assert all(min(env._page(task).way) > 0 for task in env.tasks)
