"""mxeval: MBPP's problems in JavaScript and Python, as tasks with tests."""

import pytest

from code_envs.envs.generation import CodeGenerationEnv
from code_envs.errors import ConfigurationError, TaskError
from code_envs.execution.executor import Limits
from code_envs.tasks.mxeval import load
from code_envs.tasks.sources import load as load_source

HEAD = """
const _ = require("lodash")

function compare(object1, object2){
    return _.isEqual(object1, object2)
}
"""
TEST = """
var arg{n}0 = {given};
var arg{n}1 = "v{n}; arg{n}0";
var x{n} = twice(arg{n}0, arg{n}1);
var v{n} = {expected};
if(!compare(x{n}, v{n})){{
    throw 'Error at {n}th assert statement. Value = ' + JSON.stringify(x)
}}
"""
JAVASCRIPT = {
    "task_id": "MBJSP/1",
    "prompt": "/**\n * Double every number.\n */\nfunction twice(numbers, text) {\n",
    "entry_point": "twice",
    "test": HEAD + "".join(TEST.format(n=n, given=[n, -n], expected=[2 * n, -2 * n]) for n in range(4)),
    "description": "Double every number.",
    "language": "javascript",
    "canonical_solution": "  return numbers.map((number) => 2 * number)\n}\n",
}
PYTHON = {
    "task_id": "MBPP/2",
    "prompt": 'def twice(n):\n    """Double a number."""\n',
    "entry_point": "twice",
    "test": "METADATA = {}\n\ndef check(candidate):\n    assert candidate(2) == 4\n    assert candidate(3) == 6\n",
    "language": "python",
    "canonical_solution": "    return 2 * n\n",
}


def solves(task, source, executor):
    """How many reward tests a program passes."""
    return sum(task.reward_tests.run(source.encode(), executor, Limits()).passed)


def test_javascript(write, executor):
    """Exceptions become asserts that say what they ask; 0 and -0 are equal, as they are to lodash."""
    (task,) = tasks = load(write([JAVASCRIPT]), executor)
    assert (tasks.name, tasks.licence, tasks.ids) == ("mbjsp-v0", "CC-BY-4.0", ("mbjsp-v0/MBJSP/1",))
    assert (task.language, task.entry_point, task.description) == ("javascript", "twice", "Double every number.")
    assert task.reward_tests.descriptions[0] == 'compare(twice([0, 0], "v0; arg00"), [0, 0])'
    assert (len(task.reward_tests), len(task.held_out_tests)) == (3, 1)
    assert solves(task, task.reference, executor) == 3
    assert solves(task, "function twice(numbers) { return numbers }", executor) == 1
    assert solves(task, "function twice(numbers) { return 'x' }", executor) == 0
    assert solves(task, "function twice(numbers) { return numbers.map((n) => 2 * n || -0) }", executor) == 3
    assert solves(task, "process.exit(0)", executor) == 0


def test_python(write, executor):
    """`check(candidate)`, and a description that stands in the prompt."""
    (task,) = tasks = load(write([PYTHON]), executor)
    assert (tasks.ids, task.language, task.entry_point) == (("mbpp-v0/MBPP/2",), "python", "twice")
    assert task.description == PYTHON["prompt"].strip()
    assert (len(task.reward_tests), len(task.held_out_tests)) == (1, 1)


def test_what_is_left_out_is_named(write, executor):
    """No canonical solution, a wrong one, one that does not run, and test code of another shape."""
    changes = [
        {"canonical_solution": None},
        {"canonical_solution": "  return numbers\n}\n"},
        {"canonical_solution": "  return others\n}\n"},
        {"test": HEAD + "if(!compare(twice([1]), [2])){ throw 'no' }"},
    ]
    records = [{**JAVASCRIPT, **change, "task_id": f"MBJSP/{n}"} for n, change in enumerate([{}, *changes])]
    tasks = load(write(records), executor)
    assert tasks.ids == ("mbjsp-v0/MBJSP/0",)
    reasons = list(tasks.left_out.values())
    assert reasons[0] == "it has no canonical solution"
    for reason, part in zip(reasons[1:], ("the reference fails", "others is not defined", "no assert"), strict=True):
        assert part in reason


def test_languages_that_are_not_called_by_name(write, executor):
    """C++ is refused with the reason; a file of several languages, too."""
    with pytest.raises(
        ConfigurationError, match=r"holds cpp programs\. Only Python and JavaScript programs are called"
    ):
        load(write([{**JAVASCRIPT, "language": "cpp"}]), executor)
    with pytest.raises(ConfigurationError, match=r"one language per file is expected, not \['javascript', 'python'\]"):
        load(write([JAVASCRIPT, PYTHON]), executor)
    with pytest.raises(TaskError, match=r"one set, not \['mbjsp', 'mbpp'\]"):
        load(write([PYTHON, {**PYTHON, "task_id": "MBJSP/1"}]), executor)


def test_an_episode(write, executor):
    """A program in JavaScript is written as a text, judged, and improved in the next turn."""
    env = CodeGenerationEnv(tasks=load(write([JAVASCRIPT]), executor), actions="text", executor=executor)
    env.reset(seed=0)
    _, _, terminated, _, info = env.step("function twice(numbers) { return numbers }")
    assert (terminated, info["outcome"]["passed"]) == (False, (True, False, False))
    _, reward, terminated, _, info = env.step(JAVASCRIPT["prompt"] + JAVASCRIPT["canonical_solution"])
    assert (terminated, info["is_success"], info["held_out"]) == (True, True, 1.0)
    assert reward == pytest.approx(5 / 3)


@pytest.mark.data
def test_the_first_real_problems(data, executor):
    """The first 60 items in JavaScript, all or left out with a reason; a bare path is known for what it is."""
    tasks = load_source("mxeval*60", executor)
    assert (tasks.name, len(tasks) + len(tasks.left_out)) == ("mbjsp-v0", 60)
    path = str(data / "mxeval" / "mbxp" / "mbjsp_release_v1.2.jsonl")
    assert load_source(path, executor, limit=60) is tasks


@pytest.mark.data
def test_real_problems_in_cpp(data, executor):
    """They are refused, not left out one by one."""
    with pytest.raises(ConfigurationError, match="holds cpp programs"):
        load_source("mxeval:mxeval/mbxp/mbcpp_release_v1.2.jsonl", executor)


@pytest.mark.data
@pytest.mark.slow
def test_real_problems(data, executor):
    """All 966 items in JavaScript; 171 have no solution that passes, most because it names its parameters otherwise."""
    tasks = load_source("mxeval", executor)
    assert (len(tasks), len(tasks.left_out)) == (795, 171)
    reasons = list(tasks.left_out.values())
    assert sum("ReferenceError" in reason for reason in reasons) == 135
    assert reasons.count("it has no canonical solution") == 28
