"""Run hostile programs against an executor, each followed by an honest job: `attack`, and the command of that name."""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Iterable, Iterator, Sequence

from code_envs.errors import ConfigurationError, ExecutorError
from code_envs.execution.executor import CallStatus, Executor, Job, Outcome
from code_envs.execution.protocol import wall_s
from code_envs.tasks.cases import Case, CaseSuite
from code_envs.testing.attack_report import Attack, AttackReport, Fault
from code_envs.testing.honest import HonestJob
from code_envs.testing.honeypots import Honeypots
from code_envs.testing.hostile import CLASSES, PROGRAMS, Hostile
from code_envs.testing.survivors import descendants, survivors

__all__ = ["attack", "attacks", "main", "missing_tools"]

MARGIN_S = 10.0
"""What an executor may take beyond a job's wall clock."""
HONEST = {"python": "python", "c": "c", "cpp": "c", "java": "c", "javascript": "javascript"}
"""Language of the honest job that follows a program's, by the program's language; one in Python follows each."""
EVERY = 4
"""Of so many programs in other languages than Python, one is followed by honest jobs in all languages."""
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
    chosen = tuple(programs)
    return AttackReport(tuple(attacks(executor, chosen)), missing_tools(executor, chosen))


def missing_tools(executor: Executor, programs: Iterable[Hostile] = PROGRAMS) -> dict[str, int]:
    """Languages of programs that the executor has no compiler or interpreter for, each with how many these are."""
    languages = [program.language for program in programs]
    return {
        language: languages.count(language)
        for language in dict.fromkeys(languages)
        if language != "python" and not _runs(executor, language)
    }


def _runs(executor: Executor, language: str) -> bool:
    try:
        executor.capabilities(language)
    except ConfigurationError:
        return False
    return True


def attacks(executor: Executor, programs: Iterable[Hostile] = PROGRAMS) -> Iterator[Attack]:
    """As `attack`, one by one, without those in `missing_tools`. Ends early where the executor no longer answers."""
    chosen = tuple(programs)
    missing = missing_tools(executor, chosen)
    with Honeypots() as honeypots:
        campaign = _Campaign(executor, honeypots, {each.language for each in chosen}.difference(missing))
        for program in [each for each in chosen if each.language not in missing]:
            yield campaign.attack(program)
            if campaign.silent:
                return


class _Campaign:
    """An executor under attack by programs in some languages."""

    def __init__(self, executor: Executor, honeypots: Honeypots, languages: set[str]) -> None:
        self.executor = executor
        self.honeypots = honeypots
        able: list[str] = [each for each in ("python", "c", "javascript") if each in languages or each == "python"]
        self.honest: dict[str, HonestJob] = {each: HonestJob(honeypots.secret, each) for each in able}
        self.silent = False
        self.number = 0
        self.level = executor.capabilities().level
        for each in self.honest.values():
            each.remember(self._run(each.job()))
        spoilt = self._spoilt(able)
        if spoilt:
            raise AssertionError(f"Expected two honest jobs to give the same before any attack; {spoilt}.")
        self.processes = len(descendants())

    def attack(self, program: Hostile) -> Attack:
        """Run one program and the honest jobs after it."""
        mark = f"left-{secrets.token_hex(4)}"
        suite = self._suite(program.language)
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
        spoilt = self._spoilt(self._followers(program.language))
        if spoilt:
            faults[Fault.SPOILT] = spoilt
        return Attack(_GROUP.get(program.name, ""), program.name, program.attempts, _words(outcome), faults)

    def _suite(self, language: str = "python") -> CaseSuite:
        """Tests whose answers are nowhere but here; one begins with what programs look for."""
        answer = f"{self.honeypots.secret}:answer:{secrets.token_hex(8)}"
        if language in ("python", "javascript"):
            cases = [Case.of("f", [1], answer), Case.of("f", [2], secrets.randbits(62))]
            return CaseSuite("f", cases, language=language)
        cases = [Case.of("", ["1"], answer), Case.of("", ["2"], str(secrets.randbits(62)))]
        return CaseSuite("", cases, language=language)

    def _followers(self, language: str) -> Sequence[str]:
        """Languages of the honest jobs after a program."""
        if language == "python":
            return ("python",)
        self.number += 1
        wanted = HONEST.values() if self.number % EVERY == 0 else ("python", HONEST[language])
        return [each for each in dict.fromkeys(wanted) if each in self.honest]

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

    def _spoilt(self, languages: Sequence[str]) -> str:
        """What is wrong with the first honest job that is not right; "" if all are."""
        for language in languages:
            wrong = self._wrong(self.honest[language])
            if wrong:
                return wrong if language == "python" else f"{wrong} (in {language})"
        return ""

    def _wrong(self, honest: HonestJob) -> str:
        try:
            outcome = self._run(honest.job())
        except ExecutorError as error:
            return f"the honest job after it failed: {error}"
        if outcome is None:
            self.silent = True
            return "the executor no longer answers"
        if honest.passes(outcome, self.executor):
            return ""
        return f"the honest job after it gave {honest.difference(outcome)}"

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
        return json.dumps([parts, outcome.message, [each.message for each in outcome.diagnostics]])
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
    report = AttackReport(tuple(done), missing_tools(executor))
    sys.stdout.write((json.dumps(report.as_json(), indent=2) if as_json else report.summary()) + "\n")
    return 1 if report.failures else 0
