"""Episodes are written down, and executed again they are the same, byte for byte; what differs is named."""

from __future__ import annotations

import json

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import FlattenObservation

import code_envs
from code_envs.__main__ import main
from code_envs.envs.repair import CodeRepairEnv
from code_envs.errors import ConfigurationError, ExecutorError
from code_envs.record import RecordEpisodes
from code_envs.registration import ENVIRONMENTS
from code_envs.replay import read_episodes, replay
from code_envs.testing.evidence import in_fresh_process

SMALL = {"max_candidates": 64, "max_executions": 3}


def act(env, steps, seed=0):
    """Random valid actions; an episode that ends is followed by another."""
    random = np.random.default_rng(seed)
    for _ in range(steps):
        action = np.int64(random.choice(np.flatnonzero(env.unwrapped.action_masks())))
        *_, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            env.reset()


def record(path, executor, steps=8, environment="CodeRepair-v0", **kwargs):
    env = RecordEpisodes(gymnasium.make(environment, executor=executor, **kwargs), path)
    env.reset(seed=4)
    act(env, steps)
    env.close()
    return path


@pytest.fixture(scope="module")
def recorded(executor, tmp_path_factory):
    """A file of three episodes; the last one was cut by close()."""
    return record(tmp_path_factory.mktemp("record") / "episodes.jsonl", executor, **SMALL)


def test_a_person_can_read_it(recorded):
    """Header, start, steps and end are in the file, with the program and the measurements in plain text."""
    episodes = read_episodes(recorded)
    assert len(episodes) == 3
    header, start, step = (episodes[0].facts(number) for number in range(3))
    assert header["env"]["id"] == "CodeRepair-v0"
    assert header["env"]["kwargs"] == SMALL
    assert header["code_envs"] == code_envs.__version__
    assert (header["seed"], header["random"]) == (4, None)
    assert start["program"].startswith("def ")
    assert step["measurements"].keys() == {"tests", "errors", "edits", "executions", "size"}
    assert step["events"] == sorted(step["events"])
    assert episodes[1].facts(0)["random"]["bit_generator"] == "PCG64"
    assert episodes[1].facts(0)["seed"] is None
    ends = [episode.facts(-1) for episode in episodes]
    assert [end["complete"] for end in ends] == [True, True, False]
    assert "held_out" in ends[0]
    assert "held_out" not in ends[2]


def test_replay_is_identical(recorded, capsys):
    """Executed again, with another number of workers, every line is the same."""
    assert main(["replay", str(recorded), "--executor", "local:2"]) == 0
    steps = sum(len(episode.lines) - 3 for episode in read_episodes(recorded))
    assert capsys.readouterr().out == f"3 episodes, {steps} steps: identical\n"
    assert steps == 8


@pytest.mark.slow
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_id_replays(environment, executor, tmp_path):
    """What any environment did can be done again."""
    path = record(tmp_path / "episodes.jsonl", executor, 20, environment)
    assert replay(path, "local:2").difference == ""


@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_replay_in_docker_is_identical(environment, executor, tmp_path):
    """What the local executor did, containers do, byte for byte."""
    path = record(tmp_path / "episodes.jsonl", executor, 20, environment)
    assert replay(path, "docker").difference == ""


CHANGES = {
    "reward": ("step", "reward", 0.5, "step 1['reward']: 0.5 and 0.09"),
    "program": ("step", "program", "x = 1\n", 'step 1[\'program\']: "x = 1\\n" and "def'),
    "measurement": ("step", "measurements", {"tests": 1.0}, "step 1['measurements']: keys only in the first: []"),
    "observation": ("start", "observation", {}, "start['observation']"),
    "task": ("episode", "task_id", "other", "header['task_id']: \"other\" and"),
    "tasks": ("episode", "tasks", "other 0", "header['tasks']"),
    "end": ("end", "return", 9.0, "end['return']: 9.0 and"),
}


def changed(path, kind, **facts):
    """The file with the first record of a kind changed."""
    lines = path.read_text().splitlines(keepends=True)
    number = next(number for number, line in enumerate(lines) if json.loads(line)["record"] == kind)
    lines[number] = json.dumps(json.loads(lines[number]) | facts, separators=(",", ":")) + "\n"
    return "".join(lines)


