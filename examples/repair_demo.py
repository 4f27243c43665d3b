"""Train a repair agent from nothing, evaluate it on programs it never saw, and draw what it learnt.

    python -m examples.repair_demo

The agent first imitates the known way back from injected faults, on the states that it visits itself,
and is then fine-tuned by PPO on the reward of CodeRepair-v0. It trains on mutated built-in programs, and on
MBPP's as well where CODE_ENVS_DATA names a folder that has them. Everything is written to `runs/repair_demo`.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import set_random_seed
from tqdm import tqdm

from agents.imitation import Imitation, ImitationConfig
from agents.policies import FusionPolicy
from agents.vec_env import VectorEnvAdapter
from benchmarks.repair import ordered, rollout, show, survey
from code_envs.envs.rendering import write_gif
from code_envs.envs.repair import CodeRepairEnv
from code_envs.execution.executor import Executor
from code_envs.execution.pool import open_executor
from code_envs.tasks.mutation import mutants
from code_envs.tasks.sources import load
from code_envs.tasks.task import TaskSet, joined
from code_envs.vector import CodeVectorEnv

mpl.use("Agg")
from matplotlib import pyplot

STORY = 6
"""The episode drawn is the longest repair of at most so many executions."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that shapes a run."""

    out: str = "runs/repair_demo"
    seed: int = 0
    minutes: float = 6.5
    builtin_mutants: int = 16
    mbpp_mutants: int = 8
    test_programs: int = 64
    num_envs: int = 32
    ppo_share: float = 0.15
    timeout_s: float = 0.5
    shuffles: int = 20


def main() -> None:
    """Train, evaluate, draw."""
    settings = _settings()
    out = Path(settings.out)
    out.mkdir(parents=True, exist_ok=True)
    set_random_seed(settings.seed)
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(2)
    executor = open_executor("local:2")
    train, test = make_tasks(settings, executor)
    print(f"{len(train)} faulty programs to train on, {len(test)} of other originals to test on")
    vector = CodeVectorEnv(
        settings.num_envs,
        env=CodeRepairEnv,
        tasks=train,
        executor=executor,
        timeout_s=settings.timeout_s,
        expert=True,
        autoreset_mode="SameStep",
    )
    env = VectorEnvAdapter(vector)
    env.seed(settings.seed)
    model = PPO(
        FusionPolicy, env, n_steps=32, batch_size=128, n_epochs=2, learning_rate=5e-5, gamma=0.98, clip_range=0.1,
        ent_coef=0.0, target_kl=0.01, seed=settings.seed, device="cpu",
    )  # fmt: skip
    untrained = rollout(model.policy, test, executor, 50, settings.timeout_s)
    pupil = FusionPolicy(
        env.observation_space, env.action_space, lambda _: 0.0, features_extractor_kwargs={"dropout": 0.1}
    )
    curve = imitate(pupil, env, settings)
    model.policy.load_state_dict(pupil.state_dict())
    curve += reinforce(model, settings)
    model.save(out / "policy.zip")
    (out / "run.json").write_text(json.dumps({"settings": asdict(settings), "curve": curve}, indent=1))
    draw_curve(curve, out / "learning_curve.png")
    surveyed = survey(test, executor, settings.timeout_s)
    runs = {
        "random": ordered(surveyed, settings.shuffles, by_suspicion=False),
        "ochiai": ordered(surveyed, settings.shuffles, by_suspicion=True),
        "untrained policy": [untrained],
        "policy": [rollout(model.policy, test, executor, 50, settings.timeout_s)],
    }
    report = show(runs, [1, 10, 50], surveyed)
    (out / "table.md").write_text(report + "\n")
    repaired = [trace for trace in runs["policy"][0] if trace.correct]
    told = sorted(repaired, key=lambda trace: (trace.plausible_at > STORY, -trace.plausible_at))
    draw_episode(model, test, executor, [trace.task_id for trace in told], out)
    print(report)
    print(f"Written to {out}: policy.zip, learning_curve.png, episode.gif, table.md, run.json")


def _settings() -> Settings:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    for each in fields(Settings):
        parser.add_argument(f"--{each.name.replace('_', '-')}", type=type(each.default), default=each.default)
    return Settings(**vars(parser.parse_args()))


