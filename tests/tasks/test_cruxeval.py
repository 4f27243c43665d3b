"""CRUXEval: outputs to be written token by token, and arguments that are judged by what they give."""

import pytest

from code_envs.envs.completion import CodeCompletionEnv
from code_envs.errors import TaskError
from code_envs.execution.executor import Limits
from code_envs.tasks.cruxeval import load_inputs, load_outputs
from code_envs.tasks.sources import load

ITEM = {"code": "def f(xs, n):\n    return [x * n for x in xs]", "input": "[1, 2], 3", "output": "[3, 6]", "id": "s_0"}
WRONG = {**ITEM, "id": "s_1", "output": "[3, 7]"}


def test_outputs(write, executor):
    """What the call gives is missing; an item whose function gives something else is left out."""
    (gap,) = tasks = load_outputs(write([ITEM, WRONG]), executor)
    assert gap.before == ITEM["code"] + "\n\nassert f([1, 2], 3) == "
    assert (gap.target, gap.after, gap.program) == ("[3, 6]", "\n", None)
    assert (tasks.name, tasks.licence, tasks.ids) == ("cruxeval-output-v0", "MIT", ("cruxeval-output-v0/s_0",))
    assert "the reference fails" in tasks.left_out["cruxeval-output-v0/s_1"]


def arguments(gap, text, executor):
    """Whether a completion passes the gap's tests."""
    source = f"{gap.before}{text}{gap.after}".encode()
    return gap.program.reward_tests.run(source, executor, Limits()).all_passed


def test_inputs(write, executor):
    """Any arguments that give the output are right."""
    (gap,) = tasks = load_inputs(write([ITEM, WRONG]), executor)
    assert gap.before.startswith(ITEM["code"])
    assert gap.before.endswith("# f(*arguments()) == [3, 6]\ndef arguments():\n    return [")
    assert (gap.target, gap.after, tasks.name) == ("[1, 2], 3", "]\n", "cruxeval-input-v0")
    assert "the reference fails" in tasks.left_out["cruxeval-input-v0/s_1"]
    assert arguments(gap, "[1, 2], 3", executor)
    assert arguments(gap, "(3, 6), 1", executor)
    assert not arguments(gap, "[1, 2], 4", executor)
    assert not arguments(gap, "", executor)


@pytest.mark.parametrize(
    "text",
    [
        "[3, 6]",
        "]\n\ndef f(*_):\n    return [3, 6]\n\ndef arguments():\n    return [1, 2",
        "f := lambda *_: [3, 6], 1",
        "0, 0]; f = lambda *_: [3, 6]; [0",
    ],
)
def test_the_function_cannot_be_redefined(write, executor, text):
    """`f` is called where the agent's text never is."""
    (gap,) = load_inputs(write([ITEM]), executor)
    assert not arguments(gap, text, executor)


def test_both_questions_about_a_function_are_in_the_same_split(write, executor):
    """Or the answer to a test task would be the question of one that is trained on."""
    path = write([{**ITEM, "id": f"s_{n}", "code": ITEM["code"] + f"  # {n}"} for n in range(20)])
    names = [
        {task_id.rpartition("/")[2]: split for split, ids in tasks.splits.items() for task_id in ids}
        for tasks in (load_outputs(path, executor), load_inputs(path, executor))
    ]
    assert names[0] == names[1]
    assert len(names[0]) == 20
    assert len(load_inputs(path, executor, limit=2)) == 2


def test_an_id_twice(write, executor):
    """Ids are permanent names, so they must be unique."""
    with pytest.raises(TaskError, match=r"line 2: the id 's_0' is there twice"):
        load_outputs(write([ITEM, ITEM]), executor)


@pytest.mark.parametrize("loader", [load_outputs, load_inputs])
def test_an_episode(write, executor, loader):
    """An agent that writes what is missing has success."""
    env = CodeCompletionEnv(tasks=loader(write([ITEM]), executor), expert=True, executor=executor)
    _, info = env.reset(seed=0)
    over = False
    while not over:
        _, _, terminated, truncated, info = env.step(info["expert_action"])
        over = terminated or truncated
    assert (info["is_success"], info["held_out"]) == (True, 1.0)


@pytest.mark.data
def test_the_first_real_functions(data, executor):
    """All of the first 60, both ways."""
    for source in ("cruxeval-output*60", "cruxeval-input*60"):
        tasks = load(source, executor)
        assert (len(tasks), tasks.left_out) == (60, {})
        env = CodeCompletionEnv(tasks=tasks, executor=executor)
        env.reset(seed=0)
        _, _, terminated, _, info = env.step(0)
        assert (terminated, info["is_success"]) == (True, False)


@pytest.mark.data
@pytest.mark.slow
def test_real_outputs(data, executor):
    """All 800 functions give what the file says."""
    tasks = load("cruxeval-output", executor)
    assert (len(tasks), tasks.left_out) == (800, {})
    assert {name: len(ids) for name, ids in tasks.splits.items()} == {"train": 655, "validation": 72, "test": 73}


@pytest.mark.data
@pytest.mark.slow
def test_real_inputs(data, executor):
    """Three functions take arguments that no sandbox hands over."""
    tasks = load("cruxeval-input", executor)
    assert (len(tasks), len(tasks.left_out)) == (797, 3)
    assert all("opaque" in reason for reason in tasks.left_out.values())
