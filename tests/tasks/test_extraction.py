"""Test code of every style becomes a suite that its reference passes and a wrong program fails."""

import pytest

from code_envs.execution.executor import Limits
from code_envs.tasks.cases import CaseSuite, ReplaySuite
from code_envs.tasks.extraction import TestProgram, extract

LIMITS = Limits()
DOUBLE = "def f(x):\n    return 2 * x\n"
WRONG = b"def f(*a, **k):\n    return -77\n"


def extracted(executor, reference, *sections, entry="f", setup=""):
    return extract([(TestProgram(tuple(sections), entry, setup), reference)], executor)[0]


def passes(executor, extraction, source):
    return extraction.suite.run(source.encode(), executor, LIMITS).passed


@pytest.mark.parametrize(
    ("reference", "code", "lane", "count"),
    [
        (DOUBLE, "assert f(1) == 2\nassert f(3) == 6, f(4)", "cases", 2),
        (DOUBLE, "def check(candidate):\n    assert candidate(1) == 2\n    assert True", "cases", 1),
        (DOUBLE, "def check(f):\n    assert f(1) == 2\n\ncheck(f)", "cases", 1),
        (DOUBLE, "for n in range(5):\n    assert 2 * n == f(n)", "cases", 5),
        (DOUBLE, "import random\nfor _ in range(4):\n    n = random.random()\n    assert f(n) == n * 2", "cases", 4),
        (DOUBLE, "def expect(x, y):\n    assert f(x) == y\nexpect(2, 4)\nexpect(3, 6)", "cases", 2),
        (DOUBLE, "assert abs(f(1.5) - 3) < 1e-6\nassert abs(4 - f(2)) <= 0.1", "cases", 2),
        (
            DOUBLE,
            "import math\nassert math.isclose(f(1.5), 3.0, rel_tol=1e-3)\nassert math.isclose(3, f(1.5))",
            "cases",
            2,
        ),
        (DOUBLE, "assert f(1)\nassert not f(0)\nassert f(1) != 3", "cases", 3),
        ("def f(x):\n    return x > 0\n", "assert f(1) is True\nassert f(-1) is not True\n", "replay", 2),
        ("def f(x):\n    return x > 0\n", "assert f(1) is True\nassert f(-1) is False\n", "cases", 2),
        ("def f(x):\n    return None\n", "assert f(1) is None\nassert f(2) == None", "cases", 2),
        ("def f(x, y=1):\n    return x - y\n", "assert f(3, y=2) == 1\nassert f(x=3) == 2", "cases", 2),
        ("def f(x):\n    return list(x)\n", "assert set(f('ab')) == {'a', 'b'}", "replay", 1),
        (DOUBLE, "assert f(f(1)) == 4", "replay", 1),
        (DOUBLE, "assert f(1) == 2 and f(2) == 4\nassert 0 < f(1) < 3\nassert f(1) in (2, 3)", "replay", 3),
        (DOUBLE, "assert isinstance(f(1), int)\nassert round(f(0.3), 1) == 0.6", "replay", 2),
        (DOUBLE, "assert not isinstance(f(1), str)\nassert type(f(1)) is not str\nassert f(1) == 2", "replay", 3),
        (DOUBLE, "assert [f(n) for n in range(3)] == [0, 2, 4]", "replay", 1),
        (DOUBLE, "x = f(2)\nif x > 3:\n    assert x == 4", "replay", 1),
        (
            "def f(x):\n    if x < 0:\n        raise ValueError('negative')\n    return x\n",
            "try:\n    f(-1)\n    ok = False\nexcept ValueError as error:\n    ok = 'neg' in str(error)\nassert ok",
            "replay",
            1,
        ),
        ("def f(n):\n    yield from range(n)\n", "assert list(f(3)) == [0, 1, 2]\nassert f(1) == [0]", "replay", 2),
        ("def f(n):\n    yield from range(n)\n", "assert f(3) == [0, 1, 2]", "cases", 1),
        ("import re\ndef f(s):\n    return re.match('a', s)\n", "assert f('ab')\nassert not f('b')", "cases", 2),
        (
            "class Pair:\n    def __init__(self, a):\n        self.a = a\ndef f(p, n):\n    return p.a + n\n",
            "assert f(Pair(3), 1) == 4\nassert 5 == f(Pair(3), 2)",
            "driven",
            2,
        ),
        ("def f(x, *, add):\n    return x + add\n", "assert f(1, add=2) == 3\nassert f(2, add=1) == 3", "driven", 2),
        ("def f(kind, x):\n    return isinstance(x, kind)\n", "assert f(int, 1)\nassert not f(str, 1)", "driven", 2),
    ],
)
def test_styles_of_test_code(executor, reference, code, lane, count):
    extraction = extracted(executor, reference, code)
    assert (extraction.lane, extraction.reason if extraction.suite is None else "") == (lane, "")
    assert len(extraction.suite) == count == len(extraction.suite.descriptions)
    assert passes(executor, extraction, reference) == (True,) * count
    assert not all(passes(executor, extraction, WRONG.decode()))


def test_suite_classes(executor):
    assert isinstance(extracted(executor, DOUBLE, "assert f(1) == 2").suite, CaseSuite)
    assert isinstance(extracted(executor, DOUBLE, "assert {f(1)} == {2}").suite, ReplaySuite)


