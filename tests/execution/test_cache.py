"""`CachedExecutor`: what makes a key, what is never remembered, and that an answer is the first outcome."""

from __future__ import annotations

import contextlib
import gc
import os
from dataclasses import astuple, fields, replace

import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from hypothesis import example, given, settings
from hypothesis import strategies as st

from code_envs.envs.repair import CodeRepairEnv
from code_envs.errors import ConfigurationError, ExecutorError
from code_envs.execution import boot, cache, diagnostics, protocol, values
from code_envs.execution.cache import CachedExecutor, Statistics, decode_outcome, encode_outcome
from code_envs.execution.executor import (
    CallResult,
    CallStatus,
    Capabilities,
    Diagnostic,
    Executor,
    Job,
    Limits,
    Outcome,
    Status,
)
from code_envs.execution.local import LocalExecutor
from code_envs.execution.stores import MemoryStore, SqliteStore, Store
from code_envs.tasks.cases import Case, CaseSuite
from code_envs.tasks.task import Task, TaskSet
from code_envs.testing import check_executor

CAPABILITIES = Capabilities("good", ("rlimits", "seccomp", "landlock"), {}, "3.11.7")
JOB = Job(b"def f(x): return [x]\n", "f", b"[[1],[2]]")
OUTCOME = Outcome(
    Status.OK,
    (
        CallResult(CallStatus.VALUE, [1, {"t": [2.5, None]}]),
        CallResult(CallStatus.EXCEPTION, None, "KeyError", "'x'", 3, 7, (1, 2)),
    ),
    cpu_s=0.125,
    wall_s=0.0625,
    max_rss_kib=9000,
)


def other(number: int) -> Job:
    return replace(JOB, source=JOB.source + b"#" * number)


class Scripted(Executor):
    """Counts what it is asked, and answers what it was told, once it may."""

    def __init__(self, answer=OUTCOME, capabilities=CAPABILITIES):
        self.answer = answer
        self.reported = capabilities
        self.jobs = []
        self.ready = True
        self.closed = 0
        self.refusal = None

    def submit(self, job):
        if self.refusal is not None:
            raise self.refusal
        self.jobs.append(job)
        return ScriptedPending(self, job)

    def capabilities(self, language: str = "python"):
        return self.reported

    def close(self):
        self.closed += 1


class ScriptedPending:
    def __init__(self, executor, job):
        self.executor = executor
        self.job = job

    def done(self):
        return self.executor.ready

    def result(self):
        answer = self.executor.answer
        answer = answer(self.job) if callable(answer) else answer
        if isinstance(answer, BaseException):
            raise answer
        return answer


class Dictionary(Store):
    """A store that a test can look into."""

    def __init__(self):
        self.values = {}
        self.closed = 0

    def get(self, key):
        return self.values.get(key)

    def put(self, key, value):
        self.values[key] = value

    def close(self):
        self.closed += 1


def test_an_equal_job_is_executed_once():
    """The second answer equals the first outcome, times included, and is another object."""
    inner = Scripted()
    cached = CachedExecutor(inner)
    first = cached.run(JOB)
    again = cached.submit(Job(bytes(bytearray(JOB.source)), "f", JOB.calls, Limits()))
    assert again.done()
    assert again.result() == first == OUTCOME
    assert again.result() is not first
    assert len(inner.jobs) == 1
    assert cached.statistics == Statistics(hits=1, misses=1, stored=1, skipped=0)
    assert cached.statistics.hit_rate == 0.5


def test_no_lookups():
    """The hit rate of an unused cache is 0."""
    assert CachedExecutor(Scripted()).statistics == Statistics(0, 0, 0, 0)
    assert CachedExecutor(Scripted()).statistics.hit_rate == 0.0


# keys ---------------------------------------------------------------------------------------------

OTHER_LIMITS = {
    "cpu_s": 2.5,
    "wall_s": 20.0,
    "memory_mib": 513,
    "output_kib": 1025,
    "file_kib": 1023,
    "open_files": 63,
    "steps": 1000,
}
OTHER_JOBS = {
    "source": b"def f(x): return x\n",
    "entry": "g",
    "calls": b"[[1],[3]]",
    "trace": True,
    "language": "javascript",
}


