"""Programs in C, C++, JavaScript and Java: every end, values both ways, limits, lost workers, missing tools."""

from __future__ import annotations

import json
import math
import os
import signal
import time
from dataclasses import replace

import psutil
import pytest

from code_envs.errors import ConfigurationError
from code_envs.execution import boot, values
from code_envs.execution.cache import CachedExecutor
from code_envs.execution.executor import CallStatus, Diagnostic, Job, Limits, Status
from code_envs.execution.local import LocalExecutor
from tests.execution.test_local import gone, timeless, tree

QUICK = Limits(cpu_s=0.5, wall_s=20.0, memory_mib=128)
# a text in, its length and itself out
ECHO = {
    "c": b"""#include <stdio.h>
#include <string.h>
int main(void) { char text[99] = ""; fgets(text, 99, stdin); printf("%zu %s", strlen(text), text); return 0; }
""",
    "cpp": b"""#include <iostream>
#include <string>
int main() { std::string text; std::getline(std::cin, text); std::cout << text.size() << " " << text; }
""",
    "javascript": b"""const text = require('fs').readFileSync(0, 'utf8');
process.stdout.write(`${text.length} ${text}`);
""",
    "java": b"""import java.util.Scanner;
public class Echo {
  static class Inner { String brace = "}"; }
  public static void main(String[] words) {
    String text = new Scanner(System.in).useDelimiter("\\\\A").next();
    System.out.print(text.length() + " " + text);
  }
}
""",
}
LANGUAGES = tuple(ECHO)
# a program that does not compile: its line, and words of the message
BROKEN = {
    "c": (b"int main(void) {\n  int *p = 1;\n  return missing;\n}\n", 3, "undeclared"),
    "cpp": (b"#include <vector>\nint main() {\n  std::vector<int> v;\n  v.missing();\n}\n", 4, "no member named"),
    "javascript": (b"const x = 1;\nconst y = );\n", 2, "SyntaxError"),
    "java": (
        b'class Main {\n  public static void main(String[] w) {\n    int x = "text";\n  }\n}\n',
        3,
        "incompatible types",
    ),
}
EXIT = {
    "c": b"int main(void) { return 7; }",
    "cpp": b"int main() { return 7; }",
    "javascript": b"process.exit(7);",
    "java": b"class Main { public static void main(String[] w) { System.exit(7); } }",
}
LOOP = {
    "c": b"int main(void) { for (;;); }",
    "cpp": b"int main() { for (volatile int k = 0;; k = k + 1); }",
    "javascript": b"for (;;);",
    "java": b"class Main { public static void main(String[] w) { for (;;); } }",
}
SLEEP = {
    "c": b"#include <unistd.h>\nint main(void) { sleep(100); }",
    "javascript": b"setTimeout(() => 1, 100000);",
    "java": b"class Main { public static void main(String[] w) throws Exception { Thread.sleep(100000); } }",
}
FLOOD = {
    "c": b'#include <stdio.h>\nint main(void) { for (;;) puts("again and again and again and again"); }',
    "javascript": b"for (;;) require('fs').writeSync(1, 'again and again '.repeat(1000));",
    "java": b'class Main { public static void main(String[] w) { for (;;) System.out.println("on".repeat(9999)); } }',
}


@pytest.fixture(scope="module", params=["root", "user", pytest.param("docker", marks=pytest.mark.docker)])
def executor(request):
    """A worker in each placement that runs programs of other languages."""
    if request.param == "docker":
        from code_envs.execution.docker import DockerExecutor

        with DockerExecutor() as made:
            yield made
        return
    if request.param == "root" and os.geteuid() != 0:
        pytest.skip("namespaces without a user namespace need root")
    with LocalExecutor(namespaces=request.param, level="weak") as made:
        if made.capabilities().level != "strong":
            pytest.skip(f"this machine does not give the placement {request.param!r}: {made.capabilities().missing}")
        yield made


@pytest.fixture(scope="module")
def local():
    """A worker of this machine."""
    with LocalExecutor() as made:
        yield made


def program(language: str, source: bytes, *texts: str, limits=QUICK) -> Job:
    return Job(source, "", values.encode_calls([[text] for text in texts]), limits, language=language)


def function(source: str, *arguments, limits=QUICK) -> Job:
    calls = values.encode_calls([[argument] for argument in arguments])
    return Job(source.encode(), "f", calls, limits, language="javascript")


