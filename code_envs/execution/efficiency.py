"""How fast a correct program is, against its reference: CPU time from outside, and steps from inside.

The time is the runner's own measurement of the candidate's process, which the candidate cannot forge. It is noisy:
reference and candidate run in turns, what an empty program costs is taken off, the least of several runs counts,
and a ratio within a tenth of one is no difference. Calls must be large: below a millisecond nothing is measured.

The steps (loop iterations plus function entries) are the same in every run, but they are counted in the candidate's
own process, which may lie about them, and they do not see the work of built-in functions. Good for shaping and for
comparing versions of a program one trusts; never the only reward.

Source: `min of k` and the dead zone are measured: of two equal programs the ratio of single runs stays within
0.96 to 1.06 nine times of ten, that of the least of five within 0.98 to 1.06.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from code_envs.errors import ConfigurationError
from code_envs.execution.cache import CachedExecutor
from code_envs.execution.executor import CallStatus, Executor, Job, Limits, Outcome, Status

__all__ = ["Efficiency", "measure_efficiency"]

DEAD_ZONE = 0.1
"""A program must be so much faster or slower to count as either."""
LARGEST = 8.0
"""Ratios beyond this one, or its inverse, count as this one."""
SHORTEST_S = 0.001
"""A reference that needs less CPU time than this cannot be compared."""


@dataclass(frozen=True, slots=True)
class Efficiency:
    """How a candidate compares with its reference.

    Args:
        time_score: Clipped logarithm of the ratio of CPU times, in [-1, 1]: positive where the candidate is faster, 1
            where it is eight times as fast, 0 within a tenth. Measured from outside.
        step_score: The same for steps. Counted by the candidate's own process: forgeable.
        candidate_s: CPU time of the candidate beyond that of an empty program, s.
        reference_s: The same for the reference, s.
        candidate_steps: Steps of the candidate over all calls.
        reference_steps: Steps of the reference over all calls.
    """

    time_score: float
    step_score: float
    candidate_s: float
    reference_s: float
    candidate_steps: int
    reference_steps: int


def measure_efficiency(
    executor: Executor,
    candidate: bytes,
    reference: bytes,
    entry: str,
    calls: bytes,
    limits: Limits | None = None,
    repeats: int = 5,
) -> Efficiency | None:
    """Compare a program that passes its tests with the reference, on large inputs.

    Args:
        executor: Where both run, one job at a time.
        candidate: The program.
        reference: A correct program.
        entry: Name of the function to call in both.
        calls: JSON array of encoded argument lists (`code_envs.execution.values.encode_calls`).
        limits: What one job may use.
        repeats: Runs of each, of which the fastest counts.

    Returns:
        The comparison; None where a call of the candidate gives no value: such a program has earned none.

    Raises:
        ConfigurationError: If the reference fails, its calls are too short to be measured, or the executor remembers
            outcomes, and would give the first time again and again.
        ExecutorError: If the sandbox failed.
    """
    if isinstance(executor, CachedExecutor):
        raise ConfigurationError("A CachedExecutor measures nothing anew. Hand over the executor that it wraps.")
    if repeats < 1:
        raise ConfigurationError(f"repeats must be at least 1, got {repeats}.")
    used = limits or Limits(cpu_s=10.0)
    empty = Job(b"", entry, b"[]", used)
    programs = [Job(source, entry, calls, used) for source in (reference, candidate)]
    least = [math.inf] * 3
    for _ in range(repeats):
        for number, job in enumerate((*programs, empty)):
            outcome = executor.run(job)
            if number == 1 and not _complete(outcome):
                return None
            if number == 0 and not _complete(outcome):
                raise ConfigurationError(f"The reference did not come back from all calls: {_why(outcome)}.")
            least[number] = min(least[number], outcome.cpu_s)
    reference_s, candidate_s = least[0] - least[2], least[1] - least[2]
    if reference_s < SHORTEST_S:
        raise ConfigurationError(
            f"The calls need {1000 * reference_s:.2f} ms of the reference, too little to be measured; give larger "
            f"inputs, for at least {1000 * SHORTEST_S:.0f} ms."
        )
    candidate_s = max(candidate_s, reference_s / (2 * LARGEST))
    reference_steps, candidate_steps = (_steps(executor.run(replace(job, trace=True))) for job in programs)
    return Efficiency(
        _score(reference_s / candidate_s),
        _score(max(reference_steps, 1) / max(candidate_steps, 1)),
        candidate_s,
        reference_s,
        candidate_steps,
        reference_steps,
    )


def _complete(outcome: Outcome) -> bool:
    return outcome.status is Status.OK and all(each.status is CallStatus.VALUE for each in outcome.results)


def _why(outcome: Outcome) -> str:
    if outcome.status is not Status.OK:
        return f"{outcome.status}, {outcome.message}"
    return next(f"{each.exception} {each.message}" for each in outcome.results if each.status is not CallStatus.VALUE)


def _steps(outcome: Outcome) -> int:
    return sum(each.steps for each in outcome.results)


def _score(ratio: float) -> float:
    """Logarithm of a ratio in units of the largest one, 0 in the dead zone."""
    if 1 / (1 + DEAD_ZONE) <= ratio <= 1 + DEAD_ZONE:
        return 0.0
    return min(max(math.log(ratio) / math.log(LARGEST), -1.0), 1.0)