def test_no_field_is_forgotten():
    """A new field of a job or of its limits must be added to the tests below."""
    assert {field.name for field in fields(Limits)} == set(OTHER_LIMITS)
    assert {field.name for field in fields(Job)} == {*OTHER_JOBS, "limits"}


@pytest.mark.parametrize(
    "job",
    [replace(JOB, **{name: value}) for name, value in OTHER_JOBS.items()]
    + [replace(JOB, limits=replace(Limits(), **{name: value})) for name, value in OTHER_LIMITS.items()],
    ids=[*OTHER_JOBS, *OTHER_LIMITS],
)
def test_each_field_of_a_job_is_in_the_key(job):
    """A job that differs in one field is executed; then each is answered with its own outcome."""
    inner = Scripted(lambda job: replace(OUTCOME, message=repr(job)))
    cached = CachedExecutor(inner)
    for asked in (JOB, job, JOB, job):
        assert cached.run(asked).message == repr(asked)
    assert inner.jobs == [JOB, job]


def test_bytes_do_not_move_between_fields():
    """The same bytes in the same order, but cut at other places, make other keys."""
    parts = [(b"ab", "c", b"d"), (b"a", "bc", b"d"), (b"a", "b", b"cd"), (b"abc", "", b"d"), (b"", "abcd", b"")]
    prefix = cache._key_prefix(CAPABILITIES, "python")
    assert len({cache._job_key(prefix, Job(*part)) for part in parts}) == len(parts)


def test_a_name_that_is_no_text():
    """An entry that cannot be encoded is left to the wrapped executor."""
    inner = Scripted()
    CachedExecutor(inner).run(replace(JOB, entry="\udc80"))
    assert len(inner.jobs) == 1


@pytest.mark.parametrize(
    "change", [{"python": "3.11.8"}, {"level": "strong"}, {"layers": ("rlimits",)}], ids=["python", "level", "layers"]
)
def test_interpreter_and_protections_are_in_the_key(change):
    """What another interpreter, or a sandbox with other walls, gave is no answer."""
    store = MemoryStore()
    CachedExecutor(Scripted(), store).run(JOB)
    inner = Scripted(capabilities=replace(CAPABILITIES, **change))
    CachedExecutor(inner, store).run(JOB)
    assert len(inner.jobs) == 1


def test_the_tool_of_a_language_is_in_its_key():
    """What another compiler gave is no answer; that of another language does not matter."""
    store = MemoryStore()
    job = replace(JOB, language="c")
    for tools, executed in (({"c": "gcc 12"}, 1), ({"c": "gcc 12", "java": "17"}, 0), ({"c": "gcc 13"}, 1)):
        inner = Scripted(capabilities=replace(CAPABILITIES, tools=tools))
        CachedExecutor(inner, store).run(job)
        assert len(inner.jobs) == executed


def test_what_does_not_matter_is_not_in_the_key():
    """Neither the order of the layers nor the wording of what is missing makes another key."""
    store = MemoryStore()
    CachedExecutor(Scripted(), store).run(JOB)
    same = replace(CAPABILITIES, layers=CAPABILITIES.layers[::-1], missing={"own_uid": "not root"})
    inner = Scripted(capabilities=same)
    assert CachedExecutor(inner, store).run(JOB) == OUTCOME
    assert inner.jobs == []


