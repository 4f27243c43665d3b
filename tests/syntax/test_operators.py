"""Each operator of the family: a small program, and the edit that must be among its candidates."""

import pytest

from code_envs.syntax.rewrite import Operator

LOOP = "def f(items, n):\n    out = []\n    k = 0\n    for x in items:\n        k = k + x\n    return out\n"

EXAMPLES = [
    # operator, program, what is replaced, by what
    (Operator.OPERATOR, "def f(a, b):\n    return a < b\n", "a < b", "a <= b"),
    (Operator.OPERATOR, "def f(a, b):\n    return a < b\n", "a < b", "a != b"),
    (Operator.OPERATOR, "def f(a, b):\n    return a in b\n", "a in b", "a not in b"),
    (Operator.OPERATOR, "def f(a, b):\n    return a is not b\n", "a is not b", "a is b"),
    (Operator.OPERATOR, "def f(a, b):\n    return a and b\n", "and", "or"),
    (Operator.OPERATOR, "def f(a, b):\n    return a / b\n", "/", "//"),
    (Operator.OPERATOR, "def f(a, b):\n    a -= b\n    return a\n", "-=", "//="),
    (Operator.OPERATOR, "def f(a, b):\n    a = b\n    return a\n", "a = b", "a += b"),
    (Operator.OPERATOR, "def f(a, b):\n    return a ^ b\n", "^", "&"),
    (Operator.OPERATOR, "def f(a, b):\n    return a << b\n", "<<", ">>"),
    (Operator.IDENTIFIER, "def f(a, b):\n    return a + a\n", "a + a", "a + b"),
    (Operator.IDENTIFIER, "def f(a):\n    low = 0\n    high = a\n    return low\n", "high = a", "low = a"),
    (Operator.CONSTANT, "def f(a):\n    return a + 7\n", "7", "8"),
    (Operator.CONSTANT, "def f(a):\n    return a + 7\n", "a + 7", "a + (-7)"),
    (Operator.CONSTANT, "def f(a):\n    return a - 7\n", "a - 7", "a - a"),
    (Operator.CONSTANT, "def f(a):\n    return a + 'xyz'\n", "'xyz'", "''"),
    (Operator.CONSTANT, "def f(a):\n    return a + 'xyz'\n", "'xyz'", "'xy'"),
    (Operator.CONSTANT, "def f(a):\n    return a + 'xyz'\n", "'xyz'", "'XYZ'"),
    (Operator.CONSTANT, "def f(a):\n    return ['p', 'q', a]\n", "'p', 'q'", "'q', 'q'"),
    (Operator.CONSTANT, "def f(a):\n    return True\n", "True", "False"),
    (Operator.CONSTANT, "def f(a):\n    return None\n", "None", "[]"),
    (Operator.OFF_BY_ONE, "def f(n):\n    return sum(range(n))\n", "range(n)", "range(n + 1)"),
    (Operator.OFF_BY_ONE, "def f(a, i):\n    return a[i]\n", "a[i]", "a[i - 1]"),
    (Operator.OFF_BY_ONE, "def f(a):\n    return len(a)\n", "return len(a)", "return len(a) + 1"),
    (Operator.OFF_BY_ONE, "def f(n):\n    n = n * 2\n    return n * 3\n", "n * 3", "(n + 1) * 3"),
    (Operator.DROP, "def f(a, b):\n    return a + b\n", "a + b", "a"),
    (Operator.DROP, "def f(a):\n    return sorted(a)\n", "sorted(a)", "a"),
    (Operator.DROP, "def f(a):\n    return a.strip()\n", "a.strip()", "a"),
    (Operator.DROP, "def f(a):\n    return not a\n", "not a", "a"),
    (Operator.DROP, "def f(a):\n    return a[0]\n", "a[0]", "a"),
    (Operator.DROP, "def f(a):\n    return [a, 1, 2]\n", "[a, 1, 2]", "[a, 2]"),
    (Operator.DROP, "def f(a):\n    return a[1:5]\n", "[1:5]", "[1:]"),
    (Operator.DROP, "def f(a):\n    return [x for x in a if x]\n", "in a if x]", "in a ]"),
    (Operator.DROP, "def f(a, b, c):\n    return a * (b + c)\n", "(b + c)", "(b)"),
    (Operator.DROP, "def f(a, b, c):\n    return a * abs(b + c)\n", "abs(b + c)", "(b + c)"),
    (Operator.SWAP, "def f(a, b):\n    return pow(a, b)\n", "a, b)\n", "b, a)\n"),
    (Operator.SWAP, "def f(a, b):\n    return a - b\n", "a - b", "b - a"),
    (Operator.SWAP, "def f(a, b, c):\n    return a - b - c\n", "a - b - c", "c - (a - b)"),
    (Operator.SWAP, "def f(a, b):\n    return a if b else 1\n", "a if b else 1", "1 if b else a"),
    (Operator.SWAP, "def f(a):\n    return a[:2]\n", "[:2]", "[2:]"),
    (Operator.SWAP, "def f(a, b):\n    a, b = b, a\n    return a\n", "= b, a", "= a, b"),
    (
        Operator.SWAP,
        "def f(a):\n    if a:\n        return 1\n    else:\n        return 2\n",
        "        return 1\n    else:\n        return 2\n",
        "        return 2\n    else:\n        return 1\n",
    ),
    (Operator.CALLEE, "def f(a):\n    return min(a)\n", "min", "max"),
    (Operator.CALLEE, "def f(a):\n    return a.upper()\n", "upper", "lower"),
    (Operator.CALLEE, "def f(a):\n    return g(a)\n\n\ndef g(a):\n    return a\n", "return g(a)", "return f(a)"),
    (Operator.NEGATE, "def f(a):\n    if a:\n        return 1\n    return 0\n", "if a:", "if not a:"),
    (Operator.NEGATE, "def f(a, b):\n    while a and b:\n        a = 0\n    return 1\n", "a and b", "not (a and b)"),
    (Operator.NEGATE, "def f(n):\n    return abs(n)\n", "return abs(n)", "return -abs(n)"),
    (Operator.SLICE, "def f(items):\n    items.sort()\n    return items\n", "return items", "return items[1:]"),
    (Operator.SLICE, "def f(items):\n    items.sort()\n    return items\n", "return items", "return items[::-1]"),
    (Operator.SLICE, "def f(items):\n    items.sort()\n    return items\n", "return items", "return items[-1]"),
    (Operator.SLICE, "def f(a, n):\n    n = n - 1\n    return a[1:]\n", "a[1:]", "a[1:n]"),
    (Operator.DONOR, "def f(a, b):\n    c = a[0] + b[0]\n    return a[1] + c\n", "a[1]", "a[0]"),
    (Operator.DONOR, "def f(a, b):\n    c = a[0] + b[0]\n    return a[1] + c\n", "a[1]", "b"),
    (Operator.DONOR, "def f(a, b):\n    c = g(b, a)\n    return b\n", "return b", "return g(b, a)"),
    (Operator.DONOR, "def f(a, b):\n    c = a - b\n    return b * 2\n", "b * 2", "(a - b) * 2"),
    (Operator.WRAP, "def f(a, b):\n    return a - b\n", "return a - b", "return abs(a - b)"),
    (Operator.WRAP, "def f(a):\n    best = 0\n    best = a\n    return best\n", "best = a", "best = max(best, a)"),
    (Operator.WRAP, "def f(n):\n    n = n - 1\n    return n\n", "return n", "return max(0, n)"),
    (Operator.WRAP, "def f(s):\n    t = s.lower()\n    return s\n", "return s", "return s.lower()"),
    (Operator.ARITHMETIC, "def f(n, m):\n    m = m - 1\n    n = n - 1\n    return n\n", "return n", "return n + m"),
    (Operator.ARITHMETIC, "def f(n, m):\n    m = m - 1\n    return 2 * n\n", "2 * n", "2 * (n - m)"),
    (Operator.ARITHMETIC, "def f(n):\n    n = n - 1\n    return n\n", "return n", "return n * n"),
    (Operator.ARITHMETIC, "def f(n):\n    return n - 1\n", "return n - 1", "return (n - 1) // 2"),
    (
        Operator.CLAUSE,
        "def f(a, b):\n    if a > 1:\n        return 1\n    return b\n",
        "if a > 1:",
        "if a > 1 or b:",
    ),
    (
        Operator.CLAUSE,
        "def f(a, b):\n    if a or b:\n        return 1\n    c = a\n    return c\n",
        "a or b",
        "(a or b) and not c",
    ),
    (
        Operator.CLAUSE,
        "def f(a):\n    if a > 1:\n        return 1\n    return a < 5\n",
        "if a > 1:",
        "if a > 1 and a < 5:",
    ),
    (Operator.CLAUSE, "def f(a):\n    return [x for x in a]\n", "in a]", "in a if x]"),
    (Operator.DELETE, "def f(a):\n    a = 1\n    return a\n", "    a = 1\n", "    \n"),
    (Operator.DELETE, "def f(a):\n    if a:\n        a = 1\n    return a\n", "a = 1", "pass"),
    (
        Operator.DELETE,
        "def f(a):\n    if a:\n        a = 1\n        a += 2\n    return a\n",
        "    if a:\n        a = 1\n        a += 2\n",
        "    a = 1\n    a += 2\n",
    ),
    (
        Operator.DELETE,
        "def f(a):\n    if a:\n        a = 1\n    else:\n        a = 2\n    return a\n",
        "    else:\n        a = 2\n",
        "",
    ),
    (Operator.MOVE, "def f(a, b):\n    a = b\n    b += 1\n    return a\n", "a = b\n    b += 1", "b += 1\n    a = b"),
    (
        Operator.MOVE,
        "def f(a):\n    for x in a:\n        y = x\n        return y\n",
        "        return y\n",
        "    return y\n",
    ),
    (
        Operator.MOVE,
        "def f(a):\n    for x in a:\n        y = x\n    if y:\n        y = 2\n    return y\n",
        "    if y:\n        y = 2\n",
        "        if y:\n            y = 2\n",
    ),
    (Operator.INSERT_ASSIGNMENT, LOOP, "k = k + x\n", "k = k + x\n        k += 1\n"),
    (Operator.INSERT_ASSIGNMENT, LOOP, "k = k + x\n", "k -= 1\n        k = k + x\n"),
    (Operator.INSERT_ASSIGNMENT, LOOP, "k = k + x\n", "k = k + x\n        x = k\n"),
    (Operator.INSERT_COLLECT, LOOP, "k = k + x\n", "k = k + x\n        out.append(x)\n"),
    (
        Operator.INSERT_COLLECT,
        "def f(a):\n    seen = set()\n    for x in a:\n        seen.add(1)\n        y = x\n    return seen\n",
        "y = x\n",
        "y = x\n        seen.add(x)\n",
    ),
    (
        Operator.INSERT_GUARD,
        "def f(n):\n    return n - 1\n",
        "    return n",
        "    if n <= 0:\n        return 0\n    return n",
    ),
    (
        Operator.INSERT_GUARD,
        "def f(a):\n    r = []\n    r.append(a[0])\n    return r\n",
        "    r = []\n",
        "    if not a:\n        return []\n    r = []\n",
    ),
    (Operator.INSERT_GUARD, LOOP, "k = k + x\n", "k = k + x\n        return out\n"),
    (Operator.INSERT_GUARD, LOOP, "k = k + x\n", "k = k + x\n        break\n"),
    (Operator.INSERT_GUARD, "def f(a):\n    b = a\n", "b = a\n", "b = a\n    return b\n"),
    (Operator.INSERT_DUPLICATE, "def f(a):\n    g(a)\n    a = 1\n", "a = 1\n", "a = 1\n    g(a)\n"),
    (
        Operator.INSERT_DUPLICATE,
        "def f(a):\n    if a:\n        a = 1\n    return a\n",
        "        a = 1\n",
        "        a = 1\n    else:\n        return a\n",
    ),
    (Operator.ARGUMENT, "def f(n):\n    return range(n)\n", "range(n)", "range(1, n)"),
    (Operator.ARGUMENT, "def f(n):\n    return range(n)\n", "range(n)", "range(n - 1, -1, -1)"),
    (Operator.ARGUMENT, "def f(n):\n    return range(1, n)\n", "range(1, n)", "range(1, n, 2)"),
    (Operator.ARGUMENT, "def f(n):\n    return sorted(n)\n", "sorted(n)", "sorted(n, reverse=True)"),
    (Operator.DROP, "def f(n):\n    return max(1, n)\n", "max(1, n)", "max(n)"),
    (Operator.STATEMENT, "def f(a):\n    for x in a:\n        break\n", "break", "continue"),
    (Operator.STATEMENT, "def f(a):\n    if a:\n        a = 0\n    return a\n", "if a", "while a"),
    (Operator.STATEMENT, "def f(a):\n    while a:\n        a = 0\n    return a\n", "while a", "if a"),
    (Operator.STATEMENT, "def f(a):\n    g(a)\n", "g(a)", "return g(a)"),
    (Operator.STATEMENT, "def f(a):\n    b = a\n", "b = a", "return a"),
    (Operator.STATEMENT, "def f(a):\n    return a.pop()\n", "return a", "a"),
    (Operator.STATEMENT, "def f(a, b):\n    a.append(b)\n", "a.append(b)", "a += b"),
    (
        Operator.STATEMENT,
        "def f(a):\n    if a > 1:\n        a = 1\n    elif a:\n        a = 2\n    return a\n",
        "elif",
        "if",
    ),
]


