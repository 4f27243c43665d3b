"""Efficiency against a reference: faster, slower, equal, and what cannot be measured."""

from __future__ import annotations

import pytest

from code_envs.errors import ConfigurationError
from code_envs.execution import values
from code_envs.execution.cache import CachedExecutor
from code_envs.execution.efficiency import DEAD_ZONE, LARGEST, _score, measure_efficiency

LINEAR = b"""
def f(n):
    total = 0
    for each in range(n):
        total += each
    return total
"""
WASTEFUL = b"""
def f(n):
    for again in range(12):
        total = 0
        for each in range(n):
            total += each
    return total
"""
CLOSED = b"def f(n):\n    return n * (n - 1) // 2\n"
LIAR = b"""
import time
time.process_time = time.perf_counter = time.time = lambda: 0.0
""" + WASTEFUL.lstrip()
CALLS = values.encode_calls([[240_000], [260_000]])


def compare(executor, candidate, reference=LINEAR, calls=CALLS):
    return measure_efficiency(executor, candidate, reference, "f", calls, repeats=3)


def test_a_faster_program_scores_high(executor):
    """A closed form beats a loop in time and in steps."""
    found = compare(executor, CLOSED)
    assert found.time_score > 0.7
    assert found.step_score == 1.0
    assert found.candidate_steps == 2
    assert found.reference_steps == 500_002


def test_a_wasteful_program_scores_low(executor):
    """Twelve times the work is clipped at the lowest score."""
    found = compare(executor, WASTEFUL)
    assert found.time_score < -0.7
    assert found.step_score == -1.0
    assert found.candidate_s > 5 * found.reference_s


def test_equal_programs_are_equal_in_steps(executor):
    """Steps are the same in every run; times are near each other."""
    first, second = compare(executor, LINEAR), compare(executor, LINEAR)
    assert first.step_score == second.step_score == 0.0
    assert first.candidate_steps == second.candidate_steps == first.reference_steps
    assert abs(first.time_score) < 0.4


def test_a_patched_clock_changes_nothing(executor):
    """The time is measured from outside the candidate's process."""
    assert compare(executor, LIAR).time_score < -0.7


def test_a_wrong_program_is_not_measured(executor):
    """A call without a value earns nothing."""
    assert compare(executor, b"def f(n):\n    return n[0]\n") is None
    assert compare(executor, b"def g(n): pass\n") is None


def test_a_failing_reference_is_an_error(executor):
    """The message says how the reference failed."""
    with pytest.raises(ConfigurationError, match=r"reference did not come back.*ZeroDivisionError"):
        compare(executor, LINEAR, reference=b"def f(n):\n    return 1 // 0\n")


def test_calls_that_are_too_short_are_an_error(executor):
    """Times of less than a millisecond are noise."""
    with pytest.raises(ConfigurationError, match="too little to be measured; give larger inputs"):
        compare(executor, LINEAR, calls=values.encode_calls([[3]]))


def test_a_cache_is_refused(executor):
    """Outcomes that are remembered measure nothing."""
    with pytest.raises(ConfigurationError, match="the executor that it wraps"):
        compare(CachedExecutor(executor), LINEAR)


def test_score_has_a_dead_zone_and_ends():
    """Equal within a tenth is equal; beyond eight times is eight times."""
    assert _score(1 + DEAD_ZONE * 0.99) == _score(1 / (1 + DEAD_ZONE * 0.99)) == 0.0
    assert 0 < _score(1.2) < _score(2.0) < 1 == _score(LARGEST) == _score(1e9)
    assert _score(0.5) == pytest.approx(-_score(2.0))
