"""An instrumented program behaves as the plain one, and its steps and lines are the right ones."""

from __future__ import annotations

import gzip
import json
import os
import textwrap
from pathlib import Path

import pytest

from code_envs.execution import values
from code_envs.execution.executor import CallStatus, Job, Limits, Status
from code_envs.execution.local import LocalExecutor


@pytest.fixture(scope="module")
def executor():
    with LocalExecutor() as made:
        yield made


def run(executor, source, *calls, steps=100_000, trace=True):
    job = Job(textwrap.dedent(source).encode(), "f", values.encode_calls(calls), Limits(steps=steps), trace)
    return executor.run(job)


SYNTAX = '''
"""A module's docstring."""
from __future__ import annotations
import asyncio, contextlib, dataclasses, functools
total = 0
@dataclasses.dataclass
class Point:
    """A class."""
    x: int
    y: int = 2
    names = [n for n in "ab"]
    @property
    def norm(self): return self.x + self.y
class Meta(type):
    def __new__(cls, name, bases, scope):
        return super().__new__(cls, name, bases, {**scope, "made": sorted(k for k in scope if not k.startswith("__"))})
class Made(metaclass=Meta):
    for i in range(2):
        j = i
    def __private(self): return 1
@functools.lru_cache(maxsize=None)
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
def deco(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        """Inner docs."""
        return function(*args, **kwargs)
    return inner
@deco
def documented():
    """Only a docstring."""
def gen(n):
    got = yield n
    while n:
        n -= 1
        got = yield (n, got)
    return "end"
def delegating(n):
    result = yield from gen(n)
    yield result
async def agen(n):
    for i in range(n):
        yield i
async def co(n):
    async with contextlib.AsyncExitStack():
        return [i async for i in agen(n)] + [await asyncio.sleep(0, i) for i in range(n)]
def matching(value):
    match value:
        case [x, y] if any(k > 1 for k in (x, y)):
            return "pair"
        case {"k": v}:
            return v
        case Point(x=1):
            return "point"
        case _:
            return None
def closures():
    count = 0
    def bump():
        nonlocal count
        global total
        count += 1
        total += count
        return count
    return [bump() for _ in range(3)]
def tries(n):
    out = []
    for i in range(n):
        try:
            if i == 1: continue
            if i == 3: break
            out.append(1 / (i - 2))
        except ZeroDivisionError as error:
            out.append(str(error))
        else:
            out.append("else")
        finally:
            out.append("finally")
    else:
        out.append("for-else")
    while True:
        break
    else:
        out.append("no")
    return out
def groups():
    try:
        raise ExceptionGroup("g", [ValueError(1), TypeError(2)])
    except* ValueError:
        return_value = "v"
    except* TypeError:
        return_value = "t"
    return return_value
def f(n):
    scope = sorted(name for name in globals() if "code_envs" in name)
    g = gen(n)
    first = [next(g), g.send("s")]
    lambdas = [(lambda k, /, *, z=(lambda: 3): k + z())(i) for i in range(n)]
    nested = {(a, b): [c for c in range(b) if c] for a in range(n) for b in range(a) if b}
    chained = 0 < n < 10 and (y := n) and [y for y in range(y)]
    squares = {i: i * i for i in range(n)} | {-1: {s for s in "abc"} == set("cba")}
    text = f"{[i for i in range(n)]!r:>{n + 20}}{(lambda: n)()}"
    return [
        scope, first, lambdas, nested, chained, squares, text, list(delegating(n)), asyncio.run(co(n)),
        matching([1, 2]), matching({"k": 5}), matching(Point(1)), matching(0), closures(), tries(2), tries(5), groups(),
        fib(n), Point(1).norm, Made.made, Made.j, Point.names, documented.__doc__, documented(), deco.__doc__, __doc__,
        f.__name__, total, __name__,
    ]
'''


def test_every_kind_of_syntax(executor):
    """Plain, counted and traced programs return equal values."""
    plain = run(executor, SYNTAX, [5], steps=None, trace=False)
    assert plain.results[0].status is CallStatus.VALUE, plain
    for steps, trace in ((None, True), (100_000, False), (100_000, True)):
        other = run(executor, SYNTAX, [5], steps=steps, trace=trace)
        assert other.results[0].value == plain.results[0].value


def test_lines_of_errors_stay(executor):
    """Exceptions and syntax errors name the lines of the original program."""
    source = """\
    def f(x):
        '''doc'''
        y = [i for i in range(3)]
        for i in y:
            if i == x:
                raise KeyError(i)
        return y[9]
    """
    for steps, trace in ((None, False), (1000, False), (1000, True)):
        first, second = run(executor, source, [1], [7], steps=steps, trace=trace).results
        assert (first.exception, first.line) == ("KeyError", 6)
        assert (second.exception, second.line) == ("IndexError", 7)
        broken = run(executor, "x = 1\ndef f(:\n", [1], steps=steps, trace=trace)
        assert (broken.status, broken.line) == (Status.COMPILE_ERROR, 2)
        outside = run(executor, "x = 1\nreturn x\n", [1], steps=steps, trace=trace)
        assert (outside.status, outside.line) == (Status.COMPILE_ERROR, 2)