def run(executor, job):
    """The outcome of a job, or a skip where there is no tool."""
    try:
        return executor.run(job)
    except ConfigurationError as error:
        if os.environ.get("CI") or "There is nothing to run" not in str(error):
            raise
        pytest.skip(str(error))


# whole programs ---------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_program_runs_once_per_call(executor, language):
    """Each call is a run of its own: its argument is the input, its value the output."""
    outcome = run(executor, program(language, ECHO[language], "3 4", "é", "x" * 50))
    assert outcome.status is Status.OK, outcome
    length = "é".encode().__len__() if language in ("c", "cpp") else 1
    assert [each.value for each in outcome.results] == ["3 3 4", f"{length} é", "50 " + "x" * 50]
    assert outcome.errors == 0
    assert outcome.cpu_s > 0
    assert outcome.max_rss_kib > 1000


@pytest.mark.parametrize("language", LANGUAGES)
def test_compile_only(executor, language):
    """Without calls a program is only compiled."""
    outcome = run(executor, program(language, ECHO[language]))
    assert (outcome.status, outcome.results, outcome.diagnostics) == (Status.OK, (), ())


@pytest.mark.parametrize("texts", [(), ("1", "2")], ids=["compiled only", "with calls"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_compile_errors(executor, language, texts):
    """What is wrong with a program comes as data, and no call is made."""
    source, line, words = BROKEN[language]
    outcome = run(executor, program(language, source, *texts))
    assert outcome.status is Status.COMPILE_ERROR
    assert outcome.errors == 1
    (error,) = (each for each in outcome.diagnostics if each.severity == "error")
    assert error.line == line
    assert words in error.message
    assert (outcome.line, error.message) == (line, outcome.message)
    assert [each.status for each in outcome.results] == [CallStatus.NOT_RUN] * len(texts)


def test_warnings_are_no_errors(executor):
    """A program with warnings runs; each is counted apart from the errors."""
    source = b"#include <stdio.h>\nint main(void) {\n  int *p = 1;\n  return gets_missing(p), 0;\n}\n"
    outcome = run(executor, program("c", b"int main(void) {\n  int *p = 1;\n  return p != 0 ? 0 : 1;\n}\n", ""))
    assert (outcome.status, outcome.errors) == (Status.OK, 0)
    assert [(each.severity, each.line) for each in outcome.diagnostics] == [("warning", 3 - 1)]
    refused = run(executor, program("c", source, ""))
    assert refused.status is Status.COMPILE_ERROR
    assert [each.severity for each in refused.diagnostics] == ["warning", "warning", "error"]
    assert "undefined reference" in refused.message


def test_several_errors_are_counted(executor):
    """The number of errors, each with its line and column."""
    source = b"int main(void) {\n  a;\n  b;\n  int c = d;\n  return 0;\n}\n"
    outcome = run(executor, program("c", source))
    assert outcome.errors == 3
    assert [(each.line, each.column) for each in outcome.diagnostics] == [(2, 3), (3, 3), (4, 11)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_exit_codes(executor, language):
    """Another exit code than 0 is the call's exception, and the next call is made."""
    outcome = run(executor, program(language, EXIT[language], "1", "2"))
    assert outcome.status is Status.OK
    assert [(each.status, each.exception, each.message) for each in outcome.results] == [
        (CallStatus.EXCEPTION, "Exited", "7")
    ] * 2


def test_crashes(executor):
    """A signal is the call's exception; what the program said about it follows the number."""
    source = b'#include <stdio.h>\n#include <stdlib.h>\nint main(void) { fputs("last words", stderr); abort(); }'
    outcome = run(executor, program("c", source, "1"))
    result = outcome.results[0]
    assert (result.status, result.exception) == (CallStatus.EXCEPTION, "Crashed")
    assert result.message == f"{signal.SIGABRT.value} last words"


def test_uncaught_exceptions(executor):
    """The first lines of what a virtual machine says are the message."""
    outcome = run(
        executor, program("java", b"class Main { public static void main(String[] w) { int[] a = {}; a[1]++; } }", "1")
    )
    assert outcome.results[0].exception == "Exited"
    assert "ArrayIndexOutOfBoundsException" in outcome.results[0].message


@pytest.mark.parametrize("language", LANGUAGES)
def test_cpu_limit(executor, language):
    """A program that never ends is stopped; the time of a virtual machine's start is not its own."""
    outcome = run(executor, program(language, LOOP[language], "1", "2"))
    assert outcome.status is Status.CPU_LIMIT
    assert outcome.cpu_s > 0.45
    assert [each.status for each in outcome.results] == [CallStatus.NOT_RUN] * 2


def test_the_limit_is_the_job_s(executor):
    """The calls of a job share its CPU time, and those before the limit stand."""
    source = b'#include <stdio.h>\nint main(void) { int n; scanf("%d", &n); while (n > 2); printf("%d", n); }'
    outcome = run(executor, program("c", source, "1", "2", "3", "4"))
    assert outcome.status is Status.CPU_LIMIT
    assert [each.value for each in outcome.results] == ["1", "2", None, None]


@pytest.mark.parametrize("language", SLEEP)
def test_wall_limit(executor, language):
    """A program that waits is stopped, and so is each later one at once."""
    outcome = run(executor, program(language, SLEEP[language], "1", "2", limits=replace(QUICK, wall_s=1.0)))
    assert outcome.status is Status.WALL_LIMIT
    assert outcome.cpu_s < 1.5


@pytest.mark.parametrize("language", FLOOD)
def test_output_limit(executor, language):
    """Output beyond the limit ends the job, and soon: not at its limit of CPU time."""
    limits = replace(QUICK, cpu_s=0.5 if language == "java" else 3.0)
    outcome = run(executor, program(language, FLOOD[language], "1", limits=limits))
    assert outcome.status is Status.OUTPUT_LIMIT
    assert outcome.cpu_s < 3.0  # Java's streams swallow the error, and go on to the limit of CPU time


def test_memory_limit(executor):
    """A native program's allocation fails; a JavaScript heap that is full ends the job."""
    source = b'#include <stdio.h>\n#include <stdlib.h>\nint main(void) { printf("%d", malloc(200 << 20) != NULL); }'
    assert run(executor, program("c", source, "1")).results[0].value == "0"
    wide = replace(QUICK, memory_mib=512)
    assert run(executor, program("c", source, "1", limits=wide)).results[0].value == "1"
    heap = b"const all = []; for (;;) all.push({a: [1], b: {}});"
    outcome = run(executor, program("javascript", heap, "1", limits=replace(QUICK, cpu_s=10.0, memory_mib=64)))
    assert outcome.status is Status.MEMORY_LIMIT


def test_stack(executor):
    """Recursion without end crashes."""
    deep = b"int down(int n) { volatile char c[9999]; c[n % 9999] = 1; return down(n + 1) + c[0]; }\n"
    source = deep + b"int main(void) { return down(1); }"
    assert run(executor, program("c", source, "1")).results[0].message == str(signal.SIGSEGV.value)


def test_a_long_number_is_a_text(executor):
    """An output of more digits than Python reads at once is a text like any other."""
    source = b"#include <stdio.h>\nint main(void) { for (int k = 0; k < 6000; k++) putchar('7'); }"
    outcome = run(executor, program("c", source, "1"))
    assert (outcome.status, outcome.results[0].value) == (Status.OK, "7" * 6000)


def test_bytes_that_are_no_text(executor):
    """Output that is no UTF-8 is told as well as text can."""
    outcome = run(
        executor, program("c", b'#include <stdio.h>\nint main(void) { printf("a\\xff\\xfe"); putchar(0); }', "1")
    )
    assert outcome.results[0].value == "a\ufffd\ufffd\0"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("package a.b; public class Z { public static void main(String[] w) { System.out.print(1); } }", "1"),
        ("// public class No\n/* class X { void main( */ class A {} class B { public static void main(String[] w) "
         "{ System.out.print(2); } }", "2"),
        ('public class P { char c = \'"\'; String s = "{"; static class In { void main() {} }\n'
         ' public static void main(String[] w) { System.out.print(3); } }', "3"),
        ("interface I { static void main(String[] w) { System.out.print(4); } }", "4"),
        ("record R(int a) { public static void main(String[] w) { System.out.print(new R(5).a()); } }", "5"),
    ],
)  # fmt: skip
def test_java_programs_begin_in_any_type(local, source, expected):
    """The type whose `main` begins is found, whatever stands around it."""
    outcome = run(local, program("java", source.encode(), ""))
    assert [each.value for each in outcome.results] == [expected], outcome


@pytest.mark.parametrize("word", [b"final ", b"public ", b"/*", b'"', b"class ", b"{"])
def test_java_names_are_found_in_one_pass(word):
    """A hostile text takes the driver, whose time is nobody's limit, no longer than its length."""
    from code_envs.execution import toolchain

    started = time.process_time()
    toolchain._names(word * (2_000_000 // len(word)) + b" " * 500_000)
    assert time.process_time() - started < 3


# JavaScript functions ---------------------------------------------------------------------------

BIG = 1 << 80
BOTH_WAYS = [
    None,
    True,
    0,
    -3,
    1.5,
    -0.0,
    math.inf,
    -math.inf,
    "",
    "text é \U0001f600",
    [],
    [1, [2, [3]]],
    {},
    {"a": [1]},
]


def test_values_both_ways(executor):
    """What both languages have arrives as it was sent."""
    outcome = run(executor, function("function f(x) { return x; }", *BOTH_WAYS))
    assert outcome.status is Status.OK, outcome
    received = [values.decode(each.value) for each in outcome.results]
    assert received == BOTH_WAYS
    assert math.copysign(1, received[5]) == -1


def test_values_as_they_arrive(executor):
    """Tuples are arrays, sets are Sets, large whole numbers BigInts; dictionaries with text keys are objects."""
    source = "const f = (x) => [typeof x, Array.isArray(x), x instanceof Set, x !== x, Object.keys(x ?? {}).length];"
    arguments = [(1, 2), {1, 2}, frozenset({1}), BIG, -BIG, math.nan, {"k": 1}]
    outcome = run(executor, function(source, *arguments))
    assert [each.value for each in outcome.results] == [
        ["object", True, False, False, 2],
        ["object", False, True, False, 0],
        ["object", False, True, False, 0],
        ["bigint", False, False, False, 0],
        ["bigint", False, False, False, 0],
        ["number", False, False, True, 0],
        ["object", False, False, False, 1],
    ]


@pytest.mark.parametrize("argument", [b"x", 1j])
def test_values_without_a_counterpart(executor, argument):
    """What JavaScript cannot hold is no value of another kind: the job ends."""
    outcome = run(executor, function("function f(x) { return 1; }", argument))
    assert outcome.status is Status.EXITED
    assert "has no counterpart in JavaScript" in outcome.message


RETURNED = [
    ("undefined", {"u": []}),
    ("null", None),
    ("NaN", {"f": "nan"}),
    ("-0", {"f": "-0.0"}),
    ("-Infinity", {"f": "-inf"}),
    ("2 ** 53 - 1", 2**53 - 1),
    ("2 ** 60", {"f": "1152921504606847000"}),
    ("2 ** 80", {"f": "1.2089258196146292e+24"}),
    ("-(1n << 80n)", {"i": hex(-BIG)}),
    ("new Map([[1, 'a'], ['k', [2]]])", {"m": [[1, "a"], ["k", [2]]]}),
    ("new Set([1, 'a'])", {"s": [1, "a"]}),
    ("({a: {b: [undefined]}})", {"d": [["a", {"d": [["b", [{"u": []}]]]}]]}),
    ("[1,,3]", [1, {"u": []}, 3]),
    ("Object.create(null)", {"d": []}),
    ("Promise.resolve(5)", 5),
]


@pytest.mark.parametrize(("expression", "expected"), RETURNED)
def test_returned_values(local, expression, expected):
    """Each kind of value has one encoding."""
    assert run(local, function(f"function f(x) {{ return {expression}; }}", 1)).results[0].value == expected


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("f", "function"),
        ("Symbol()", "symbol"),
        ("new Date(0)", "Date"),
        ("new (class Odd {})()", "Odd"),
        ("[new WeakMap()]", "WeakMap"),
        ("'a'.repeat(2 ** 21)", "too big"),
        ("Array(300000).fill(0)", "too big"),
        ("(() => { let a = []; for (let k = 0; k < 200; k++) a = [a]; return a; })()", "too big"),
        ("(() => { const a = []; a.push(a); return a; })()", "too big"),
    ],
)
def test_opaque_values(local, expression, kind):
    """What has no faithful encoding says what it is."""
    result = run(local, function(f"function f(x) {{ return {expression}; }}", 1)).results[0]
    assert (result.status, result.message) == (CallStatus.OPAQUE, kind)


def test_exceptions(executor):
    """Class, text and line, of errors and of everything else that can be thrown; later calls are made."""
    source = """
function f(x) {
  if (x > 2) throw x;
  if (x > 1)
    throw new RangeError('m'.repeat(300));
  return x.y.z;
}"""
    outcome = run(executor, function(source, 2, 1, 3))
    first, second, third = outcome.results
    assert (first.exception, first.message, first.line) == ("RangeError", "m" * 200, 5)
    assert (second.exception, second.line) == ("TypeError", 6)
    assert (third.exception, third.message, third.line) == ("number", "3", 0)


def test_promises(executor):
    """An async function's value is awaited, its rejection is an exception, and calls keep their order."""
    wait = "await new Promise((go) => setTimeout(go, 5));"
    source = f"async function f(x) {{ {wait} if (x > 1) throw new Error('late'); return x; }}"
    outcome = run(executor, function(source, 1, 2, 0))
    assert [each.value for each in outcome.results] == [1, None, 0]
    assert outcome.results[1].message == "late"


@pytest.mark.parametrize(
    ("source", "status", "line", "words"),
    [
        ("function f(x) {\n  retrun x;\n}", Status.COMPILE_ERROR, 2, "SyntaxError"),
        ("\n\nnull.x;", Status.LOAD_ERROR, 3, "TypeError"),
        ("function g() {}", Status.NO_ENTRY, 0, "'f' is not defined"),
        ("const f = 3;", Status.NO_ENTRY, 0, "'f' is not a function"),
    ],
)
def test_functions_that_do_not_load(executor, source, status, line, words):
    """Each way of not loading has its status, line and message."""
    outcome = run(executor, function(source, 1))
    assert outcome.status is status
    assert outcome.line == line
    assert words in outcome.message
    assert outcome.errors == (status is Status.COMPILE_ERROR)


def test_functions_may_print_and_exit(executor):
    """What a function prints is ignored; a process that ends keeps what it has reported."""
    source = "function f(x) { console.log('x'.repeat(1000)); console.error(1); if (x > 1) process.exit(x); return x; }"
    outcome = run(executor, function(source, 1, 5, 1))
    assert (outcome.status, outcome.code) == (Status.EXITED, 5)
    assert [each.value for each in outcome.results] == [1, None, None]
    assert run(executor, function(source, 1)).status is Status.OK


def test_functions_report_little(executor):
    """A report beyond the limit ends the job; what fitted stands."""
    outcome = run(executor, function("function f(x) { return 'a'.repeat(400000); }", 1, 2, 3))
    assert outcome.status is Status.OUTPUT_LIMIT
    assert [each.status for each in outcome.results] == [CallStatus.VALUE] * 2 + [CallStatus.NOT_RUN]


def test_a_hidden_end_is_told(executor):
    """However a JavaScript process treats its report, how it ended is the driver's word."""
    source = "function f(x) { const fs = require('fs'); fs.ftruncateSync(3); fs.writeSync(3, '[', 0); for (;;); }"
    outcome = run(executor, function(source, 1))
    assert (outcome.status, outcome.results[0].status) == (Status.CPU_LIMIT, CallStatus.NOT_RUN)


def test_a_program_may_return(executor):
    """A whole program is a module of node's: it may return, and has `require`, but nothing of the harness."""
    outcome = run(
        executor,
        program("javascript", b"#!/usr/bin/env node\nconsole.log(typeof load, typeof require);\nreturn;\n)", ""),
    )
    assert outcome.status is Status.COMPILE_ERROR
    outcome = run(
        executor,
        program("javascript", b"#!/usr/bin/env node\nconsole.log(typeof load, typeof require);\nreturn;\n", ""),
    )
    assert outcome.results[0].value == "undefined function\n"


# determinism, order, cache ----------------------------------------------------------------------


def test_the_same_twice(executor):
    """Outcomes are equal apart from times: seeds are fixed, and no random name or address shows."""
    jobs = [
        function("function f(x) { return [Math.random(), Math.random(), Object.keys(process.env)]; }", 1, 2),
        function("function f(x) { process.abort(); }", 1),
        function(
            "function f(x) { const all = []; for (;;) all.push({}); }", 1, limits=replace(QUICK, memory_mib=32, cpu_s=9)
        ),
        program("c", b'__asm__("none");\nint main(void) { return 0; }'),
        program("c", b'__asm__("none");\nint main(void) { return 0; }', "1"),
        program("c", b"int f(void);\nint main(void) { return f(); }", "1"),
        program("c", b"int main(void) { *(volatile int *)0 = 1; }", "1"),
        program("c", b"int x = " + b"(" * 100_000),
        *(program(language, BROKEN[language][0], "1") for language in LANGUAGES),
        *(program(language, EXIT[language], "1") for language in LANGUAGES),
    ]
    for job in jobs:
        assert timeless(run(executor, job)) == timeless(run(executor, job))


def test_languages_beside_python(executor):
    """Jobs of several languages keep their order and do not disturb each other."""
    python = Job(b"def f(x): return x + 1", "f", b"[[1]]", QUICK)
    jobs = [python, program("c", ECHO["c"], "ab"), python, function("f = (x) => x", 9), python]
    run(executor, jobs[1])
    assert [each.results[0].value for each in executor.run_many(jobs * 3)] == [2, "2 ab", 2, 9, 2] * 3


def test_jobs_start_clean(executor):
    """A program finds nothing of the one before it."""
    head = b"#include <fcntl.h>\n#include <sys/stat.h>\n"
    leaves = head + b'int main(void) { mkdir("d", 0); creat("x", 0); chmod(".", 0); return 0; }'
    listing = function("function f(x) { return [require('fs').readdirSync('.').sort(), process.cwd()]; }", 1)
    before = run(executor, listing).results[0].value
    assert before == [["candidate.js", "harness.js"], "/tmp"]
    run(executor, program("c", leaves, "1"))
    assert run(executor, listing).results[0].value == before


def test_outcomes_are_cached(local, tmp_path):
    """The same job is run once, and languages are told apart."""
    runs = []

    class Counted(LocalExecutor):
        def submit(self, job):
            runs.append(job.language)
            return super().submit(job)

    with CachedExecutor(Counted()) as cached:
        job = program("c", ECHO["c"], "ab")
        first = run(cached, job)
        before = len(runs)
        assert cached.run(job) == first
        assert len(runs) == before
        assert cached.run(replace(job, language="cpp")).status is Status.OK
        assert "cpp" in runs


# arguments and tools ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (Job(b"", "", b'[["1"]]', QUICK, language="cobol"), r"must be one of \['python', 'c'"),
        (Job(b"", "", b'[["1"]]', QUICK, trace=True, language="c"), "Python programs only"),
        (Job(b"", "f", b'[["1"]]', replace(QUICK, steps=9), language="javascript"), "Python programs only"),
        (Job(b"", "f", b'[["1"]]', QUICK, language="c"), "runs as a whole"),
        (Job(b"", "", b"[[1]]", QUICK, language="java"), "the text of its standard input"),
        (Job(b"", "", b'[["1", "2"]]', QUICK, language="cpp"), "the text of its standard input"),
    ],
)
def test_bad_jobs(local, bad, message):
    """A job that cannot be run is refused before it costs a worker."""
    with pytest.raises(ConfigurationError, match=message):
        local.submit(bad)


