"""Functions drawn from the grammar, described in words by it: as many to learn from as one likes.

Each follows the signature of a known task and takes its inputs. A draw prefers productions that the known references
use. What a function returns is found out in the sandbox; one that fails on an input, or returns the same for all, is
drawn again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from code_envs.errors import TaskError
from code_envs.execution.codec import load_arguments
from code_envs.execution.executor import CallStatus, Executor, Outcome, Status
from code_envs.execution.values import decode
from code_envs.syntax.derivation import Derivation, Production, Signature
from code_envs.syntax.english import describable, describe, tree_of
from code_envs.syntax.parsing import find_derivation
from code_envs.tasks.cases import Case, CaseSuite
from code_envs.tasks.certify import MEASURED, measured_steps
from code_envs.tasks.signatures import signature_of
from code_envs.tasks.task import Task, TaskSet, digest

__all__ = ["synthesise"]

BUDGET, DEPTH = 12, 4
SMOOTHING = 0.1
HELD_OUT = 4
"""Every fourth call is held out."""
ROUNDS = 20


class _Draft(NamedTuple):
    origin: Task
    signature: Signature
    description: str
    program: str


def synthesise(known: TaskSet, executor: Executor, count: int, seed: int = 0) -> TaskSet:
    """Draw new tasks.

    Args:
        known: Tasks whose signatures, inputs and habits are followed.
        executor: Runs the functions that were drawn.
        count: Number of tasks.
        seed: Seeds the drawing.

    Raises:
        TaskError: If too few of the functions that are drawn are worth writing.
        ExecutorError: If the sandbox failed.
    """
    rng = np.random.default_rng(seed)
    habits = _habits(known)
    made: dict[str, Task] = {}
    for _ in range(ROUNDS):
        drafts = [_draw(known[int(rng.integers(len(known)))], habits, rng) for _ in range(count)]
        jobs = [draft.origin.reward_tests.job(draft.program.encode(), MEASURED) for draft in drafts]
        for draft, outcome in zip(drafts, executor.run_many(jobs), strict=True):
            task = _task(draft, outcome, f"drawn-{known.name}/{len(made)}")
            if task is not None and len(made) < count:
                made.setdefault(draft.description, task)
        if len(made) >= count:
            sha256 = digest(known.sha256.encode(), f"{count} {seed}".encode())
            return TaskSet(f"drawn-{known.name}", tuple(made.values()), known.licence, known.origin, sha256)
    raise TaskError(f"Only {len(made)} of {count} different functions came of {ROUNDS * count} draws; ask for fewer.")


def _habits(known: TaskSet) -> Counter[tuple[str, int]]:
    """How often the known references use each kind of production for each type of hole."""
    habits: Counter[tuple[str, int]] = Counter()
    for task in known:
        signature = signature_of(task)
        derivation = Derivation(signature)
        for key in find_derivation(signature, task.reference) or ():
            chosen = next(each for each in derivation.candidates() if each.key == key)
            habits[derivation.hole.kind, chosen.kind] += 1
            derivation.apply(chosen)
    return habits


def _draw(origin: Task, habits: Counter[tuple[str, int]], rng: np.random.Generator) -> _Draft:
    signature = signature_of(origin)
    derivation = Derivation(signature, BUDGET, DEPTH)
    chosen: list[Production] = []
    while not derivation.complete:
        kind = derivation.hole.kind
        offered = [each for each in derivation.candidates() if describable(each)]
        weights = np.array([habits[kind, each.kind] + SMOOTHING for each in offered])
        chosen.append(offered[int(rng.choice(len(offered), p=weights / weights.sum()))])
        derivation.apply(chosen[-1])
    words = describe(tree_of(chosen).below[0], lambda count: int(rng.integers(count)))
    verb = "Tell whether" if signature.returns == "bool" else "Return"
    return _Draft(origin, signature, f"{verb} {words}.", derivation.text)


def _task(draft: _Draft, outcome: Outcome, task_id: str) -> Task | None:
    """The task of a function; None if it fails, or gives one value for all inputs."""
    if outcome.status is not Status.OK or any(result.status is not CallStatus.VALUE for result in outcome.results):
        return None
    values = [decode(result.value) for result in outcome.results]
    calls = load_arguments(draft.origin.reward_tests.calls.decode())
    if len({repr(value) for value in values}) < 2 or any(repr(value) in ("nan", "inf") for value in values):
        return None
    cases = [Case.of(draft.origin.entry_point, call, value) for call, value in zip(calls, values, strict=True)]
    return Task(
        task_id=task_id,
        description=draft.description,
        entry_point=draft.origin.entry_point,
        reference=draft.program,
        start=None,
        reward_tests=_suite(draft, [case for number, case in enumerate(cases) if number % HELD_OUT != 1]),
        held_out_tests=_suite(draft, [case for number, case in enumerate(cases) if number % HELD_OUT == 1]),
        steps=measured_steps([outcome]),
    )


def _suite(draft: _Draft, cases: Sequence[Case]) -> CaseSuite:
    return CaseSuite(draft.origin.entry_point, cases)
