"""APPS: whole programs and functions, from folders and from JSON Lines."""

import json

import pytest

from code_envs.envs.generation import CodeGenerationEnv
from code_envs.envs.repair import CodeRepairEnv
from code_envs.errors import TaskError
from code_envs.execution.executor import Limits
from code_envs.tasks.apps import load
from code_envs.tasks.sources import load as load_source

ADD = "a, b = map(int, input().split())\nprint(a + b)\n"
SUMS = {"inputs": [f"{n} 2\n" for n in range(8)], "outputs": [f"{n + 2}\n" for n in range(8)]}
METHOD = "class Solution:\n    def total(self, xs: List[int], top: int) -> int:\n        return min(sum(xs), top)\n"
CALLS = {"fn_name": "total", "inputs": [[[n, 2], 9] for n in range(5)], "outputs": [n + 2 for n in range(5)]}


def write(folder, name, question="Add two numbers.", solutions=(ADD,), tests=SUMS, starter=None):
    """A problem's folder."""
    folder = folder / name
    folder.mkdir(parents=True)
    (folder / "question.txt").write_text(question)
    if solutions is not None:
        (folder / "solutions.json").write_text(json.dumps(list(solutions)))
    if tests is not None:
        (folder / "input_output.json").write_text(tests if isinstance(tests, str) else json.dumps(tests))
    if starter is not None:
        (folder / "starter_code.py").write_text(starter)
    return folder


def share(suite, source, executor):
    return suite.run(source.encode(), executor, Limits()).share


def test_whole_programs(tmp_path, executor):
    """A task of standard input and output; its steps are not limited, because they are not counted."""
    write(tmp_path, "train/0003")
    (task,) = tasks = load(tmp_path, executor)
    assert (tasks.name, tasks.licence, tasks.ids) == ("apps-v0", "MIT", ("apps-v0/train/0003",))
    assert tasks.splits == {"train": tasks.ids, "validation": (), "test": ()}
    assert (task.entry_point, task.reference, task.steps, task.start) == ("main", ADD, None, None)
    assert task.description.startswith("Add two numbers.\n\nWrite a program that reads the standard input")
    assert task.held_out_tests.descriptions == ("'1 2\\n' -> '3'", "'5 2\\n' -> '7'")
    assert len(task.reward_tests) == 6
    assert share(task.reward_tests, "print(sum(map(int, input().split())))", executor) == 1
    assert share(task.reward_tests, "print(4)", executor) == 1 / 6


def test_functions(tmp_path, executor):
    """A method of `Solution` or a plain function; what a solution of the benchmark does not import, it gets."""
    write(tmp_path, "test/0001", "Sum up.", [METHOD], CALLS, "def total(xs, top):\n")
    (task,) = tasks = load(tmp_path, executor)
    assert tasks.splits["test"] == tasks.ids == ("apps-v0/test/0001",)
    assert (task.entry_point, task.description) == ("total", "Sum up.\n\ndef total(xs, top):")
    assert task.reference.startswith("from typing import List\nclass Solution:")
    assert "def total(xs, top):\n    return Solution().total(xs, top)" in task.reference
    assert task.reward_tests.descriptions[0] == "total([0, 2], 9) == 2"
    assert task.steps is not None
    for program in (task.reference, METHOD.replace("List[int]", "list"), "def total(xs, top):\n    return sum(xs)\n"):
        assert share(task.reward_tests, program, executor) == 1
        assert share(task.held_out_tests, program, executor) == 1
    assert share(task.reward_tests, "def total(xs, top):\n    return 2\n", executor) == 1 / 4


def test_outputs_in_a_list_and_tuples(tmp_path, executor):
    """JSON has no tuples, and some outputs stand in a list of their own: the solution's value counts."""
    pair = "def pair(x):\n    return (x, x)\n"
    write(
        tmp_path, "1", solutions=[pair], tests={"fn_name": "pair", "inputs": [[1], [2]], "outputs": [[1, 1], [[2, 2]]]}
    )
    (task,) = load(tmp_path, executor)
    assert task.reward_tests.descriptions == ("pair(1) == (1, 1)",)
    assert task.held_out_tests.descriptions == ("pair(2) == (2, 2)",)