def test_capabilities(executor):
    """The tools are named with their versions, and the protection is that of Python's workers."""
    found = executor.capabilities("c")
    assert found.level == executor.capabilities().level == "strong"
    assert found.layers == executor.capabilities().layers
    assert found.tools["c"].startswith("gcc ")
    assert executor.capabilities().tools == {}


def without(monkeypatch, old: str, new: str) -> None:
    """Change the program that workers run from now on."""
    modules = [[name, source.replace(old, new)] for name, source in boot.modules()]
    assert modules != boot.modules()
    monkeypatch.setattr(boot, "modules", lambda: modules)


def test_a_missing_tool_is_named(monkeypatch):
    """Where there is no node, JavaScript is refused with what there is, and the others run."""
    without(monkeypatch, '("node", "--version")', '("no-node", "--version")')
    with LocalExecutor() as executor:
        with pytest.raises(ConfigurationError, match=r"nothing to run 'javascript' with .*gcc.*Install the tool"):
            executor.run(function("f = (x) => x", 1))
        with pytest.raises(ConfigurationError, match="'javascript'"):
            executor.capabilities("javascript")
        assert run(executor, program("c", ECHO["c"], "ab")).results[0].value == "2 ab"


def test_no_scratch_directory():
    """Without namespaces programs have no place of their own, and are refused."""
    with LocalExecutor(namespaces="none", level="weak") as executor:
        with pytest.raises(ConfigurationError, match="compilers need a scratch directory"):
            executor.capabilities("c")
        assert executor.run(Job(b"def f(x): return x", "f", b"[[1]]", QUICK)).status is Status.OK


