"""Guards: what they mean, how they are written, and what is refused."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_machines.errors import FormulaError
from reward_machines.formula import And, Constant, Formula, Name, Not, Or, parse, together

NAMES = ("a", "b", "c")
CASES = [frozenset(case) for count in range(4) for case in combinations(NAMES, count)]


def formulas():
    atoms = st.sampled_from(NAMES).map(Name) | st.booleans().map(Constant)
    return st.recursive(
        atoms,
        lambda inner: (
            inner.map(Not)
            | st.lists(inner, min_size=2, max_size=3).map(lambda parts: And(tuple(parts)))
            | st.lists(inner, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts)))
        ),
        max_leaves=8,
    )


def by_python(formula: Formula, events: frozenset[str]) -> bool:
    """What Python says, an independent reading of the text."""
    text = str(formula).replace("true", "True").replace("false", "False")
    text = text.replace("!", " not ").replace("&", " and ").replace("|", " or ")
    return eval(text, {}, {name: name in events for name in NAMES})


@given(formulas())
def test_text_round_trip_and_meaning(formula):
    """The text is read back as an equal formula, and means what Python's operators mean."""
    assert parse(str(formula)) == formula
    for events in CASES:
        assert formula.evaluate(events) is by_python(formula, events)
    assert formula.names <= set(NAMES)


@given(formulas(), formulas())
def test_together_finds_a_case_exactly_if_there_is_one(first, second):
    """The witness satisfies both; None means that no case does."""
    both = [events for events in CASES if first.evaluate(events) and second.evaluate(events)]
    found = together(first, second)
    assert (found is not None) == bool(both)
    if found is not None:
        assert first.evaluate(found)
        assert second.evaluate(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", Name("a")),
        ("a&b|!c", Or((And((Name("a"), Name("b"))), Not(Name("c"))))),
        ("a & (b | c)", And((Name("a"), Or((Name("b"), Name("c")))))),
        (" True ", Constant(True)),
        ("!!a", Not(Not(Name("a")))),
    ],
)
def test_binding(text, expected):
    """`!` binds tighter than `&`, and `&` tighter than `|`."""
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("", 0, "Expected a name, 'true', 'false', '!' or '(', but the formula ends"),
        ("a && b", 3, "got '&'"),
        ("a b", 2, "Expected '&', '|' or the end, got 'b'"),
        ("(a | b", 6, "Expected '&', '|' or ')', but the formula ends"),
        ("a & ", 3, "but the formula ends"),
        ("a & __import__(b)", 14, "Expected '&', '|' or the end, got '('"),
        ("a & 'b'", 4, 'got "\'"'),
        ("a ~ b", 2, "got '~'"),
        ("a)", 1, "got ')'"),
        ("!" * 80 + "a", 50, "Nested deeper than 50"),
        ("(" * 80, 50, "Nested deeper than 50"),
    ],
)
def test_errors_point_at_the_column(text, column, message):
    """The message says what was expected and has a pointer below the formula."""
    with pytest.raises(FormulaError, match="column") as error:
        parse(text)
    assert error.value.column == column
    assert message in str(error.value)
    assert str(error.value).endswith(" " * column + "^")


def test_too_many_names_are_refused():
    """Seventeen names would be 131,072 cases."""
    names = [f"e{number}" for number in range(17)]
    with pytest.raises(FormulaError, match="name 17 events together, and at most 16"):
        together(parse(" & ".join(names[:9])), parse(" | ".join(names[9:])))
    assert together(parse(" & ".join(names[:16])), parse("true")) == frozenset(names[:16])
