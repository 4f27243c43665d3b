"""The file of finished runs: gone on with, mended, and never mixed."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from benchmarks.run_file import RunFile, finished
from code_envs.errors import ConfigurationError


@dataclass(frozen=True)
class Run:
    key: str


HEAD = {"settings": {"steps": 1}}


def played(key):
    return {"key": key, "score": len(key)}


def start():
    return lambda run: played(run.key)


def test_only_what_is_missing_is_run(tmp_path):
    """A second file of the same path has the records, plays the rest, and starts nothing where there is none."""
    path = tmp_path / "new" / "runs.jsonl"
    RunFile(path, HEAD).play([Run("a")], start)
    file = RunFile(path, HEAD)
    asked = []
    file.play([Run("a"), Run("bb")], lambda: lambda run: asked.append(run.key) or played(run.key))
    assert asked == ["bb"]
    assert [json.loads(line) for line in path.read_text().splitlines()] == [HEAD, played("a"), played("bb")]
    assert file.of([Run("bb"), Run("c")]) == [played("bb")]
    file.play([Run("bb")], lambda: pytest.fail("nothing is missing"))


def test_no_run_begins_after_the_time(tmp_path, capsys):
    """What is left is said."""
    file = RunFile(tmp_path / "runs.jsonl", HEAD)
    file.play([Run("a"), Run("b")], start, minutes=0)
    assert file.records == []
    assert "2 runs are left" in capsys.readouterr().err


def test_a_run_that_was_cut_off_is_run_again(tmp_path):
    """The last line may be half a run; any other broken line is an error."""
    path = tmp_path / "runs.jsonl"
    assert finished(path) == (None, [])
    path.write_text('{"settings": {"steps": 1}}\n{"key": "a"}\n{"key": "b')
    assert finished(path) == (HEAD, [{"key": "a"}])
    RunFile(path, HEAD).play([Run("a"), Run("b")], start)
    assert [json.loads(line).get("key") for line in path.read_text().splitlines()] == [None, "a", "b"]
    path.write_text('{"settings": {}}\n{"key": "a\n{"key": "b"}\n')
    with pytest.raises(ConfigurationError, match="line 2: expected a run"):
        finished(path)
    path.write_text('{"key": "a"}\n')
    with pytest.raises(ConfigurationError, match="no settings"):
        finished(path)


def test_other_settings_need_another_file(tmp_path):
    """Runs of different lengths never come into one table, and the file stays as it was."""
    path = tmp_path / "runs.jsonl"
    path.write_text('{"settings": {"steps": 2}}\n{"key": "a"}\n')
    with pytest.raises(ConfigurationError, match="other settings"):
        RunFile(path, HEAD)
    assert path.read_text() == '{"settings": {"steps": 2}}\n{"key": "a"}\n'