@pytest.mark.parametrize(
    ("place", "name", "value"),
    [
        (boot, "runner_digest", lambda: b"another runner"),
        (boot, "ENVIRONMENT", {**boot.ENVIRONMENT, "PYTHONHASHSEED": "1"}),
        (cache, "_reader_digest", lambda: "another reader"),
        (cache, "FORMAT", cache.FORMAT + 1),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_our_own_code_is_in_the_key(monkeypatch, place, name, value):
    """Outcomes of another runner, or in another format, are no answer."""
    store = MemoryStore()
    CachedExecutor(Scripted(), store).run(JOB)
    monkeypatch.setattr(place, name, value)
    inner = Scripted()
    CachedExecutor(inner, store).run(JOB)
    assert len(inner.jobs) == 1


@pytest.mark.parametrize("module", [protocol, diagnostics])
def test_the_readers_of_replies_are_digested(tmp_path, monkeypatch, module):
    """The digest is one of the modules' text."""
    text = tmp_path / "reader.py"
    monkeypatch.setattr(module, "__file__", str(text))
    digests = set()
    for content in ("a", "b"):
        text.write_text(content)
        digests.add(cache._reader_digest.__wrapped__())
    assert len(digests) == 2


# what is never remembered -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "limits", "remembered"),
    [
        (OUTCOME, Limits(), True),
        (replace(OUTCOME, status=Status.POISON), Limits(), False),
        (replace(OUTCOME, status=Status.CPU_LIMIT), Limits(), False),
        (replace(OUTCOME, status=Status.WALL_LIMIT), Limits(), False),
        (replace(OUTCOME, status=Status.MEMORY_LIMIT), Limits(), False),
        (replace(OUTCOME, status=Status.OUTPUT_LIMIT), Limits(), True),
        (replace(OUTCOME, status=Status.CRASHED, code=11), Limits(), True),
        (replace(OUTCOME, cpu_s=1.0), Limits(cpu_s=2.0), True),
        (replace(OUTCOME, cpu_s=1.001), Limits(cpu_s=2.0), False),
        (replace(OUTCOME, wall_s=1.0), Limits(wall_s=2.0), True),
        (replace(OUTCOME, wall_s=1.001), Limits(wall_s=2.0), False),
        (replace(OUTCOME, wall_s=9.9), Limits(cpu_s=2.0), True),  # the default wall is ten times the CPU time
        (replace(OUTCOME, wall_s=10.1), Limits(cpu_s=2.0), False),
    ],
)
def test_what_could_end_otherwise_is_not_remembered(outcome, limits, remembered):
    """Limits that were hit, almost hit, or that the machine may have caused are executed each time."""
    inner = Scripted(outcome)
    cached = CachedExecutor(inner)
    job = replace(JOB, limits=limits)
    assert [cached.run(job), cached.run(job)] == [outcome, outcome]
    assert len(inner.jobs) == (1 if remembered else 2)
    assert cached.statistics == Statistics(*((1, 1, 1, 0) if remembered else (0, 2, 0, 2)))


def test_a_failure_of_the_sandbox_is_not_remembered():
    """It is raised each time it is asked for, and the next submission executes anew."""
    inner = Scripted(ExecutorError("the worker is lost"))
    cached = CachedExecutor(inner)
    pending = cached.submit(JOB)
    for _ in range(2):
        with pytest.raises(ExecutorError, match="the worker is lost"):
            pending.result()
    assert pending.done()
    inner.answer = OUTCOME
    assert cached.run(JOB) == OUTCOME
    assert cached.statistics == Statistics(hits=0, misses=2, stored=1, skipped=0)


def nested(depth: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("value", [nested(100_000), 10**5000], ids=["nested", "digits"])
def test_a_value_that_cannot_be_written_is_not_remembered(value):
    """A hostile value costs an execution each time, and nothing else."""
    inner = Scripted(Outcome(Status.OK, (CallResult(CallStatus.VALUE, value),)))
    cached = CachedExecutor(inner)
    for _ in range(2):
        assert cached.run(JOB).results[0].value is value
    assert cached.statistics == Statistics(hits=0, misses=2, stored=0, skipped=2)


def test_a_value_that_nests_too_deep_to_be_read_is_executed_again():
    """What was stored from a shallower place may be too deep here; the answer is still right."""
    inner, store = Scripted(), Dictionary()
    cached = CachedExecutor(inner, store)
    cached.run(JOB)
    (key,) = store.values
    store.values[key] = encode_outcome(OUTCOME).replace(b"2.5", b"[" * 100_000 + b"]" * 100_000)
    assert cached.run(JOB) == OUTCOME
    assert len(inner.jobs) == 2


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"7", b"\xff", b'["ok","",0,0,0,0,0,[["value"]]]', b"null"])
def test_a_damaged_value_is_named(data):
    """A value that is no outcome gives an error that says what to do."""
    store = Dictionary()
    cached = CachedExecutor(Scripted(), store)
    cached.run(JOB)
    (key,) = store.values
    for damaged in (data, encode_outcome(OUTCOME).replace(b'"ok"', b'"fine"')):
        store.values[key] = damaged
        with pytest.raises(ConfigurationError, match=r"is damaged: .*Delete it"):
            cached.submit(JOB)


