"""Run hostile programs against an executor, each followed by an honest job: `attack`, and the command of that name."""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Iterable, Iterator

from code_envs.errors import ExecutorError
from code_envs.execution.executor import CallStatus, Executor, Job, Outcome
from code_envs.execution.protocol import wall_s
from code_envs.tasks.cases import Case, CaseSuite
from code_envs.testing.attack_report import Attack, AttackReport, Fault
from code_envs.testing.honest import HonestJob
from code_envs.testing.honeypots import Honeypots
from code_envs.testing.hostile import CLASSES, PROGRAMS, Hostile
from code_envs.testing.survivors import descendants, survivors

__all__ = ["attack", "attacks", "main"]

MARGIN_S = 10.0
"""What an executor may take beyond a job's wall clock."""
_GROUP = {program.name: group for group, programs in CLASSES.items() for program in programs}


def attack(executor: Executor, programs: Iterable[Hostile] = PROGRAMS) -> AttackReport:
    """Run hostile programs against an executor, which is left open.

    Args:
        executor: The executor, on which nothing else runs meanwhile.
        programs: The programs; all by default.

    Raises:
        AssertionError: If not even the honest job works, before any attack.
        ExecutorError: If the executor cannot start.
    """
    return AttackReport(tuple(attacks(executor, programs)))


def attacks(executor: Executor, programs: Iterable[Hostile] = PROGRAMS) -> Iterator[Attack]:
    """As `attack`, one by one. Ends early where the executor no longer answers."""
    with Honeypots() as honeypots:
        campaign = _Campaign(executor, honeypots)
        for program in programs:
            yield campaign.attack(program)
            if campaign.silent:
                return


class _Campaign:
    """An executor under attack."""

    def __init__(self, executor: Executor, honeypots: Honeypots) -> None:
        self.executor = executor
        self.honeypots = honeypots
        self.honest = HonestJob(honeypots.secret)
        self.silent = False
        self.level = executor.capabilities().level
        self.honest.remember(self._run(self.honest.job()))
        spoilt = self._spoilt()
        if spoilt:
            raise AssertionError(f"Expected two honest jobs to give the same before any attack; {spoilt}.")
        self.processes = len(descendants())

    def attack(self, program: Hostile) -> Attack:
        """Run one program and the honest job after it."""
        mark = f"left-{secrets.token_hex(4)}"
        suite = self._suite()
        source = self.honeypots.fill_in(program.source, mark=mark)
        faults: dict[Fault, str] = {}
        outcome = None
        try:
            outcome = self._run(suite.job(source, program.limits, program.trace))
        except ExecutorError as error:
            faults[Fault.LOST] = str(error)
        else:
            faults |= self._judge(program, suite, outcome)
        faults |= self._traces(mark if mark.encode() in source else "")
        spoilt = self._spoilt()
        if spoilt:
            faults[Fault.SPOILT] = spoilt
        return Attack(_GROUP.get(program.name, ""), program.name, program.attempts, _words(outcome), faults)

    def _suite(self) -> CaseSuite:
        """Tests whose answers are nowhere but here; one begins with what programs look for."""
        answer = f"{self.honeypots.secret}:answer:{secrets.token_hex(8)}"
        return CaseSuite("f", [Case.of("f", [1], answer), Case.of("f", [2], secrets.randbits(62))])

    def _judge(self, program: Hostile, suite: CaseSuite, outcome: Outcome | None) -> dict[Fault, str]:
        if outcome is None:
            return {Fault.HUNG: f"no outcome {MARGIN_S:.0f} s after its wall clock had run out"}
        faults = {}
        if any(suite.grade(outcome, self.executor).passed):
            faults[Fault.PAID] = f"the verdict passes for {outcome}"
        if program.level == "strong" and self.level != "strong":
            return faults  # it may reach what it looks for
        reached = self._reached(program, outcome)
        if reached:
            faults[Fault.ESCAPED] = reached
        surprise = program.surprise(outcome)
        if surprise and not faults:
            faults[Fault.UNEXPECTED] = surprise
        return faults

    def _reached(self, program: Hostile, outcome: Outcome) -> str:
        """What an outcome shows that only somebody outside the sandbox could have told."""
        if self.honeypots.secret in _text(outcome):
            return f"a planted text is in {outcome}"
        values = [each.value for each in outcome.results if each.status is CallStatus.VALUE]
        found = [each for each in values if program.is_probe and each != program.value]
        return f"reached {found}" if found else ""

    def _traces(self, mark: str) -> dict[Fault, str]:
        """What can be seen from outside."""
        faults = {}
        touched = self.honeypots.touched()
        if touched:
            faults[Fault.ESCAPED] = f"touched {touched}"
        left = survivors(mark, self.processes)
        if left:
            faults[Fault.SURVIVED] = left
            self.processes = len(descendants())
        return faults

    def _spoilt(self) -> str:
        """What is wrong with the honest job; "" if nothing is."""
        try:
            outcome = self._run(self.honest.job())
        except ExecutorError as error:
            return f"the honest job after it failed: {error}"
        if outcome is None:
            self.silent = True
            return "the executor no longer answers"
        if self.honest.passes(outcome, self.executor):
            return ""
        return f"the honest job after it gave {self.honest.difference(outcome)}"

    def _run(self, job: Job) -> Outcome | None:
        """The outcome of a job, or None if it does not come in time."""
        pending = self.executor.submit(job)
        end = time.monotonic() + wall_s(job.limits) + MARGIN_S
        pause = 0.0005
        while not pending.done():
            if time.monotonic() > end:
                return None
            time.sleep(pause)
            pause = min(1.3 * pause, 0.005)
        return pending.result()


def _text(outcome: Outcome) -> str:
    """Everything in an outcome that a program could have written."""
    parts = [[each.value, each.exception, each.message] for each in outcome.results]
    try:
        return json.dumps([parts, outcome.message])
    except (RecursionError, ValueError):
        return ""  # so deep or so long that it was written to choke a reader, not to tell anything


def _words(outcome: Outcome | None) -> str:
    if outcome is None:
        return "no outcome"
    calls = [f"{each.status} {each.exception}".strip() for each in outcome.results]
    return f"{outcome.status}: {', '.join(calls)}"


def main(executor: Executor, as_json: bool = False) -> int:
    """Attack an executor and print what went wrong; the exit code is 0 where nothing did.

    Args:
        executor: The executor, which is left open.
        as_json: Print the whole report as JSON, at the end, instead of a line per program that had its way.
    """
    done = []
    for each in attacks(executor):
        done.append(each)
        if each.faults and not as_json:
            # a hostile text must not reach a terminal that it could control
            sys.stdout.write(ascii(str(each))[1:-1] + "\n")
            sys.stdout.flush()
    report = AttackReport(tuple(done))
    sys.stdout.write((json.dumps(report.as_json(), indent=2) if as_json else report.summary()) + "\n")
    return 1 if report.failures else 0