def test_a_compiler_s_time_is_limited_and_counted(monkeypatch):
    """A compiler that takes too long is stopped with all that it started, and its time is told."""
    without(monkeypatch, "COMPILER_CPU_S, COMPILER_WALL_S, COMPILER_MIB = 10, 60.0, 1024",
            "COMPILER_CPU_S, COMPILER_WALL_S, COMPILER_MIB = 10, 0.7, 1024")  # fmt: skip
    macros = "".join(f"#define m{n} m{n + 1} m{n + 1} m{n + 1}\n" for n in range(30)) + "int x = m0;\n"
    with LocalExecutor() as executor:
        outcome = run(executor, program("c", macros.encode(), "1"))
        assert outcome.status is Status.COMPILE_ERROR
        assert "more time or memory" in outcome.message
        assert outcome.cpu_s > 0.1  # that of cc1, which gcc did not live to wait for
        assert run(executor, program("c", ECHO["c"], "ab")).results[0].value == "2 ab"


def test_a_failing_driver_is_not_the_candidate_s_fault(monkeypatch):
    """Where the trusted part fails the job is run again, and then an error says that the sandbox failed."""
    from code_envs.errors import ExecutorError

    without(monkeypatch, "        inputs = json.loads(calls)\n", "        raise OSError('broken')\n")
    with LocalExecutor() as executor, pytest.raises(ExecutorError, match="could not start a process"):
        run(executor, program("c", ECHO["c"], "ab"))