# jobs under way -----------------------------------------------------------------------------------


def test_a_job_under_way_is_shared():
    """Whoever submits it meanwhile waits for the same execution."""
    inner = Scripted()
    inner.ready = False
    cached = CachedExecutor(inner)
    first, second = cached.submit(JOB), cached.submit(replace(JOB))
    third = cached.submit(other(1))
    assert not first.done()
    assert not second.done()
    inner.ready = True
    assert second.done()
    assert second.result() == first.result() == OUTCOME
    assert third.result() == OUTCOME
    assert inner.jobs == [JOB, other(1)]
    assert cached.statistics == Statistics(hits=1, misses=2, stored=2, skipped=0)
    assert cached.run(JOB) == OUTCOME
    assert len(inner.jobs) == 2


def test_an_outcome_that_is_not_remembered_is_shared_too():
    """Two who wait for one execution get its outcome, however it ended; who comes later does not."""
    inner = Scripted(replace(OUTCOME, status=Status.CPU_LIMIT))
    cached = CachedExecutor(inner)
    first, second = cached.submit(JOB), cached.submit(JOB)
    assert first.result() == second.result() == inner.answer
    assert len(inner.jobs) == 1
    cached.run(JOB)
    assert len(inner.jobs) == 2


def test_a_failure_is_shared():
    """Both get the error of the one execution; nothing is stored."""
    inner, store = Scripted(ExecutorError("the worker is lost")), Dictionary()
    cached = CachedExecutor(inner, store)
    pending = [cached.submit(JOB), cached.submit(JOB)]
    once = iter([inner.answer])
    inner.answer = lambda job: next(once)
    for each in pending:
        with pytest.raises(ExecutorError, match="the worker is lost"):
            each.result()
    assert len(inner.jobs) == 1
    assert store.values == {}


def test_an_interruption_is_no_failure():
    """Ctrl-C while waiting leaves the execution under way."""
    inner = Scripted(KeyboardInterrupt())
    cached = CachedExecutor(inner)
    pending = cached.submit(JOB)
    with pytest.raises(KeyboardInterrupt):
        pending.result()
    inner.answer = OUTCOME
    assert cached.submit(JOB).result() == pending.result() == OUTCOME
    assert len(inner.jobs) == 1


def test_a_job_that_nobody_waits_for_is_forgotten():
    """Dropped executions do not pile up; their job is executed anew."""
    inner = Scripted()
    cached = CachedExecutor(inner)
    cached.submit(JOB)
    gc.collect()
    assert len(cached._under_way) == 0
    assert cached.run(JOB) == OUTCOME
    assert len(inner.jobs) == 2


def test_a_refused_job_leaves_nothing():
    """What the wrapped executor refuses is raised at once, each time."""
    inner = Scripted()
    cached = CachedExecutor(inner)
    inner.refusal = ConfigurationError("Limits must be positive")
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="Limits must be positive"):
            cached.submit(JOB)
    inner.refusal = None
    assert cached.run(JOB) == OUTCOME
    assert cached.statistics.misses == 1


def test_outcomes_come_in_the_order_of_the_jobs():
    """Among them jobs known before, jobs submitted twice, and new ones."""
    inner = Scripted(lambda job: replace(OUTCOME, line=len(job.source)))
    cached = CachedExecutor(inner)
    cached.run(other(3))
    numbers = [5, 3, 1, 5, 3, 2, 1]
    outcomes = cached.run_many(other(number) for number in numbers)
    assert [outcome.line - len(JOB.source) for outcome in outcomes] == numbers
    assert inner.jobs == [other(number) for number in (3, 5, 1, 2)]


# the executor as a whole --------------------------------------------------------------------------


def test_close():
    """Closing closes the wrapped executor and the store, also when one of them fails; then nothing is answered."""
    inner, store = Scripted(), Dictionary()
    cached = CachedExecutor(inner, store)
    cached.run(JOB)
    late = cached.submit(other(1))
    with cached:
        pass
    cached.close()
    assert inner.closed == store.closed == 2
    with pytest.raises(ExecutorError, match="closed"):
        cached.submit(JOB)
    assert late.result() == OUTCOME
    assert len(store.values) == 1

    inner.close = lambda: 1 / 0
    with pytest.raises(ZeroDivisionError):
        cached.close()
    assert store.closed == 3


