"""Values cross the wall unchanged, and `matches` agrees with Python's own comparison."""

from __future__ import annotations

import collections
import contextlib
import json
import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from code_envs.errors import ConfigurationError
from code_envs.execution import codec, values

NUMBERS = st.one_of(
    st.integers(),
    st.integers(min_value=2**62, max_value=2**70),
    st.booleans(),
    st.floats(allow_nan=False),
    st.sampled_from([0, 1, 0.0, -0.0, 1.0, True, False, 2**53, 2.0**53, 1 + 0j, Fraction(1), Decimal(1)]),
    st.complex_numbers(allow_nan=False),
    st.fractions(),
    st.decimals(allow_nan=False),
)
TEXT = st.text(st.characters(), max_size=5) | st.text("a\ud801\udc00\U00010400", max_size=3)
SCALARS = st.one_of(NUMBERS, st.none(), TEXT, st.binary(max_size=5))
HASHABLE = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3), max_leaves=6
)
VALUES = st.recursive(
    HASHABLE,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(HASHABLE, inner, max_size=3)
        | st.sets(HASHABLE, max_size=4)
    ),
    max_leaves=12,
)


def through(value):
    """A value as it comes back from the sandbox."""
    return json.loads(json.dumps(values.encode(value)))


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_decode_inverts_encode(value):
    """What is encoded comes back equal and of the same type."""
    back = values.decode(through(value))
    assert back == value
    assert type(back) is type(value)
    assert values.matches(value, through(value))
    assert not values.matches(value, through(value), "ne")
    assert values.matches(value, through(value), "true") is bool(value)
    assert values.matches(value, through(value), "false") is not bool(value)


@settings(max_examples=500, deadline=None)
@given(VALUES, VALUES)
def test_matches_is_pythons_equality(expected, other):
    """For any two values, the relation is that of `==`."""
    assert values.matches(expected, through(other)) is bool(expected == other)
    assert values.matches(expected, through(other), "ne") is bool(expected != other)


@settings(max_examples=300, deadline=None)
@given(NUMBERS, NUMBERS)
def test_numbers_of_different_types(expected, other):
    """1 == 1.0 == True == Fraction(1), alone, in lists and as members of sets and dicts."""
    same = bool(expected == other)
    assert values.matches(expected, through(other)) is same
    assert values.matches([expected], through([other])) is same
    assert values.matches({expected}, through({other})) is ({expected} == {other})
    assert values.matches({expected: 1}, through({other: 1})) is ({expected: 1} == {other: 1})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("tdsSbifcqnox"), inner, max_size=2),
    max_leaves=10,
)


@settings(max_examples=500, deadline=None)
@given(VALUES, JSON, st.sampled_from(values.RELATIONS))
def test_hostile_json_never_raises(expected, received, relation):
    """Malformed JSON is compared without an exception, and decoded or refused with a ValueError."""
    if relation == "is":
        expected = None
    assert values.matches(expected, received, relation, 0.5) in (True, False)
    with contextlib.suppress(ValueError):  # the one exception that decoding may raise
        values.decode(received)


def test_nan_equals_nothing():
    """Also not itself, wherever it stands."""
    nan = math.nan
    for value in (nan, [nan], (1, nan), {"a": nan}, {nan}):
        assert not values.matches(value, through(value))
        assert values.matches(value, through(value), "ne")


def test_kinds_stay_apart():
    """A tuple is no list, a str no bytes; a set equals a frozenset."""
    for ours, theirs in (((1,), [1]), ([1], (1,)), ("a", b"a"), (b"a", "a"), ({1: 2}, [[1, 2]]), ({1}, [1]), (0, None)):
        assert not values.matches(ours, through(theirs))
    assert values.matches({1, 2}, through(frozenset({2, 1})))
    assert values.matches({(1, frozenset({2}))}, through({(True, frozenset({2.0}))}))


def test_repeated_members_do_not_count():
    """A forged set that repeats a member is not the set it pretends to be."""
    assert not values.matches({1, 2}, {"s": [1, 1]})
    assert not values.matches({1: 1, 2: 1}, {"d": [[1, 1], [1.0, 1]]})


def test_close():
    """Numbers may differ by the tolerance, everything else must be equal."""
    assert values.matches([1.0, ("a", 2)], through([1.05, ("a", 1.95)]), "close", 0.1)
    assert not values.matches([1.0], through([1.2]), "close", 0.1)
    assert not values.matches(["a"], through(["b"]), "close", 9.0)
    assert values.matches(math.inf, through(math.inf), "close", 0.1)
    assert not values.matches(math.inf, through(-math.inf), "close", 0.1)
    assert not values.matches(1.0, through(math.nan), "close", 0.1)
    assert not values.matches(1.0, through(Decimal("1.05")), "close", 0.1)  # Python subtracts no such pair


def test_is():
    """`is` tells True from 1."""
    assert values.matches(True, True, "is")
    assert not values.matches(True, 1, "is")
    assert values.matches(None, None, "is")
    with pytest.raises(ConfigurationError, match="None, True or False only"):
        values.matches(3, 3, "is")


def test_deep_and_large_hostile_data():
    """Depth and colliding hashes are bounded."""
    deep: object = 1
    for _ in range(100_000):
        deep = [deep]
    assert not values.matches([1], deep)
    with pytest.raises(ValueError, match="too big"):
        values.decode(deep)
    colliding = [index * (2**61 - 1) for index in range(20_000)]
    with pytest.raises(ValueError, match="too large"):
        values.decode({"s": colliding})
    assert not values.matches({1, 2}, {"s": colliding})
    # taken apart by hand: the garbage collector would recurse
    while isinstance(deep, list):
        deep = deep.pop()


class Lie(int):
    def __eq__(self, other):
        return True

    __hash__ = int.__hash__


def test_results_of_subclasses_are_their_base():
    """What a candidate returns is encoded by the methods of the builtin base."""
    point = collections.namedtuple("point", "x y")(1, 2)
    assert codec.encode(Lie(7)) == 7
    assert codec.encode(point) == {"t": [1, 2]}
    assert codec.encode(collections.Counter("aa")) == {"d": [["a", 2]]}
    assert values.matches({"a": 2}, codec.encode(collections.defaultdict(int, a=2)))


@pytest.mark.parametrize("value", [object(), Lie(3), [Lie(3)], {1: object()}, bytearray(b"x"), range(3), len])
def test_arguments_must_be_exact(value):
    """An argument that would arrive as something else is refused, naming its type and the call."""
    with pytest.raises(ConfigurationError, match=r"Call 1: .* cannot enter the sandbox"):
        values.encode_calls([[1], [value]])


def test_cyclic_argument():
    """A list in itself is refused."""
    loop: list = []
    loop.append(loop)
    with pytest.raises(ConfigurationError, match="deeper"):
        values.encode_calls([[loop]])


def test_unknown_relation():
    """The message lists the relations."""
    with pytest.raises(ConfigurationError, match="relation must be one of"):
        values.matches(1, 1, "like")
