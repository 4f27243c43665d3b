"""How much cheaper does a trained agent make programs that it never saw?

    python -m benchmarks.optimization --json runs/optimization.json

A pointer policy imitates the best single transformation (found by executing all candidates) on the states that it
visits, then learns by PPO on the reward of CodeOptimization-v0; both on the split "train" of the slow programs. On
the split "test" it plays one episode per program. The baselines choose among the same candidates:

* random: uniform over the valid actions of the environment, submit and undo among them;
* climb: tries candidates in random order and keeps each that lowers the cost, up to so many executions per program;
  the same search in the policy's order says what the order is worth;
* look-ahead: executes every candidate of every state and takes the best; what the policy imitates, at many times
  the executions.

A program that fails a held-out test counts as no gain. Intervals: 95 % bootstrap over programs and runs.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import gymnasium
import matplotlib as mpl
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.utils import set_random_seed

from agents.evaluation import Interval, bootstrap_mean
from agents.imitation import Imitation, ImitationConfig
from agents.policies import FusionPolicy
from agents.vec_env import VectorEnvAdapter
from code_envs.envs.optimization import SUBMIT, UNDO, CodeOptimizationEnv
from code_envs.execution.cache import CachedExecutor
from code_envs.execution.executor import Executor
from code_envs.execution.pool import open_executor
from code_envs.execution.stores import MemoryStore
from code_envs.tasks.sources import load
from code_envs.tasks.task import TaskSet
from code_envs.vector import CodeVectorEnv

__all__ = ["Played", "Settings", "climb", "climb_by", "main", "play", "show", "table", "train"]

mpl.use("Agg")
from matplotlib import pyplot

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
    """Everything that shapes a run."""

    seed: int = 0
    minutes: float = 5.0
    ppo_share: float = 0.5
    num_envs: int = 16
    shuffles: int = 20


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


def train(tasks: TaskSet, executor: Executor, settings: Settings) -> tuple[PPO, list[dict[str, float]]]:
    """Imitate, then reinforce.

    Args:
        tasks: What to train on.
        executor: Runs the programs; it remembers outcomes, as the same programs come again and again.
        settings: See there.

    Returns:
        The model, and its progress: phase (0 imitation, 1 PPO), minutes, success of recent episodes.
    """
    set_random_seed(settings.seed)
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
    env.seed(settings.seed)
    model = PPO(
        FusionPolicy, env, n_steps=32, batch_size=128, n_epochs=4, learning_rate=3e-4, gamma=0.98, clip_range=0.2,
        ent_coef=0.01, target_kl=0.03, seed=settings.seed, device="cpu",
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
    Imitation(pupil, env, config, settings.seed).learn(progress)
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


def table(runs: dict[str, list[list[Played]]]) -> dict[str, dict[str, Interval]]:
    """Mean log cost ratio, success in per cent, and executions per program, by method."""
    rows = {}
    for method, played in runs.items():
        gains = np.array([[each.gain for each in run] for run in played])
        solved = np.array([[float(each.success) for each in run] for run in played])
        spent = np.array([[float(each.executions) for each in run] for run in played])
        rows[method] = {
            "gain": bootstrap_mean(gains),
            "success": bootstrap_mean(solved, scale=100.0),
            "executions": bootstrap_mean(spent),
        }
    return rows


def show(rows: dict[str, dict[str, Interval]]) -> str:
    """The table as Markdown."""
    lines = [
        "| method | log(first cost / final cost) | times cheaper | success, % | executions per program |",
        "|---|---|---|---|---|",
    ]
    for method, row in rows.items():
        gain = row["gain"]
        lines.append(
            f"| {method} | {gain.estimate:.2f} [{gain.low:.2f}, {gain.high:.2f}] | {math.exp(gain.estimate):.1f} "
            f"| {row['success']} | {row['executions'].estimate:.1f} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.optimization", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="half a minute of training: shows that all works")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=5.0, help="minutes of training")
    parser.add_argument("--json", type=Path, help="write the results here")
    parser.add_argument("--report", type=Path, help="folder of the report [docs/results, none if quick]")
    options = parser.parse_args(arguments)
    settings = Settings(options.seed, 0.5 if options.quick else options.minutes, shuffles=3 if options.quick else 20)
    torch.set_num_threads(1)  # two spin against the workers: six times the CPU time on a busy machine
    executor = CachedExecutor(open_executor("local:2"), MemoryStore())
    tasks = load("slow", executor)
    model, curve = train(tasks.split("train"), executor, settings)
    env = CodeOptimizationEnv(tasks=tasks, split="test", executor=executor, **ENVIRONMENT)
    expert = CodeOptimizationEnv(tasks=tasks, split="test", executor=executor, expert=True, **ENVIRONMENT)
    policy = play(env, _following(model.policy))
    runs = {
        "random": [play(env, _random(seed)) for seed in range(settings.shuffles)],
        "policy": [policy],
        "look-ahead": [play(expert, lambda env, observation, info: int(info["expert_action"]))],
    }
    for budget in (*BUDGETS, EXECUTIONS):
        spent = [budget] * len(env.tasks)
        runs[f"climb, {budget}"] = [play(env, climb(seed), spent) for seed in range(settings.shuffles)]
        runs[f"climb in the policy's order, {budget}"] = [play(env, climb_by(model.policy), spent)]
    rows = table(runs)
    report = show(rows)
    print(report)
    result = {
        "command": " ".join(["python -m benchmarks.optimization", *(sys.argv[1:] if arguments is None else arguments)]),
        "settings": asdict(settings),
        "tasks": {"name": tasks.name, "sha256": tasks.sha256, "test": len(env.tasks)},
        "machine": f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}, CPU",
        "rows": {method: {key: asdict(cell) for key, cell in row.items()} for method, row in rows.items()},
        "policy": [asdict(each) for each in policy],
        "curve": curve,
    }
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=1))
    folder = options.report or (None if options.quick else Path("docs", "results"))
    if folder:
        _write_report(folder, result, report)
    return 0


def _write_report(folder: Path, result: dict[str, Any], report: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    curve = result["curve"]
    figure, axes = pyplot.subplots(figsize=(6, 3.4), layout="constrained")
    for phase, name in enumerate(("imitation", "PPO")):
        rows = [row for row in curve if row["phase"] == phase]
        axes.plot([row["minutes"] for row in rows], [row["success"] for row in rows], marker=".", label=name)
    axes.set(xlabel="minutes", ylabel="success, training tasks", ylim=(0, 1))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(folder / "optimization.png", dpi=110)
    pyplot.close(figure)
    settings, tasks = result["settings"], result["tasks"]
    text = f"""# CodeOptimization-v0: programs that were never trained on

`{result["command"]}`, seed {settings["seed"]}, {settings["minutes"]:g} minutes of training on {result["machine"]}
(2 shared x86-64 cores). {tasks["test"]} programs of the split "test" of `{tasks["name"]}`; random and climb are means
over {settings["shuffles"]} runs, the policy and its training are one run. Brackets: 95 % bootstrap over programs and
runs. Cost is counted in steps (`code_envs.syntax.costing`), so these figures come again; training is limited by time,
so the policy's row does not exactly. A program that fails a held-out test counts as no gain.

{report}

`climb` tries candidates in random order, or in the policy's, and keeps what lowers the cost, up to so many executions
per program; `look-ahead` executes every candidate of every state, which the column of executions does not count, and
is what the policy imitates before PPO. The policy decides itself when to submit.

![success while training](optimization.png)
"""
    (folder / "optimization.md").write_text(text)


if __name__ == "__main__":
    sys.exit(main())
