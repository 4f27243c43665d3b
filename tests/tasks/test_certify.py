"""Only tasks whose own programs behave as they say certify, and the step limit comes from the reference."""

import pickle

import pytest

from code_envs.execution.executor import Limits
from code_envs.tasks.cases import Case, CaseSuite
from code_envs.tasks.certify import certify, certify_many
from code_envs.tasks.extraction import TestProgram, extract
from code_envs.tasks.task import Task

REFERENCE = "def f(n):\n    total = 0\n    for i in range(n):\n        total += 2\n    return total\n"


def suite(*numbers, entry="f", driver=b""):
    return CaseSuite(entry, [Case.of(entry, [number], 2 * number) for number in numbers], driver)


def task(**changes):
    given = {
        "task_id": "t/0",
        "description": "Double n.",
        "entry_point": "f",
        "reference": REFERENCE,
        "start": "def f(n):\n    return n\n",
        "reward_tests": suite(1, 50),
        "held_out_tests": suite(3),
    }
    return Task(**{**given, **changes})


def test_step_limit_is_ten_times_the_most_plus_a_thousand(executor):
    certified = certify(task(), executor).task
    assert certified.steps == 10 * 51 + 1000
    assert certified.limits(Limits()).steps == certified.steps


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"reference": "def f(n):\n    return n + 1\n"}, r"the reference fails reward test 1 (f(50) == 100): value"),
        ({"held_out_tests": suite()}, "there are no held-out tests"),
        ({"reference": "def f(n):\n    return n / (n - 3)\n"}, "the reference fails reward test 0 (f(1) == 2): value"),
        ({"reference": REFERENCE + "    1 / 0\n", "reward_tests": suite(3)}, ""),
        ({"reference": "1 / 0\n"}, "the reference fails reward test 0 (f(1) == 2): load_error"),
        ({"start": REFERENCE}, "the faulty program passes every reward test"),
        (
            {"reward_tests": CaseSuite("f", [Case.of("f", [1], 3, "ne")]), "start": None},
            "a function that returns None passes every reward test",
        ),
    ],
)
def test_reasons(executor, changes, reason):
    certificate = certify(task(**changes), executor)
    assert certificate.reason == reason
    assert (certificate.task is None) == bool(reason)


def test_reference_that_raises_is_told_with_its_exception(executor):
    reference = REFERENCE.replace("total = 0", "total = 0 // (n - 3)")
    assert certify(task(reference=reference), executor).reason == (
        "the reference fails held-out test 0 (f(3) == 6): ZeroDivisionError: integer division or modulo by zero"
    )


def test_suites_with_different_drivers(executor):
    driver = b"def driven(n):\n    return f(n)\n"
    mixed = task(held_out_tests=suite(3, entry="driven", driver=driver))
    assert certify(mixed, executor).task is not None


def test_certificates_keep_the_order(executor):
    tasks = [task(), task(task_id="t/1", start=REFERENCE), task(task_id="t/2")]
    assert [bool(each.task) for each in certify_many(tasks, executor)] == [True, False, True]


def test_an_endless_reference_does_not_certify(executor):
    reason = certify(task(reference="def f(n):\n    while n > 2:\n        pass\n    return 2 * n\n"), executor).reason
    assert reason == "the reference fails reward test 1 (f(50) == 100): cpu_limit"


def test_tasks_can_be_pickled(executor):
    """Environments in other processes receive them."""
    replay = extract([(TestProgram(("assert {f(1)} == {2}",), "f"), REFERENCE)], executor)[0].suite
    copied = pickle.loads(pickle.dumps(task(reward_tests=replay)))
    assert copied.reward_tests.run(REFERENCE.encode(), executor, Limits()).all_passed
