"""Candidate edits: every one is a valid, new program, the order is canonical, nothing remembered is stale."""

import ast
import hashlib
import json
import os
import random
import subprocess
import sys
import warnings

import numpy as np
import pytest

from code_envs.syntax import enumeration
from code_envs.syntax.candidates import CANDIDATE_WIDTH, NODE_KINDS, POSITION, round_robin
from code_envs.syntax.enumeration import Enumerator
from code_envs.syntax.program import Edit, Program
from code_envs.syntax.rewrite import Operator, Role
from code_envs.syntax.tokens import VOCABULARY_SIZE, lex

PARSED_SHARE = 5
"""Of the candidates that compile, every fifth is parsed by tree-sitter too."""


def compile_failure(source):
    """What Python's compiler says about a program; a SyntaxWarning counts as well."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", SyntaxWarning)
            compile(source, "<candidate>", "exec", dont_inherit=True)
    except SyntaxError as error:
        return str(error)
    return ""


def wrong(source, found):
    """Descriptions of all candidates that are no valid, new program."""
    seen = {source: "the program itself"}
    for number, (operator, after) in enumerate(found):
        failure = compile_failure(after)
        if failure:
            yield f"{operator.name}: {failure}\n{after.decode()}"
        if number % PARSED_SHARE == 0 and not Program(after).parses:
            yield f"{operator.name}: tree-sitter finds an error\n{after.decode()}"
        if after in seen:
            yield f"{operator.name} gives the same as {seen[after]}\n{after.decode()}"
        seen[after] = operator.name


def assert_all_right(programs, candidates, at_least):
    """No candidate of any program is wrong."""
    count, failures = 0, []
    for name, source in programs:
        if compile_failure(source):
            continue
        found = candidates(source)
        count += len(found)
        failures += [f"{name}: {each}" for each in wrong(source, found)]
    assert not failures, f"{len(failures)} of {count}:\n" + "\n".join(failures[:5])
    assert count > at_least


def test_candidates_of_builtin_programs_are_valid_and_new(builtin, candidates):
    """Each compiles without a warning, parses, differs from the program and from every other candidate."""
    assert_all_right(list(builtin.items())[::2], candidates, 20_000)


def test_candidates_of_the_other_builtin_programs_are_valid_and_new(builtin, candidates):
    """The same for the other half."""
    assert_all_right(list(builtin.items())[1::2], candidates, 20_000)


@pytest.mark.data
def test_candidates_of_faulty_programs_are_valid_and_new(pack, candidates):
    """The same for the faulty programs of HumanEvalPack."""
    assert_all_right([(name, faulty) for name, (faulty, _) in pack("python").items()], candidates, 20_000)


@pytest.mark.data
def test_candidates_of_mbpp_programs_are_valid_and_new(data, candidates):
    """The same for a sample of MBPP, whose style is the least tidy: tabs, semicolons, one-line blocks."""
    records = [json.loads(line) for line in (data / "mbpp/mbpp.jsonl").read_text().splitlines()]
    sources = [(each["task_id"], each["code"].replace("\r\n", "\n").encode() + b"\n") for each in records[::12]]
    assert_all_right(sources, candidates, 20_000)


UNTIDY = {
    "chained assignment": "def f(a):\n    i = j = 0\n    while i < a:\n        i += 1\n    return i + j\n",
    "jump in a loop's last if": (
        "def f(a):\n    for x in a:\n        y = x\n        if y:\n            break\n    return a\n"
    ),
    "continue in while": (
        "def f(a):\n    while a:\n        a -= 1\n        if a:\n            continue\n        a -= 2\n"
    ),
    "break in a loop's else": (
        "def f(a):\n    while a:\n        for x in a:\n            a = x\n        else:\n            break\n"
    ),
    "semicolons": "def f(a):\n    r = 0;\n    for i in a:\n        r += i;\n    return r;\n",
    "one-line blocks": "def f(a):\n    if a: return 1\n    for x in a: a = x; break\n    return 2\n",
    "tabs": (
        "def f(a):\n\tr = []\n\tfor x in a:\n\t\tif x > 1:\n\t\t\tr.append(x)\n"
        "\t\telse:\n\t\t\tr.append(2)\n\treturn r\n"
    ),
    "repeated lines": (
        "def f(a, n):\n    for x in a:\n        n += 1\n        n += 1\n        a.append(x)\n        a.append(x)\n"
    ),
    "equal arms": (
        "def f(a):\n    if a:\n        a = 1\n        b = 2\n    else:\n        a = 1\n        b = 2\n    return b\n"
    ),
    "append to a call": "def f(a, d):\n    d.setdefault(a, []).append(a)\n    return d\n",
    "yield": "def f(a):\n    for x in a:\n        yield x\n    yield from a\n",
    "lines in brackets": "def f(a, b):\n    c = int(a +\n        b)\n    if a > 1:\n        return c\n"
    "    if (a > b and\n        b > 2):\n        return int(b)\n    return c\n",
    "continued line": "def f(a, b):\n    if (a > b) and \\\n            a > 1:\n        return a\n    return b\n",
    "tabs and blanks": "def f(a):\n if a:\n\t a = 1\n if a > 2:\n\t a = 2\n return a\n",
    "equal items": "def f(a):\n    return a[0][0] + [1, 1, 1][len(a[0]) - 1 - 1]\n",
    "comments": (
        "def f(a):\n    # first\n    if a:  # second\n        # third\n"
        "        return 1  # fourth\n    # last\n    return a\n"
    ),
    "nested function": "def f(a):\n    def g(b):\n        return b + 1\n    return [g(x) for x in a if x > 0]\n",
    "strings over lines": 'def f(a):\n    """Say.\n\n    So."""\n    b = """x\n  y"""\n    return b + a\n',
    "statement over lines": "def f(a, b):\n    c = (a +\n         b)\n    return f(a,\n             b - c)\n",
    "is and None": "def f(a, b=None):\n    if b is None:\n        return a is not b\n    return b\n",
    "try": (
        "def f(a):\n    try:\n        x = int(a)\n    except ValueError:\n        return None\n"
        "    finally:\n        a = 1\n    return x\n"
    ),
    "elif": (
        "def f(a):\n    if a > 1:\n        b = 1\n    elif a > 1:\n"
        "        b = 1\n    else:\n        b = a\n    return b\n"
    ),
    "match": (
        "def f(a):\n    match a:\n        case 1:\n            return a + 1\n"
        "        case _:\n            a -= 1\n    return a\n"
    ),
    "class": "class A:\n    def f(self, a):\n        self.x = a\n        return self.x + 1\n",
    "decorated": "import functools\n\n@functools.cache\ndef f(n):\n    return n if n < 2 else f(n - 1) + f(n - 2)\n",
    "lambda, star": "def f(*a, **k):\n    return sorted(a, key=lambda v: v[0] - 1), dict(**k), max(*a)\n",
    "walrus, f-string": "def f(a):\n    if (n := len(a)) > 2:\n        return f'{n} {a!r}'\n    return not n\n",
    "no final newline": "def f(a):\n    for x in a:\n        if x:\n            return x",
}


@pytest.mark.parametrize("name", UNTIDY)
def test_candidates_of_untidy_programs_are_valid_and_new(name, candidates):
    """Forms that once gave, or could give, a program that does not compile, or the same one twice."""
    assert_all_right([(name, UNTIDY[name].encode())], candidates, 10)


# canonical and remembered ----------------------------------------------------------------------


def fingerprint(sources):
    """Digest of all that an enumeration gives."""
    state = hashlib.sha256()
    for source in sources:
        program = Program(source)
        found = Enumerator(program)(program)
        parts = (found.starts, found.ends, found.operators, found.lines, found.tokens, *found.rows())
        for part in parts:
            state.update(np.ascontiguousarray(part).tobytes())
        state.update(b"\0".join(found.texts))
    return state.hexdigest()


def test_order_and_content_are_the_same_with_another_hash_seed(builtin):
    """Candidate k is the same edit in every process."""
    sources = list(builtin.values())[::8]
    script = "import sys, ast, test_candidates; print(test_candidates.fingerprint(ast.literal_eval(sys.stdin.read())))"
    for seed in ("1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.path.dirname(__file__)}
        answer = subprocess.run(
            [sys.executable, "-c", script], env=environment, input=repr(sources), capture_output=True, text=True
        )
        assert answer.stdout.strip() == fingerprint(sources), answer.stderr


def assert_equal_sets(first, second):
    """All arrays of two candidate sets agree."""
    assert first.texts == second.texts
    for name in ("starts", "ends", "operators", "lines", "tokens"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)
    for one, other in zip(first.rows(), second.rows(), strict=True):
        np.testing.assert_array_equal(one, other)


def assert_walk_remembers(source, rng, language="python", steps=8):
    """Random edits by one enumerator; after each, a new one of the same start gives the same."""
    start = Program(source, language)
    walker = Enumerator(start)
    program = start
    for _ in range(steps):
        found = walker(program)
        assert_equal_sets(found, Enumerator(start)(program))
        if not len(found):
            return
        program = program.apply(found.edit(rng.randrange(len(found))))


def test_remembered_enumeration_equals_a_new_one(builtin):
    """Remembering statements changes nothing."""
    rng = random.Random(3)
    for source in list(builtin.values())[::3]:
        assert_walk_remembers(source, rng)


@pytest.mark.parametrize("name", UNTIDY)
def test_remembered_enumeration_of_untidy_programs_equals_a_new_one(name):
    """The same where headers, clauses and blocks look alike."""
    assert_walk_remembers(UNTIDY[name].encode(), random.Random(4), steps=6)


def test_an_enumerator_that_forgot_gives_the_same(builtin, monkeypatch):
    """What is remembered is bounded, and forgetting it changes nothing."""
    monkeypatch.setattr(enumeration, "REMEMBERED", 3)
    rng = random.Random(5)
    for source in list(builtin.values())[::16]:
        assert_walk_remembers(source, rng)
        start = Program(source)
        small = Enumerator(start)
        for _ in range(3):
            small(start)
        assert len(small.sections) <= 3 + source.count(b"\n")


def test_episodes_of_a_program_share_an_enumerator(builtin):
    """Equal starting programs have one; what it has seen of another episode changes nothing."""
    first, second = list(builtin.values())[:2]
    assert Enumerator.of(Program(first)) is Enumerator.of(Program(first))
    assert Enumerator.of(Program(first)) is not Enumerator.of(Program(second))


# what an agent sees ----------------------------------------------------------------------------


def test_rows_have_the_documented_shapes_and_ranges(builtin):
    """Features are (N, CANDIDATE_WIDTH) int32 in range, scores (N, 2) float32 in [0, 1]."""
    for source in list(builtin.values())[::4]:
        program = Program(source)
        found = Enumerator(program)(program)
        features, static = found.rows()
        assert (features.shape, features.dtype) == ((len(found), CANDIDATE_WIDTH), np.int32)
        assert (static.shape, static.dtype) == ((len(found), 2), np.float32)
        np.testing.assert_array_equal(features[:, 0], found.operators)
        assert ((features[:, 1] >= 1) & (features[:, 1] < NODE_KINDS)).all()
        assert set(features[:, 2]) <= set(Role)
        assert ((features[:, POSITION] >= 0) & (features[:, POSITION] < len(found.tokens))).all()
        assert ((features[:, POSITION + 1 :] >= 0) & (features[:, POSITION + 1 :] < VOCABULARY_SIZE)).all()
        assert ((static >= 0) & (static <= 1)).all()
        assert static[:, 1].any()


def test_sizes_have_the_documented_types(builtin):
    """The attributes are arrays of one length; lines are 1-based and inside the program."""
    source = next(iter(builtin.values()))
    program = Program(source)
    found = Enumerator(program)(program)
    for name, dtype in (("starts", np.int32), ("ends", np.int32), ("operators", np.int32), ("lines", np.int64)):
        assert (len(getattr(found, name)), getattr(found, name).dtype) == (len(found), dtype)
    assert found.tokens.dtype == np.int32
    assert [source.count(b"\n", 0, start) + 1 for start in found.starts] == list(found.lines)
    assert found.edit(0) == Edit(int(found.starts[0]), int(found.ends[0]), found.texts[0])


def test_position_points_at_the_token_of_the_edit(builtin):
    """The token at the position has the id of the token that the edit replaces; old and new tokens are its words."""
    one_token = {Operator.IDENTIFIER, Operator.CONSTANT, Operator.CALLEE, Operator.OPERATOR}
    checked = 0
    for source in list(builtin.values())[::6]:
        program = Program(source)
        enumerator = Enumerator(program)
        found = enumerator(program)
        features, _ = found.rows()
        tokens = dict(lex(program.text)) if program.text.isascii() else {}
        for number in range(len(found)):
            token = tokens.get(int(found.starts[number]))
            if Operator(int(found.operators[number])) in one_token and token is not None:
                if found.starts[number] == found.ends[number]:
                    continue
                assert found.tokens[features[number, POSITION]] == enumerator.ids[token]
                assert features[number, POSITION + 1] == enumerator.ids[token]
                checked += 1
    assert checked > 500


def test_old_and_new_tokens_are_those_of_the_edit():
    """The first three tokens that an edit touches, and the first five of what it writes; 0 behind the last."""
    program = Program(b"def f(a, b):\n    c = a + b * 31\n    return c\n")
    enumerator = Enumerator(program)
    found = enumerator(program)
    features, static = found.rows()
    rows = {
        (Operator(int(operator)), program.source[start:end], text): (row.tolist(), float(size))
        for operator, start, end, text, row, (size, _) in zip(
            found.operators, found.starts, found.ends, found.texts, features, static, strict=True
        )
    }

    def ids(*tokens):
        return [enumerator.ids[token] for token in tokens]

    row, size = rows[Operator.OPERATOR, b"+", b"-"]
    assert row[POSITION + 1 :] == [*ids("+"), 0, 0, *ids("-"), 0, 0, 0, 0]
    assert size == 0.5
    row, size = rows[Operator.OFF_BY_ONE, b"", b" + 1"]
    assert row[POSITION + 1 :] == [0, 0, 0, *ids("+", "1"), 0, 0, 0]
    assert size > 0.5
    row, size = next(each for (operator, old, _), each in rows.items() if old == b" + b * 31")
    assert row[POSITION + 1 : POSITION + 4] == ids("+", "b", "*")
    assert size < 0.5


def test_rows_of_chosen_candidates(builtin):
    """The rows of some candidates are those among all."""
    program = Program(next(iter(builtin.values())))
    found = Enumerator(program)(program)
    chosen = np.arange(0, len(found), 7)
    for some, every in zip(found.rows(chosen), found.rows(), strict=True):
        np.testing.assert_array_equal(some, every[chosen])


def test_lengths_are_those_of_the_programs(builtin):
    """`lengths` says by how many bytes a candidate makes the program longer."""
    program = Program(next(iter(builtin.values())))
    found = Enumerator(program)(program)
    made = [len(program.apply(found.edit(number)).source) - len(program.source) for number in range(len(found))]
    assert found.lengths().tolist() == made


def test_a_program_without_a_function_has_no_candidates():
    """Nothing outside functions is edited, and nothing breaks on nothing."""
    for source in (b"", b"import math\n", b"x = 1\ny = x + 2\n"):
        found = Enumerator(Program(source))(Program(source))
        assert len(found) == 0
        features, static = found.rows()
        assert features.shape == (0, CANDIDATE_WIDTH)
        assert static.shape == (0, 2)


def test_window_gives_the_candidates_around_it(builtin):
    """A subset of all candidates, with every edit that lies inside the window."""
    smaller = 0
    for source in list(builtin.values())[::6]:
        program = Program(source)
        everything = Enumerator(program)(program)
        all_edits = set(zip(everything.starts, everything.ends, everything.texts, everything.operators, strict=True))
        middle = source.index(b"\n", len(source) // 2)
        window = (middle + 1, source.index(b"\n", middle + 1) if b"\n" in source[middle + 1 :] else len(source))
        inside = Enumerator(program)(program, window)
        edits = set(zip(inside.starts, inside.ends, inside.texts, inside.operators, strict=True))
        assert edits <= all_edits
        within = {each for each in all_edits if window[0] <= each[0] and each[1] <= window[1]}
        assert {each for each in within if each[3] < Operator.DELETE} <= edits
        smaller += len(edits) < len(all_edits)
    assert smaller > 5


# cutting to a limit ----------------------------------------------------------------------------


def chosen(operators, priority, limit):
    return round_robin(np.array(operators, np.int32), np.array(priority, np.float32), limit)


def test_round_robin_keeps_all_below_the_limit():
    """Nothing is cut that need not be."""
    assert chosen([3, 4, 3], [0, 1, 0], 3).tolist() == [0, 1, 2]
    assert chosen([], [], 5).tolist() == []


def test_round_robin_lets_operators_take_turns():
    """Each operator offers its most suspicious line first, then its earliest candidate."""
    operators = [3, 3, 3, 3, 4, 4, 5]
    priority = [0.1, 0.9, 0.5, 0.9, 0.2, 0.8, 0.0]
    assert chosen(operators, priority, 3).tolist() == [1, 5, 6]
    assert chosen(operators, priority, 5).tolist() == [1, 3, 4, 5, 6]


def test_round_robin_on_random_candidates():
    """At most `limit`, ascending, without repetition, every operator present, shares even."""
    rng = np.random.default_rng(0)
    for limit in (21, 64, 512):
        operators = np.sort(rng.choice(np.arange(3, 24), 1000, p=rng.dirichlet(np.ones(21))).astype(np.int32))
        priority = rng.random(1000).astype(np.float32)
        picked = round_robin(operators, priority, limit)
        assert len(picked) == limit
        assert (np.diff(picked) > 0).all()
        assert set(operators[picked]) == set(operators)
        for operator in set(operators):
            taken, left = np.isin(np.flatnonzero(operators == operator), picked), operators == operator
            scores = priority[left]
            if not taken.all():
                assert scores[taken].min() >= scores[~taken].max()


# coverage --------------------------------------------------------------------------------------


def leads_to(canonical, found):
    """Whether some candidate is the canonical program but for parentheses and white space."""
    blank = b"() \t\n"
    wanted, tree = canonical.translate(None, blank), ast.dump(ast.parse(canonical))
    near = [after for _, after in found if after.translate(None, blank) == wanted]
    return any(ast.dump(ast.parse(after)) == tree for after in near)


@pytest.mark.data
def test_one_candidate_repairs_most_benchmark_bugs(pack, candidates):
    """At least 70 % of the HumanEvalPack bugs have the canonical program among their candidates."""
    programs = pack("python")
    fixed = [name for name, (faulty, canonical) in programs.items() if leads_to(canonical, candidates(faulty))]
    print(f"canonical program among the candidates: {len(fixed)} of {len(programs)}")
    assert len(fixed) >= 0.7 * len(programs)
