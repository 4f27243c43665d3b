"""Propositions an environment can emit, and the labelling of a transition with them.

`info["events"]` is the set of propositions that became true in a step. Reward machines read nothing
else, so a proposition is a fact about what happened, never an opinion about it.
"""

from __future__ import annotations

__all__ = ["EVENTS", "label"]

EVENTS: dict[str, str] = {
    "parses": "the program compiles",
    "runs": "the program loads and every test call comes back",
    "timeout": "a step, CPU or wall limit was hit",
    "crashed": "the program's process ended before all calls came back, other than by a limit",
    "test_gained": "more reward tests pass than before the step",
    "test_lost": "fewer reward tests pass than before the step",
    "some_tests": "at least one reward test passes",
    "all_tests": "all reward tests pass",
    "edited": "the step changed the program",
    "reverted": "the step took the last edit back",
    "submitted": "the agent ended the episode",
    "invalid": "the action was masked out and changed nothing",
    "hit": "the function that the text describes was picked",
    "missed": "another function was picked",
    "opened": "the body of a hidden function was opened",
    "cheaper": "the program costs less than before the step",
    "dearer": "the program costs more than before the step",
    "broken": "the edit failed a reward test and was taken back",
    "complete": "the step completed a program, which was executed",
    "matched": "the finished text is the reference, token by token",
    "answered": "the query gives what the known query gives",
    "budget_spent": "no execution, or no pick, is left",
}
"""Every proposition of the suite with its meaning."""

_LIMITS = frozenset({"cpu_limit", "wall_limit", "output_limit", "memory_limit"})
_CRASHES = frozenset({"exited", "crashed", "bad_output", "poison"})


def label(status: str, limited: bool, share: float, before: float) -> set[str]:
    """Propositions about the tests of a transition.

    Args:
        status: `code_envs.execution.Status` of the program's execution.
        limited: Whether a call hit the step limit.
        share: Share of reward tests that pass now, in [0, 1].
        before: The share before the step.
    """
    events = set()
    if status != "compile_error":
        events.add("parses")
    if status == "ok" and not limited:
        events.add("runs")
    if limited or status in _LIMITS:
        events.add("timeout")
    if status in _CRASHES:
        events.add("crashed")
    if share > before:
        events.add("test_gained")
    if share < before:
        events.add("test_lost")
    if share > 0:
        events.add("some_tests")
    if share == 1:
        events.add("all_tests")
    return events