def test_executed_lines(executor):
    """Lines are those of the blocks that ran, call by call."""
    source = """\
    def f(x):
        y = 0
        if x > 2:
            y = 1
        elif x == 2:
            return 5
        else:
            y = 2
        while x > 10:
            x -= 1
            if x == 11:
                break
        return helper(y)
    def helper(y):
        return y
    """
    lines = [result.lines for result in run(executor, source, [3], [2], [1], [12]).results]
    assert lines == [(2, 3, 4, 9, 13, 15), (2, 3, 5, 6), (2, 3, 5, 8, 9, 13, 15), (2, 3, 4, 9, 10, 11, 12, 13, 15)]


def test_steps(executor):
    """One step per function entry and iteration, lambdas and comprehensions included."""
    source = (
        "def g(): return 1\ndef f(n):\n    for i in range(n): g()\n    return [(lambda k: k)(i) for i in range(n)]\n"
    )
    results = run(executor, source, [0], [1], [3]).results
    assert [result.steps for result in results] == [1, 5, 13]
    assert [result.steps for result in run(executor, source, [0], [1], [3], trace=False).results] == [1, 5, 13]


def test_step_limit(executor):
    """Exactly the limit is allowed; past it the call ends, catch-all or not, and the next call has a fresh count."""
    source = """\
    def f(n):
        total = 0
        for i in range(n):
            try: total += i
            except: pass
        return total
    """
    results = run(executor, source, [99], [100], [9], steps=100).results
    assert [result.status for result in results] == [CallStatus.VALUE, CallStatus.STEP_LIMIT, CallStatus.VALUE]
    assert [result.steps for result in results] == [100, 100, 10]
    stubborn = """\
    def f(n):
        while n:
            try:
                while True: pass
            except BaseException: n -= 1
        return 42
    """
    outcome = run(executor, stubborn, [50], steps=100)
    assert outcome.results[0].status is CallStatus.STEP_LIMIT
    for text in ("def f(x):\n    return sum(1 for _ in iter(int, 1))", "f = lambda x: [0 for _ in iter(int, 1)]"):
        assert run(executor, text, [1], steps=1000).results[0].status is CallStatus.STEP_LIMIT


def test_endless_import_ends(executor):
    """The limit also holds while the program loads, with room for tables."""
    outcome = run(executor, "while True: pass\n", [1], steps=10)
    assert (outcome.status, outcome.message.split(":")[0]) == (Status.LOAD_ERROR, "StepLimit")
    assert run(executor, "t = [i for i in range(10000)]\ndef f(x): return t[x]", [1], steps=10).results[0].value == 1


def data_programs():
    root = os.environ.get("CODE_ENVS_DATA")
    if not root:
        pytest.skip("CODE_ENVS_DATA names no directory of benchmark files")
    with gzip.open(Path(root) / "humaneval/data/HumanEval.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in file:
            item = json.loads(line)
            yield item["task_id"], item["prompt"] + item["canonical_solution"], item["test"], item["entry_point"]
    with open(Path(root) / "mbpp/mbpp.jsonl", encoding="utf-8") as file:
        for line in list(file)[:150]:
            item = json.loads(line)
            asserts = "\n    ".join(item["test_list"])
            yield f"MBPP/{item['task_id']}", item["code"], f"def check(candidate):\n    {asserts}\n", "len"


@pytest.mark.data
def test_benchmark_programs(executor):
    """Every reference solution of HumanEval, and MBPP's first ones, pass their tests plain and instrumented."""
    programs = []
    for name, source, test, entry in data_programs():
        program = f"{source}\n{test}\ndef run_check():\n    check({entry})\n    return 'passed'\n".encode()
        programs.append((name, Job(program, "run_check", b"[[]]", Limits(cpu_s=1.0))))
    plain = executor.run_many(job for _, job in programs)
    # a few programs compute for seconds: they say nothing more about rewriting
    quick = [(name, job, outcome) for (name, job), outcome in zip(programs, plain, strict=True) if outcome.cpu_s < 0.5]
    assert sum(outcome.results[0].value == "passed" for _, _, outcome in quick) >= 0.95 * len(programs)
    counted = Limits(cpu_s=20.0, steps=100_000_000)
    traced = executor.run_many(Job(job.source, job.entry, job.calls, counted, trace=True) for _, job, _ in quick)
    for (name, _, expected), outcome in zip(quick, traced, strict=True):
        assert outcome.results[0].value == expected.results[0].value, (name, expected, outcome)
        assert outcome.results[0].exception == expected.results[0].exception, name