@pytest.mark.parametrize("name", CHANGES)
def test_the_first_difference_is_named(recorded, tmp_path, capsys, name):
    """A changed line is found; the message names episode, step and key, and the exit code is 1."""
    kind, key, value, message = CHANGES[name]
    path = tmp_path / "changed.jsonl"
    path.write_text(changed(recorded, kind, **{key: value}))
    assert main(["replay", str(path)]) == 1
    out = capsys.readouterr().out
    assert out.startswith("episode 1 (")
    assert message in out


def test_bytes_are_compared(recorded, tmp_path):
    """The same values with other spaces are a difference; the version that made the file is told."""
    text = recorded.read_text().replace('"record":"start",', '"record": "start",', 1)
    path = tmp_path / "changed.jsonl"
    path.write_text(text.replace(f'"code_envs":"{code_envs.__version__}"', '"code_envs":"0.0.9"'))
    assert "start: the same values, written in another way (recorded with code-envs 0.0.9" in replay(path).difference


def test_a_longer_record_than_the_episode_is_a_difference(recorded, tmp_path):
    """A step after the end of the episode is named."""
    lines = recorded.read_text().splitlines(keepends=True)
    last = next(number for number, line in enumerate(lines) if json.loads(line)["record"] == "end")
    path = tmp_path / "longer.jsonl"
    path.write_text("".join([*lines[:last], lines[last - 1], lines[last]]))
    assert f"step {last - 1}: keys only in the first" in replay(path).difference


