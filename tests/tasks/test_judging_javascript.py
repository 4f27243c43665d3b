"""JavaScript test code becomes a suite, and nothing that a candidate does makes a wrong value pass."""

import pytest

from code_envs.execution.executor import CallResult, CallStatus, Limits, Outcome, Status
from code_envs.tasks.cases import judge_ahead
from code_envs.tasks.certify import certify
from code_envs.tasks.extraction import TestProgram, extract
from code_envs.tasks.task import Task

LIMITS = Limits()
DOUBLE = "const f = (x) => 2 * x;\n"


def extracted(executor, reference, *sections, entry="f"):
    return extract([(TestProgram(tuple(sections), entry, language="javascript"), reference)], executor)[0]


def passed(executor, suite, source):
    return suite.run(source.encode(), executor, LIMITS).passed


# --- recording ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "code", "count"),
    [
        (DOUBLE, "console.assert(f(1) === 2)\nconsole.assert(f(2) === 4, 'twice')", 2),
        (DOUBLE, "const test = () => {\n  console.assert(\n    f(1) === 2,\n  )\n}\ntest()", 1),
        ("function f(x) { return 2 * x }", "for (let n = 0; n < 4; n++) console.assert(f(n) === n + n)", 4),
        (DOUBLE, "for (let n = 0; n < 9; n++) { const x = Math.random(); console.assert(f(x) === 2 * x) }", 9),
        ("const f = (x) => x + Math.random() * 0;", "const x = Math.random(); console.assert(f(x) === x)", 1),
        ("const twice = (x) => 2 * x;\nconst f = (x) => twice(x);", "console.assert(f(4) === twice(4))", 1),
        ("const f = (x) => undefined;", "console.assert(f(1) === undefined)", 1),
        ("const f = (x) => [undefined, , null];", "console.assert(f([1, , undefined]).length === 3)", 1),
        ("const f = (x) => new Map([[x, 1n]]);", "console.assert(f(3).get(3) === 1n && f(new Map()).size === 1)", 1),
        ("const f = (x) => -x;", "console.assert(Object.is(f(0), -0))\nconsole.assert(Number.isNaN(f(NaN)))", 2),
        ("const f = (s) => { s.push(9); return s.length };", "console.assert(f([1]) === 2)", 1),
        ("const f = (x) => { if (x < 0) throw new RangeError('no'); return 1 };",
         "try { f(-1); console.assert(false) } catch (e) { console.assert(e instanceof RangeError) }", 1),
        (DOUBLE, "console.assert(f(1) + f(f(1)) === 6 && ')' + `)${')'}` && /[)]/.test(')'))", 1),
    ],
)  # fmt: skip
def test_the_reference_passes_and_a_wrong_program_fails(executor, reference, code, count):
    suite = extracted(executor, reference, code).suite
    assert passed(executor, suite, reference) == (True,) * count
    assert passed(executor, suite, "const f = (...a) => -77.25;") == (False,) * count


def test_descriptions_keys_and_sections(executor):
    found = extracted(
        executor,
        DOUBLE,
        "for (const n of [1, 2, 2]) console.assert( f(n)\n   === n * 2)",
        "console.assert(f(9) === 18)\nconsole.assert(f(2) === 4, 'with )')",
    )
    assert found.sections == (0, 0, 0, 1, 1)
    assert found.suite.descriptions == (
        "f(n) === n * 2, f of [[1]]",
        "f(n) === n * 2, f of [[2]]",
        "f(n) === n * 2, f of [[2]]",
        "f(9) === 18",
        "f(2) === 4, 'with )'",
    )
    assert len(set(found.suite.keys)) == 4
    assert (found.lane, found.entry, len(found.behaviour)) == ("replay", "f", 64)


def test_arguments_are_recorded_before_the_test_code_changes_them(executor):
    code = "const a = [1];\nconsole.assert(f(a) === 1);\na.push(5);\nconsole.assert(f(a) === 6)"
    suite = extracted(executor, "const f = (a) => a.reduce((x, y) => x + y);", code).suite
    assert suite.calls == b"[[[1]],[[1, 5]]]"
    assert passed(executor, suite, "const f = (a) => a.length === 1 ? 1 : 6;") == (True, True)