@pytest.mark.parametrize(
    ("operator", "source", "old", "new"), EXAMPLES, ids=[f"{each[0].name}-{n}" for n, each in enumerate(EXAMPLES)]
)
def test_operator_has_the_edit(operator, source, old, new, candidates):
    """The program with `old` replaced by `new` is a candidate of the operator."""
    assert source.count(old) == 1, "the example must be unambiguous"
    wanted = source.replace(old, new)
    found = candidates(source)
    makers = {maker.name for maker, after in found if after.decode() == wanted}
    mine = [after.decode() for maker, after in found if maker is operator]
    assert makers == {operator.name}, f"{operator.name} gives\n" + "\n".join(mine)


def test_every_operator_has_an_example():
    """The table covers the family."""
    assert {each[0] for each in EXAMPLES} == set(Operator) - {Operator.SUBMIT, Operator.UNDO}


def test_every_operator_occurs_in_the_builtin_programs(builtin, candidates):
    """Nothing of the family is dead code."""
    found = {operator for source in list(builtin.values())[::2] for operator, _ in candidates(source)}
    assert found == set(Operator) - {Operator.SUBMIT, Operator.UNDO}


@pytest.mark.parametrize(
    ("source", "never"),
    [
        ("def f(a):\n    while a:\n        a -= 1\n        break\n", "if a:"),
        ("def f(a):\n    i = j = a\n    return i\n", "return j = a"),
        ("def f(a):\n    return a is None\n", "a is ''"),
        ("def f(a):\n    return 'x' + a\n", "'x' - a"),
        ("def f(a):\n    (a, b) = a\n    return b\n", "+= a"),
        ("def f(a, b=1):\n    return a\n", "b=2"),
        ("def f(a, b):\n    return a * b\n", "b * a"),
        ("def f(a, b):\n    return a == b\n", "b == a"),
        ("import math\n\n\ndef f(a: int) -> int:\n    return math.floor(a)\n", "-> a"),
    ],
)
def test_no_candidate_has(source, never, candidates):
    """What would not compile, warn, or change a signature is never offered."""
    texts = [after.decode() for _, after in candidates(source)]
    assert texts
    assert not [text for text in texts if never in text]


def test_jumps_of_inner_loops_do_not_block_an_edit(candidates):
    """A `break` that belongs to a loop inside stays where it is, so the loop around may become an `if`."""
    source = "def f(a):\n    while a:\n        for x in a:\n            break\n        a = x\n    return a\n"
    assert source.replace("while", "if").encode() in [after for _, after in candidates(source)]


def test_edits_stand_in_the_scope_of_their_function(candidates):
    """Names of another function are never used."""
    source = "def f(alpha):\n    return alpha\n\n\ndef g(omega):\n    return omega\n"
    for _, after in candidates(source):
        first, second = after.decode().split("def g")
        assert "omega" not in first
        assert "alpha" not in second
