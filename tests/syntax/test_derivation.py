"""Derivations: whatever is chosen, the program compiles, fits its budget, and the grammar finds references again."""

from __future__ import annotations

import numpy as np
import pytest

from code_envs.syntax.derivation import Derivation, Signature
from code_envs.syntax.grammar import EXPRESSIONS, TYPES, element_of, fits, templates_of
from code_envs.syntax.parsing import find_derivation

CONSTANTS = {"num": ("0", "1", "-1"), "str": ("''", "'a'")}
SIGNATURES = [
    Signature("f", {"n": "num"}, "num", CONSTANTS),
    Signature("f", {"a": "num", "b": "num"}, "bool", CONSTANTS),
    Signature("f", {"text": "str", "n": "num"}, "str", CONSTANTS),
    Signature("f", {"numbers": "list[num]"}, "list[num]", CONSTANTS),
    Signature("f", {"rows": "list[list[num]]"}, "num", CONSTANTS),
    Signature("f", {"words": "list[str]"}, "any", CONSTANTS),
    Signature("f", {"thing": "any"}, "any", CONSTANTS),
    Signature("f", {}, "str", {}),
]


def grown(signature, rng, **limits):
    derivation = Derivation(signature, **limits)
    while not derivation.complete:
        offered = derivation.candidates()
        derivation.apply(offered[int(rng.integers(len(offered)))])
    return derivation


@pytest.mark.parametrize("signature", SIGNATURES, ids=lambda each: f"{list(each.parameters.values())}-{each.returns}")
@pytest.mark.parametrize("budget", [2, 5, 12, 48])
def test_random_programs_compile_within_the_budget(signature, budget):
    """No choice leads to a dead end, to a syntax error or past the budget."""
    for seed in range(30):
        derivation = grown(signature, np.random.default_rng(seed), budget=budget)
        compile(derivation.text, "<grown>", "exec")
        assert derivation.used <= budget
        assert "..." not in derivation.text


def test_names_are_bound_where_they_are_used():
    """A variable is offered from its assignment on, a loop's variable inside the loop only."""
    derivation = Derivation(Signature("f", {"numbers": "list[num]"}, "num", CONSTANTS))
    assert [*derivation.scope] == ["numbers"]
    choose(derivation, "for num")
    assert "x" not in derivation.scope
    choose(derivation, "name numbers")
    assert derivation.scope["x"] == "num"
    choose(derivation, "set numbers")
    choose(derivation, "name numbers")
    choose(derivation, "end")
    assert "x" not in derivation.scope


def choose(derivation, key):
    derivation.apply(next(each for each in derivation.candidates() if each.key == key))


def test_candidates_are_distinct_and_deterministic():
    """The same state offers the same productions in the same order, each once."""
    first, second = (Derivation(SIGNATURES[3]) for _ in range(2))
    assert first.candidates() == second.candidates()
    keys = [each.key for each in first.candidates()]
    assert len(set(keys)) == len(keys)


def test_a_copy_goes_its_own_way():
    """What happens to a copy does not happen to the original."""
    derivation = Derivation(SIGNATURES[0])
    before = derivation.text
    grown_copy = derivation.copy()
    grown_copy.apply(grown_copy.candidates()[0])
    assert derivation.text == before
    assert grown_copy.text != before


def test_depth_is_limited():
    """At the deepest level only names and constants are left."""
    derivation = Derivation(SIGNATURES[0], depth=1)
    choose(derivation, "return num")
    choose(derivation, "{num:5} + {num:6}")
    assert {each.key.split()[0] for each in derivation.candidates()} == {"name", "constant"}


def test_operators_get_parentheses_where_python_needs_them():
    """A sum inside a product is put in parentheses, a product inside a sum is not."""
    for keys, text in (
        (["{num:6} * {num:7}", "{num:5} + {num:6}"], "return (n + 1) * n"),
        (["{num:5} + {num:6}", "{num:6} * {num:7}"], "return n * 1 + n"),
    ):
        derivation = Derivation(SIGNATURES[0])
        for key in ("return num", *keys, "name n", "constant 1", "name n"):
            choose(derivation, key)
        assert text in derivation.text


LOOP = '''
def f(n):
    """Doc."""
    total = 0
    for i in range(n):
        total += i
    return total
'''
NESTED = """
def f(numbers):
    if 0 in numbers:
        return []
    else:
        numbers = numbers[1:]
    while len(numbers) > 1:
        numbers.append(0)
        return numbers
    return numbers
"""


@pytest.mark.parametrize(
    ("signature", "source"),
    [
        (SIGNATURES[0], "def f(m):\n    return (m + 1) * -1\n"),
        (SIGNATURES[0], LOOP),
        (SIGNATURES[2], "def f(text, n):\n    return ''.join(c * n for c in text if c.isalpha())\n"),
        (SIGNATURES[3], NESTED),
    ],
)
def test_a_known_program_is_found_again(signature, source):
    """Following the keys that `find_derivation` gives writes a program that does the same."""
    keys = find_derivation(signature, source)
    assert keys is not None
    derivation = Derivation(signature)
    for key in keys:
        choose(derivation, key)
    assert derivation.complete
    ours, theirs = {}, {}
    exec(derivation.text, ours)
    exec(source, theirs)
    arguments = {"num": 3, "str": "a1b", "list[num]": [1, 2]}
    given = [arguments[kind] for kind in signature.parameters.values()]
    assert ours["f"](*given) == theirs["f"](*given)


@pytest.mark.parametrize(
    "source",
    [
        "x = 1\n",
        "def f(n):\n    return n if n else g(n)\n",
        "def f(n):\n    return n[0:n]\n",
        "def f(n):\n    import os\n    return n\n",
        "def f(n):\n    return m\n",
    ],
)
def test_what_the_grammar_cannot_say_is_not_found(source):
    """Programs outside the grammar have no derivation."""
    assert find_derivation(SIGNATURES[0], source) is None


def test_random_programs_are_found_again():
    """Whatever the grammar writes, it reads: the text of the derivation that is found is the same."""
    rng = np.random.default_rng(0)
    for signature in SIGNATURES[:6]:
        for _ in range(15):
            text = grown(signature, rng, budget=14).text
            keys = find_derivation(signature, text)
            assert keys is not None, text
            again = Derivation(signature)
            for key in keys:
                choose(again, key)
            assert again.text == text


def test_types():
    """Elements, and what fits where."""
    assert element_of("list[list[num]]") == "list[num]"
    assert element_of("num") == ""
    assert fits("str", "iter[str]")
    assert not fits("str", "iter[num]")
    assert fits("any", "num")
    assert all(templates_of(kind) for kind in TYPES)
    assert [each.number for each in EXPRESSIONS] == list(range(1, len(EXPRESSIONS) + 1))
    assert len(EXPRESSIONS) < 100
