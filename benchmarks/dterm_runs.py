"""One run of the multi-task benchmark: warm start, PPO with components, evaluation on tasks never trained on."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import DummyVecEnv
from torch.nn import functional

from agents.policies import FusionPolicy
from agents.ppo import PPO
from benchmarks import dterm_methods as methods
from benchmarks.dterm_methods import Method
from benchmarks.dterm_policy import BagExtractor
from benchmarks.dterm_tasks import ENVIRONMENTS, AllOrNothing, families, make
from code_envs.execution.executor import Executor
from code_envs.tasks.task import TaskSet
from reward_machines.weighting import Weighting
from wrappers.measured import Measured
from wrappers.weighted_reward import WeightedReward

__all__ = ["Bench", "Run", "Settings"]

FACTS = ("tests", "errors", "similarity", "findings", "lines", "size_ratio")
CURVE = 10
"""Points of a learning curve."""
DEMONSTRATION_BATCH = 128


@dataclass(frozen=True, slots=True)
class Settings:
    """What all methods share.

    Args:
        steps: Steps of a training run over five types; those over one type get a share.
        train: Tasks of each type that are trained on.
        demonstrations: Tasks of each type that only the warm start sees.
        test: Most tasks of each type in the test.
        warm_start: Gradient steps of imitation before PPO.
        tries: Episodes per task in the evaluation.
        rollout: Steps of each environment between updates.
        batch: Steps of a minibatch.
        learning_rate: Of PPO.
        entropy: Coefficient of the entropy bonus.
    """

    steps: int = 24000
    train: int = 16
    demonstrations: int = 48
    test: int = 8
    warm_start: int = 100
    tries: int = 4
    rollout: int = 64
    batch: int = 256
    learning_rate: float = 3e-4
    entropy: float = 0.002


@dataclass(frozen=True, slots=True)
class Run:
    """What is to be run.

    Args:
        table: What it is for, such as "table 1".
        name: Name of the method in that table.
        method: The method.
        seed: Of the initial policy, the warm start and the training.
        sparse: All-or-nothing outer metric, tasks that no other run is trained on, and a weak warm start.
        only: The types that are trained on; empty for all.
        transfer: For DTERM, where its frozen weights were learned: "all" types, or "others" than `only`; "" if they are
            not frozen.
    """

    table: str
    name: str
    method: Method
    seed: int
    sparse: bool = False
    only: tuple[str, ...] = ()
    transfer: str = ""

    @property
    def key(self) -> str:
        """What tells it from all others."""
        regime = "sparse" if self.sparse else "dense"
        return " | ".join((self.table, regime, self.name, ",".join(self.only), self.transfer, str(self.seed)))


class Bench:
    """Tasks, demonstrations and what was learned so far, for many runs of one process.

    Args:
        executor: Shared by all environments.
        settings: What all methods share.
    """

    def __init__(self, executor: Executor, settings: Settings) -> None:
        self.executor, self.settings = executor, settings
        train = settings.train
        every = families(executor, 2 * train + settings.demonstrations, settings.test)
        self.tasks = {name: _part(tasks, slice(train)) for name, tasks in every.items()}
        self.fresh = {name: _part(tasks, slice(train, 2 * train)) for name, tasks in every.items()}
        self.shown = {name: _part(tasks, slice(2 * train, None)) for name, tasks in every.items()}
        self._demonstrations: tuple[dict[str, torch.Tensor], torch.Tensor] | None = None
        self._weightings: dict[tuple[int, tuple[str, ...]], dict[str, np.ndarray]] = {}

    def play(self, run: Run) -> dict[str, Any]:
        """Train and evaluate; returns JSON values.

        Raises:
            ExecutorError: If the sandbox failed.
        """
        weighting = self._weighting(run)
        names = list(run.only or ENVIRONMENTS)
        tasks = self.fresh if run.sparse else self.tasks
        embedding = methods.embedding(run.method, run.seed)
        envs = [
            self._environment(name, tasks[name], run, weighting, embedding)
            for name in names
            for _ in range(ENVIRONMENTS[name])
        ]
        vector = DummyVecEnv([partial(_same, env) for env in envs])
        vector.seed(run.seed)
        model = self._model(vector, run, weighting)
        self._imitate(model, run)
        steps = self.settings.steps * len(envs) // sum(ENVIRONMENTS.values())
        watch = _Watch(steps // CURVE)
        wall, cpu = time.perf_counter(), time.process_time()
        model.learn(steps, callback=watch)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        if run.method.weighting == "DTERM" and not run.transfer:
            self._weightings[run.seed, run.only] = weighting.state()
        return {
            "key": run.key, "table": run.table, "name": run.name, "seed": run.seed, "sparse": run.sparse,
            "only": list(run.only), "transfer": run.transfer, "steps": steps, "wall_s": wall, "cpu_s": cpu,
            "curve": watch.curve, "weights": _weights(weighting, envs), "components": list(weighting.components),
            "test": {name: self._evaluate(model, name, self.tasks[name], "test") for name in names},
            "train": {name: self._evaluate(model, name, tasks[name], "train") for name in names},
        }  # fmt: skip

    # what a run is made of ------------------------------------------------------------------------

    def _environment(
        self, name: str, tasks: TaskSet[Any], run: Run, weighting: Weighting, embedding: Any
    ) -> WeightedReward:
        env: gymnasium.Env[Any, Any] = make(name, tasks, "train", self.executor)
        if run.sparse:
            env = AllOrNothing(env)
        return WeightedReward(
            Measured(env, _facts(env)), weighting, methods.components(run.method), embedding, gate=run.method.gate
        )

    def _weighting(self, run: Run) -> Weighting:
        weighting: Any = methods.weighting(run.method, run.seed)
        if run.transfer:
            where = () if run.transfer == "all" else tuple(name for name in ENVIRONMENTS if name not in run.only)
            if (run.seed, where) not in self._weightings:
                self.play(Run("", "", run.method, run.seed, only=where))
            weighting.restore(self._weightings[run.seed, where])
            weighting.freeze()
        return weighting

    def _model(self, vector: DummyVecEnv, run: Run, weighting: Weighting) -> PPO:
        settings = self.settings
        rows = settings.rollout * vector.num_envs
        return PPO(
            FusionPolicy, vector, weighting, value_heads=run.method.value_heads, n_steps=settings.rollout,
            batch_size=rows // max(rows // settings.batch, 1), n_epochs=4, learning_rate=settings.learning_rate,
            ent_coef=settings.entropy, gamma=1.0, seed=run.seed, device="cpu",
            policy_kwargs={"features_extractor_class": BagExtractor},
        )  # fmt: skip

    def _imitate(self, model: PPO, run: Run) -> None:
        """Begin with a policy that knows a little: the same for all methods of a seed."""
        steps = self.settings.warm_start // (3 if run.sparse else 1)
        if not steps:
            return
        observations, actions = self._shown()
        adam = torch.optim.Adam(model.policy.parameters(), 2e-3)
        generator = torch.Generator().manual_seed(run.seed)
        for _ in range(steps):
            chosen = torch.randint(len(actions), (DEMONSTRATION_BATCH,), generator=generator)
            batch = {key: rows[chosen] for key, rows in observations.items()}
            logits = model.policy.get_distribution(batch).distribution.logits  # type: ignore[union-attr]
            loss = functional.cross_entropy(logits, actions[chosen])
            adam.zero_grad()
            loss.backward()
            adam.step()

    def _shown(self) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Observations and the expert's actions, on tasks that are not trained on."""
        if self._demonstrations is None:
            seen: list[dict[str, Any]] = []
            actions: list[int] = []
            for name, tasks in self.shown.items():
                for observation, action in _demonstrated(name, tasks, self.executor):
                    seen.append(observation)
                    actions.append(action)
            batch = {key: torch.from_numpy(np.stack([each[key] for each in seen])) for key in seen[0]}
            self._demonstrations = batch, torch.tensor(actions)
        return self._demonstrations

    def _evaluate(self, model: PPO, name: str, tasks: TaskSet[Any], split: str) -> dict[str, Any]:
        """Success, held-out score and exact match of each task, (tasks, tries)."""
        env = make(name, tasks, split, self.executor)
        rows: dict[str, list[list[float]]] = {"success": [], "held_out": [], "exact": []}
        torch.manual_seed(0)
        for task in env.unwrapped.tasks:  # type: ignore[attr-defined]
            ends = [_episode(env, task.task_id, model) for _ in range(self.settings.tries)]
            for key, row in rows.items():
                row.append([round(end[key], 4) for end in ends])
        return {"tasks": list(env.unwrapped.tasks.ids), **rows}  # type: ignore[attr-defined]


