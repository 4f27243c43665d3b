"""The real benchmark files: how many tasks certify, and in which lane."""

from collections import Counter

import pytest

from code_envs.execution.executor import Limits
from code_envs.tasks.cases import CaseSuite
from code_envs.tasks.sources import load

pytestmark = pytest.mark.data


def lanes(tasks):
    kinds = {True: "cases", False: "replay"}
    return Counter("driven" if t.reward_tests.driver else kinds[isinstance(t.reward_tests, CaseSuite)] for t in tasks)


def test_humaneval(data_folder, executor):
    tasks = load("humaneval", executor)
    assert (len(tasks), tasks.left_out) == (164, {})
    assert lanes(tasks) == {"cases": 161, "replay": 3}


def test_humanevalpack(data_folder, executor):
    tasks = load("humanevalpack", executor)
    assert (len(tasks), tasks.left_out) == (82, {})
    starts = executor.run_many(t.reward_tests.job(t.start.encode(), t.limits(Limits())) for t in tasks)
    assert not any(t.reward_tests.grade(o, executor).all_passed for t, o in zip(tasks, starts, strict=True))
    references = executor.run_many(t.held_out_tests.job(t.reference.encode(), t.limits(Limits())) for t in tasks)
    assert all(t.held_out_tests.grade(o, executor).all_passed for t, o in zip(tasks, references, strict=True))


def test_humaneval_and_its_pack_split_alike(data_folder, executor):
    """The same problem in two sources must not be trained on in one and tested in the other."""
    pack, whole = load("humanevalpack", executor), load("humaneval", executor)
    where = {task_id.rpartition("/")[2]: name for name, ids in whole.splits.items() for task_id in ids}
    same = [where[task_id.rpartition("/")[2]] == name for name, ids in pack.splits.items() for task_id in ids]
    assert len(same) == 82
    assert all(same)


def test_mbpp(data_folder, executor):
    tasks = load("mbpp", executor)
    assert len(tasks) >= 972
    assert all(tasks.left_out.values())
    assert len(tasks) + len(tasks.left_out) == 974
    assert lanes(tasks)["replay"] <= 2


def test_mbpp_sanitized(data_folder, executor):
    tasks = load("mbpp-sanitized", executor)
    assert len(tasks) >= 425
    assert len(tasks) + len(tasks.left_out) == 427