def test_inputs_as_lists_of_lines(tmp_path, executor):
    """Some files have them so."""
    write(tmp_path, "1", tests={"inputs": [["1 2", ""], "2 2"], "outputs": [["3"], "4"]})
    (task,) = load(tmp_path, executor)
    assert task.reward_tests.descriptions == ("'1 2\\n' -> '3'",)


def test_the_first_solution_that_gives_the_outputs_is_the_reference(tmp_path, executor):
    """Three are tried."""
    write(tmp_path, "a", solutions=["print(1)", "1 / 0", ADD])
    write(tmp_path, "b", solutions=["print(1)", "1 / 0", "", ADD])
    tasks = load(tmp_path, executor)
    assert (tasks.ids, tasks[0].reference) == (("apps-v0/a",), ADD)
    assert tasks.left_out == {
        "apps-v0/b": "no solution that was tried gives the outputs; the first one gives '1' for test 0, not '2\\n'"
    }


def test_what_is_left_out_is_named(tmp_path, executor):
    """Problems without solutions, without tests, and whose tests an empty program passes."""
    write(tmp_path, "train/0")
    write(tmp_path, "train/1", solutions=None)
    write(tmp_path, "train/2", tests="null")
    write(tmp_path, "train/3", tests=None)
    write(tmp_path, "train/4", solutions=["pass"], tests={"inputs": ["1"], "outputs": ["\n"]})
    write(tmp_path, "train/5", solutions=["while True:\n    pass"])
    tasks = load(tmp_path, executor)
    reasons = {name.rpartition("/")[2]: reason for name, reason in tasks.left_out.items()}
    assert len(tasks) == 1
    assert (reasons["1"], reasons["2"], reasons["3"]) == ("it has no solution", "it has no tests", "it has no tests")
    assert "nothing is to be written" in reasons["4"]
    assert "ends test 0 with cpu_limit" in reasons["5"]


def test_splits_of_problems_that_name_none(tmp_path, executor):
    """The question decides."""
    for number in range(12):
        write(tmp_path, f"p{number:02}", f"Question {number}")
    tasks = load(tmp_path, executor)
    assert sorted(name for ids in tasks.splits.values() for name in ids) == sorted(tasks.ids)
    assert tasks.ids == tuple(f"apps-v0/p{number:02}" for number in range(12))
    assert load(tmp_path, executor, limit=3).ids == tasks.ids[:3]


def test_json_lines(tmp_path, executor):
    """As on the Hugging Face Hub; the same problem gives the same task."""
    write(tmp_path / "folders", "test/0007")
    record = {"id": 7, "question": "Add two numbers.", "solutions": json.dumps([ADD]), "input_output": json.dumps(SUMS)}
    path = tmp_path / "test.jsonl"
    path.write_text(
        json.dumps({**record, "starter_code": ""}) + "\n" + json.dumps({**record, "id": 8, "solutions": ""})
    )
    tasks, twins = load(path, executor), load(tmp_path / "folders", executor)
    assert tasks.ids == twins.ids == ("apps-v0/test/0007",)
    assert tasks.splits == twins.splits
    assert (tasks[0].description, tasks[0].reference) == (twins[0].description, twins[0].reference)
    assert tasks.left_out == {"apps-v0/test/0008": "it has no solution"}
    assert load_source(str(path), executor).ids == tasks.ids