def make_tasks(settings: Settings, executor: Executor) -> tuple[TaskSet, TaskSet]:
    """Faulty programs to train on, and faulty programs of other originals to test on."""
    sources = {"builtin": settings.builtin_mutants}
    if os.environ.get("CODE_ENVS_DATA"):
        sources["mbpp"] = settings.mbpp_mutants
    train, test = [], []
    for source, count in sources.items():
        originals = load(source, executor)
        print(f"{source}: {len(originals)} programs; injecting faults")
        train.append(mutants(originals.split("train"), executor, count, settings.seed))
        test.append(mutants(originals.split("test"), executor, 4, settings.seed + 1))
    tested = joined("test", test)
    rng = np.random.default_rng(settings.seed)
    chosen = rng.permutation(len(tested))[: settings.test_programs]
    return joined("train", train), TaskSet(
        "test", tuple(tested[int(number)] for number in sorted(chosen)), tested.licence, tested.origin, tested.sha256
    )


def imitate(policy: FusionPolicy, env: VectorEnvAdapter, settings: Settings) -> list[dict[str, float]]:
    """Learn from the known ways back for most of the time."""
    deadline = settings.minutes * 60 * (1 - settings.ppo_share)
    began = time.perf_counter()
    curve: list[dict[str, float]] = []
    teacher = Imitation(policy, env, ImitationConfig(common_actions=(1,)), settings.seed)
    with tqdm(total=100, desc="imitation", unit="%") as bar:

        def progress(row: dict[str, float]) -> float:
            done = min((time.perf_counter() - began) / deadline, 1.0)
            bar.update(round(100 * done) - bar.n)
            bar.set_postfix(accuracy=f"{row['accuracy']:.2f}", success=f"{row['success']:.2f}")
            curve.append({"phase": 0.0, "minutes": (time.perf_counter() - began) / 60, **row})
            return done

        teacher.learn(progress)
    return curve


class Progress(BaseCallback):
    """Stops PPO when its time is over, and records the success of finished episodes."""

    def __init__(self, seconds: float, offset: float) -> None:
        super().__init__()
        self.seconds = seconds
        self.offset = offset
        self.curve: list[dict[str, float]] = []
        self.solved: list[float] = []
        self.bar = tqdm(total=100, desc="ppo", unit="%")

    def _on_training_start(self) -> None:
        self.began = time.perf_counter()

    def _on_step(self) -> bool:
        self.solved += [float(info["is_success"]) for info in self.locals["infos"] if "is_success" in info]
        done = min((time.perf_counter() - self.began) / self.seconds, 1.0)
        self.bar.update(round(100 * done) - self.bar.n)
        return done < 1.0

    def _on_rollout_end(self) -> None:
        success = float(np.mean(self.solved[-200:])) if self.solved else 0.0
        minutes = self.offset + (time.perf_counter() - self.began) / 60
        self.curve.append({"phase": 1.0, "minutes": minutes, "success": success})
        self.bar.set_postfix(success=f"{success:.2f}")

    def _on_training_end(self) -> None:
        self.bar.close()


def reinforce(model: PPO, settings: Settings) -> list[dict[str, float]]:
    """Fine-tune by PPO on the environment's reward for the rest of the time."""
    imitation = settings.minutes * (1 - settings.ppo_share)
    callback = Progress(settings.minutes * 60 * settings.ppo_share, imitation)
    model.learn(10**9, callback=callback)
    return callback.curve


def draw_curve(curve: list[dict[str, float]], path: Path) -> None:
    """What each phase of the training improves, over time."""
    figure, panels = pyplot.subplots(1, 2, figsize=(9, 3.6), layout="constrained", sharey=True)
    names = (("imitation", "accuracy", "expert's edit chosen among about 130"), ("PPO", "success", "episodes repaired"))
    for phase, (axes, (title, key, label)) in enumerate(zip(panels, names, strict=True)):
        rows = [row for row in curve if row["phase"] == phase]
        axes.plot([row["minutes"] for row in rows], [row[key] for row in rows], marker=".")
        axes.set(title=f"{title}, training tasks", xlabel="minutes", ylabel=label, ylim=(0, 1))
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def draw_episode(model: PPO, tasks: TaskSet, executor: Executor, repaired: list[str], out: Path) -> None:
    """A picture of each step of one repaired program, as a GIF."""
    if not repaired:
        print("No test program was repaired; there is no episode to draw.")
        return
    env = CodeRepairEnv(tasks=tasks, executor=executor, render_mode="rgb_array")
    observation, _ = env.reset(options={"task_id": repaired[0]}, seed=0)
    frames: list[Any] = [env.render()]
    over = False
    while not over:
        action, _ = model.predict(observation, deterministic=True)
        observation, _, terminated, truncated, _ = env.step(action)
        over = terminated or truncated
        frames.append(env.render())
    write_gif(out / "episode.gif", frames, fps=1)


if __name__ == "__main__":
    main()
