"""Suites judge what a candidate gave, and nothing that a candidate does makes a wrong value pass."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_envs.errors import TaskError
from code_envs.execution.executor import CallResult, CallStatus, Limits, Outcome, Status
from code_envs.execution.values import encode
from code_envs.tasks.cases import Case, CaseSuite, ReplaySuite, TestCode

LIMITS = Limits()

HOSTILE = {
    "always equal": "class E:\n    def __eq__(self, other):\n        return True\ndef f(*a):\n    return E()\n",
    "equal int": "class E(int):\n    def __eq__(self, other):\n        return True\n    __hash__ = int.__hash__\n"
    "def f(*a):\n    return E(0)\n",
    "equal list": "class E(list):\n    def __eq__(self, other):\n        return True\n    def __iter__(self):\n"
    "        return iter([1, 2])\ndef f(*a):\n    return E()\n",
    "lying class": "class E:\n    @property\n    def __class__(self):\n        return list\n    def __len__(self):\n"
    "        return 2\ndef f(*a):\n    return E()\n",
    "forged tag": 'def f(*a):\n    return {"t": [1, 2]}\n',
    "exit": "import os\ndef f(*a):\n    os._exit(0)\n",
    "system exit": "def f(*a):\n    raise SystemExit(0)\n",
    "exit at import": "import os\nos._exit(0)\n",
    "assertion error": "def f(*a):\n    raise AssertionError\n",
    "patched builtins": "import builtins\nbuiltins.set = lambda *a: 0\nbuiltins.all = lambda *a: True\ndef f(*a):\n"
    "    return None\n",
    "empty": "",
    "unparsable": "def f(:\n",
}


def replay_suite() -> ReplaySuite:
    code = TestCode(
        entry="f",
        reference="def f(x):\n    return [1, 2]\n\ndef same(a, b):\n    return set(a) == set(b)\n",
        setup="",
        sections=(("assert same(f(0), [2, 1])\nassert list(f(1)) == [1, 2], f(5)", 0, 2),),
        calls=("[0]", "[1]"),
        descriptions=("same(f(0), [2, 1])", "list(f(1)) == [1, 2]"),
        keys=("a", "b"),
    )
    return ReplaySuite(code)


def case_suite() -> CaseSuite:
    return CaseSuite("f", [Case.of("f", [0], [1, 2]), Case.of("f", [1], [1, 2])])


@pytest.mark.parametrize("make", [case_suite, replay_suite])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_values_pass_nothing(executor, make, name):
    suite = make()
    verdict = suite.run(HOSTILE[name].encode(), executor, LIMITS)
    assert verdict.passed == (False,) * len(suite)


@pytest.mark.parametrize("make", [case_suite, replay_suite])
def test_right_and_partly_right_programs(executor, make):
    suite = make()
    assert suite.run(b"def f(x):\n    return [1, 2]\n", executor, LIMITS).all_passed
    half = b"def f(x):\n    return [1, 2] if x else [3]\n"
    assert suite.run(half, executor, LIMITS).passed == (False, True)
    raises = b"def f(x):\n    return [1, 2] if x else 1 / 0\n"
    assert suite.run(raises, executor, LIMITS).passed == (False, True)


def test_replay_binds_helpers_to_the_reference(executor):
    """A candidate that edits a helper of the tests gains nothing."""
    cheat = b"def f(x):\n    return []\n\ndef same(a, b):\n    return True\n"
    assert replay_suite().run(cheat, executor, LIMITS).passed == (False, False)


def test_replay_remembers_verdicts(executor):
    """A second candidate with the same values starts no second judge, also in a subset."""
    suite = replay_suite()
    outcome = executor.run(suite.job(b"def f(x):\n    return [2, 1]\n", LIMITS))
    first = suite.grade(outcome, executor)
    assert first.passed == (True, False)
    assert suite.subset([0]).grade(outcome, None).passed == (True,)


def test_replay_outcome_with_values_that_json_cannot_hold(executor):
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    results = (CallResult(CallStatus.VALUE, float("nan")), CallResult(CallStatus.VALUE, [1, 2]))
    assert replay_suite().grade(Outcome(Status.OK, results), executor).passed == (False, True)
    results = (CallResult(CallStatus.VALUE, deep), CallResult(CallStatus.VALUE, [1, 2]))
    assert replay_suite().grade(Outcome(Status.OK, results), executor).passed == (False, True)


def test_malformed_values_fail(executor):
    results = (CallResult(CallStatus.VALUE, {"no tag": 1}), CallResult(CallStatus.VALUE, [1, 2]))
    assert case_suite().grade(Outcome(Status.OK, results), executor).passed == (False, True)
    assert not any(replay_suite().grade(Outcome(Status.OK, results), executor).passed)


@pytest.mark.parametrize(
    ("relation", "expected", "right", "wrong", "text"),
    [
        ("eq", 3, 3, 4, "f(1) == 3"),
        ("ne", 3, 4, 3, "f(1) != 3"),
        ("is", None, None, 0, "f(1) is None"),
        ("true", True, [0], [], "f(1)"),
        ("false", False, "", "x", "not f(1)"),
        ("close", 1.5, 1.5005, 1.6, "abs(f(1) - 1.5) <= 0.001"),
    ],
)
def test_relations(relation, expected, right, wrong, text):
    suite = CaseSuite("f", [Case.of("f", [1], expected, relation, 0.001)])
    assert suite.descriptions == (text,)
    for value, passes in ((right, True), (wrong, False)):
        outcome = Outcome(Status.OK, (CallResult(CallStatus.VALUE, encode(value)),))
        assert suite.grade(outcome, None).passed == (passes,)


def test_unknown_relation_is_named():
    with pytest.raises(TaskError, match="'f' has the relation 'lt'"):
        Case.of("f", [1], 2, "lt")


def test_outcome_without_results_fails_every_test():
    assert case_suite().grade(Outcome(Status.COMPILE_ERROR, ()), None).passed == (False, False)


def test_long_descriptions_are_cut():
    case = Case.of("f", ["x" * 500], 1)
    assert len(case.text) == 200
    assert case.text.endswith("...")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(values, max_size=3), values, values)
def test_a_case_passes_exactly_for_equal_values(arguments, expected, received):
    suite = CaseSuite("f", [Case.of("f", arguments, expected)])
    outcome = Outcome(Status.OK, (CallResult(CallStatus.VALUE, encode(received)),))
    assert suite.grade(outcome, None).passed == (expected == received,)


def test_grading_is_fast():
    """The hot path of an environment; measured 5 to 10 us for eight cases."""
    suite = CaseSuite("f", [Case.of("f", [n], [n, n + 1]) for n in range(8)])
    results = tuple(CallResult(CallStatus.VALUE, [n, n + 1]) for n in range(8))
    outcome = Outcome(Status.OK, results)
    best = float("inf")
    for _ in range(20):
        start = time.perf_counter()
        for _ in range(50):
            suite.grade(outcome, None)
        best = min(best, (time.perf_counter() - start) / 50)
    assert best < 60e-6


def test_numbers_of_javascript(executor):
    """Large numbers come out of JavaScript as what they are; large integers do not go in as something else."""
    suite = CaseSuite("f", [Case.of("f", [2.0**60], 2**60), Case.of("f", [1e300], 1e300)], language="javascript")
    assert suite.run(b"const f = (x) => x;", executor, Limits()).all_passed
    with pytest.raises(TaskError, match=r"2\*\*53"):
        CaseSuite("f", [Case.of("f", [2**60], 2**60)], language="javascript")


@pytest.mark.parametrize(
    ("language", "entry", "arguments", "right", "wrong"),
    [
        ("javascript", "f", [[3], [4]], "const f = (x) => 2 * x;", "const f = (x) => x;"),
        ("c", "", [["3"], ["4"]], '{ printf("%d", 2 * x); }', '{ printf("%d", x); }'),
    ],
)
def test_cases_in_other_languages(executor, language, entry, arguments, right, wrong):
    """A suite makes its calls in the language of its programs, and so does a part of it."""
    start = '#include <stdio.h>\nint main(void) { int x; scanf("%d", &x);' if language == "c" else ""
    end = "}" if language == "c" else ""
    expected = ["6", "8"] if language == "c" else [6, 8]
    cases = [Case.of(entry, given, value) for given, value in zip(arguments, expected, strict=True)]
    suite = CaseSuite(entry, cases, language=language)
    for part in (suite, suite.subset([1])):
        assert part.run(f"{start}{right}{end}".encode(), executor, Limits()).all_passed
        assert not any(part.run(f"{start}{wrong}{end}".encode(), executor, Limits()).passed)
