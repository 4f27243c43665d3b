"""The soak finds what it looks for, and a short one is steady."""

from __future__ import annotations

import os

from benchmarks import soak as module
from benchmarks.soak import soak, steady
from code_envs.execution.executor import Executor
from code_envs.execution.local import LocalExecutor
from code_envs.tasks.sources import load


class Leaky(Executor):
    """Keeps a descriptor for each job, and gives the verdict of another program now and then."""

    def __init__(self, inner, every=0):
        self.inner, self.every, self.kept, self.count = inner, every, [], 0

    def submit(self, job):
        self.kept.append(os.open(os.devnull, os.O_RDONLY))
        self.count += 1
        if self.every and self.count % self.every == 0:
            job = type(job)(b"def f(*x): pass", job.entry, job.calls, job.limits)
        return self.inner.submit(job)

    def capabilities(self, language: str = "python"):
        return self.inner.capabilities()

    def close(self):
        for descriptor in self.kept:
            os.close(descriptor)


def short(monkeypatch, executor, jobs=60):
    monkeypatch.setattr(module, "SETTLE_S", 0.2)
    monkeypatch.setattr(module, "PROGRAMS", module.PROGRAMS[:3])
    tasks = load("mutants:builtin", executor, limit=3)
    return soak(tasks, executor, jobs, hostile_share=0.1, quiet=True)


def test_a_short_soak_is_steady(monkeypatch):
    """Right verdicts, and nothing more is held after than before."""
    with LocalExecutor(2) as executor:
        result = short(monkeypatch, executor)
    assert result["wrong_verdicts"] == 0
    assert result["touched"] == []
    assert result["after"]["processes"] == result["before"]["processes"]
    assert result["after"]["descriptors"] <= result["before"]["descriptors"]


def test_a_leak_and_wrong_verdicts_are_found(monkeypatch):
    """An executor that keeps descriptors and mixes up programs is not steady."""
    with LocalExecutor(2) as executor, Leaky(executor, every=2) as leaky:
        result = short(monkeypatch, leaky)
    assert result["after"]["descriptors"] >= result["before"]["descriptors"] + 60
    assert result["wrong_verdicts"] > 5
    assert not steady(result)