def test_capabilities_are_those_of_the_wrapped_executor():
    """They are forwarded."""
    assert CachedExecutor(Scripted()).capabilities() is CAPABILITIES


def test_bad_arguments():
    """Names of executors and paths of stores are refused, saying what to make of them."""
    with pytest.raises(ConfigurationError, match=r"an Executor, not 'local:2'. Create one with LocalExecutor"):
        CachedExecutor("local:2")
    with pytest.raises(ConfigurationError, match=r"such as SqliteStore\(path\), not 'cache.sqlite'"):
        CachedExecutor(Scripted(), "cache.sqlite")


def test_a_cache_in_front_of_another():
    """The inner one answers what the outer one does not know."""
    store = MemoryStore()
    CachedExecutor(Scripted(), store).run(JOB)
    inner = Scripted()
    outer = CachedExecutor(CachedExecutor(inner, store))
    assert [outer.run(JOB), outer.run(JOB)] == [OUTCOME, OUTCOME]
    assert outer.statistics == Statistics(hits=1, misses=1, stored=1, skipped=0)
    assert inner.jobs == []


@pytest.mark.usefixtures("few_attacks")
def test_conformance(executor):
    """With a cache, an executor still is one."""
    check_executor(CachedExecutor(executor))


def test_real_outcomes_outlive_the_process(executor, tmp_path):
    """What one executor stored in a file answers another, with every field and type."""
    programs = [
        b"def f(x): return {x: (1.5, b'b', {2**70})}",
        b"def f(x): return [x][x]",
        b"def f(x:",
        b"import os\ndef f(x): os._exit(x)",
        b"def f(x):\n    while True: pass",
        b"def f(x): return '\\ud83d' + chr(0xDE00) + chr(0x1F600) + '\\n'",
    ]
    jobs = [Job(source, "f", b"[[1],[0]]", Limits(steps=1000), trace) for source in programs for trace in (False, True)]
    path = tmp_path / "cache.sqlite"
    store = SqliteStore(path)
    first = CachedExecutor(executor, store).run_many(jobs)
    store.close()
    store = SqliteStore(path)
    second = CachedExecutor(executor, store)
    assert repr(second.run_many(jobs)) == repr(first)
    assert second.statistics.hit_rate == 1.0
    store.close()


def test_a_fork_executes_what_its_parent_has_under_way(tmp_path):
    """A child does not wait for its parent's job, whose pipes it must not touch; the file serves both."""
    slow = replace(JOB, source=b"import time\ntime.sleep(0.3)\ndef f(x): return x")
    with CachedExecutor(LocalExecutor(), SqliteStore(tmp_path / "cache.sqlite")) as cached:
        cached.run(JOB)
        pending = cached.submit(slow)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                known, executed = cached.run(JOB), cached.run(slow)
                right = known.results[0].value == [1] and executed.results[0].value == 1
                code = 0 if right and cached.statistics == Statistics(1, 3, 2, 0) else 2
                cached.close()
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert pending.result().results[0].value == 1
        assert cached.statistics == Statistics(0, 2, 2, 0)


# outcomes as text ---------------------------------------------------------------------------------

TEXT = st.text(st.characters(), max_size=6)  # surrogates included
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)
NUMBERS = st.integers(0, 2**62)
RESULTS = st.builds(
    CallResult,
    status=st.sampled_from(CallStatus),
    value=JSON,
    exception=TEXT,
    message=TEXT,
    line=NUMBERS,
    steps=NUMBERS,
    lines=st.lists(NUMBERS, max_size=3).map(tuple),
)
OUTCOMES = st.builds(
    Outcome,
    status=st.sampled_from(Status),
    results=st.lists(RESULTS, max_size=4).map(tuple),
    message=TEXT,
    line=NUMBERS,
    code=NUMBERS,
    cpu_s=st.floats(0, 1e9),
    wall_s=st.floats(0, 1e9),
    max_rss_kib=NUMBERS,
)


