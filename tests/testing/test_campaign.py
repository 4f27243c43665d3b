"""A broken executor is found out by hostile programs, fault by fault, and reports read as promised."""

import contextlib
import json
import subprocess
import sys
from dataclasses import replace

import pytest

from code_envs import __main__ as command_line
from code_envs.errors import ConfigurationError, ExecutorError
from code_envs.execution.executor import CallResult, CallStatus, Executor, Outcome, Status
from code_envs.testing import HOSTILE, AttackReport, Fault, attack, attacks, check_executor
from code_envs.testing.hostile import Hostile

QUICK = tuple(each for each in HOSTILE if each.name in ("exit-in-call", "always-equal", "environment", "fork"))


class Ready:
    def __init__(self, outcome):
        self.outcome = outcome

    def done(self):
        return True

    def result(self):
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


class Never(Ready):
    def done(self):
        return False


class Broken(Executor):
    """Runs jobs on a sound executor; `change` makes something else of what comes back."""

    def __init__(self, sound, change):
        self.sound = sound
        self.change = change

    def submit(self, job):
        changed = self.change(job, self.sound.run(job))
        return changed if isinstance(changed, Ready) else Ready(changed)

    def capabilities(self, language: str = "python"):
        return self.sound.capabilities()

    def close(self):
        pass


def is_honest(job):
    return b"planted" in job.calls


def hostile_only(change):
    return lambda job, outcome: outcome if is_honest(job) else change(outcome)


def honest_only(change):
    return lambda job, outcome: change(outcome) if is_honest(job) else outcome


def with_results(outcome, *results):
    return replace(outcome, status=Status.OK, results=results)


@pytest.fixture
def believes_objects(monkeypatch):
    """A grader that believes an object's own comparison, as published graders did."""
    from code_envs.tasks.cases import CaseSuite
    from code_envs.tasks.task import Verdict

    honest = CaseSuite.grade

    def grade(self, outcome, executor):
        believed = [each.status is CallStatus.OPAQUE for each in outcome.results]
        return Verdict(tuple(believed)) if any(believed) else honest(self, outcome, executor)

    monkeypatch.setattr(CaseSuite, "grade", grade)


def test_a_sound_executor_has_no_faults(executor):
    """Nothing is found where nothing is wrong."""
    report = attack(executor, QUICK)
    assert report.failures == ()
    assert report.summary() == "4 programs, 0 paid, 0 escaped, 0 hung, 0 survived"


def test_programs_without_a_tool_are_left_out(executor):
    """Where there is no node, its programs are not run, and the summary says so."""

    class Toolless(Broken):
        def capabilities(self, language: str = "python"):
            if language != "python":
                raise ConfigurationError(f"no {language}")
            return self.sound.capabilities()

    other = tuple(each for each in HOSTILE if each.name in ("js-exit", "js-never"))
    report = attack(Toolless(executor, lambda job, outcome: outcome), (*other, *QUICK))
    assert len(report.attacks) == len(QUICK)
    assert report.summary() == "4 programs, 0 paid, 0 escaped, 0 hung, 0 survived, 2 not run: no javascript"
    assert report.as_json()["not_run"] == {"javascript": 2}


def test_a_paid_program_is_found(executor, believes_objects):
    """A verdict that passes is named."""
    report = attack(executor, QUICK)
    assert [each.name for each in report.failures] == ["always-equal"]
    assert "the verdict passes" in report.failures[0].faults[Fault.PAID]


def test_an_executor_that_pays_everything_is_found(executor, monkeypatch):
    """An executor that knows the answers and gives them for any program pays every one."""
    from code_envs.testing import campaign

    answers = []
    suite = campaign._Campaign._suite
    monkeypatch.setattr(
        campaign._Campaign,
        "_suite",
        lambda self, *language: answers.append(suite(self, *language)) or answers[-1],
        raising=True,
    )

    def pay(outcome):
        return with_results(outcome, *(CallResult(CallStatus.VALUE, case.expected) for case in answers[-1].cases))

    report = attack(Broken(executor, hostile_only(pay)), QUICK)
    assert report.count(Fault.PAID) == len(QUICK)
    # the answers begin with what is planted, so a program that gives one has read what only the grader knows
    assert report.count(Fault.ESCAPED) == len(QUICK)


def test_a_leak_is_found(executor):
    """What a probe reached shows in what it returns."""

    def leak(outcome):
        return with_results(outcome, *(CallResult(CallStatus.VALUE, ["/etc/passwd"]),) * 2)

    report = attack(Broken(executor, hostile_only(leak)), QUICK)
    assert [each.name for each in report.failures if Fault.ESCAPED in each.faults] == ["environment"]
    assert report.count(Fault.UNEXPECTED) == len(QUICK) - 1


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        (lambda out: with_results(out, CallResult(CallStatus.VALUE, 0), out.results[1]), "the honest job after it"),
        (lambda out: with_results(out, out.results[0], CallResult(CallStatus.VALUE, [1])), "where"),
        (lambda out: replace(out, results=()), "the honest job after it"),
        (lambda out: ExecutorError("no worker"), "failed: no worker"),
    ],
)
def test_a_spoilt_honest_job_is_found(executor, change, detail):
    """Its answer, its surroundings, its results or the executor are not what they were."""
    honest = []

    def later(outcome):
        honest.append(outcome)
        return outcome if len(honest) <= 2 else change(outcome)

    report = attack(Broken(executor, honest_only(later)), QUICK)
    assert report.count(Fault.SPOILT) == len(QUICK)
    assert detail in report.failures[0].faults[Fault.SPOILT]
    assert report.summary().endswith("0 survived, 4 spoilt the next job")