# workers ----------------------------------------------------------------------------------------


def toolchain_pid(executor) -> int:
    executor.capabilities("c")
    return executor._other._workers[0].pid


def test_lost_worker_is_replaced():
    """A worker killed while a program runs: the job runs again and is right, and so are those behind it."""
    slow = b'#include <stdio.h>\n#include <unistd.h>\nint main(void) { usleep(300000); puts("done"); }'
    with LocalExecutor() as executor:
        first = toolchain_pid(executor)
        pending = [executor.submit(program("c", slow, "1")) for _ in range(2)]
        behind = executor.submit(Job(b"def f(x): return x", "f", b"[[5]]", QUICK))
        time.sleep(0.2)
        processes = tree(first)
        os.kill(tree(first)[1].pid, signal.SIGKILL)
        assert [each.result().results[0].value for each in pending] == ["done\n"] * 2
        assert behind.result().results[0].value == 5
        assert toolchain_pid(executor) != first
        assert gone(processes)


def test_close_leaves_nothing():
    """After `close` no process of either kind of worker is left, and no descriptor."""
    descriptors = psutil.Process().num_fds()
    executor = LocalExecutor()
    run(executor, program("c", ECHO["c"], "ab"))
    executor.submit(program("c", LOOP["c"], "1"))
    executor.submit(Job(b"while True: pass", "f", b"[[1]]", QUICK))
    processes = tree(toolchain_pid(executor)) + tree(executor._workers[0].pid)
    executor.close()
    executor.close()
    assert gone(processes)
    assert psutil.Process().num_fds() == descriptors


def test_a_fork_gets_its_own_workers(local):
    """A forked client uses a fresh worker for programs, and leaves its parent's alone."""
    parents = toolchain_pid(local)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            right = local.run(program("c", ECHO["c"], "ab")).results[0].value == "2 ab"
            code = 0 if right and toolchain_pid(local) != parents else 2
            local.close()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert toolchain_pid(local) == parents
    assert local.run(program("c", ECHO["c"], "abc")).results[0].value == "3 abc"


def test_diagnostics_are_plain_data(local):
    """An outcome with diagnostics compares and prints like any other."""
    outcome = run(local, program("c", BROKEN["c"][0]))
    assert Diagnostic("error", outcome.message, 3, 10) in outcome.diagnostics
    assert json.dumps([each.message for each in outcome.diagnostics])
