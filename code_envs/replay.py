"""Recorded episodes executed again, line by line: are they what the file says, byte for byte?

`python -m code_envs replay FILE [--executor docker]`. Environments are made from the ids that are registered here
and the arguments in the file; the entry points in it are not called, for a file may come from anyone.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec, WrapperSpec

from code_envs import __version__
from code_envs.canonical import difference
from code_envs.envs.base import CodeEnv
from code_envs.errors import ConfigurationError
from code_envs.record import FORMAT, Beginning, Lines

__all__ = ["Episode", "Replay", "main", "read_episodes", "replay"]

TRUSTED = ("gymnasium.wrappers", "wrappers")
"""Packages whose wrappers a file may name."""
WRITING = ("RecordVideo", "RecordEpisodes")
"""Wrappers among them that write files where the file says."""


class Episode(NamedTuple):
    """The lines of one episode in a file."""

    number: int
    line: int
    """Number of its first line in the file."""
    lines: list[str]

    def facts(self, number: int) -> dict[str, Any]:
        """A line as JSON's types."""
        found: dict[str, Any] = json.loads(self.lines[number])
        return found


class Replay(NamedTuple):
    """What came of a replay."""

    episodes: int
    steps: int
    difference: str
    """Where the first difference is; "" if there is none."""


def replay(path: str | Path, executor: str | None = None) -> Replay:
    """Execute the episodes of a file again, until one differs.

    A step at which the sandbox failed is not compared, nor is what follows it: another sandbox need not fail.

    Args:
        path: What `RecordEpisodes` wrote.
        executor: Name of the executor; None means the one that was recorded.

    Raises:
        ConfigurationError: If the file is no such record, or its environment cannot be made here.
        ExecutorError: If the sandbox failed.
    """
    episodes = read_episodes(path)
    steps = 0
    made: dict[str, gymnasium.Env[Any, Any]] = {}
    try:
        for episode in episodes:
            header = episode.facts(0)
            name = json.dumps(header["env"])
            if name not in made:
                made[name] = _make(header["env"], executor, f"{path}, line {episode.line}")
            found = _compare(made[name], episode, header)
            steps += len(episode.lines) - 3
            if found:
                return Replay(episode.number, steps, f"{found}{_version(header)}")
    finally:
        for env in made.values():
            env.close()
    return Replay(len(episodes), steps, "")


def _version(header: Mapping[str, Any]) -> str:
    made_by = header["code_envs"]
    return "" if made_by == __version__ else f" (recorded with code-envs {made_by}, this is {__version__})"


# reading ------------------------------------------------------------------------------------------


def read_episodes(path: str | Path) -> list[Episode]:
    """The episodes of a file.

    Raises:
        ConfigurationError: If it cannot be read, is empty, cut off or something else; the message names the line.
    """
    try:
        text = Path(path).read_bytes().decode("ascii")
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror}). Expected a file of episodes.") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{path}: byte {error.start} is not ASCII; RecordEpisodes writes only that."
        ) from error
    if not text.strip():
        raise ConfigurationError(f"{path}: the file is empty: no episode was finished and no environment closed.")
    lines = text.splitlines(keepends=True)
    if not lines[-1].endswith("\n"):
        raise ConfigurationError(f"{path}, line {len(lines)}: cut off: the last line has no end. Record it again.")
    episodes: list[Episode] = []
    expected: tuple[str, ...] = ("episode",)
    for number, line in enumerate(lines, 1):
        kind = _kind(line, f"{path}, line {number}", expected)
        if kind == "episode":
            episodes.append(Episode(len(episodes) + 1, number, []))
        episodes[-1].lines.append(line)
        expected = _FOLLOWS[kind]
    if expected != _FOLLOWS["end"]:
        rest = " or ".join(expected)
        raise ConfigurationError(f"{path}: cut off in episode {len(episodes)}; expected a record {rest} to follow.")
    return episodes


_FOLLOWS = {"episode": ("start",), "start": ("step", "end"), "step": ("step", "end"), "end": ("episode",)}
_KEYS = {
    "episode": {"format", "code_envs", "env", "tasks", "task_id", "seed", "options", "random", "snapshot"},
    "start": {"program", "measurements", "events", "observation", "info"},
    "step": {"action", "reward", "terminated", "truncated", "program", "measurements", "observation", "info"},
    "end": {"complete", "steps", "return"},
}


def _kind(line: str, place: str, expected: tuple[str, ...]) -> str:
    """What a line of a record is; checks that it may stand there."""
    try:
        facts = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{place}: not JSON as RecordEpisodes writes it: {error}.") from error
    kind = facts.get("record") if isinstance(facts, dict) else None
    if kind not in expected:
        raise ConfigurationError(
            f"{place}: expected a record {' or '.join(map(repr, expected))}, got {line[:60].strip()!r}. "
            "Only files that RecordEpisodes wrote can be replayed."
        )
    if kind == "episode" and facts.get("format") != FORMAT:
        raise ConfigurationError(f"{place}: format {facts.get('format')!r}; this version reads format {FORMAT}.")
    missing = _KEYS[kind] - facts.keys()
    if missing:
        raise ConfigurationError(f"{place}: the record {kind!r} has no {sorted(missing)}. Record it again.")
    return str(kind)