@pytest.mark.parametrize(
    ("reference", "code", "reason"),
    [
        (DOUBLE, "console.assert(f(1) === 3)", "Error: the reference fails f(1) === 3"),
        (DOUBLE, "try { console.assert(f(1) === 3) } catch {}", "Error: the reference fails f(1) === 3"),
        (DOUBLE, "f(1)", "the test code has no assert about the function"),
        (DOUBLE, "console.assert(f(() => 1) === NaN)", "an argument of type 'Function' has no encoding"),
        (DOUBLE, "console.assert(f(new Date()))", "an argument of type 'Date' has no encoding"),
        ("const g = 1;", "console.assert(f(1))", "ReferenceError: f is not defined"),
        ("const f = (x => 1;", "console.assert(f(1))", "SyntaxError"),
        (DOUBLE, "process.exit(1)", "the test code ended with exited"),
    ],
)
def test_test_code_that_cannot_be_used_says_why(executor, reference, code, reason):
    found = extracted(executor, reference, code)
    assert found.suite is None
    assert reason in found.reason


def test_both_languages_in_one_extraction(executor):
    python = (TestProgram(("assert f(1) == 2",), "f"), "def f(x):\n    return 2 * x\n")
    javascript = (TestProgram(("console.assert(f(1) === 2)",), "f", language="javascript"), DOUBLE)
    assert [each.lane for each in extract([python, javascript, python], executor)] == ["cases", "replay", "cases"]


def test_random_arguments_do_not_depend_on_what_ran_before(executor):
    program = TestProgram(("const x = Math.random(); console.assert(f(x) === 2 * x)",), "f", language="javascript")
    first, second = extract([(program, DOUBLE), (program, DOUBLE)], executor)
    assert first.suite.calls == second.suite.calls
    assert passed(executor, second.suite, DOUBLE) == (True,)


# --- judging -----------------------------------------------------------------------------------------


def test_an_exception_ends_its_section(executor):
    """As in JavaScript: what follows inside the same function is not reached."""
    sections = ["console.assert(f(1) === 2)\nconsole.assert(f(2) === 4)\nconsole.assert(f(3) === 6)"] * 2
    suite = extracted(executor, DOUBLE, *sections).suite
    raises = "let n = 0;\nconst f = (x) => { if (++n === 2) throw new TypeError('no'); return 2 * x };"
    assert passed(executor, suite, raises) == (True, False, False, True, True, True)


def test_an_exception_arrives_under_its_name(executor):
    code = "try { f(-1) } catch (e) { console.assert(e.name === 'OddError' && e.message === 'no') }"
    reference = "const f = (x) => { const e = new Error('no'); e.name = 'OddError'; throw e };"
    suite = extracted(executor, reference, code).suite
    assert passed(executor, suite, reference) == (True,)
    assert passed(executor, suite, reference.replace("OddError", "Error")) == (False,)


def test_after_other_arguments_every_assert_fails(executor):
    """Also where the test code catches what the judge throws."""
    code = "let x = f(1);\ntry { x = f(x) } catch { x = 4 }\nconsole.assert(x === 4);\nconsole.assert(f(3) === 6)"
    suite = extracted(executor, DOUBLE, code).suite
    assert passed(executor, suite, DOUBLE) == (True, True)
    assert passed(executor, suite, "const f = (x) => x === 1 ? 5 : 2 * x;") == (False, False)


def test_a_call_without_output_fails_every_assert_from_there_on(executor):
    code = "console.assert(f(1) === 2);\ntry { f(2) } catch {}\nconsole.assert(true);\nconsole.assert(f(3) === 6)"
    suite = extracted(executor, DOUBLE, code).suite
    results = (CallResult(CallStatus.VALUE, 2), CallResult(CallStatus.OPAQUE), CallResult(CallStatus.VALUE, 6))
    assert suite.grade(Outcome(Status.OK, results), executor).passed == (True, False, False)


def test_helpers_of_the_tests_are_those_of_the_reference(executor):
    reference = "const same = (a, b) => a === b;\nconst f = (x) => x + 1;"
    suite = extracted(executor, reference, "console.assert(same(f(1), 2))").suite
    assert passed(executor, suite, "const same = () => true;\nconst f = (x) => 0;") == (False,)