def test_arguments_are_taken_before_the_call_changes_them(executor):
    reference = "def f(items):\n    items.sort()\n    return items[0]\n"
    extraction = extracted(executor, reference, "data = [3, 1, 2]\nassert f(data) == 1\nassert f(data) == 1")
    assert extraction.suite.descriptions == ("f([3, 1, 2]) == 1", "f([1, 2, 3]) == 1")


def test_helpers_belong_to_the_reference(executor):
    """HumanEval 32, 38 and 50: a candidate cannot weaken the tests through the helper they call."""
    reference = "def encode(s):\n    return s[::-1]\n\ndef f(s):\n    return s[::-1]\n"
    code = "def check(candidate):\n    for s in ('ab', 'cd'):\n        assert len(candidate(encode(s))) == 2\n"
    extraction = extracted(executor, reference, code)
    assert extraction.lane == "replay"
    cheat = "def encode(s):\n    return ''\n\ndef f(s):\n    return ''\n"
    assert passes(executor, extraction, cheat) == (False, False)


def test_global_entry_name_is_the_reference_when_check_gets_the_candidate(executor):
    """HumanEval 33 compares the candidate with the program's own function: it must not be itself."""
    code = "def check(candidate):\n    assert tuple(candidate([2, 1])) == tuple(f([2, 1]))\n"
    extraction = extracted(executor, "def f(x):\n    return sorted(x)\n", code)
    assert passes(executor, extraction, "def f(x):\n    return x\n") == (False,)


def test_sections_are_remembered_and_have_their_own_names(executor):
    first = "def check(f):\n    assert f(1) == 2\ncheck(f)"
    second = "def check(f):\n    assert f(2) == 4\n    assert {f(3)} == {6}\ncheck(f)"
    extraction = extracted(executor, DOUBLE, first, second)
    assert extraction.sections == (0, 1, 1)
    assert passes(executor, extraction, DOUBLE) == (True, True, True)
    assert passes(executor, extraction, "def f(x):\n    return 2 * x if x != 1 else 0\n") == (False, True, True)


def test_random_inputs_are_frozen(executor):
    code = "import random\nfor _ in range(3):\n    n = random.randint(0, 10**6)\n    assert f(n) == 2 * n"
    runs = [extracted(executor, DOUBLE, code).suite.descriptions for _ in range(2)]
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == 3


def test_a_diverging_candidate_fails_what_follows(executor):
    extraction = extracted(executor, DOUBLE, "assert f(f(1)) == 4\nassert {f(5)} == {10}")
    assert passes(executor, extraction, "def f(x):\n    return x + 1\n") == (False, False)


def test_step_limited_calls_do_not_count_as_exceptions(executor):
    reference = "def f(x):\n    raise ValueError('no')\n"
    code = "ok = False\ntry:\n    f(1)\nexcept Exception:\n    ok = True\nassert ok"
    extraction = extracted(executor, reference, code)
    endless = b"def f(x):\n    while True:\n        pass\n"
    assert not extraction.suite.run(endless, executor, Limits(steps=1000)).all_passed


@pytest.mark.parametrize(
    ("reference", "code", "reason"),
    [
        (DOUBLE, "assert True", "no assert about the function"),
        (DOUBLE, "assert f(1) == 3 and f(2) == 4", "the reference fails its own tests"),
        (DOUBLE, "import absent_module\nassert f(1) == 2", "absent_module"),
        ("def g(x):\n    return x\n", "assert f(1) == 2", "defines no function 'f'"),
        (DOUBLE, "assert f(:", "SyntaxError"),
        ("import os\ndef f(x):\n    os._exit(3)\n", "assert f(1) == 2", "ended with exited"),
        (
            "class P:\n    pass\ndef f(p):\n    return 1\n",
            "for _ in range(2):\n    assert f(P()) == 1",
            "type 'P', which has no encoding, and the test code is more than asserts",
        ),
    ],
)
def test_reasons_against_a_suite(executor, reference, code, reason):
    extraction = extracted(executor, reference, code)
    assert extraction.suite is None
    assert reason in extraction.reason


def test_one_bad_item_does_not_spoil_its_neighbours(executor):
    """Items share jobs; one that ends the job is run again alone."""
    good = (TestProgram(("assert f(1) == 2",), "f"), DOUBLE)
    bad = (TestProgram(("assert f(1) == 2",), "f"), "import os\nos._exit(1)\n")
    assert [each.lane for each in extract([good, bad, good], executor)] == ["cases", "", "cases"]


def test_entry_is_inferred_from_the_asserts(executor):
    reference = "def helper(x):\n    return x\n\ndef target(x):\n    return helper(x)\n"
    code = "assert target(helper(1)) == 1\nassert target(2) == 2"
    assert extracted(executor, reference, code, entry="").entry == "target"
    unclear = extracted(executor, reference, "assert target(1) == helper(1)", entry="")
    assert "2 functions of the program are called in every assert" in unclear.reason


def test_setup_is_available(executor):
    extraction = extracted(executor, DOUBLE, "assert f(TWO) == 4", setup="TWO = 2")
    assert extraction.suite.descriptions == ("f(2) == 4",)


def test_behaviour_ignores_names_layout_and_annotations(executor):
    other = 'def g(value: int) -> int:\n    """Twice."""\n\n    return 2 * value  # comment\n'
    same = extracted(executor, other, "assert g(1) == 2", entry="g").behaviour
    assert same == extracted(executor, DOUBLE, "assert f(1) == 2").behaviour
    different = extracted(executor, "def f(x):\n    return x + x\n", "assert f(1) == 2").behaviour
    assert different != same
