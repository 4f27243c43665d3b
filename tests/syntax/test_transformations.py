"""Transformations: what each one makes of a program, and that all of them are sound edits."""

from __future__ import annotations

import importlib.resources

import pytest

from code_envs.syntax.program import Program
from code_envs.syntax.tokens import VOCABULARY_SIZE, TokenIds
from code_envs.syntax.transform_table import TransformTable
from code_envs.syntax.transformations import Transformation, transformations

T = Transformation


def results(text: str, kind: Transformation) -> list[str]:
    """The programs that a kind of transformation makes of a program."""
    program = Program(text.encode())
    return [program.apply(each.edit).text for each in transformations(program) if each.transformation is kind]


def function(*lines: str) -> str:
    return "def f(xs, ys, n, pairs):\n" + "".join(f"    {line}\n" for line in lines)


EXAMPLES = [
    (T.SUM, ["total = 0", "for x in xs:", "    total += x * n", "return total"],
     ["total = sum(x * n for x in xs)", "return total"]),
    (T.SUM, ["total = 0", "for x in xs:", "    total = total + x", "return total"],
     ["total = sum(xs)", "return total"]),
    (T.SUM, ["t = 7", "for x in xs:", "    for y in ys:", "        if x < y:", "            t += x", "return t"],
     ["t = 7 + sum(x for x in xs for y in ys if x < y)", "return t"]),
    (T.COLLECT, ["out = []", "for x in xs:", "    if x > 0:", "        out.append(x + 1)", "return out"],
     ["out = [x + 1 for x in xs if x > 0]", "return out"]),
    (T.COLLECT, ["out = {}", "for x in xs:", "    out[x] = x + 1", "return out"],
     ["out = {x: x + 1 for x in xs}", "return out"]),
    (T.ANY_ALL, ["for x in xs:", "    if x < 0:", "        return False", "return True"],
     ["return not any(x < 0 for x in xs)"]),
    (T.EXTREME, ["best = xs[0]", "for x in xs:", "    if best > x:", "        best = x", "return best"],
     ["best = min(xs)", "return best"]),
    (T.EXTREME, ["best = 0", "for x in xs:", "    if len(x) > best:", "        best = len(x)", "return best"],
     ["best = max(0, max((len(x) for x in xs), default=0))", "return best"]),
    (T.JOIN, ['text = ""', "for x in xs:", "    text += str(x)", "return text"],
     ['text = "".join(str(x) for x in xs)', "return text"]),
    (T.COUNT, ["k = 0", "for x in xs:", "    if x == n:", "        k += 1", "return k"],
     ["k = xs.count(n)", "return k"]),
    (T.UNIQUE, ["out = []", "for x in xs:", "    if x not in out:", "        out.append(x)", "return out"],
     ["out = list(dict.fromkeys(xs))", "return out"]),
    (T.CONTAINER, ["k = 0", "for x in xs:", "    if x in ys:", "        k += 1", "return k"],
     ["k = 0", "ys_set = set(ys)", "for x in xs:", "    if x in ys_set:", "        k += 1", "return k"]),
    (T.CONTAINER, ["seen = []", "for x in xs:", "    if x in seen:", "        return x", "    seen.append(x)"],
     ["seen = set()", "for x in xs:", "    if x in seen:", "        return x", "    seen.add(x)"]),
    (T.HOIST, ["out = []", "for x in xs:", "    for y in ys:", "        out.append(x * len(ys) + y)", "return out"],
     ["out = []", "fixed = len(ys)", "for x in xs:", "    for y in ys:", "        out.append(x * fixed + y)",
      "return out"]),
    (T.UNSWITCH, ["for x in xs:", "    if n > 0:", "        g(x)", "    else:", "        h(x)"],
     ["if n > 0:", "    for x in xs:", "        g(x)", "else:", "    for x in xs:", "        h(x)"]),
    (T.EARLY_EXIT, ["found = False", "for x in xs:", "    if x == n:", "        found = True", "return found"],
     ["found = False", "for x in xs:", "    if x == n:", "        found = True", "        break", "return found"]),
    (T.DIRECT_ITERATION, ["for i in range(len(xs)):", "    g(xs[i])"], ["for item in xs:", "    g(item)"]),
    (T.DIRECT_ITERATION, ["for i in range(len(xs)):", "    g(i, xs[i])"],
     ["for i, item in enumerate(xs):", "    g(i, item)"]),
    (T.MERGE_LOOPS, ["for x in xs:", "    g(x)", "for x in xs:", "    h(x)"], ["for x in xs:", "    g(x)", "    h(x)"]),
    (T.LOOKUP, ["for x in xs:", "    for k, v in pairs:", "        if k == x:", "            g(v)"],
     ["table = dict(pairs)", "for x in xs:", "    if x in table:", "        v = table[x]", "        g(v)"]),
    (T.DIVISOR_BOUND, ["for k in range(2, n):", "    if n % k == 0:", "        return False", "return True"],
     ["for k in range(2, int(n ** 0.5) + 1):", "    if n % k == 0:", "        return False", "return True"]),
    (T.CONDITION, ["if n > 3:", "    return True", "else:", "    return False"], ["return n > 3"]),
    (T.DEAD, ["unused = sorted(xs)", "return n"], ["return n"]),
    (T.COMMON, ["return g(n // 2) * g(n // 2)"], ["value = g(n // 2)", "return value * value"]),
    (T.CLOSED_SUM, ["return sum(range(1, n + 1))"], ["return (n + 1) * ((n + 1) - 1) // 2"]),
    (T.LAZY, ["return any([x > 7 for x in xs])"], ["return any(x > 7 for x in xs)"]),
    (T.STRENGTH, ["return n ** 2"], ["return n * n"]),
    (T.STRENGTH, ["return sorted(xs)[0]"], ["return min(xs)"]),
    (T.STRENGTH, ["return n ** 5 % 7"], ["return pow(n, 5, 7)"]),
    (T.INLINE, ["m = n + 1", "return m * m"], ["return (n + 1) * (n + 1)"]),
    (T.COPY, ["return sum(list(xs))"], ["return sum(xs)"]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "before", "after"), EXAMPLES, ids=[each[0].name for each in EXAMPLES])