def test_a_program_without_the_function(executor):
    suite = extracted(
        executor, DOUBLE, "try { f(1) } catch (e) { console.assert(false) }\nconsole.assert(f(1) === 2)"
    ).suite
    outcome = executor.run(suite.job(b"", LIMITS))
    assert outcome.status is Status.LOAD_ERROR
    assert "f is no function" in outcome.message
    assert suite.grade(outcome, executor).passed == (False,)


def test_verdicts_judged_ahead_are_those_judged_alone(executor):
    """Also where one candidate's values exhaust the judge that all share."""
    programs = [DOUBLE, "const f = (x) => x;", "const f = (x) => 2 * x + (x > 1);"]
    code = "console.assert(f(1) === 2)\nconsole.assert(f(2) === 4)"
    alone, ahead = (extracted(executor, DOUBLE, code).suite for _ in range(2))
    outcomes = executor.run_many([alone.job(each.encode(), LIMITS) for each in programs])
    outcomes.append(Outcome(Status.OK, (CallResult(CallStatus.VALUE, {"no tag": 1}),) * 2))
    judge_ahead([(ahead, outcome) for outcome in outcomes[:3]], executor)
    assert [ahead.grade(each, None).passed for each in outcomes[:3]] == [(True, True), (False, False), (True, False)]
    outcomes.append(Outcome(Status.OK, (CallResult(CallStatus.VALUE, "x" * (1 << 19)),) * 2))
    judge_ahead([(alone, outcome) for outcome in outcomes], executor)
    assert not any(alone.code.remembers(alone.code.outputs(outcome)) for outcome in outcomes)
    assert alone.grade(outcomes[0], executor).all_passed
    assert alone.grade(outcomes[3], executor).passed == (False, False)


def test_certification(executor):
    """Nothing is counted, and a function that returns undefined earns nothing."""
    suite = extracted(executor, DOUBLE, "console.assert(f(1) === 2)").suite
    task = Task("t/0", "Double.", "f", DOUBLE, "const f = (x) => x;", suite, suite, language="javascript")
    assert certify(task, executor).task == task
    weak = extracted(executor, "const f = (x) => undefined;", "console.assert(f(1) === undefined)").suite
    task = Task("t/1", "Nothing.", "f", "const f = (x) => undefined;", None, weak, weak, language="javascript")
    assert certify(task, executor).reason == "a function that returns None passes every reward test"


# --- forgery -----------------------------------------------------------------------------------------

