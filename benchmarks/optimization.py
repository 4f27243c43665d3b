"""How much cheaper does a trained agent make programs that it never saw?

    python -m benchmarks.optimization --json runs/optimization.jsonl

A pointer policy imitates the best single transformation (found by executing all candidates) on the states that it
visits, then learns by PPO on the reward of CodeOptimization-v0. Cross-validation: each fold of the slow programs is
played by a policy that was trained on the others, one episode per program. The baselines choose among the same
candidates:

* random: uniform over the valid actions of the environment, submit and undo among them;
* climb: tries candidates in random order and keeps each that lowers the cost, up to so many executions per program;
  the same search in the policy's order says what the order is worth;
* look-ahead: executes every candidate of every state and takes the best; what the policy imitates, at many times
  the executions.

A program that fails a held-out test counts as no gain. Intervals: 95 % bootstrap over programs and runs. A fold is
written when it is over; the command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.utils import set_random_seed

from agents.imitation import Imitation, ImitationConfig
from agents.policies import FusionPolicy
from agents.vec_env import VectorEnvAdapter
from benchmarks.optimization_page import show, write
from benchmarks.run_file import RunFile
from code_envs.envs.optimization import SUBMIT, UNDO, CodeOptimizationEnv
from code_envs.execution.cache import CachedExecutor
from code_envs.execution.executor import Executor
from code_envs.execution.pool import open_executor
from code_envs.execution.stores import MemoryStore
from code_envs.tasks.sources import load
from code_envs.tasks.task import TaskSet
from code_envs.vector import CodeVectorEnv

__all__ = ["Played", "Run", "Settings", "climb", "climb_by", "divided", "main", "play", "train"]

EXECUTIONS = 16
BUDGETS = (2, 4, 8)
"""Executions per program for the comparison of the policy's order of candidates with a random one."""
ENVIRONMENT: dict[str, Any] = {"max_executions": EXECUTIONS, "code_tokens": 96, "text_tokens": 84}
"""The programs have at most 69 tokens; attention over padding would cost most of the training."""
NETWORK = {"width": 32, "hidden": 64, "code_layers": 1}
Choose = Callable[[CodeOptimizationEnv, dict[str, Any], dict[str, Any]], int]


