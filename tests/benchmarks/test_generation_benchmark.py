"""The generation benchmark counts what it says it counts."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.generation import at_random, by_frequency, frequencies, page, show, written_at
from code_envs.tasks.sources import load
from code_envs.tasks.task import TaskSet


@pytest.fixture(scope="module")
def tasks(executor):
    every = load("curriculum", executor)
    chosen = tuple(every[f"curriculum-v0/{name}"] for name in ("double", "total", "shout"))
    return TaskSet("three", chosen, every.licence, every.origin, every.sha256)


def test_frequencies_are_those_of_the_references(tasks, executor):
    """Three functions of one expression each: three returns, each production counted under its hole."""
    counts = frequencies(tasks, executor)
    assert counts["body"] == {"return num": 2, "return str": 1}
    assert counts["num"]["sum({list[num]})"] == 1
    assert counts["str"]["{str:9}.upper()"] == 1


def test_frequent_productions_write_more(tasks, executor):
    """Drawn by frequency, functions like the known ones are written; at random they are not."""
    rng = np.random.default_rng(0)
    counts = frequencies(tasks, executor)
    often, plausible = written_at(tasks, executor, 30, by_frequency(counts, rng), seed=0)
    assert np.isfinite(often).sum() >= 2
    assert (often >= plausible).all()
    seldom, _ = written_at(tasks, executor, 2, at_random(rng), seed=0, retries=1)
    assert np.isinf(seldom).any()


def test_the_page_tells_what_was_done():
    """Command, seeds and figures stand on it."""
    report = show({"random": np.array([[1.0, np.inf]])}, [1, 10])
    assert "| random | 1.0 [0.0, 2.0] | 1.0 [0.0, 2.0] |" in report
    settings = {"minutes": 2.0, "ppo_share": 0.1, "drawn": 5, "seeds": 1, "programs": 10}
    text = page(report, settings, 2, 3, 5)
    assert "--minutes 2.0 --ppo-share 0.1 --drawn 5 --seeds 1 --programs 10" in text
    assert report in text