def test_each_transformation(kind, before, after):
    """Every kind makes the program that it is for."""
    assert function(*after) in results(function(*before), kind)


def test_memoise_and_queue_bring_their_imports():
    """What a transformation needs comes with it, in one replacement."""
    recursive = "def f(n):\n    return n if n < 2 else f(n - 1) + f(n - 2)\n"
    assert results(recursive, T.MEMOISE) == [f"import functools\n\n\n@functools.cache\n{recursive}"]
    queue = "def f(n):\n    line = [n]\n    while line:\n        g(line.pop(0))\n"
    wanted = queue.replace("[n]", "deque([n])").replace("pop(0)", "popleft()")
    assert f"from collections import deque\n\n\n{wanted}" in results(queue, T.CONTAINER)


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        (T.CONTAINER, ["for x in xs:", "    if x in ys:", "        ys.append(x)"]),
        (T.HOIST, ["for x in xs:", "    ys.append(x)", "    g(len(ys))"]),
        (T.HOIST, ["while n:", "    n = g(n - 1)"]),
        (T.SUM, ["total = 0", "for x in xs:", "    total += total * x", "return total"]),
        (T.COLLECT, ["out = []", "for x in xs:", "    out.append(len(out))", "return out"]),
        (T.DIRECT_ITERATION, ["for i in range(len(xs)):", "    xs[i] = 0"]),
        (T.UNSWITCH, ["for x in xs:", "    if n > 0:", "        n -= 1"]),
        (T.COMMON, ["g(n + n)", "n = n - 1", "g(n + n)"]),
        (T.DEAD, ["n = 1; m = 2"]),
    ],
)
def test_what_visibly_changes_is_left_alone(kind, lines):
    """A name that the loop changes is neither hoisted nor frozen."""
    assert results(function(*lines), kind) == []


def programs() -> dict[str, str]:
    folder = importlib.resources.files("code_envs.tasks").joinpath("builtin", "slow")
    return {
        each.name: each.read_text().partition("--- slow\n")[2].partition("--- fast")[0] for each in folder.iterdir()
    }


def test_every_kind_is_found_in_the_slow_programs_and_compiles():
    """All 24 kinds are candidates somewhere; every candidate compiles, none is there twice or changes nothing."""
    seen = set()
    for text in programs().values():
        waiting = [Program(text.encode())]
        for program in waiting:
            found = transformations(program)
            seen |= {each.transformation for each in found}
            made = [program.apply(each.edit) for each in found]
            assert len({each.source for each in made} | {program.source}) == len(made) + 1
            for each in made:
                compile(each.source, "candidate", "exec")
            if program is waiting[0]:
                waiting += made
    assert seen == set(Transformation)


def test_the_order_is_canonical_and_cut_by_turns():
    """Candidates come by place; where there are too many, the kinds take turns."""
    program = Program(function("for x in xs:", "    if x in ys:", "        g(len(ys), x ** 2, x ** 3)").encode())
    found = transformations(program)
    assert found == transformations(Program(program.source))
    table = TransformTable(program, found, TokenIds(program.text), 80, 4)
    assert len(table) == 4
    assert len(set(table.kinds.tolist())) == 4
    whole = TransformTable(program, found, TokenIds(program.text), 80, 100)
    assert whole.rows.min() >= 0
    assert whole.rows.max() < VOCABULARY_SIZE
    assert set(whole.rows[:, 0] - 80) == {each.transformation for each in found}
    assert 0 <= whole.scores.min() <= whole.scores.max() <= 1


def test_other_languages_and_broken_programs_have_none():
    """No candidate where the program does not parse, or is not Python."""
    assert transformations(Program(b"def f(:\n")) == []
    assert transformations(Program("def f(x):\n    return 'ü' * x ** 2\n".encode()))[-1].edit.text