# executing again ----------------------------------------------------------------------------------


def _make(spec: Mapping[str, Any], executor: str | None, place: str) -> gymnasium.Env[Any, Any]:
    """The environment that a header describes."""
    try:
        name, kwargs = str(spec["id"]), dict(spec["kwargs"])
        wrappers = tuple(WrapperSpec(**each) for each in spec["additional_wrappers"])
        limit = spec["max_episode_steps"]
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{place}: 'env' is no spec of Gymnasium: {error!r}.") from error
    known: EnvSpec | None = gymnasium.registry.get(name)
    if known is None:
        raise ConfigurationError(f"{place}: no environment {name!r} is registered here; import the module that does.")
    foreign = [each.entry_point for each in wrappers if not _trusted(each.entry_point)]
    if foreign:
        raise ConfigurationError(f"{place}: the wrappers {foreign} write files, or are not from {TRUSTED}; not called.")
    if executor is not None:
        kwargs["executor"] = executor
    again = dataclasses.replace(
        known, kwargs={**known.kwargs, **kwargs}, additional_wrappers=wrappers, max_episode_steps=limit
    )
    try:
        env: gymnasium.Env[Any, Any] = gymnasium.make(again, disable_env_checker=True)
    except TypeError as error:
        raise ConfigurationError(f"{place}: {name!r} cannot be made with {kwargs}: {error}") from error
    if not isinstance(env.unwrapped, CodeEnv):
        env.close()
        raise ConfigurationError(f"{place}: {name!r} is no environment of Code Envs.")
    return env


def _trusted(entry_point: object) -> bool:
    module, _, name = str(entry_point).partition(":")
    return name not in WRITING and any(module == package or module.startswith(f"{package}.") for package in TRUSTED)


def _compare(env: gymnasium.Env[Any, Any], episode: Episode, header: Mapping[str, Any]) -> str:
    """Where an episode first differs from its lines."""
    for number, expected, found in _again(env, episode, header):
        if number == 0:
            expected, found = _comparable(expected), _comparable(found)
        if expected != found:
            place = f"episode {episode.number} ({header['task_id']}), line {episode.line + number}"
            detail = difference(json.loads(expected), json.loads(found)) or ": the same values, written in another way"
            return f"{place}, {_where(number, episode)}{detail}"
    return ""


def _where(number: int, episode: Episode) -> str:
    if number < 2:
        return ("header", "start")[number]
    return "end" if number == len(episode.lines) - 1 else f"step {number - 1}"


def _comparable(line: str) -> str:
    """A header without what another version or executor may change."""
    facts = json.loads(line)
    return json.dumps({key: facts[key] for key in ("record", "format", "tasks", "task_id")})


def _again(env: gymnasium.Env[Any, Any], episode: Episode, header: Mapping[str, Any]) -> Iterator[tuple[int, str, str]]:
    """Number, recorded line and new line, one after the other."""
    lines = _begin(env, header)
    yield 0, episode.lines[0], lines.lines[0]
    yield 1, episode.lines[1], lines.lines[1]
    last = len(episode.lines) - 1
    for number in range(2, last):
        recorded = episode.facts(number)
        if "executor_error" in recorded:
            return
        if lines.ended:
            yield number, episode.lines[number], '{"record":"end"}'
            return
        action = env.action_space.from_jsonable([recorded["action"]])[0]
        yield number, episode.lines[number], lines.step(action, *env.step(action))  # type: ignore[arg-type]
    yield last, episode.lines[last], lines.end()


def _begin(env: gymnasium.Env[Any, Any], header: Mapping[str, Any]) -> Lines:
    beginning = Beginning(**{name: header[name] for name in ("seed", "options", "random", "snapshot")})
    base: Any = env.unwrapped
    if beginning.snapshot is not None:
        env.reset()  # Gymnasium's wrappers want it before a step
        return Lines(env, beginning, *base.restore(beginning.snapshot.encode()))
    if beginning.random is not None:
        base.np_random = _generator(beginning.random)
    options = None if beginning.options is None else dict(beginning.options)
    return Lines(env, beginning, *env.reset(seed=beginning.seed, options=options))


def _generator(state: Mapping[str, Any]) -> np.random.Generator:
    made = np.random.Generator(np.random.PCG64())
    try:
        made.bit_generator.state = state
    except (TypeError, ValueError, KeyError) as error:
        raise ConfigurationError(f"'random' of a header is no state of NumPy's PCG64: {error!r}.") from error
    return made


def main(path: str, executor: str | None) -> int:
    """Replay a file and say what came of it; exit code 1 on a difference."""
    found = replay(path, executor)
    if found.difference:
        sys.stdout.write(f"{found.difference}\n")
        return 1
    sys.stdout.write(f"{found.episodes} episodes, {found.steps} steps: identical\n")
    return 0
