"""What a program costs on the reward tests of a task: steps of a charged copy, or CPU time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from code_envs.execution.executor import Executor, Job, Limits, Outcome
from code_envs.syntax.costing import charged
from code_envs.tasks.task import Task, Verdict

__all__ = ["DEAD_ZONE", "REPEATS", "Pricing"]

REPEATS, DEAD_ZONE = 8, 0.1
"""With CPU time, every call is made so often, and a ratio so close to 1 is no difference."""
LEAST_S = 1e-6


class Pricing:
    """How programs are priced.

    Args:
        cpu: By CPU time, measured from outside, instead of by steps.
        executor: Where they run.
    """

    def __init__(self, cpu: bool, executor: Executor) -> None:
        self._cpu = cpu
        self._executor = executor

    def job(self, task: Task, source: bytes, limits: Limits) -> Job:
        """The job that runs the reward tests and shows what they cost."""
        if not self._cpu:
            return task.reward_tests.job(charged(source), limits)
        job = task.reward_tests.job(source, limits)
        inner = job.calls.strip()[1:-1]
        return replace(job, calls=b"[" + b",".join([inner] * REPEATS) + b"]", limits=replace(limits, steps=None))

    def judge(self, task: Task, outcome: Outcome) -> tuple[float, Verdict]:
        """Cost and verdict of an execution.

        Raises:
            ExecutorError: If the sandbox failed while test code ran.
        """
        if self._cpu:
            first = replace(outcome, results=outcome.results[: len(outcome.results) // REPEATS])
            return max(outcome.cpu_s, LEAST_S), task.reward_tests.grade(first, self._executor)
        steps = sum(result.steps for result in outcome.results)
        return float(max(steps, 1)), task.reward_tests.grade(outcome, self._executor)

    def settled(self, cost: float, before: float) -> float:
        """A cost that is compared with the one before: the same where the difference may be noise."""
        near = self._cpu and 1 / (1 + DEAD_ZONE) <= cost / before <= 1 + DEAD_ZONE
        return before if near else cost

    def cheapest(self, task: Task, sources: Sequence[bytes], limits: Limits, below: float) -> int:
        """Number of the cheapest program that passes all reward tests, -1 where none costs less than `below`.

        Raises:
            ExecutorError: If the sandbox failed.
        """
        best, least = -1, below
        outcomes = self._executor.run_many(self.job(task, source, limits) for source in sources)
        for number, outcome in enumerate(outcomes):
            cost, verdict = self.judge(task, outcome)
            if verdict.all_passed and cost < least:
                best, least = number, cost
        return best
