"""The curriculum: every function is in the grammar, and what is drawn from it is sound."""

from __future__ import annotations

import numpy as np
import pytest

from code_envs.errors import TaskError
from code_envs.execution.executor import Limits
from code_envs.syntax.derivation import Derivation, Production, Signature
from code_envs.syntax.english import describe, tree_of
from code_envs.syntax.parsing import find_derivation
from code_envs.tasks.signatures import infer, signature_of
from code_envs.tasks.sources import load
from code_envs.tasks.synthesis import synthesise


@pytest.fixture(scope="module")
def curriculum(executor):
    return load("curriculum", executor)


def test_every_function_certifies_and_can_be_written(curriculum):
    """All are sound, and the grammar expresses each within the default budget."""
    assert len(curriculum) == 125
    assert not curriculum.left_out
    lengths = [len(find_derivation(signature_of(task), task.reference) or ()) for task in curriculum]
    assert min(lengths) == 3
    assert max(lengths) <= 16


def test_splits_are_disjoint_by_behaviour(curriculum):
    """No function is in two splits."""
    parts = [set(curriculum.split(name).ids) for name in ("train", "validation", "test")]
    assert sum(map(len, parts)) == len(curriculum)
    assert len(set.union(*parts)) == len(curriculum)
    assert len(parts[1] | parts[2]) >= 25


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2.5], "num"), ([True, False], "bool"), ([True, 2], "num"), (["a"], "str"), ([[1], []], "list[num]"),
        ([[]], "list[num]"), ([["a"]], "list[str]"), ([[[1]]], "list[list[num]]"), ([{1: 2}], "any"), ([1, "a"], "any"),
        ([None], "any"), ([[1, "a"]], "any"),
    ],
)  # fmt: skip
def test_types_come_from_values(values, kind):
    """The one type of all values, or "any"."""
    assert infer("f", [], values, "", []).returns == kind
    assert infer("f", [[value] for value in values], [1], "", ["x"]).parameters == {"x": kind}


def test_constants_come_from_the_description():
    """Numbers, also at the end of a sentence, and quoted texts; not digits of names or inside quotes."""
    signature = infer("f", [[1]], [1], "Return x2 times 7.5, then 'a 9', at most 12.", ["n"])
    assert signature.constants["num"] == ("0", "1", "2", "10", "-1", "7.5", "12")
    assert signature.constants["str"] == ("''", "' '", "'a 9'")


def test_drawn_functions_are_sound(curriculum, executor):
    """Each passes its own tests, is written by the grammar, and is the same for the same seed."""
    known = curriculum.split("train")
    drawn = synthesise(known, executor, 20, seed=1)
    assert len({task.description for task in drawn}) == 20
    for task in drawn:
        assert task.reward_tests.run(task.reference.encode(), executor, Limits()).all_passed
        assert task.held_out_tests.run(task.reference.encode(), executor, Limits()).all_passed
        assert find_derivation(signature_of(task), task.reference) is not None
    again = synthesise(known, executor, 20, seed=1)
    assert [task.reference for task in again] == [task.reference for task in drawn]
    assert [task.reference for task in synthesise(known, executor, 20, seed=2)] != [task.reference for task in drawn]


def test_too_many_functions_are_refused(curriculum, executor, monkeypatch):
    """Where not enough different ones come up, the error says how many did."""
    monkeypatch.setattr("code_envs.tasks.synthesis.ROUNDS", 1)
    with pytest.raises(TaskError, match=r"of 5 different functions"):
        synthesise(curriculum.split("train"), executor, 5, seed=3)


def test_words():
    """An expression is told as its tree is, with names of its own for what is common."""
    signature = Signature("f", {"numbers": "list[num]", "k": "num"}, "list[num]", {"num": ("0", "2")})
    source = "def f(numbers, k):\n    return [x * x for x in numbers if x % 2 == 0 and x > k]\n"
    assert told(signature, source) == (
        "the list with the square of x for each x of numbers where x is even and x is larger than k"
    )
    assert (
        told(signature, "def f(numbers, k):\n    return [numbers[0]]\n") == "the list of the first element of numbers"
    )


def told(signature, source):
    derivation, chosen = Derivation(signature), list[Production]()
    for key in find_derivation(signature, source):
        chosen.append(next(each for each in derivation.candidates() if each.key == key))
        derivation.apply(chosen[-1])
    return describe(tree_of(chosen).below[0], lambda count: 0)


def test_habits_shape_the_draw(curriculum, executor):
    """What the known functions use is drawn more often than chance: sums more than quotients."""
    drawn = synthesise(curriculum.split("train"), executor, 60, seed=4)
    text = " ".join(task.reference for task in drawn)
    assert text.count("return") == 60
    assert np.mean([task.reference.count("\n") for task in drawn]) == 2
