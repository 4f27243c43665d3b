"""A program of a repair episode: what came of it, and the edits that are offered for it.

Two kinds of languages: those with a grammar, whose edits keep a program parsing and whose lines are suspected for the
tests that run them, and those that are repaired as tokens, where the compiler's messages say which lines are wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from code_envs.envs.localisation import Suspicion, closeness, complained, ochiai
from code_envs.envs.observation import SCORES
from code_envs.execution.executor import CallStatus, Outcome, Status
from code_envs.syntax.candidates import CandidateSet, round_robin
from code_envs.syntax.enumeration import Enumerator
from code_envs.syntax.program import Program
from code_envs.syntax.token_edits import LANGUAGES, TokenEnumerator, TokenProgram
from code_envs.tasks.task import Verdict

__all__ = ["Version", "ahead", "begun", "version_of"]

NO_GAIN = 0.5

AnyProgram = Program | TokenProgram
AnyEnumerator = Enumerator | TokenEnumerator


@dataclass(slots=True)
class Version:
    """A program that was executed in this episode, and what was tried from it."""

    program: AnyProgram
    candidates: CandidateSet
    kept: NDArray[np.int64]
    suspicion: Suspicion
    verdict: Verdict
    status: Status
    calls: tuple[CallStatus, ...]
    message: str
    errors: int
    failure: int
    tried: NDArray[np.bool_]
    line_tries: NDArray[np.float32]
    line_gain: NDArray[np.float32]

    def note(self, position: int, gain: float) -> None:
        """Remember that a candidate was tried, and what it brought."""
        line = self.candidates.lines[self.kept[position]]
        scaled = NO_GAIN + gain / 2
        self.line_gain[line] = scaled if not self.line_tries[line] else max(self.line_gain[line], scaled)
        self.line_tries[line] += 1
        self.tried[position] = True

    def scores(self, static: NDArray[np.float32]) -> NDArray[np.float32]:
        """What an agent sees of the lines of the candidates that were kept, (K, SCORES) float32."""
        lines = self.candidates.lines[self.kept]
        suspicion = self.suspicion
        rows = np.zeros((len(lines), SCORES), np.float32)
        rows[:, 0] = suspicion.value[lines]
        rows[:, 1] = suspicion.highest[lines]
        rows[:, 2] = 1 / (1 + suspicion.rank[lines])
        rows[:, 3] = suspicion.failing[lines]
        rows[:, 4:6] = static
        tries = self.line_tries[lines]
        rows[:, 6] = tries / (tries + 4)
        rows[:, 7] = self.line_gain[lines]
        return rows


def begun(source: bytes, language: str) -> tuple[AnyProgram, AnyEnumerator]:
    """The program that an episode starts with, and what enumerates its edits."""
    if language in LANGUAGES:
        start = TokenProgram(source, language)
        return start, TokenEnumerator.of(start)
    program = Program(source, language)
    return program, Enumerator.of(program)


def ahead(enumerator: AnyEnumerator, program: AnyProgram) -> CandidateSet | None:
    """The edits of a program before it was executed; None where they depend on the compiler's messages."""
    if isinstance(enumerator, Enumerator) and isinstance(program, Program):
        return enumerator(program)
    return None


def version_of(
    program: AnyProgram,
    enumerator: AnyEnumerator,
    prepared: CandidateSet | None,
    outcome: Outcome,
    verdict: Verdict,
    limit: int,
) -> Version:
    """A program after its execution.

    Args:
        program: The program.
        enumerator: That of the episode.
        prepared: What `ahead` gave, if it was asked.
        outcome: Of the reward tests.
        verdict: Which of them pass.
        limit: How many edits to offer.
    """
    lines = program.source.count(b"\n") + 1
    passed = verdict.passed
    if len(passed) != len(outcome.results):
        passed = (verdict.all_passed,) * len(outcome.results)
    if isinstance(enumerator, TokenEnumerator):
        assert isinstance(program, TokenProgram)
        candidates = enumerator(program, outcome.diagnostics)
        suspicion = complained(outcome.diagnostics, lines)
        priority = suspicion.value[candidates.lines]
        priority = np.float32(0.5) * (priority + closeness(outcome.diagnostics, program.source, candidates.starts))
    else:
        assert isinstance(program, Program)
        candidates = enumerator(program) if prepared is None else prepared
        suspicion = ochiai([result.lines for result in outcome.results], passed, lines)
        priority = suspicion.value[candidates.lines]
    kept = round_robin(candidates.operators, priority, limit)
    failure = next((number for number, ok in enumerate(passed) if not ok), -1)
    return Version(
        program,
        candidates,
        kept,
        suspicion,
        verdict,
        outcome.status,
        tuple(result.status for result in outcome.results),
        outcome.message or (outcome.results[failure].exception if failure >= 0 else ""),
        max(outcome.errors, outcome.status is Status.COMPILE_ERROR),
        failure,
        np.zeros(len(kept), np.bool_),
        np.zeros(lines + 1, np.float32),
        np.full(lines + 1, NO_GAIN, np.float32),
    )
