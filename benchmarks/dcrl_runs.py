"""One run of the alignment benchmark: a warm start, PPO with an objective of its own, evaluation on held-out tasks."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import DummyVecEnv
from torch.nn import functional

from agents.auxiliary import AuxiliaryCallback
from agents.contrastive import contrastive_figures
from agents.contrastive_callback import ContrastiveCallback
from agents.cross_modal_extractor import CrossModalFusionExtractor, CrossModalPointerExtractor
from agents.pairs import Batch, Pairs
from agents.policies import FusionPolicy
from agents.ppo import PPO
from benchmarks.dcrl_methods import DCRL, METHODS, STATIC, Method, callbacks
from benchmarks.dcrl_policy import PoolExtractor
from benchmarks.dcrl_tasks import SHOWN, Problem, Problems, demonstrated, play
from wrappers.alignment_bonus import AlignmentBonus

__all__ = ["Bench", "Budget", "Run", "Settings"]

CURVE = 8
"""Points of a learning curve."""
DEMONSTRATION_BATCH = 64
LANES = 32
"""Evaluation episodes side by side."""
WIDTHS: dict[str, Any] = {"width": 64, "layers": 1, "heads": 4, "encoder_width": 64, "encoder_layers": 1, "hidden": 64}
"""Of the extractor, for CPUs."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What all methods share in a problem.

    Args:
        steps: Of PPO.
        envs: Environments.
        rollout: Steps of each environment between updates.
        epochs: Of PPO.
        n_steps: Contrastive steps before each rollout.
        k: Contrastive steps between adaptations of the schedule.
        warm_start: Gradient steps of imitation before PPO.
        tries: Evaluation episodes per task.
    """

    steps: int
    envs: int = 16
    rollout: int = 16
    epochs: int = 2
    n_steps: int = 8
    k: int = 20
    warm_start: int = 0
    tries: int = 1


@dataclass(frozen=True, slots=True)
class Settings:
    """What all methods share.

    Args:
        search: Budget of a run.
        generation: Budget of a run.
        repair: Budget of a run.
        learning_rate: Of PPO.
        contrastive_rate: Learning rate of the objectives beside PPO.
        entropy: Coefficient of the entropy bonus.
        blocks: Pairs of rollouts that the overhead is measured on, for each seed.
        split: What is reported.
    """

    search: Budget = field(default_factory=lambda: Budget(2560))
    generation: Budget = field(default_factory=lambda: Budget(1536, n_steps=3, k=6, warm_start=80, tries=4))
    repair: Budget = field(default_factory=lambda: Budget(1024, n_steps=6, k=8, warm_start=20, tries=4))
    learning_rate: float = 1e-3
    contrastive_rate: float = 3e-3
    entropy: float = 0.005
    blocks: int = 10
    split: str = "test"

    def budget(self, problem: str) -> Budget:
        """That of a problem."""
        found = getattr(self, problem)
        assert isinstance(found, Budget)
        return found


@dataclass(frozen=True, slots=True)
class Run:
    """What is to be run.

    Args:
        table: "table 1", "table 2" or "overhead".
        problem: One of `dcrl_tasks.PROBLEMS`.
        name: Name of the method in that table.
        method: The method.
        seed: Of the initial policy, the warm start and the training.
    """

    table: str
    problem: str
    name: str
    method: Method
    seed: int

    @property
    def key(self) -> str:
        """What tells it from all others."""
        return " | ".join((self.table, self.problem, self.name, str(self.seed)))


class Bench:
    """Tasks, pairs, demonstrations and warm starts, for many runs of one process.

    Args:
        problems: The problems.
        settings: What all methods share.
    """

    def __init__(self, problems: Problems, settings: Settings) -> None:
        self.problems, self.settings = problems, settings
        self._pairs: dict[str, Pairs] = {}
        self._shown: dict[str, Batch] = {}
        self._lanes: dict[str, list[Any]] = {}
        self._demonstrations: dict[str, tuple[dict[str, torch.Tensor], torch.Tensor]] = {}
        self._warm: dict[tuple[str, int, str], dict[str, Any]] = {}

    def play(self, run: Run) -> dict[str, Any]:
        """Train and evaluate, or measure the overhead; returns JSON values.

        Raises:
            ExecutorError: If the sandbox failed.
        """
        head = {"key": run.key, "table": run.table, "problem": run.problem, "name": run.name, "seed": run.seed}
        whole, cpu = time.perf_counter(), time.process_time()
        found = self._overhead(run) if run.table == "overhead" else self._trained(run)
        return {
            **head, **found, "whole_s": round(time.perf_counter() - whole, 3),
            "whole_cpu_s": round(time.process_time() - cpu, 3),
        }  # fmt: skip

    # training -------------------------------------------------------------------------------------

    def _trained(self, run: Run) -> dict[str, Any]:
        problem, budget = self.problems[run.problem], self.settings.budget(run.problem)
        model, used = self._ready(run)
        watch = _Watch(budget.steps // CURVE, self._held_out(problem))
        wall, cpu = time.perf_counter(), time.process_time()
        model.learn(budget.steps, callback=[*used, watch])
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        contrastive = next(each for each in used if isinstance(each, ContrastiveCallback))
        return {
            "wall_s": round(wall, 3), "cpu_s": round(cpu, 3), "contrastive_steps": used[-1].steps,
            "contrastive_share": sum(each.seconds for each in used) / wall,
            "hyper_share": contrastive._hyper_seconds / wall, "curve": watch.curve,
            "scores": self._evaluate(model, problem, budget),
        }  # fmt: skip

    def _ready(self, run: Run) -> tuple[PPO, list[AuxiliaryCallback]]:
        """A model after its warm start, and the callbacks of its method."""
        settings, budget = self.settings, self.settings.budget(run.problem)
        problem = self.problems[run.problem]
        set_random_seed(run.seed)
        envs = [problem.environment("train") for _ in range(budget.envs)]
        wrapped = [AlignmentBonus(env, gamma=1.0, gate=False) if run.method.bonus else env for env in envs]
        vector = DummyVecEnv([partial(_same, env) for env in wrapped])
        vector.seed(run.seed)
        model = PPO(
            FusionPolicy, vector, n_steps=budget.rollout, batch_size=budget.envs * budget.rollout // 4,
            n_epochs=budget.epochs, learning_rate=settings.learning_rate, ent_coef=settings.entropy, gamma=1.0,
            seed=run.seed, device="cpu", policy_kwargs={
                "features_extractor_class": PoolExtractor if run.problem == "search" else CrossModalPointerExtractor,
                "features_extractor_kwargs": WIDTHS | {"fusion": run.method.fusion},
            },
        )  # fmt: skip
        self._warm_start(model, run)
        if not run.method.gate:
            model.policy.features_extractor.gate.requires_grad_(False)
        set_random_seed(run.seed)
        used = callbacks(
            run.method, run.problem, self._positives(problem), n_steps=budget.n_steps, k=budget.k, seed=run.seed,
            learning_rate=settings.contrastive_rate,
        )  # fmt: skip
        return model, used

    def _warm_start(self, model: PPO, run: Run) -> None:
        """Begin with a policy that knows a little: the same for all methods of a seed that have the same fusion."""
        steps = self.settings.budget(run.problem).warm_start
        key = (run.problem, run.seed, run.method.fusion)
        if steps and key not in self._warm:
            self._imitate(model, run, steps)
            self._warm[key] = copy.deepcopy(model.policy.state_dict())
        if steps:
            model.policy.load_state_dict(self._warm[key])

    def _imitate(self, model: PPO, run: Run, steps: int) -> None:
        observations, actions = self._demonstrated(self.problems[run.problem])
        adam = torch.optim.Adam(model.policy.parameters(), 2e-3)
        generator = torch.Generator().manual_seed(run.seed)
        for _ in range(steps):
            chosen = torch.randint(len(actions), (DEMONSTRATION_BATCH,), generator=generator)
            batch = {key: rows[chosen] for key, rows in observations.items()}
            logits = model.policy.get_distribution(batch).distribution.logits  # type: ignore[union-attr]
            loss = functional.cross_entropy(logits, actions[chosen])
            adam.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.policy.parameters(), 1.0)
            adam.step()

    # the overhead ---------------------------------------------------------------------------------

    def _overhead(self, run: Run) -> dict[str, Any]:
        """Rollouts with their updates, of the static agent and of DCRL in turn; who is first alternates."""
        models = {name: self._ready(Run("", run.problem, name, METHODS[name], run.seed)) for name in (STATIC, DCRL)}
        budget = self.settings.budget(run.problem)
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in models}
        shares: dict[str, float] = dict.fromkeys(models, 0.0)
        hyper = 0.0
        for block in range(-1, self.settings.blocks):
            for name in list(models)[:: 1 if block % 2 else -1]:
                model, used = models[name]
                wall, cpu = time.perf_counter(), time.process_time()
                model.learn(budget.envs * budget.rollout, callback=list(used), reset_num_timesteps=False)
                spent = time.perf_counter() - wall, time.process_time() - cpu
                if block < 0:
                    continue  # the first one loads what is loaded late
                times[name].append(spent)
                shares[name] += sum(each.seconds for each in used)
                assert isinstance(used[0], ContrastiveCallback)
                hyper += used[0]._hyper_seconds
        totals = {name: np.sum(rows, 0) for name, rows in times.items()}
        return {
            "ratio": float(totals[DCRL][0] / totals[STATIC][0]),
            "cpu_ratio": float(totals[DCRL][1] / totals[STATIC][1]),
            "contrastive_share": {name: shares[name] / totals[name][0] for name in models},
            "hyper_share": hyper / totals[DCRL][0], "times": times,
        }  # fmt: skip

    # what runs share ------------------------------------------------------------------------------

    def _positives(self, problem: Problem) -> Pairs:
        if problem.name not in self._pairs:
            splits = ["train", *(["demonstrations"] if "demonstrations" in problem.tasks.splits else [])]
            self._pairs[problem.name] = problem.pairs(splits)
        return self._pairs[problem.name]

    def _held_out(self, problem: Problem) -> Batch:
        if problem.name not in self._shown:
            pairs = problem.pairs([problem.split], SHOWN)
            self._shown[problem.name] = pairs.sample(len(pairs), np.random.default_rng(0))
        return self._shown[problem.name]

    def _demonstrated(self, problem: Problem) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        if problem.name not in self._demonstrations:
            seen, actions = zip(*demonstrated(problem), strict=True)
            batch = {key: torch.from_numpy(np.stack([each[key] for each in seen])) for key in seen[0]}
            self._demonstrations[problem.name] = batch, torch.tensor(actions)
        return self._demonstrations[problem.name]

    def _evaluate(self, model: PPO, problem: Problem, budget: Budget) -> dict[str, list[float]]:
        """`held_out` and `is_success` of each task, means over the tries; one try is deterministic, several sampled."""
        if problem.name not in self._lanes:
            self._lanes[problem.name] = [problem.environment(problem.split) for _ in range(LANES)]
        ids = problem.tasks.split(problem.split).ids
        torch.manual_seed(0)
        episodes = [(number, task_id) for number, task_id in enumerate(ids) for _ in range(budget.tries)]
        ends = play(self._lanes[problem.name], episodes, model, deterministic=budget.tries == 1)
        table = np.array([[float(end["held_out"]), float(end["is_success"])] for end in ends])
        means = table.reshape(len(ids), budget.tries, 2).mean(1).round(4)
        return {"held_out": means[:, 0].tolist(), "success": means[:, 1].tolist()}


class _Watch(BaseCallback):
    """Success, alignment of held-out pairs, gate and temperature, between the points of a curve."""

    def __init__(self, every: int, shown: Batch) -> None:
        super().__init__()
        self.every, self.shown = max(every, 1), shown
        self.curve: list[dict[str, Any]] = []
        self.episodes = 0
        self._ends: list[tuple[float, float]] = []

    def _on_step(self) -> bool:
        for done, info in zip(self.locals["dones"], self.locals["infos"], strict=True):
            if done and "is_success" in info:
                self._ends.append((float(info["held_out"]), float(info["is_success"])))
        return True

    def _on_rollout_start(self) -> None:
        if self.num_timesteps >= self.every * len(self.curve):
            self._point()

    def _on_training_end(self) -> None:
        self._point()

    def _point(self) -> None:
        extractor = self.model.policy.features_extractor
        assert isinstance(extractor, CrossModalFusionExtractor)
        means = np.mean(self._ends, 0).round(4).tolist() if self._ends else [None, None]
        self.episodes += len(self._ends)
        self._ends = []
        with torch.no_grad():
            keys = {extractor.code_key: self.shown.code, extractor.text_key: self.shown.text}
            figures = contrastive_figures(*extractor.embed(keys), self.shown.groups)
            point = {
                "steps": self.num_timesteps, "episodes": self.episodes, "held_out": means[0], "success": means[1],
                "temperature": extractor.temperature.item(), "margin": extractor.margin.item(),
                **{key: round(value, 4) for key, value in figures._asdict().items()},
            }  # fmt: skip
            if extractor.gate is not None:
                logits = extractor.gate.weight @ extractor.progress + extractor.gate.bias
                quantiles = torch.sigmoid(logits).quantile(torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95]))
                point["gate"] = [round(each, 4) for each in quantiles.tolist()]
        self.curve.append(point)


def _same(env: Any) -> Any:
    return env