class _Watch(BaseCallback):
    """Success by type, between the points of a curve."""

    def __init__(self, every: int) -> None:
        super().__init__()
        self.every = max(every, 1)
        self.curve: list[dict[str, Any]] = []
        self._ends: dict[str, list[tuple[float, float, float]]] = {}

    def _on_step(self) -> bool:
        for done, info in zip(self.locals["dones"], self.locals["infos"], strict=True):
            if done and "is_success" in info:
                length = float(info["measurements"].get("tokens", 0.0))
                self._ends.setdefault(info["family"], []).append((info["is_success"], info["held_out"], length))
        if self.num_timesteps >= self.every * (len(self.curve) + 1):
            means = {name: np.mean(rows, 0).round(4).tolist() for name, rows in self._ends.items()}
            self.curve.append({"steps": self.num_timesteps, "means": means})
            self._ends = {}
        return True


def _part(tasks: TaskSet[Any], chosen: slice) -> TaskSet[Any]:
    """The set with a part of its training tasks; all of them where the part is empty."""
    part = tasks.splits["train"][chosen] or tasks.splits["train"]
    return replace(tasks, splits={**tasks.splits, "train": part})


def _facts(env: gymnasium.Env[Any, Any]) -> list[str]:
    """The measurements of `FACTS` that an environment can supply."""
    able = Measured(env).measurements
    return [name for name in FACTS if name in able]


