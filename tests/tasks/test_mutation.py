"""Mutants: programs with injected faults that compile, fail, and have a known way back."""

import ast
from dataclasses import replace

import pytest

from code_envs.errors import ConfigurationError
from code_envs.execution.executor import Limits
from code_envs.syntax.enumeration import Enumerator
from code_envs.syntax.program import Program
from code_envs.tasks import builtin_programs
from code_envs.tasks.mutation import compiles, mutants
from code_envs.tasks.task import TaskSet

PER_TASK = 3


@pytest.fixture(scope="module")
def originals(executor):
    """Six built-in tasks, in two splits."""
    loaded = builtin_programs.load(executor, limit=6)
    assert len(loaded) >= 5
    return replace(loaded, splits={"train": loaded.ids[:3], "test": loaded.ids[3:]})


@pytest.fixture(scope="module")
def made(originals, executor):
    """Their mutants."""
    return mutants(originals, executor, per_task=PER_TASK, seed=1)


def original_of(task, originals):
    return originals[originals.name + "/" + task.task_id.split("/")[1]]


def tree(source):
    return ast.dump(ast.parse(source))


def candidate_trees(source):
    """Trees of the programs that one candidate edit gives."""
    program = Program(source.encode())
    found = Enumerator(program)(program)
    return {tree(program.apply(found.edit(number)).text) for number in range(len(found))}


def test_mutants_compile_and_differ_from_the_reference(made):
    """A mutant is a program, but not the correct one, and no two of a task are equal."""
    assert len({task.start for task in made}) == len(made)
    for task in made:
        assert compiles(task.start.encode())
        assert tree(task.start) != tree(task.reference)


def test_mutants_fail_a_reward_test_where_the_reference_passes(made, executor):
    """The fault can be seen."""
    for task in made:
        limits = task.limits(Limits())
        assert not task.reward_tests.run(task.start.encode(), executor, limits).all_passed
    assert made[0].reward_tests.run(made[0].reference.encode(), executor, made[0].limits(Limits())).all_passed


def test_one_candidate_of_a_mutant_leads_back(made):
    """`faults` has one program, equal to the reference, and an edit of the mutant gives it."""
    for task in made:
        assert len(task.faults) == 1
        assert tree(task.faults[0]) == tree(task.reference)
        assert tree(task.faults[0]) in candidate_trees(task.start)


def test_two_faults_are_undone_one_after_the_other(originals, executor):
    """Undoing the last fault gives `faults[0]`, undoing the first then gives the reference."""
    found = mutants(originals, executor, per_task=2, seed=5, faults=2)
    assert len(found) >= 5
    for task in found:
        assert len(task.faults) == 2
        assert tree(task.faults[0]) in candidate_trees(task.start)
        assert tree(task.faults[1]) in candidate_trees(task.faults[0])
        assert tree(task.faults[1]) == tree(task.reference)
        assert tree(task.faults[0]) != tree(task.reference)


def test_mutants_that_need_not_lead_back_know_no_way(originals, executor):
    """Without `invertible` every failing mutant is kept, and `faults` is empty."""
    found = mutants(originals, executor, per_task=2, seed=5, invertible=False)
    assert len(found) == 2 * len(originals)
    assert {task.faults for task in found} == {()}


def test_the_same_seed_gives_the_same_mutants(originals, made, executor):
    """Programs, ids, ways and digest repeat; another seed gives others."""
    again = mutants(originals, executor, per_task=PER_TASK, seed=1)
    assert [(task.task_id, task.start, task.faults) for task in again] == [
        (task.task_id, task.start, task.faults) for task in made
    ]
    assert again.sha256 == made.sha256
    other = mutants(originals, executor, per_task=PER_TASK, seed=2)
    assert [task.start for task in other] != [task.start for task in made]
    assert other.sha256 != made.sha256


def test_a_subset_of_the_originals_gives_the_same_mutants(originals, made, executor):
    """Each task has a stream of its own."""
    subset = originals.split("test")
    again = mutants(subset, executor, per_task=PER_TASK, seed=1)
    starts = {task.task_id: task.start for task in made}
    assert len(again) > 3
    assert all(starts[task.task_id] == task.start for task in again)


def test_ids_are_unique_and_name_the_original(originals, made):
    """The id of a mutant is the set, the original's item, and a number."""
    assert made.name == f"mutants-{originals.name}"
    assert len(set(made.ids)) == len(made)
    for task in made:
        name, _, number = task.task_id.split("/")
        assert name == made.name
        assert int(number) in range(PER_TASK)
        assert task.reference == original_of(task, originals).reference


def test_splits_follow_the_originals(originals, made):
    """All mutants of a task are in its split; no split leaks into another."""
    assert set(made.splits) == set(originals.splits)
    for split, ids in made.splits.items():
        assert ids
        assert {original_of(made[each], originals).task_id for each in ids} <= set(originals.splits[split])
    assert sorted(each for ids in made.splits.values() for each in ids) == sorted(made.ids)


def test_what_is_judged_stays(originals, made):
    """Suites, description, licence and origin are the original's."""
    assert (made.licence, made.origin) == (originals.licence, originals.origin)
    for task in made:
        source = original_of(task, originals)
        assert task.reward_tests is source.reward_tests
        assert task.held_out_tests is source.held_out_tests
        assert task.description == source.description


def test_every_task_is_either_mutated_or_left_out(originals, made):
    """Nothing disappears in silence."""
    items = {original_of(task, originals).task_id for task in made}
    assert items | set(made.left_out) >= set(originals.ids)
    assert not items & set(made.left_out)


@pytest.mark.parametrize(("argument", "value"), [("per_task", 0), ("faults", -1)])
def test_numbers_below_one_are_named(argument, value, originals, executor):
    """The message has the argument and its value."""
    with pytest.raises(ConfigurationError, match=f"{argument} must be at least 1, got {value}"):
        mutants(originals, executor, **{argument: value})


def test_no_mutant_at_all_is_an_error(originals, executor):
    """A task set without anything to break is refused with a question that helps."""
    empty = replace(originals[0], reference="x = 1\n")
    with pytest.raises(ConfigurationError, match="No mutant of 'none-v0' was found; is its reward suite able to fail"):
        mutants(TaskSet("none-v0", (empty,), "MIT", "nowhere", "0"), executor)


def test_compiles_is_the_compiler():
    """What tree-sitter takes and Python does not is refused; a warning is no error."""
    assert compiles(b"def f(a):\n    return a is 1\n")
    for source in (b"break\n", b"def f():\n    return j = 1\n", b"\x00", b"def f(a, a): pass\n", b"\xff\n"):
        assert not compiles(source)
