"""The slow programs, their certification, and the cost that is counted."""

from __future__ import annotations

import pytest

from code_envs.errors import ConfigurationError, TaskError
from code_envs.execution.executor import Job, Limits, Status
from code_envs.execution.values import encode_calls
from code_envs.syntax.costing import charged
from code_envs.tasks import slow_programs
from code_envs.tasks.sources import load

GOOD = """Return twice the sum.
--- slow
def double(xs):
    total = 0
    for x in xs:
        total += 2 * x
    return total
--- fast
def double(xs):
    return 2 * sum(xs)
--- calls
[(numbers(n, n),) for n in (1, 2, 3, 40, 50, 60)]
"""


@pytest.fixture(scope="module")
def tasks(executor):
    return slow_programs.load(executor)


def test_the_built_in_set(tasks):
    """49 programs certify, 33 to train on and 16 to test on, each once."""
    assert (len(tasks), tasks.left_out, tasks.licence) == (49, {}, "MIT")
    assert {name: len(ids) for name, ids in tasks.splits.items()} == {"train": 33, "test": 16}
    assert sorted(tasks.splits["train"] + tasks.splits["test"]) == sorted(tasks.ids)
    assert all(len(task.reward_tests) == 6 and len(task.held_out_tests) == 2 for task in tasks)


def test_the_source_by_name(executor):
    """`slow` is a source like the others, and takes no path."""
    assert load("slow", executor, limit=2).ids == ("slow-v0/above_limit", "slow-v0/all_even")
    with pytest.raises(ConfigurationError, match="takes no path"):
        load("slow:/x", executor)


def made(tmp_path, executor, text, name="double"):
    (tmp_path / f"{name}.txt").write_bytes(text.encode() if isinstance(text, str) else text)
    return slow_programs.load(executor, folder=tmp_path)


def test_a_folder_of_others(tmp_path, executor):
    """The format is the documented one: expected values come from the fast program."""
    (task,) = made(tmp_path, executor, GOOD)
    assert task.description == "Return twice the sum."
    assert task.start.startswith("def double(xs):\n    total = 0")
    assert task.reference == "def double(xs):\n    return 2 * sum(xs)\n"
    assert len(task.reward_tests) + len(task.held_out_tests) == 6


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("2 * x", "3 * x", "the slow program fails a test"),
        ("return 2 * sum(xs)", "return sum([2 * x for x in list(sorted(xs))])", "not a tenth cheaper"),
        ("return 2 * sum(xs)", "return None", "returns None passes"),
    ],
)
def test_pairs_that_do_not_certify(tmp_path, executor, old, new, reason):
    """Both programs must do the same, and one must be cheaper."""
    (tmp_path / "other.txt").write_text(GOOD.replace("double", "other"))
    tasks = made(tmp_path, executor, GOOD.replace(old, new))
    assert tasks.ids == ("slow-v0/other",)
    assert reason in tasks.left_out["slow-v0/double"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'slow' is missing"),
        (GOOD.replace("--- fast\n", ""), "'fast' is missing"),
        (GOOD.partition("--- calls")[0] + "--- calls\n", r"empty: \['calls'\]"),
        (GOOD.encode() + b"\xff", "not UTF-8"),
        (GOOD.replace("numbers(n, n)", "1 / 0"), "section 'calls': a value is expected"),
        (GOOD.replace("(numbers(n, n),)", "numbers(n, n)"), "a list of argument tuples"),
        (GOOD.replace("return 2 * sum(xs)", "return 2 * sun(xs)"), "call 0 of the fast program.*NameError"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(tmp_path, executor, text, message):
    """Truncated, empty, wrongly encoded and wrongly shaped files are errors that name the file."""
    with pytest.raises(TaskError, match=rf"double\.txt.*{message}"):
        made(tmp_path, executor, text)


def test_an_empty_folder(tmp_path, executor):
    with pytest.raises(TaskError, match=r"no program NAME\.txt"):
        slow_programs.load(executor, folder=tmp_path)


# cost ---------------------------------------------------------------------------------------------


def steps(executor, body, *arguments):
    """Steps of a charged program, and its value."""
    program = f"def f(xs, n):\n{body}".encode()
    outcome = executor.run(Job(charged(program), "f", encode_calls([arguments]), Limits(steps=1_000_000)))
    assert outcome.status is Status.OK, outcome
    return outcome.results[0].steps, outcome.results[0].value


XS = list(range(100))
LOOP = "    total = 0\n    for x in xs:\n        total += x\n    return total\n"


@pytest.mark.parametrize(
    ("dear", "cheap"),
    [
        (LOOP, "    return sum(xs)\n"),
        ("    return [x ** 2 for x in xs]\n", "    return [x * x for x in xs]\n"),
        ("    return [x in xs for x in xs]\n", "    ys = set(xs)\n    return [x in ys for x in xs]\n"),
        ("    return [x * len(xs) for x in xs]\n", "    k = len(xs)\n    return [x * k for x in xs]\n"),
        ("    return sorted(xs)[0]\n", "    return min(xs)\n"),
        ("    return sum(list(xs))\n", "    return sum(xs)\n"),
        (
            "    while n * n > 4 * 4:\n        n -= 1\n    return n\n",
            "    while n > 4:\n        n -= 1\n    return n\n",
        ),
        (
            "    for x in xs:\n        if x < 0:\n            n = 1\n        elif x > 2 * n + 1:\n            n = 0\n"
            "    return n\n",
            "    for x in xs:\n        if x > 2 * n + 1:\n            n = 0\n    return n\n",
        ),
    ],
)
def test_cost_sees_what_the_clock_does_not(executor, dear, cheap):
    """Operations, built-in functions, membership and headers count, and the values stay the same."""
    (most, first), (least, second) = steps(executor, dear, XS, 50), steps(executor, cheap, XS, 50)
    assert first == second
    assert most > least


@pytest.mark.parametrize("frame", ["try:{}    finally:\n        n = 0\n", "with memoryview(b'x'):{}", "if n:{}"])
def test_no_block_is_free(executor, frame):
    """What stands in try, with or if is charged like the rest."""
    inner = "\n        total = 0\n        for x in xs:\n            total += x\n"
    most, _ = steps(executor, "    " + frame.format(inner) + "    return 0\n", XS, 1)
    assert most >= 1 + 1 + 100 * 2 + 1


def test_cost_is_the_documented_one(executor):
    """Entry 1, assignment 1, per iteration 1 + 1, return 1."""
    assert steps(executor, LOOP, XS, 0) == (1 + 1 + 100 * 2 + 1, 4950)


def test_charging_keeps_the_program(executor):
    """Comprehensions, lambdas, slices, nested functions, exceptions and generators behave as before."""
    body = (
        '    """Doc."""\n    def g(k):\n        yield from (k + j for j in range(3) if j in [0, 2])\n'
        "    try:\n        xs.index(-5)\n    except ValueError:\n        n += 1\n"
        "    a = {x: [y for y in xs[:2] if y != x] for x in xs[1:3] if x not in (7, 8)}\n"
        "    text = ', '.join(str(x) for x in xs[:3])\n"
        "    return a, list(g(n)), sorted(xs, key=lambda x: -x)[:2], text, {x % 2 for x in xs}\n"
    )
    program = f"def f(xs, n):\n{body}".encode()
    call = encode_calls([[XS, 4]])
    plain, dear = (executor.run(Job(each, "f", call)).results[0].value for each in (program, charged(program)))
    assert plain == dear is not None


def test_a_program_that_does_not_compile_is_left_alone():
    assert charged(b"def f(:") == b"def f(:"