VIDEO = '{"name":"x","entry_point":"gymnasium.wrappers.rendering:RecordVideo","kwargs":{"video_folder":"x"}}'
UNREADABLE = {
    "empty": (lambda text: "", "the file is empty"),
    "half a line": (lambda text: text[:-20], "the last line has no end"),
    "half an episode": (lambda text: "".join(text.splitlines(keepends=True)[:-1]), "cut off in episode 3"),
    "no header": (lambda text: text[text.index("\n") + 1 :], "line 1: expected a record 'episode'"),
    "other JSON": (lambda text: '{"prompt": "x"}\n', "Only files that RecordEpisodes wrote"),
    "no object": (lambda text: "[1]\n", "Only files that RecordEpisodes wrote"),
    "no JSON": (lambda text: "def f():\n", "line 1: not JSON"),
    "not ASCII": (lambda text: "é" + text, "not ASCII"),
    "other format": (lambda text: text.replace('"format":1', '"format":2'), "format 2; this version reads format 1"),
    "key gone": (lambda text: text.replace('"reward":', '"rewards":', 1), "the record 'step' has no ['reward']"),
    "unknown id": (lambda text: text.replace('"id":"CodeRepair-v0"', '"id":"Cure-v0"'), "no environment 'Cure-v0'"),
    "unknown argument": (lambda text: text.replace('"max_candidates"', '"most"'), "'CodeRepair-v0' cannot be made"),
    "foreign wrapper": (
        lambda text: text.replace(
            '"additional_wrappers":[]', '"additional_wrappers":[{"name":"x","entry_point":"os:system","kwargs":{}}]'
        ),
        "['os:system'] write files, or are not from",
    ),
    "writing wrapper": (
        lambda text: text.replace('"additional_wrappers":[]', f'"additional_wrappers":[{VIDEO}]'),
        "['gymnasium.wrappers.rendering:RecordVideo'] write files",
    ),
    "no state": (
        lambda text: text.replace('"bit_generator":"PCG64"', '"bit_generator":"other"'),
        "no state of NumPy's",
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_no_record_is_refused(recorded, tmp_path, capsys, name):
    """Files that are empty, cut off, foreign or dangerous give one line and exit code 2."""
    change, message = UNREADABLE[name]
    path = tmp_path / "file.jsonl"
    path.write_bytes(change(recorded.read_text()).encode())
    assert main(["replay", str(path)]) == 2
    assert message in capsys.readouterr().err


def test_a_missing_file_is_named(tmp_path):
    """So is a file that is not there."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        replay(tmp_path / "nothing.jsonl")


def continue_recording(data: str, path: str) -> str:
    """What the fresh process does: restore, go on, and record it."""
    env = RecordEpisodes(gymnasium.make("CodeRepair-v0", max_candidates=64, max_executions=9), path)
    env.restore(data.encode())
    act(env, 3, seed=1)
    env.close()
    return path


@pytest.mark.slow
def test_an_episode_restored_in_another_process_has_the_same_lines(executor, tmp_path):
    """Recorded from a snapshot there, the steps are those of the origin, and the record can be replayed."""
    kwargs = {"max_candidates": 64, "max_executions": 9}
    here = RecordEpisodes(gymnasium.make("CodeRepair-v0", executor=executor, **kwargs), tmp_path / "here.jsonl")
    here.reset(seed=4)
    act(here, 2)
    data = here.unwrapped.snapshot()
    act(here, 3, seed=1)
    here.close()
    there = in_fresh_process(f"{__name__}:continue_recording", data.decode(), str(tmp_path / "there.jsonl"))
    first, second = read_episodes(tmp_path / "here.jsonl")[0], read_episodes(there)[0]
    assert len(first.lines) - len(second.lines) == 2
    assert second.facts(1)["observation"] == first.facts(3)["observation"]
    assert second.lines[2:-1] == first.lines[4:-1]
    assert replay(there).difference == ""


def test_wrapped_environments_replay(executor, tmp_path):
    """Gymnasium's wrappers are part of the spec; the digests are of what the agent saw."""
    inner = FlattenObservation(gymnasium.make("CodeRepair-v0", executor=executor, **SMALL))
    env = RecordEpisodes(inner, tmp_path / "flat.jsonl")
    env.reset(options={"task_id": env.unwrapped.tasks[5].task_id})
    act(env, 3)
    env.close()
    assert read_episodes(env.path)[0].facts(1)["observation"].keys() == {"observation"}
    assert replay(env.path).difference == ""
    with pytest.raises(ConfigurationError, match="at once around it"):
        env.restore(b"{}")


def test_a_failure_of_the_sandbox_ends_the_comparison(executor, tmp_path, monkeypatch):
    """Another sandbox need not fail: what is compared ends before the failure."""
    env = RecordEpisodes(gymnasium.make("CodeRepair-v0", executor=executor, **SMALL), tmp_path / "failed.jsonl")
    env.reset(seed=4)
    act(env, 1)

    def fail(job):
        raise ExecutorError("the worker is lost")

    with monkeypatch.context() as patch:
        patch.setattr(env.unwrapped.executor, "submit", fail)
        *_, info = env.step(np.int64(np.flatnonzero(env.unwrapped.action_masks())[-1]))
    assert info["executor_error"]
    env.close()
    assert read_episodes(env.path)[0].facts(3)["executor_error"] == "the worker is lost"
    assert replay(env.path).difference == ""


def test_what_cannot_be_recorded_is_refused(executor, tmp_path, recorded):
    """No spec, arguments that are no JSON, another project's environment, an existing file: each is explained."""
    tasks = gymnasium.make("CodeRepair-v0", executor=executor).unwrapped.tasks
    with pytest.raises(ConfigurationError, match="has no spec"):
        RecordEpisodes(CodeRepairEnv(tasks=tasks, executor=executor), tmp_path / "a")
    with pytest.raises(ConfigurationError, match="does not survive JSON"):
        RecordEpisodes(gymnasium.make("CodeRepair-v0", tasks=tasks, executor=executor), tmp_path / "a")
    with pytest.raises(ConfigurationError, match="an environment of Code Envs"):
        RecordEpisodes(gymnasium.make("CartPole-v1"), tmp_path / "a")
    env = gymnasium.make("CodeRepair-v0", executor=executor)
    for path in (recorded, tmp_path / "no" / "folder"):
        with pytest.raises(ConfigurationError, match="path of a new file"):
            RecordEpisodes(env, path)


def test_the_wrapper_survives_a_spec(executor, tmp_path):
    """As Gymnasium's own wrappers, it is part of the spec, and the spec of JSON."""
    env = RecordEpisodes(gymnasium.make("CodeRepair-v0", **SMALL), tmp_path / "a.jsonl")
    spec = env.spec
    assert spec.additional_wrappers[-1].kwargs == {"path": str(tmp_path / "a.jsonl")}
    assert gymnasium.envs.registration.EnvSpec.from_json(spec.to_json()) == spec
