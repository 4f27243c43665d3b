"""For how many C programs with a compile error does one candidate edit help?

    CODE_ENVS_DATA=... python -m benchmarks.compile_errors --tasks "tracer*234" --first 200

The candidates that CodeRepair-v0 offers for a faulty program are tried, those closest to the compiler's errors first,
until one compiles. That is easier than to repair what the author meant: so it is also counted for how many programs
a candidate is the reference up to its layout, which needs no compiler.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from code_envs.envs.localisation import closeness
from code_envs.envs.repair import CodeRepairEnv
from code_envs.errors import CodeEnvsError
from code_envs.execution.executor import Executor
from code_envs.execution.pool import open_executor
from code_envs.tasks.sources import load
from code_envs.tasks.task import TaskSet, TestSuite

__all__ = ["Found", "survey", "table"]

IN_FLIGHT = 32


@dataclass(frozen=True, slots=True)
class Found:
    """What the candidates of one program do.

    Args:
        task_id: The task.
        compiles_at: Which try compiled first, 1-based; infinity if none does.
        exact: Whether a candidate is the reference up to its layout.
        listed: Candidates before the list was cut to the size of the action space.
    """

    task_id: str
    compiles_at: float
    exact: bool
    listed: int


def survey(tasks: TaskSet, executor: Executor, quiet: bool = False) -> list[Found]:
    """Try the candidates of every program of a set.

    Raises:
        ExecutorError: If the sandbox failed.
    """
    env = CodeRepairEnv(tasks=tasks, executor=executor)
    return [_try(env, task.task_id) for task in tqdm(tasks, unit="program", disable=quiet, file=sys.stderr)]


def _try(env: CodeRepairEnv, task_id: str) -> Found:
    env.reset(options={"task_id": task_id})
    assert env.state is not None
    task, version = env.state.task, env.state.path[-1]
    diagnostics = env.executor.run(task.reward_tests.job(version.program.source, env.limits)).diagnostics
    candidates = version.candidates
    near = closeness(diagnostics, version.program.source, candidates.starts) + version.suspicion.value[candidates.lines]
    order = version.kept[np.argsort(-near[version.kept], kind="stable")]
    programs = [version.program.apply(candidates.edit(int(number))).source for number in order]
    wanted = _layout_free(task.reference.encode())
    exact = any(_layout_free(program) == wanted for program in programs)
    return Found(task_id, _first(env, task.reward_tests, programs), exact, len(candidates))


def _layout_free(program: bytes) -> bytes:
    return b"".join(program.split())


def _first(env: CodeRepairEnv, suite: TestSuite, programs: Sequence[bytes]) -> float:
    """Number of the first program that compiles."""
    for begin in range(0, len(programs), IN_FLIGHT):
        jobs = [suite.job(each, env.limits) for each in programs[begin : begin + IN_FLIGHT]]
        for number, outcome in enumerate(env.executor.run_many(jobs), begin + 1):
            if suite.grade(outcome, env.executor).all_passed:
                return float(number)
    return np.inf


def table(found: Sequence[Found]) -> str:
    """The counts in a sentence, then what no candidate helps."""
    tries = np.array([each.compiles_at for each in found])
    helped = tries[np.isfinite(tries)]
    median = f"after a median of {np.median(helped):.0f} tries" if len(helped) else "so there is no number of tries"
    lines = [
        f"{len(found)} programs: one candidate makes {len(helped)} compile, {median}; for "
        f"{sum(each.exact for each in found)} one is the reference up to layout; median "
        f"{np.median([each.listed for each in found]):.0f} candidates."
    ]
    lines += [f"none helps {each.task_id}" for each in found if not np.isfinite(each.compiles_at)]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    first = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compile_errors", description=first)
    parser.add_argument("--tasks", default="tracer*234", help="task source of C programs that do not compile")
    parser.add_argument("--first", type=int, default=200, help="how many of its certified tasks to try")
    parser.add_argument("--executor", default="local:2", help="what compiles the programs")
    options = parser.parse_args(arguments)
    executor = open_executor(options.executor)
    try:
        tasks = load(options.tasks, executor)
        some = TaskSet(tasks.name, tasks.tasks[: options.first], tasks.licence, tasks.origin, tasks.sha256)
        print(table(survey(some, executor)))
    except CodeEnvsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
