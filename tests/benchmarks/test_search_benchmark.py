"""The search benchmark: methods play the same episodes, and the page says what was measured."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.search import GAIN, bm25, chance, draw, main, play, show, summarise, verdict
from code_envs.envs.search import CodeSearchEnv
from code_envs.tasks.sources import load

NAMES = "parse write close count split merge lock send open read drop move".split()


@pytest.fixture
def folder(tmp_path):
    """Modules of small functions whose docstrings say their names, in every split."""
    for number in range(24):
        head = '    def {0}_{1}(self):\n        """Do {0} it with {1} now."""\n'
        method = head + "        a = {1!r}\n        b = a\n        return b\n"
        body = "".join(method.format(name, f"part{chr(97 + number)}") for name in NAMES)
        (tmp_path / f"module{number}.py").write_text("class C:\n" + body)
    return tmp_path


def env_of(folder, **kwargs):
    return CodeSearchEnv(load(f"stdlib:{folder}"), "test", pool_size=4, bm25=True, expert=True, **kwargs)


def test_every_method_plays_the_same_pools(folder):
    """The oracle always hits at once, BM25 is between it and chance, and the same seed gives the same ranks."""
    env = env_of(folder)
    seen = []

    def oracle(observation):
        seen.append(observation["pool"].tobytes())
        return env.state.answer

    perfect, first = play(env, oracle, seed=3), list(seen)
    assert perfect.tolist() == [1.0] * len(env.tasks)
    seen.clear()
    play(env, oracle, seed=3)
    assert seen == first
    ranked, random = play(env, bm25, seed=3), play(env, chance(0), seed=3)
    assert np.array_equal(ranked, play(env, bm25, seed=3))
    assert 0.25 <= random.mean() < ranked.mean() <= 1


def test_bm25_never_picks_twice(folder):
    env = env_of(folder, max_picks=4)
    for seed in range(5):
        observation, _ = env.reset(seed=seed)
        picked = []
        for _ in range(4):
            picked.append(bm25(observation))
            observation, *_, info = env.step(picked[-1])
            if "hit" in info["events"]:
                break
        assert len(set(picked)) == len(picked)
        assert "invalid" not in info["events"]


def test_the_gain_is_paired():
    """Where the policy is better by the same on every query, the interval of its gain has no width."""
    ranks = np.random.default_rng(0).random((2, 50)) / 2
    found = {name: {"bm25": ranks, "policy": ranks + 0.25} for name in ("random", "hard")}
    gain = summarise(found)["hard"][GAIN]
    assert (gain.estimate, gain.low, gain.high) == pytest.approx((0.25, 0.25, 0.25))
    assert "| policy - bm25 | 0.250 [0.250, 0.250] | 0.250 [0.250, 0.250] |" in show(summarise(found))


def test_the_verdict_says_no_more_than_the_intervals():
    ranks = np.random.default_rng(0).random((1, 60)) / 2
    noise = np.random.default_rng(1).normal(0, 0.2, (1, 60))
    hard = {"bm25": ranks, "untrained policy": ranks, "policy": ranks + 0.1}
    unclear = {"bm25": ranks, "untrained policy": ranks + 1, "policy": ranks + noise}
    words = verdict(summarise({"random": unclear, "hard": hard})).splitlines()
    assert words[0] == "- random distractors: the policy is not told apart from BM25 (95 %); training adds nothing."
    assert words[1] == "- hard distractors: the policy is above BM25 (95 %); training adds to its MRR."


def test_a_picture_is_drawn(tmp_path):
    ranks = np.full((1, 3), 0.5)
    found = {name: {"chance": ranks, "bm25": ranks, "policy": ranks} for name in ("random", "hard")}
    draw(summarise(found), [{"minutes": 0.0, "random": 0.1, "hard": 0.2}], tmp_path / "p.png")
    assert (tmp_path / "p.png").stat().st_size > 1000


def test_the_command(folder, tmp_path, capsys, monkeypatch):
    """A run in seconds: record, policy and page are there, and the quick run leaves the real page alone."""
    monkeypatch.setattr("benchmarks.search.UPDATES", 4)
    out, page = tmp_path / "out" / "r.json", tmp_path / "page"
    words = ["--quick", "--tasks", f"stdlib:{folder}", "--pool-size", "4", "--minutes", "0.001", "--seeds", "1"]
    assert main([*words, "--json", str(out), "--page", str(page)]) == 0
    record = json.loads(out.read_text())
    assert set(record["mrr"]["hard"]) == {"chance", "bm25", "untrained policy", "policy", GAIN}
    assert record["queries"]["train"] > record["queries"]["test"] > 0
    assert out.with_suffix(".zip").exists()
    text = (page / "search.md").read_text()
    assert "999 distractors" in text
    assert f"| bm25 | {record['mrr']['random']['bm25'][0]:.3f} " in text
    assert (page / "search.png").exists()
    assert "| policy |" in capsys.readouterr().out


def test_a_source_without_splits_is_refused(tmp_path, capsys):
    path = tmp_path / "some.jsonl"
    path.write_text(json.dumps({"code": "def f(): pass", "docstring": "Do it", "func_name": "f"}))
    assert main(["--tasks", f"codesearchnet:{path}", "--json", str(tmp_path / "r.json")]) == 2
    assert "['test', 'validation'] are missing" in capsys.readouterr().err
