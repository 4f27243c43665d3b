"""Restart episodes from the snapshot before a failure, and take another action there.

    python -m examples.restart_from_failure

An agent that edits at random breaks its program sooner or later: a test is lost. Here a step that does so is taken
back, by the snapshot from before, and another edit is tried in its place, up to so many times. Restoring executes
nothing. A snapshot is bytes (JSON), so it can as well be written to a file or sent to another process.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields
from typing import Any

import gymnasium
import numpy as np

import code_envs  # noqa: F401  registers the environments

SUBMIT, FIRST_EDIT = 0, 2


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that shapes a run."""

    tasks: str = "mutants:builtin"
    programs: int = 16
    edits: int = 8
    restarts: int = 8
    seed: int = 0


def episode(env: Any, seed: int, restarts: int) -> tuple[float, int]:
    """Edit at random to the end; returns the share of held-out tests that pass then, and the executions it took.

    Args:
        env: CodeRepair, unwrapped.
        seed: Chooses the program and the edits.
        restarts: How often a step that lost a test is taken back, and another one is tried.
    """
    random = np.random.default_rng(seed)
    observation, info = env.reset(seed=seed)
    executions = 0
    over = False
    while not over:
        before = env.snapshot()
        edits = np.flatnonzero(observation["action_mask"][FIRST_EDIT:]) + FIRST_EDIT
        tries = random.permutation(edits)[: restarts + 1] if len(edits) else [SUBMIT]
        for number, action in enumerate(tries):
            if number:
                env.restore(before)
            observation, _, terminated, truncated, info = env.step(action)
            executions += 1
            if "test_lost" not in info["events"]:
                break
        over = terminated or truncated
    return float(info["held_out"]), executions


def main(settings: Settings) -> None:
    """Compare episodes without and with restarts, on the same programs."""
    env = gymnasium.make("CodeRepair-v0", tasks=settings.tasks, max_executions=settings.edits).unwrapped
    for restarts in (0, settings.restarts):
        runs = [episode(env, settings.seed + number, restarts) for number in range(settings.programs)]
        passing, executions = np.array(runs).T
        print(
            f"{restarts} restarts: {int((passing == 1).sum())} of {len(runs)} programs repaired, "
            f"{passing.mean():.0%} of held-out tests pass, {int(executions.sum())} executions"
        )


def read_settings() -> Settings:
    """The settings of the command line."""
    parser = argparse.ArgumentParser(description="Restart episodes of CodeRepair-v0 from snapshots.")
    for each in fields(Settings):
        parser.add_argument(f"--{each.name}", type=type(each.default), default=each.default)
    return Settings(**vars(parser.parse_args()))


if __name__ == "__main__":
    main(read_settings())