@dataclass(frozen=True, slots=True)
class Played:
    """One episode: logarithm of the cost ratio (0 where a held-out test fails), success, executions spent."""

    task_id: str
    gain: float
    success: bool
    executions: int


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that shapes all runs.

    Attributes:
        folds: Parts of the programs; each is played by a policy that was trained on the others.
        minutes: Of training, per fold.
        ppo_share: Of the minutes, what PPO has; imitation has the rest.
        num_envs: Episodes at a time in training.
        shuffles: Runs of what chooses at random, per fold and seed.
    """

    folds: int = 3
    minutes: float = 4.0
    ppo_share: float = 0.5
    num_envs: int = 16
    shuffles: int = 10


@dataclass(frozen=True, slots=True)
class Run:
    """One fold with one seed."""

    fold: int
    seed: int

    @property
    def key(self) -> str:
        """What tells it from all others."""
        return f"fold {self.fold}, seed {self.seed}"


def divided(tasks: TaskSet, fold: int, folds: int) -> tuple[TaskSet, TaskSet]:
    """What to train on and what to play: the programs, by name, are dealt out to the folds in turn."""
    held_out = set(tasks.ids[fold::folds])
    rest, chosen = ([task for task in tasks if (task.task_id in held_out) is inside] for inside in (False, True))
    return replace(tasks, tasks=tuple(rest), splits={}), replace(tasks, tasks=tuple(chosen), splits={})


def play(env: CodeOptimizationEnv, choose: Choose, executions: Sequence[int] | None = None) -> list[Played]:
    """One episode of each task.

    Args:
        env: The environment; its tasks are played in order.
        choose: The action for an environment, an observation and an info.
        executions: Where given, how many of them may be spent on each task before it is submitted.
    """
    results = []
    for number, task in enumerate(env.tasks):
        observation, info = env.reset(seed=number, options={"task_id": task.task_id})
        over = False
        while not over:
            spent = info["measurements"]["executions"]
            stop = executions is not None and spent >= executions[number]
            action = SUBMIT if stop else choose(env, observation, info)
            observation, _, terminated, truncated, info = env.step(action)
            over = terminated or truncated
        gain = info["measurements"]["gain"] if info["held_out"] == 1.0 else 0.0
        results.append(Played(task.task_id, gain, info["is_success"], int(info["measurements"]["executions"])))
    return results


def climb(seed: int) -> Choose:
    """Try candidates in random order, keep what lowers the cost, take back what does not."""
    rng = np.random.default_rng(seed)

    def choose(env: CodeOptimizationEnv, observation: dict[str, Any], info: dict[str, Any]) -> int:
        if "edited" in info["events"] and "cheaper" not in info["events"]:
            return UNDO
        valid = np.flatnonzero(env.action_masks()[UNDO + 1 :]) + UNDO + 1
        return int(rng.choice(valid)) if len(valid) else SUBMIT

    return choose


def climb_by(policy: ActorCriticPolicy) -> Choose:
    """The same with the candidate first that the policy likes best."""

    def choose(env: CodeOptimizationEnv, observation: dict[str, Any], info: dict[str, Any]) -> int:
        if "edited" in info["events"] and "cheaper" not in info["events"]:
            return UNDO
        if not env.action_masks()[UNDO + 1 :].any():
            return SUBMIT
        with torch.no_grad():
            shown, _ = policy.obs_to_tensor(observation)
            logits = policy.get_distribution(shown).distribution.logits[0]  # type: ignore[union-attr]
        return int(logits[UNDO + 1 :].argmax()) + UNDO + 1

    return choose


def _random(seed: int) -> Choose:
    rng = np.random.default_rng(seed)
    return lambda env, observation, info: int(rng.choice(np.flatnonzero(env.action_masks())))


def _following(policy: BasePolicy) -> Choose:
    return lambda env, observation, info: int(policy.predict(observation, deterministic=True)[0])


# training -----------------------------------------------------------------------------------------


def train(tasks: TaskSet, executor: Executor, settings: Settings, seed: int) -> tuple[PPO, list[dict[str, float]]]:
    """Imitate, then reinforce.

    Args:
        tasks: What to train on.
        executor: Runs the programs; it remembers outcomes, as the same programs come again and again.
        settings: See there.
        seed: Seeds the network, the episodes and both phases.

    Returns:
        The model, and its progress: phase (0 imitation, 1 PPO), minutes, success of recent episodes.
    """
    set_random_seed(seed)
    vector = CodeVectorEnv(
        settings.num_envs,
        env=CodeOptimizationEnv,
        tasks=tasks,
        executor=executor,
        expert=True,
        autoreset_mode="SameStep",
        **ENVIRONMENT,
    )
    env = VectorEnvAdapter(vector)
    env.seed(seed)
    model = PPO(
        FusionPolicy, env, n_steps=32, batch_size=128, n_epochs=4, learning_rate=3e-4, gamma=0.98, clip_range=0.2,
        ent_coef=0.01, target_kl=0.03, seed=seed, device="cpu",
        policy_kwargs={"features_extractor_kwargs": NETWORK},
    )  # fmt: skip
    curve: list[dict[str, float]] = []
    began = time.perf_counter()
    seconds = 60 * settings.minutes * (1 - settings.ppo_share)

    def progress(row: dict[str, float]) -> float:
        elapsed = time.perf_counter() - began
        curve.append({"phase": 0.0, "minutes": elapsed / 60, "success": row["success"], "accuracy": row["accuracy"]})
        return min(elapsed / seconds, 1.0)

    assert isinstance(env.observation_space, gymnasium.spaces.Dict)
    pupil = FusionPolicy(
        env.observation_space, env.action_space, lambda _: 0.0, features_extractor_kwargs=NETWORK | {"dropout": 0.1}
    )
    config = ImitationConfig(buffer_size=8192, negatives=None, common_actions=(SUBMIT,), thin=3, learning_rate=2e-3)
    Imitation(pupil, env, config, seed).learn(progress)
    model.policy.load_state_dict(pupil.state_dict())
    for each in vector.envs:
        assert isinstance(each, CodeOptimizationEnv)
        each.expert = False
    callback = _Progress(60 * settings.minutes * settings.ppo_share, began)
    model.learn(10**9, callback=callback)
    return model, curve + callback.curve


class _Progress(BaseCallback):
    """Stops PPO when its time is over, and records the success of finished episodes."""

    def __init__(self, seconds: float, began: float) -> None:
        super().__init__()
        self.until = time.perf_counter() + seconds
        self.began = began
        self.solved: list[float] = []
        self.curve: list[dict[str, float]] = []

    def _on_step(self) -> bool:
        self.solved += [float(info["is_success"]) for info in self.locals["infos"] if "is_success" in info]
        return time.perf_counter() < self.until

    def _on_training_end(self) -> None:
        self._on_rollout_end()

    def _on_rollout_end(self) -> None:
        success = float(np.mean(self.solved[-200:])) if self.solved else 0.0
        self.curve.append({"phase": 1.0, "minutes": (time.perf_counter() - self.began) / 60, "success": success})


# results ------------------------------------------------------------------------------------------


def _measured(run: Run, tasks: TaskSet, executor: Executor, settings: Settings) -> dict[str, Any]:
    """Train on the other folds and play one: what every method made of each of its programs."""
    others, held_out = divided(tasks, run.fold, settings.folds)
    model, curve = train(others, executor, settings, run.seed)
    env = CodeOptimizationEnv(tasks=held_out, executor=executor, **ENVIRONMENT)
    expert = CodeOptimizationEnv(tasks=held_out, executor=executor, expert=True, **ENVIRONMENT)
    seeds = [1000 * run.seed + number for number in range(settings.shuffles)]
    played = {
        "random": [play(env, _random(seed)) for seed in seeds],
        "policy": [play(env, _following(model.policy))],
        "look-ahead": [play(expert, lambda env, observation, info: int(info["expert_action"]))],
    }
    for budget in (*BUDGETS, EXECUTIONS):
        spent = [budget] * len(held_out)
        played[f"climb, {budget}"] = [play(env, climb(seed), spent) for seed in seeds]
        played[f"climb in the policy's order, {budget}"] = [play(env, climb_by(model.policy), spent)]
    return {
        "key": run.key,
        "fold": run.fold,
        "seed": run.seed,
        "played": {method: [[asdict(each) for each in one] for one in runs] for method, runs in played.items()},
        "curve": curve,
    }


def _player(settings: Settings) -> Callable[[Run], dict[str, Any]]:
    torch.set_num_threads(1)  # two spin against the workers: six times the CPU time on a busy machine
    executor = CachedExecutor(open_executor("local:2"), MemoryStore())
    tasks = load("slow", executor)
    return lambda run: _measured(run, tasks, executor, settings)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.optimization", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="half a minute per fold, one seed: shows that all works")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=4.0, help="minutes of training of a fold")
    parser.add_argument("--json", type=Path, required=True, help="file of finished folds; made or gone on with")
    parser.add_argument("--results", type=Path, help="folder of the report, such as docs/results")
    options = parser.parse_args(arguments)
    settings = Settings(minutes=options.minutes)
    if options.quick:
        settings = Settings(minutes=0.5, shuffles=2)
    runs = [Run(fold, seed) for seed in range(1 if options.quick else options.seeds) for fold in range(settings.folds)]
    file = RunFile(options.json, _head(settings))
    file.play(runs, lambda: _player(settings))
    records = file.of(runs)
    print(show(records))
    if options.results:
        write(options.results, file.head, records)
    return 0


def _head(settings: Settings) -> dict[str, Any]:
    machine = f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}, CPU"
    return {"settings": asdict(settings), "machine": machine}


if __name__ == "__main__":
    sys.exit(main())