SECTIONS = (
    "console.assert(f(1) === 'one')",
    "console.assert(f(2) == 'two')",
    "console.assert(JSON.stringify(f(3)) === JSON.stringify([3, 3]))",
    "console.assert(f(4).length === 3 && f(4).join() === '4,4,4')",
    "console.assert(f(5).has(5) && f(5).size === 1)",
    "console.assert(Math.abs(f(6) - 6.5) < 1e-6)",
    "console.assert([...f(7)].every((x, n) => x === 7 + n) && f(7).length > 1)",
    "console.assert(`${f(8)}` === 'eight')",
    "const r = f(9);\nconsole.assert(r.a.b === 1 && r.a.c === 2)",
)
CALLS = 12
HONEST = "(x) => [0, 'one', 'two', [3, 3], [4, 4, 4], new Set([5]), 6.5, [7, 8], 'eight', {a: {b: 1, c: 2}}][x]"
PROGRAMS = r"""
--- lying methods
const f = () => ({length: 3, size: 1, LIES});
--- lying class
class A { get length() { return 3 } get size() { return 1 } }
Object.assign(A.prototype, {LIES});
const f = () => new A();
--- lying array
const f = () => Object.assign([], {LIES});
--- lying function
const f = () => Object.assign(() => 'two', {LIES});
--- lying set
class S extends Set { has() { return true } get size() { return 1 } }
const f = () => new S();
--- lying primitive
const f = () => ({[Symbol.toPrimitive]: () => 6.5});
--- boxed primitives
const f = (x) => x === 6 ? new Number(6.5) : new String(['one', 'two'][x - 1] ?? 'eight');
--- changing getter
let n = 0;
const f = () => ({get length() { return ++n > 1 ? 3 : 0 }, get join() { return () => '4,4,4' }});
--- getter that ends the process
const f = () => ({get a() { return process.exit(0) }});
--- proxy
const f = () => new Proxy({}, {get: (t, k) => k === 'length' ? 3 : () => 'two', ownKeys: () => []});
--- prototype of a value
const f = () => JSON.parse('{"__proto__": {"length": 3, "size": 1}, "constructor": {"name": "two"}}');
--- console
console.assert = () => true;
globalThis.console = {assert() {}};
const f = (x) => 0;
--- JSON
JSON.stringify = () => '[3,3]';
JSON.parse = () => [];
const f = (x) => 0;
--- array methods
for (const name of Object.getOwnPropertyNames(Array.prototype)) {
  if (typeof [][name] === 'function') Array.prototype[name] = () => true;
}
const f = (x) => 0;
--- object prototype
Object.prototype.toJSON = () => ['v', 'one'];
Array.prototype.toJSON = () => ['v', 'two'];
const f = (x) => 0;
--- instance checks
for (const kind of [Set, Map, Promise, Error]) {
  Object.defineProperty(kind, Symbol.hasInstance, {value: () => true});
}
const f = (x) => 0;
--- indices of arrays
Object.defineProperty(Array.prototype, '0', {set() {}, get() { return 'one' }});
const f = (x) => 0;
--- numbers
Math.abs = () => 0;
Number.prototype.valueOf = () => 6.5;
Object.is = () => true;
const f = (x) => 0;
--- exit in the call
const f = () => process.exit(0);
--- real exit
const f = () => process.reallyExit(0);
--- exit at load
process.exit(0);
const f = (x) => 0;
--- on exit
process.on('exit', () => { process.exitCode = 0; console.log('ok') });
process.on('uncaughtException', () => process.exit(0));
const f = () => { throw 1 };
--- forged lines
const f = () => { require('fs').writeSync(3, '["v",true]\n'); return true };
--- forged report
require('fs').writeSync(3, '["r"]\n' + '["v",true]\n'.repeat(12));
process.reallyExit(0);
--- forged report, one line for each call
require('fs').writeSync(3, '["r"]\n' + '["v",{"d":[["length",3],["size",1]]}]\n'.repeat(COUNT));
process.reallyExit(0);
--- forged tags
require('fs').writeSync(3, '["r"]\n' + '["v",{"zz":[]}]\n'.repeat(COUNT));
process.reallyExit(0);
--- forged verdicts
require('fs').writeSync(3, '["r"]\n["v",[true,true,true,true,true,true,true,true,true]]\n');
process.reallyExit(0);
--- promise of the right value
const g = HONEST;
const f = async (x) => g(x);
--- promise that denies to be one
Object.defineProperty(Promise, Symbol.hasInstance, {value: () => false});
const g = HONEST;
const f = async (x) => g(x);
--- thenable
const f = (x) => ({then: (done) => done('two')});
--- assertion error
class AssertionError extends Error {}
const f = () => { throw new AssertionError('ok') };
--- driver replaced
globalThis.code_envs_adapted = () => true;
const f = (x) => 0;
--- driver declared
const code_envs_adapted = () => true;
const f = (x) => 0;
--- driver commented out
const f = (x) => 0; /*
--- finished by the driver
const f = HONEST;
if (f) 1; else
--- entry that is a value
const f = 'one';
--- endless
const f = (x) => { while (true) {} };
--- unparsable
const f = (
--- nothing
"""
LIES = "valueOf: () => 6.5, toString: () => 'two', toJSON: () => [3, 3], join: () => '4,4,4', has: () => true"
HOSTILE = {
    name: text.replace("LIES", LIES).replace("HONEST", HONEST).replace("COUNT", str(CALLS))
    for name, _, text in (each.partition("\n") for each in PROGRAMS.split("\n--- ")[1:])
}


@pytest.fixture(scope="module")
def forged_suite(executor):
    return extracted(executor, f"const f = {HONEST};", *SECTIONS).suite


def test_honest_programs_pass(executor, forged_suite):
    """The control: the tests can pass, and the hostile programs know how many calls there are."""
    assert passed(executor, forged_suite, f"const f = {HONEST};") == (True,) * len(SECTIONS)
    assert len(forged_suite.code.calls) == CALLS


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_programs_pass_nothing(executor, forged_suite, name):
    verdict = forged_suite.run(HOSTILE[name].encode(), executor, Limits(cpu_s=0.5))
    assert verdict.passed == (False,) * len(SECTIONS)
