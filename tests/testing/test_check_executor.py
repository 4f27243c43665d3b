"""`check_executor` finds an executor that lies, leaks or confuses its jobs."""

import subprocess
import sys
from dataclasses import replace

import pytest

from code_envs.execution.executor import CallResult, CallStatus, Executor, Outcome, Status
from code_envs.testing import check_executor

LIE = CallResult(CallStatus.VALUE, 6)


class Done:
    def __init__(self, outcome):
        self.outcome = outcome

    def done(self):
        return True

    def result(self):
        return self.outcome


class Spoilt(Executor):
    """Runs jobs on a sound executor and changes what comes back."""

    def __init__(self, sound, change):
        self.sound = sound
        self.change = change
        self.jobs = 0
        self.children = []

    def submit(self, job):
        self.jobs += 1
        return Done(self.change(self, job, self.sound.run(job)))

    def capabilities(self, language: str = "python"):
        return self.sound.capabilities()

    def close(self):
        for child in self.children:
            child.kill()
            child.wait()


def leave_a_process(self, job, outcome):
    if b"fork" in job.source:
        self.children.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]))
    return outcome


FAULTS = {
    "believes objects": (
        lambda self, job, out: replace(out, results=(LIE,)) if b"object()" in job.source else out,
        "'opaque' to give opaque",
    ),
    "pays an exit": (
        lambda self, job, out: Outcome(Status.OK, (LIE,)) if b"_exit(0)\ndef" in job.source else out,
        "forges its result .exit code 0 before the call",
    ),
    "one status for all": (
        lambda self, job, out: out if out.status is Status.OK else replace(out, status=Status.CRASHED),
        "'no syntax' to end with compile_error",
    ),
    "not the same twice": (
        lambda self, job, out: replace(out, message=str(self.jobs)),
        "'right' to give the same twice",
    ),
    "worker spoilt": (
        lambda self, job, out: replace(out, results=(LIE,)) if b"json.dumps({" in job.source else out,
        "the job after 'right'",
    ),
    "result lost": (lambda self, job, out: replace(out, results=()), "one result for the one call"),
    "process left": (leave_a_process, "no process of a finished program"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_named(executor, name, monkeypatch):
    """A fault is found, and the message says which program showed it."""
    monkeypatch.setattr("code_envs.testing.survivors.GRACE_S", 0.3)
    change, message = FAULTS[name]
    with Spoilt(executor, change) as spoilt, pytest.raises(AssertionError, match=message):
        check_executor(spoilt)


def test_jobs_out_of_order_are_found(executor):
    """Outcomes that belong to other jobs of a batch are noticed."""

    class Reversed(Spoilt):
        def run_many(self, jobs):
            return super().run_many(list(jobs)[::-1])

    with pytest.raises(AssertionError, match="job 0 of 24"):
        check_executor(Reversed(executor, lambda self, job, out: out))