@settings(max_examples=300, deadline=None)
@given(OUTCOMES)
@example(Outcome(Status.OK, (), "\ud83d\ude00"))  # two characters, which JSON's escapes would make one
def test_decode_inverts_encode(outcome):
    """Every field comes back with its type: statuses as members, tuples as tuples, nan, -0.0 and lone surrogates."""
    back = decode_outcome(encode_outcome(outcome))
    assert repr(back) == repr(outcome)
    assert [type(each) for each in astuple(back)] == [type(each) for each in astuple(outcome)]


def test_every_field_is_written():
    """A new field of an outcome or a result must be added to the text."""
    result = CallResult(CallStatus.EXCEPTION, ["v"], "KeyError", "m", 1, 2, (3,))
    said = Diagnostic("error", "m", 1, 2)
    outcome = Outcome(Status.EXITED, (result,), "m", 1, 2, 3.5, 4.5, 5, (said,))
    for full in (result, outcome, said):
        defaults = {field.name: field.default for field in fields(full)}
        assert not [name for name, default in defaults.items() if getattr(full, name) == default]
    assert decode_outcome(encode_outcome(outcome)) == outcome


EXPECTED = [None, True, 1, 1.5, "a", [], [1, "a"], (1,), {"a": [1]}, {1}, frozenset({(1, 2)}), b"a"]


@settings(max_examples=200, deadline=None)
@given(JSON, st.sampled_from(EXPECTED), st.sampled_from(values.RELATIONS))
def test_reading_a_value_does_not_change_it(received, expected, relation):
    """Those who wait for one execution share its values: comparing and decoding must leave them as they are."""
    before = repr(received)
    with contextlib.suppress(ConfigurationError):
        values.matches(expected, received, relation)
    with contextlib.suppress(ValueError):
        values.decode(received)
    assert repr(received) == before


def test_cancelling():
    """A waiting execution is cancelled for one who asks, not for two, and never once the outcome is known."""
    jobs = [Job(f"def f(x):\n    return {number}\n".encode(), "f", b"[[1]]") for number in range(10)]
    with CachedExecutor(LocalExecutor()) as cached:
        pending = [cached.submit(job) for job in jobs]
        assert pending[9].cancel()
        again = cached.submit(jobs[8])
        assert not again.cancel()
        assert [each.result().results[0].value for each in (*pending[:9], again)] == [*range(9), 8]
        assert cached.submit(jobs[9]).result().results[0].value == 9
        assert not cached.submit(jobs[9]).cancel()


# in an environment --------------------------------------------------------------------------------

REFERENCE = "def grow(n):\n    total = 0\n    for i in range(n):\n        total += i\n    return total\n"
FAULTS = {"one": REFERENCE.replace("+=", "-="), "two": REFERENCE.replace("+=", "-=").replace("= 0", "= 1")}


def small_tasks() -> TaskSet:
    reward, held_out = (
        CaseSuite("grow", [Case.of("grow", arguments, expected) for arguments, expected in cases])
        for cases in ([((0,), 0), ((1,), 0), ((4,), 6), ((5,), 10)], [((3,), 3), ((6,), 15)])
    )
    tasks = tuple(
        Task(f"small-v0/{name}", "Add the numbers below n.", "grow", REFERENCE, start, reward, held_out, 1000)
        for name, start in FAULTS.items()
    )
    return TaskSet("small-v0", tasks, "MIT", "these tests", "0")


def rollout(executor: Executor) -> list:
    """Everything that an environment says in 40 steps of a random policy."""
    env = CodeRepairEnv(tasks=small_tasks(), executor=executor, max_executions=8)
    rng = np.random.default_rng(7)
    said = [env.reset(seed=11)]
    for _ in range(40):
        action = rng.choice(np.flatnonzero(env.action_masks()))
        said.append(env.step(int(action)))
        if said[-1][2] or said[-1][3]:
            said.append(env.reset())
    return said


def test_an_environment_does_not_notice(executor):
    """The same seed gives the same rollout with and without a cache, and the second time nothing is executed."""
    plain = rollout(executor)
    store = MemoryStore()
    first, second = CachedExecutor(executor, store), CachedExecutor(executor, store)
    assert data_equivalence(rollout(first), plain)
    assert first.statistics.misses > 10
    assert data_equivalence(rollout(second), plain)
    assert second.statistics.hit_rate == 1.0