def _weights(weighting: Weighting, envs: list[WeightedReward]) -> dict[str, list[float]]:
    """Mean weights of the training tasks of each type."""
    means = {}
    for env in envs:
        base: Any = env.unwrapped
        name = type(base).__name__.removesuffix("Env")
        if name not in means:
            rows = np.stack([env._embed(task.task_id) for task in base.tasks])
            means[name] = weighting.weights(rows, [name] * len(rows)).mean(0).round(4).tolist()
    return means


def _demonstrated(name: str, tasks: TaskSet[Any], executor: Executor) -> list[tuple[dict[str, Any], int]]:
    env = make(name, tasks, "train", executor)
    found = []
    for task in env.unwrapped.tasks:  # type: ignore[attr-defined]
        observation, info = env.reset(options={"task_id": task.task_id})
        over = False
        while not over and info["expert_action"] >= 0:
            action = int(np.flatnonzero(env.kept == info["expert_action"])[0])
            found.append((observation, action))
            observation, _, terminated, truncated, info = env.step(action)
            over = terminated or truncated
    return found


def _episode(env: gymnasium.Env[Any, Any], task_id: str, model: PPO) -> dict[str, float]:
    observation, info = env.reset(options={"task_id": task_id})
    over = False
    while not over:
        action, _ = model.predict(observation, deterministic=False)
        observation, _, terminated, truncated, info = env.step(int(action))
        over = terminated or truncated
    return {
        "success": float(info["is_success"]),
        "held_out": float(info["held_out"]),
        "exact": float(info["measurements"].get("exact", info["is_success"])),
    }


def _same(env: WeightedReward) -> WeightedReward:
    return env
