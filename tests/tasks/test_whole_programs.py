"""Whole Python programs: what they write for what they read, and what they cannot do to their tests."""

import sys

import pytest

from code_envs.execution.executor import CallStatus, Limits, Status
from code_envs.tasks.standard_streams import output_lines
from code_envs.tasks.whole_programs import ProgramSuite, output_case

SUITE = ProgramSuite([output_case("1 2\n", "3\n"), output_case("4 5\n", "9\n")])

ADDERS = {
    "input and print": "a, b = map(int, input().split())\nprint(a + b)",
    "as main": "def go():\n    print(sum(map(int, input().split())))\nif __name__ == '__main__':\n    go()",
    "sys.stdin": "import sys\nfor line in sys.stdin:\n    print(sum(map(int, line.split())))",
    "binary": "import sys\nsys.stdout.buffer.write(b'%d' % sum(map(int, sys.stdin.buffer.read().split())))",
    "open(0)": "print(sum(map(int, open(0).read().split())), file=open(1, 'w'))",
    "open(0, 'rb')": "print(sum(map(int, open(0, 'rb').read().split())))",
    "original streams": "import sys\nsys.__stdout__.write(str(sum(map(int, sys.__stdin__.readline().split()))))",
    "white space": "print('\\n ', sum(map(int, input().split())), ' \\n\\n')",
    "exit": "print(sum(map(int, input().split())))\nexit()\nprint(1)",
    "sys.exit(0)": "import sys\nprint(sum(map(int, input().split())))\nsys.exit(0)",
    "at the end": "import atexit\n@atexit.register\ndef last():\n    print(sum(map(int, input().split())))",
    "buffered till the end": "import atexit, io, sys\nreal, sys.stdout = sys.stdout, io.StringIO()\n"
    "atexit.register(lambda: real.write(sys.stdout.getvalue()))\nprint(sum(map(int, input().split())))",
    "a function": "def main(text):\n    return str(sum(map(int, text.split())))",
    "a function of its own name": "def main():\n    print(sum(map(int, input().split())))\nmain()",
    "globals in functions": "total = 0\ndef add():\n    global total\n"
    "    total += sum(map(int, input().split()))\nadd()\nprint(total)",
    "latin-1": "# -*- coding: latin-1 -*-\n# caf\xe9\nprint(sum(map(int, input().split())))",
}


def run(source, executor):
    """Which tests a program passes, and what became of it."""
    code = source.encode("latin-1") if isinstance(source, str) else source
    outcome = executor.run(SUITE.job(code, Limits()))
    return SUITE.grade(outcome, executor).passed, outcome


@pytest.mark.parametrize("name", ADDERS)
def test_right_programs(name, executor):
    """The ways in which programs read and write; each test has streams and names of its own."""
    passed, outcome = run(ADDERS[name], executor)
    assert passed == (True, True), outcome


FAULTY = {
    "wrong": ("print(3)", (True, False), ""),
    "silent": ("", (False, False), ""),
    "raises": ("print(3)\n1 / 0", (False, False), "ZeroDivisionError"),
    "exit code": ("print(3)\nexit(1)", (False, False), "RuntimeError"),
    "exit with a message": ("print(3)\nexit('no')", (False, False), "RuntimeError"),
    "reads too much": ("input()\ninput()", (False, False), "EOFError"),
    "main gives no text": ("def main(text):\n    return 3", (False, False), "TypeError"),
    "main of two": ("def main(text, other):\n    return '3'", (False, False), ""),
    "first then none": (
        "import builtins\nif hasattr(builtins, 'x'): 1 / 0\nbuiltins.x = 1\nprint(3)",
        (True, False),
        "",
    ),
}


@pytest.mark.parametrize("name", FAULTY)
def test_faulty_programs(name, executor):
    """What fails is a fact about the program, per test."""
    source, verdict, exception = FAULTY[name]
    passed, outcome = run(source, executor)
    assert (passed, outcome.status) == (verdict, Status.OK)
    assert outcome.results[0].exception == exception


def test_a_program_that_does_not_compile(executor):
    """It ends as one that does not load, with the compiler's message."""
    passed, outcome = run("print(3", executor)
    assert (passed, outcome.status) == ((False, False), Status.LOAD_ERROR)
    assert outcome.message.startswith("SyntaxError: '(' was never closed")


def test_an_endless_program(executor):
    """Steps are not counted: the time ends it."""
    outcome = executor.run(SUITE.job(b"while True:\n    pass\n", Limits(cpu_s=0.3, steps=10)))
    assert outcome.status is Status.CPU_LIMIT


@pytest.mark.parametrize(
    "source",
    [
        "import __main__, sys\nfor module in list(sys.modules.values()):\n"
        "    if hasattr(module, 'output_lines'):\n        module.output_lines = lambda text: Same()\n"
        "class Same(str):\n    __eq__ = lambda *_: True\n    __hash__ = str.__hash__\nprint(Same())",
        "import os\nos._exit(0)",
        'import os\nos.write(3, b\'["v", "3"]\\n\')\nos._exit(0)',
        "import sys\nsys.stdout = None",
        "import sys\nsys.stdout.close()",
        "b'\\x00'.decode('utf-16')",
    ],
)
def test_a_program_does_not_pass_by_what_it_does_to_its_process(source, executor):
    """The outputs that were expected are not in it; it can only give values, and a right one is a right one."""
    passed, _ = run(source, executor)
    assert not all(passed)


def test_subset_and_trace(executor):
    """A subset is such a suite again; nothing is traced, and steps have no limit."""
    second = SUITE.subset([1])
    assert isinstance(second, ProgramSuite)
    assert second.descriptions == ("'4 5\\n' -> '9'",)
    outcome = executor.run(second.job(ADDERS["exit"].encode(), Limits(steps=1), trace=True))
    assert second.grade(outcome, executor).passed == (True,)
    assert (outcome.results[0].lines, outcome.results[0].status) == ((), CallStatus.VALUE)


def test_output_lines():
    """White space does not count, but where it parts words and lines."""
    assert output_lines(" a  b \r\n\n\tc\n") == "a b\nc"
    assert output_lines("ab\nc") != output_lines("a b\nc")
    assert sys.stdin is not None
