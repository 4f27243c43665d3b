"""Reward and held-out tests: disjoint, deterministic, and never useless for a repair."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_envs.errors import TaskError
from code_envs.tasks.splits import HELD_OUT, REWARD, SUITE, hold_out, splits


def test_every_fourth_test_from_the_second_is_held_out():
    reward, held_out = hold_out(list("abcdefg"), [SUITE] * 7)
    assert (reward, held_out) == ([0, 2, 3, 4, 6], [1, 5])


def test_equal_tests_count_once():
    assert hold_out(["a", "a", "b", "a", "c"], [SUITE] * 5) == ([0, 4], [2])


def test_examples_earn_reward_and_leave_the_suite():
    roles = [SUITE, SUITE, SUITE, REWARD, REWARD]
    assert hold_out(["a", "b", "c", "b", "d"], roles) == ([0, 3, 4], [2])


def test_challenges_are_held_out_unless_they_are_in_the_suite():
    assert hold_out(["a", "b", "c", "a", "d"], [SUITE] * 3 + [HELD_OUT] * 2) == ([0, 2], [1, 4])


def test_a_single_test_is_both():
    assert hold_out(["a"], [SUITE]) == ([0], [0])
    assert hold_out(["a", "a"], [SUITE, REWARD]) == ([1], [1])


def test_a_single_test_beside_examples_is_held_out():
    assert hold_out(["a", "b"], [SUITE, REWARD]) == ([1], [0])


def test_smallest_rotation_that_lets_the_faulty_program_fail():
    passes = [True, False, True, True]
    assert hold_out(list("abcd"), [SUITE] * 4, passes) == ([0, 1, 3], [2])


def test_failing_tests_move_when_no_rotation_helps():
    assert hold_out(["a", "b"], [SUITE, REWARD], [False, True]) == ([0, 1], [0])
    roles = [SUITE, SUITE, HELD_OUT, HELD_OUT]
    assert hold_out(list("abcd"), roles, [True, True, False, True]) == ([0, 2], [1, 3])


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdefgh"), st.sampled_from([SUITE, REWARD, HELD_OUT]), st.booleans()), min_size=1
    )
)
def test_nothing_is_lost_and_a_fault_always_shows(tests):
    keys = [key for key, _, _ in tests]
    passes_of = {key: passes for key, _, passes in reversed(tests)}
    passes = [passes_of[key] for key in keys]
    reward, held_out = hold_out(keys, [role for _, role, _ in tests], passes)
    assert reward
    assert held_out
    assert {keys[index] for index in [*reward, *held_out]} == set(keys)
    assert len({keys[index] for index in reward}) == len(reward)
    if not all(passes):
        assert not all(passes[index] for index in reward)


def test_splits_follow_behaviour_not_ids():
    behaviours = {f"t/{number}": f"{number % 50:08x}" for number in range(100)}
    divided = splits(behaviours, {task_id: task_id for task_id in behaviours})
    where = {task_id: name for name, ids in divided.items() for task_id in ids}
    assert all(where[f"t/{number}"] == where[f"t/{number + 50}"] for number in range(50))
    assert [len(divided[name]) for name in ("train", "validation", "test")] == [80, 10, 10]


def test_tasks_of_equal_tests_stay_together():
    divided = splits({"a": "00000008", "b": "00000000"}, {"a": "same", "b": "same"})
    assert divided["train"] == ("a", "b")


def test_splits_need_the_tests_of_every_task():
    with pytest.raises(TaskError, match="2 tasks have behaviours, but 1 have tests"):
        splits({"a": "0" * 8, "b": "1" * 8}, {"a": "x"})
