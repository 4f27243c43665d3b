"""`check_task_set` passes a sound task set and names the tasks of an unsound one."""

from dataclasses import replace

import pytest

from code_envs.tasks.cases import CaseSuite
from code_envs.testing import check_task_set


def first(task_set, **changes):
    return replace(task_set, tasks=(replace(task_set.tasks[0], **changes), *task_set.tasks[1:]))


FAULTS = {
    "no licence": (lambda s: replace(s, licence=" "), "licence"),
    "no origin": (lambda s: replace(s, origin=""), "origin"),
    "digest": (lambda s: replace(s, sha256="abc"), "sha256 .* 64"),
    "empty": (lambda s: replace(s, tasks=()), "it has none"),
    "foreign id": (lambda s: first(s, task_id="other-v0/1"), "begin with 'tiny-v0/', got 'other-v0/1'"),
    "unknown split": (lambda s: replace(s, splits={"train": ("tiny-v0/x",)}), "tiny-v0/x"),
    "overlapping splits": (lambda s: replace(s, splits={"train": s.ids, "test": s.ids[:1]}), "disjoint splits"),
    "wrong reference": (lambda s: first(s, reference=s.tasks[0].start), "pass their reward tests; .*tiny-v0/double"),
    "right start": (lambda s: first(s, start=s.tasks[0].reference), "fail a reward test; .*tiny-v0/double"),
    "no held-out tests": (lambda s: first(s, held_out_tests=CaseSuite("f", [])), "empty in 'tiny-v0/double'"),
    "wrong held-out tests": (
        lambda s: first(s, held_out_tests=s.tasks[1].held_out_tests),
        "pass their held-out tests; .*tiny-v0/double",
    ),
}


def test_a_sound_task_set_passes(tiny, executor):
    """The set that the faults below are added to has none."""
    check_task_set(tiny, executor)


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_named(tiny, executor, name):
    """A fault is found, and the message names the task."""
    change, message = FAULTS[name]
    with pytest.raises(AssertionError, match=message):
        check_task_set(change(tiny), executor)
