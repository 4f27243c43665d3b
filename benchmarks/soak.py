"""Does a sandbox stay as it was over very many jobs, some of them hostile, and is every verdict right?

    python -m benchmarks.soak --executor local:2 --jobs 100000 --json runs/soak.json

Honest jobs are references and faulty programs of the built-in tasks, whose verdicts are known; hostile ones come from
`code_envs.testing.hostile` and must never be paid. Memory, processes, descriptors and files are compared between the
time when every program has run once and the end.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import secrets
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
from tqdm import tqdm

from code_envs.execution.executor import Executor, Job, Limits, Pending
from code_envs.execution.pool import open_executor
from code_envs.tasks.cases import Case, CaseSuite
from code_envs.tasks.sources import load
from code_envs.tasks.task import TaskSet, TestSuite
from code_envs.testing.honeypots import Honeypots
from code_envs.testing.hostile import PROGRAMS

__all__ = ["Footprint", "soak"]

IN_FLIGHT = 32
SETTLE_S = 1.0
LIMITS = Limits(cpu_s=2.0)
GROWTH_MIB = 16.0
"""So much more memory, of client and workers together, is what allocators do; a leak of 1 KiB per job is 98 MiB."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """What this process and the workers below it hold; temporary files are those of the machine."""

    memory_mib: float
    processes: int
    descriptors: int
    temporary_files: int

    @classmethod
    def now(cls) -> Footprint:
        """As it is when the workers have cleaned up after their last job."""
        time.sleep(SETTLE_S)
        tree = [psutil.Process(), *psutil.Process().children(recursive=True)]
        memory = sum(each.memory_info().rss for each in tree) / 2**20
        return cls(memory, len(tree), sum(each.num_fds() for each in tree), len(os.listdir(tempfile.gettempdir())))


class _Work(NamedTuple):
    """A job and the verdict it must get: True, False, or None for a hostile one, which must not pass."""

    suite: TestSuite
    job: Job
    passes: bool | None


def soak(
    tasks: TaskSet, executor: Executor, jobs: int, hostile_share: float, seed: int = 0, quiet: bool = False
) -> dict[str, Any]:
    """Run jobs in a row and compare verdicts and footprints.

    Args:
        tasks: Tasks with references and faulty programs that fail.
        executor: The sandbox.
        jobs: Number of jobs.
        hostile_share: Share of hostile ones.
        seed: Draws them.
        quiet: No progress bar.

    Raises:
        ExecutorError: If the sandbox failed.
    """
    rng = np.random.default_rng(seed)
    wrong: list[str] = []
    waiting: deque[tuple[_Work, Pending]] = deque()

    def collect(work: _Work, pending: Pending) -> None:
        verdict = work.suite.grade(pending.result(), executor)
        if verdict.all_passed is not bool(work.passes):
            wrong.append(work.job.source.decode(errors="replace"))

    with Honeypots() as honeypots:
        honest, hostile = list(_honest(tasks)), list(_hostile(honeypots))
        for work in (*honest, *hostile):
            collect(work, executor.submit(work.job))
        before = Footprint.now()
        began = time.perf_counter()
        for _ in tqdm(range(jobs), desc="soak", unit="job", disable=quiet):
            pool = hostile if rng.random() < hostile_share else honest
            work = pool[rng.integers(len(pool))]
            waiting.append((work, executor.submit(work.job)))
            if len(waiting) >= IN_FLIGHT:
                collect(*waiting.popleft())
        while waiting:
            collect(*waiting.popleft())
        seconds = time.perf_counter() - began
        after, touched = Footprint.now(), honeypots.touched()
    return {
        "jobs": jobs,
        "per_s": jobs / seconds,
        "wrong_verdicts": len(wrong),
        "first_wrong": wrong[:3],
        "touched": touched,
        "before": asdict(before),
        "after": asdict(after),
    }


def _honest(tasks: TaskSet) -> Iterator[_Work]:
    for task in tasks:
        limits = task.limits(LIMITS)
        yield _Work(task.reward_tests, task.reward_tests.job(task.reference.encode(), limits), True)
        if task.start is not None:
            yield _Work(task.reward_tests, task.reward_tests.job(task.start.encode(), limits), False)


def _hostile(honeypots: Honeypots) -> Iterator[_Work]:
    for program in [each for each in PROGRAMS if each.language == "python"]:
        suite = CaseSuite("f", [Case.of("f", [1], secrets.token_hex(8)), Case.of("f", [2], secrets.randbits(62))])
        source = honeypots.fill_in(program.source, mark=f"left-{secrets.token_hex(4)}")
        yield _Work(suite, suite.job(source, program.limits, program.trace), None)


def steady(result: dict[str, Any]) -> bool:
    """Whether nothing was paid wrongly, touched, or left behind."""
    before, after = result["before"], result["after"]
    same = all(after[name] <= before[name] for name in ("processes", "descriptors", "temporary_files"))
    grown = after["memory_mib"] - before["memory_mib"]
    return same and grown < GROWTH_MIB and not result["wrong_verdicts"] and not result["touched"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; the exit code is 0 where all stayed as it was."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__.split("\n\n")[0])
    parser.add_argument("--executor", default="local:2", help="local:N or docker:N")
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--hostile-share", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the results here")
    options = parser.parse_args(arguments)
    executor = open_executor(options.executor)
    tasks = load("mutants:builtin", executor)
    result = {"executor": options.executor, **soak(tasks, executor, options.jobs, options.hostile_share, options.seed)}
    before, after = result["before"], result["after"]
    print(
        f"{options.executor}: {options.jobs} jobs, {result['per_s']:.0f}/s, {result['wrong_verdicts']} wrong verdicts"
    )
    for name, value in before.items():
        print(f"  {name:14} {value:8.1f} before {after[name]:8.1f} after")
    if options.json:
        result["machine"] = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=1))
    return 0 if steady(result) else 1


if __name__ == "__main__":
    sys.exit(main())