def test_no_honest_job_before_any_attack(executor):
    """Where not even an honest job works, there is nothing to measure."""
    broken = Broken(executor, honest_only(lambda out: Outcome(Status.CRASHED, out.results)))
    with pytest.raises(AssertionError, match="honest job to work before any attack"):
        attack(broken, QUICK)


def test_a_hanging_job_is_found(executor, monkeypatch):
    """No outcome in time is a fault, and the honest job is still run."""
    monkeypatch.setattr("code_envs.testing.campaign.MARGIN_S", 0.1)
    quick = tuple(replace(each, limits=replace(each.limits, wall_s=0.1)) for each in QUICK[:2])
    report = attack(Broken(executor, hostile_only(Never)), quick)
    assert report.count(Fault.HUNG) == 2
    assert report.count(Fault.SPOILT) == 0


def test_a_silent_executor_ends_the_attack(executor, monkeypatch):
    """Where the honest job gets no answer either, the other programs are not run."""
    monkeypatch.setattr("code_envs.testing.campaign.MARGIN_S", -29.9)
    honest = []

    def later(outcome):
        honest.append(outcome)
        return outcome if len(honest) <= 2 else Never(outcome)

    done = list(attacks(Broken(executor, honest_only(later)), QUICK))
    assert len(done) == 1
    assert "no longer answers" in done[0].faults[Fault.SPOILT]


def test_a_lost_job_is_found(executor):
    """A candidate that makes the sandbox fail would escape its reward."""
    report = attack(Broken(executor, hostile_only(lambda out: ExecutorError("the runner is gone"))), QUICK)
    assert report.count(Fault.LOST) == len(QUICK)


def test_a_survivor_is_found(executor, monkeypatch):
    """A process that is left is noticed once."""
    monkeypatch.setattr("code_envs.testing.survivors.GRACE_S", 0.2)
    with contextlib.ExitStack() as stack:

        def leave(outcome):
            if not stack._exit_callbacks:
                child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
                stack.callback(child.wait)
                stack.callback(child.kill)
            return outcome

        report = attack(Broken(executor, hostile_only(leave)), QUICK)
    assert report.count(Fault.SURVIVED) == 1


def test_check_executor_names_all(executor, monkeypatch):
    """The check runs the programs after its own, and names every one that failed."""
    few = tuple(replace(each, status=Status.POISON) for each in QUICK[:2])
    monkeypatch.setattr("code_envs.testing.executor.attack", lambda tried: attack(tried, few))
    with pytest.raises(AssertionError, match=r"2 ended in another way than expected") as error:
        check_executor(executor)
    assert all(each.name in str(error.value) for each in few)


def test_check_executor_returns_the_report(executor, monkeypatch):
    """Where nothing is wrong, what each program did comes back."""
    monkeypatch.setattr("code_envs.testing.executor.attack", lambda tried: attack(tried, QUICK))
    report = check_executor(executor)
    assert isinstance(report, AttackReport)
    assert [each.name for each in report.attacks] == [each.name for each in QUICK]
    assert all(each.outcome for each in report.attacks)


# the command ------------------------------------------------------------------------------------


@pytest.fixture
def few(monkeypatch):
    """The command runs four programs on one worker of its own."""
    monkeypatch.setattr("code_envs.testing.campaign.attacks", lambda executor: attacks(executor, QUICK))


def test_command(few, capsys):
    """No line per program and exit code 0 where nothing went wrong."""
    assert command_line.main(["attack", "--executor", "local"]) == 0
    assert capsys.readouterr().out == "4 programs, 0 paid, 0 escaped, 0 hung, 0 survived\n"


def test_command_prints_json(few, capsys):
    """The report is machine-readable, with an entry per program."""
    assert command_line.main(["attack", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["programs"] == 4
    assert set(report["counts"]) == {str(fault) for fault in Fault}
    assert set(report["counts"].values()) == {0}
    assert [each["name"] for each in report["attacks"]] == [each.name for each in QUICK]


def test_command_names_failures(monkeypatch, capsys):
    """A line per failing program, without what a terminal would obey, and exit code 1."""
    odd = Hostile("odd", "talk to the terminal", "def f(x): return '\\x1b[2J\\u202e'", Status.POISON)
    monkeypatch.setattr("code_envs.testing.campaign.attacks", lambda executor: attacks(executor, (odd, *QUICK)))
    assert command_line.main(["attack"]) == 1
    *lines, summary = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert "odd (talk to the terminal): unexpected: expected the job to end with poison" in lines[0]
    assert lines[0].isascii()
    assert lines[0].isprintable()
    assert summary == "5 programs, 0 paid, 0 escaped, 0 hung, 0 survived, 1 ended in another way than expected"


def test_command_refuses_unknown_executors(capsys):
    """What the user can mend is one line on stderr and exit code 2."""
    assert command_line.main(["attack", "--executor", "remote"]) == 2
    assert capsys.readouterr().err.startswith("code_envs attack: executor must be")
