"""The real benchmark files: how many tasks certify, and in which lane."""

import ast
import json
from collections import Counter

import pytest

from code_envs.execution.executor import Limits
from code_envs.tasks.cases import Case, CaseSuite
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
    """All 974 references pass; one of them takes longer than an episode should wait, and is left out."""
    tasks = load("mbpp", executor)
    assert len(tasks) == 973
    assert [name for name, reason in tasks.left_out.items() if "cpu_limit" in reason] == ["mbpp-v0/123"]
    assert len(tasks.left_out) == 1
    assert lanes(tasks)["replay"] <= 2
    (slow,) = (item for item in records(data_folder / "mbpp") if item["task_id"] == 123)
    calls = [ast.parse(test).body[0].test for test in slow["test_list"]]
    cases = [
        Case.of(
            call.left.func.id,
            [ast.literal_eval(each) for each in call.left.args],
            ast.literal_eval(call.comparators[0]),
        )
        for call in calls
    ]
    suite = CaseSuite(calls[0].left.func.id, cases)
    assert len(suite) == 3
    assert suite.run(slow["code"].encode(), executor, Limits(cpu_s=60.0)).all_passed


def records(folder):
    """The items of the only JSON Lines file of MBPP."""
    (path,) = folder.rglob("mbpp.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_mbpp_sanitized(data_folder, executor):
    tasks = load("mbpp-sanitized", executor)
    assert len(tasks) >= 425
    assert len(tasks) + len(tasks.left_out) == 427