def test_one_problem(tmp_path, executor):
    """A path may be the folder of a problem, whose split is above it."""
    folder = write(tmp_path, "train/0003")
    assert load(folder, executor).ids == ("apps-v0/train/0003",)
    assert load(write(tmp_path, "mine"), executor).ids == ("apps-v0/mine",)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("question.txt", b"", "question.txt: the file is empty"),
        ("question.txt", b"caf\xe9", "question.txt, line 1: byte 3 is 0xe9, which is not UTF-8"),
        ("question.txt", None, "question.txt: cannot be read"),
        ("solutions.json", b'["print(1)"', "solutions.json: not JSON as APPS expects, or cut off"),
        ("solutions.json", b"\xff\xfe[", "solutions.json, line 1: byte 0 is 0xff, which is not UTF-8"),
        ("solutions.json", b'{"a": 1}', "the solutions of APPS are a list of str, not"),
        ("solutions.json", b"[1]", "the solutions of APPS are a list of str, not"),
        ("input_output.json", b'{"inputs": ["1"', "input_output.json: not JSON as APPS expects, or cut off"),
        ("input_output.json", b"[]", "the tests of APPS are an object with the lists 'inputs' and 'outputs'"),
        ("input_output.json", b'{"inputs": ["1"], "outputs": []}', "of one length, not"),
        ("input_output.json", b'{"inputs": [1], "outputs": ["1"]}', "texts or lists of lines, not '1'"),
        ("input_output.json", b'{"inputs": [1], "outputs": [1], "fn_name": "f"}', "an input for 'f' is a list of arg"),
        ("input_output.json", b'{"inputs": [], "outputs": [], "fn_name": 1}', "'fn_name' of APPS is the name of a"),
    ],
)
def test_faults_of_files(tmp_path, executor, name, content, message):
    """Each fault is an error that names the problem and what was expected."""
    folder = write(tmp_path, "train/0003")
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(TaskError, match=message) as raised:
        load(tmp_path, executor)
    assert str(folder) in str(raised.value)


def test_other_folders(tmp_path, executor):
    """No problem at all, and none that can be used."""
    (tmp_path / "readme.txt").write_text("hello")
    with pytest.raises(TaskError, match=r"expects folders with question.txt, .* Found \['readme.txt'\]"):
        load(tmp_path, executor)
    write(tmp_path, "1", solutions=None)
    with pytest.raises(TaskError, match=r"No task of 'apps-v0' certifies.*it has no solution"):
        load(tmp_path, executor)


def test_an_episode(tmp_path, executor):
    """A whole program, then a function that the grammar writes, on the same task."""
    write(tmp_path, "train/0003")
    tasks = load(tmp_path, executor)
    env = CodeGenerationEnv(tasks=tasks, actions="text", executor=executor)
    observation, _ = env.reset(seed=0)
    assert "def main(argument_0):" in observation["task"]
    _, reward, terminated, _, info = env.step("print(4)")
    assert (terminated, reward, info["outcome"]["status"]) == (False, pytest.approx(1 / 6), "ok")
    _, _, terminated, _, info = env.step("print(")
    assert (terminated, info["outcome"]["status"]) == (False, "load_error")
    _, _, terminated, _, info = env.step(ADD)
    assert (terminated, info["is_success"], info["held_out"]) == (True, True, 1.0)


def test_an_episode_of_repair(tmp_path, executor):
    """A fault that was put into a whole program is taken out again."""
    write(
        tmp_path, "train/0003", solutions=["def add(a, b):\n    return a + b\n\n\n" + ADD.replace("a + b", "add(a, b)")]
    )
    env = CodeRepairEnv(tasks=load_source(f"mutants:apps:{tmp_path}", executor), expert=True, executor=executor)
    _, info = env.reset(seed=0)
    assert info["measurements"]["tests"] < 1
    _, _, terminated, _, info = env.step(info["expert_action"])
    assert (terminated, info["is_success"]) == (True, True)


@pytest.mark.data
def test_real_problems(data, executor):
    """All five whole problems; the folders of example tests have no problem in them, and are not read."""
    tasks = load_source("apps", executor)
    assert (len(tasks), tasks.left_out) == (5, {})
    assert {name: len(ids) for name, ids in tasks.splits.items()} == {"train": 5, "validation": 0, "test": 0}
    kinds = {task.task_id.rpartition("/")[2]: task.entry_point for task in tasks}
    assert kinds == {
        "0001": "main", "0111": "main", "2287": "main", "2404": "findKthPositive", "4184": "is_prime"
    }  # fmt: skip
    env = CodeGenerationEnv(tasks=tasks, actions="text", executor=executor)
    for task in tasks:
        env.reset(options={"task_id": task.task_id})
        assert env.step("print(-7)")[2] is False
        _, _, terminated, _, info = env.step(task.reference)
        assert (terminated, info["is_success"]) == (True, True)
