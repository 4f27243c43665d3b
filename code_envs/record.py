"""Episodes written down, so that they can be read, executed again and compared.

A file has JSON lines, for each episode:

* `episode`: how it began: the environment's spec, the task, the seed, the state of the random numbers before;
* `start`: what the agent saw first; `step`: an action and what came of it, once per step. The program, the
  measurements and the events are plain text; each part of the observation and of `info` has a digest;
* `end`: number of steps, return, `held_out`, and whether the episode came to its end.

The digests are those of canonical forms (`code_envs.canonical`), which are the same on every machine. So
`code_envs.replay` can do an episode again, anywhere, and compare the lines byte for byte.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import gymnasium

from code_envs import __version__
from code_envs.canonical import digest
from code_envs.envs.base import CodeEnv
from code_envs.errors import ConfigurationError

__all__ = ["FORMAT", "Beginning", "Lines", "RecordEpisodes"]

FORMAT = 1

Info = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Beginning:
    """How an episode began.

    Args:
        seed: Seed of `reset`.
        options: Options of `reset`.
        random: State of `np_random` before it, where there was no seed.
        snapshot: What the episode was restored from, where it was not reset.
    """

    seed: int | None = None
    options: Mapping[str, Any] | None = None
    random: Mapping[str, Any] | None = None
    snapshot: str | None = None


class Lines:
    """The lines of one episode.

    Args:
        env: What takes the actions; its base is a `CodeEnv`.
        beginning: How the episode began.
        observation: What the agent saw first.
        info: The `info` beside it.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], beginning: Beginning, observation: Any, info: Info) -> None:
        base: Any = env.unwrapped
        self._space = env.action_space
        self._steps = 0
        self._return = 0.0
        self._ended = False
        self._info = info
        header = {
            "record": "episode",
            "format": FORMAT,
            "code_envs": __version__,
            "env": _spec(env),
            "tasks": f"{base.tasks.name} {base.tasks.sha256}",
            "task_id": info["task_id"],
            **dataclasses.asdict(beginning),
        }
        self.lines = [_line(header), _line({"record": "start", **_seen(observation, info)})]

    def step(self, action: Any, observation: Any, reward: float, terminated: bool, truncated: bool, info: Info) -> str:
        """Add a step; returns its line."""
        self._steps += 1
        self._return += float(reward)
        self._ended = terminated or truncated
        self._info = info
        facts = {
            "record": "step",
            "action": self._space.to_jsonable([action])[0],
            "reward": float(reward),
            "terminated": bool(terminated),
            "truncated": bool(truncated),
            **_seen(observation, info),
        }
        if "executor_error" in info:
            facts["executor_error"] = info["executor_error"]
        self.lines.append(_line(facts))
        return self.lines[-1]

    @property
    def ended(self) -> bool:
        """Whether the episode came to its end."""
        return self._ended

    def end(self) -> str:
        """Add the last line; returns it."""
        facts: dict[str, Any] = {
            "record": "end",
            "complete": self._ended,
            "steps": self._steps,
            "return": self._return,
            **{key: self._info[key] for key in ("held_out", "is_success") if key in self._info},
        }
        self.lines.append(_line(facts))
        return self.lines[-1]


def _seen(observation: Any, info: Info) -> dict[str, Any]:
    parts = observation if isinstance(observation, Mapping) else {"observation": observation}
    return {
        "program": info["program"],
        "measurements": info["measurements"],
        "events": sorted(info["events"]),
        "observation": {key: digest(part) for key, part in parts.items()},
        "info": {key: digest(part) for key, part in sorted(info.items())},
    }


def _line(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, separators=(",", ":")) + "\n"


def _spec(env: gymnasium.Env[Any, Any]) -> dict[str, Any]:
    """The spec as JSON's types, without an executor that is an object: outcomes do not depend on it.

    Raises:
        ConfigurationError: If the environment was not made from an id and JSON values.
    """
    how = "Make it with gymnasium.make(<id>, tasks='<source>', ...), all arguments JSON values."
    spec = env.spec
    if spec is None:
        raise ConfigurationError(f"RecordEpisodes needs an environment made from an id; {env} has no spec. {how}")
    named = isinstance(spec.kwargs.get("executor", ""), str)
    kwargs = {name: value for name, value in spec.kwargs.items() if named or name != "executor"}
    try:
        json.dumps(kwargs)
        found: dict[str, Any] = json.loads(dataclasses.replace(spec, kwargs=kwargs).to_json())
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"The spec of {spec.id} does not survive JSON: {error}. {how}") from error
    return found


class RecordEpisodes(gymnasium.Wrapper[Any, Any, Any, Any], gymnasium.utils.RecordConstructorArgs):
    """Write each episode to a file that `python -m code_envs replay` executes again and compares.

    Wrappers that write files, or whose `info` depends on time (`RecordEpisodeStatistics`), belong around this one.
    An episode is written at once when it ends, or at the next reset or at `close`, so a file never has half of one.

    Args:
        env: An environment of Code Envs, made with `gymnasium.make`, wrapped or not.
        path: The file, which must not exist.

    Raises:
        ConfigurationError: If the environment cannot be made again from its spec, or the file cannot be created.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], path: str | Path) -> None:
        gymnasium.utils.RecordConstructorArgs.__init__(self, path=str(path))
        gymnasium.Wrapper.__init__(self, env)
        if not isinstance(env.unwrapped, CodeEnv):
            raise ConfigurationError(f"RecordEpisodes needs an environment of Code Envs, not {env}.")
        _spec(env)
        self.path = Path(path)
        self._episode: Lines | None = None
        try:
            self.path.touch(exist_ok=False)
        except OSError as error:
            raise ConfigurationError(
                f"{path}: cannot be created ({error.strerror}). Give the path of a new file in a folder that exists."
            ) from error

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Info]:
        """Start an episode, and write the one before."""
        self._write()
        random = None if seed is not None else self.unwrapped.np_random.bit_generator.state
        observation, info = self.env.reset(seed=seed, options=options)
        self._episode = Lines(self.env, Beginning(seed, options, random), observation, info)
        return observation, info

    def restore(self, data: bytes) -> tuple[Any, Info]:
        """Continue an episode from a snapshot, and record it from there; the environment's `restore`.

        Raises:
            ConfigurationError: If the snapshot does not fit, or a wrapper between changes what the agent sees or does.
        """
        self._write()
        env, base = self.env, cast(Any, self.unwrapped)
        if (env.observation_space, env.action_space) != (base.observation_space, base.action_space):
            raise ConfigurationError(
                f"restore() gives what the environment itself shows: put RecordEpisodes at once around it, not {env}"
            )
        env.reset()  # Gymnasium's wrappers want it before a step
        observation, info = base.restore(data)
        self._episode = Lines(env, Beginning(snapshot=data.decode()), observation, info)
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, Info]:
        """Take a step, and note it."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        if self._episode is not None:
            self._episode.step(action, observation, float(reward), terminated, truncated, info)
            if self._episode.ended:
                self._write()
        return observation, reward, terminated, truncated, info

    def close(self) -> None:
        """Write the episode that runs, and close the environment."""
        self._write()
        super().close()

    def _write(self) -> None:
        episode, self._episode = self._episode, None
        if episode is None:
            return
        episode.end()
        with self.path.open("a", encoding="ascii") as file:
            file.writelines(episode.lines)
