"""How many functions that were never trained on does an agent write from their descriptions?

    python -m benchmarks.generation --json runs/generation.json --out docs/results

CodeGeneration-v0 with the grammar, on the built-in curriculum. The agent imitates the derivations of the training
functions and of many more that are drawn from the grammar and described by it, then is fine-tuned by PPO on the tests'
reward. It is compared on the functions of the splits "validation"
and "test" with choosing productions at random, and with choosing each production as often as the training functions
do for a hole of that type (a probabilistic grammar, which reads no description). A function counts as written within
k programs when one of the first k different programs that a method makes passes all reward tests, and the first that
does passes the held-out tests too.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import matplotlib as mpl
import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.utils import set_random_seed
from tqdm import tqdm

from agents.evaluation import Interval, bootstrap_mean, within
from agents.imitation import Imitation, ImitationConfig
from agents.policies import FusionPolicy
from agents.vec_env import VectorEnvAdapter
from code_envs.envs.drafts import GrammarDraft
from code_envs.envs.generation import CodeGenerationEnv
from code_envs.errors import CodeEnvsError
from code_envs.execution.executor import Executor
from code_envs.execution.pool import open_executor
from code_envs.tasks.sources import load
from code_envs.tasks.synthesis import synthesise
from code_envs.tasks.task import TaskSet, joined
from code_envs.vector import CodeVectorEnv

mpl.use("Agg")
from matplotlib import pyplot

__all__ = ["frequencies", "written_at"]

TIMEOUT_S = 0.5
SMOOTHING = 0.05
SIZE = {"code_layers": 1}
Choose = Callable[[list[CodeGenerationEnv], list[Any]], Sequence[int]]
"""From environments whose episodes run, and their observations, to an action for each."""


def written_at(
    tasks: TaskSet, executor: Executor, programs: int, choose: Choose, seed: int, retries: int = 2
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How many different programs a method needs for each task.

    Args:
        tasks: What to write.
        executor: Runs the programs.
        programs: Different programs per task, at most: those of `retries` times as many episodes.
        choose: The method.
        seed: Seeds the environments.
        retries: See `programs`.

    Returns:
        Programs until the task was done, infinity if never, (num_tasks,) float64; and the same for the reward tests
        alone.
    """
    envs = [CodeGenerationEnv(tasks=tasks, executor=executor, timeout_s=TIMEOUT_S) for _ in tasks]
    done, plausible = np.full(len(tasks), np.inf), np.full(len(tasks), np.inf)
    tried: list[set[str]] = [set() for _ in tasks]
    for attempt in range(programs * retries):
        open_ = [
            number for number in range(len(tasks)) if np.isinf(plausible[number]) and len(tried[number]) < programs
        ]
        if not open_:
            break
        for number, info in _episodes([envs[each] for each in open_], [tasks[each].task_id for each in open_], choose,
                                      seed + attempt):  # fmt: skip
            task = open_[number]
            tried[task].add(info["program"])
            if "all_tests" in info["events"]:
                plausible[task] = len(tried[task])
                done[task] = plausible[task] if info["is_success"] else np.inf
    return done, plausible


def _episodes(
    envs: list[CodeGenerationEnv], ids: list[str], choose: Choose, seed: int
) -> list[tuple[int, dict[str, Any]]]:
    """One episode of each environment, side by side; their last infos."""
    seen = {
        n: env.reset(seed=seed, options={"task_id": each})[0]
        for n, (env, each) in enumerate(zip(envs, ids, strict=True))
    }
    ended = []
    while seen:
        numbers = list(seen)
        actions = choose([envs[number] for number in numbers], [seen[number] for number in numbers])
        for number, action in zip(numbers, actions, strict=True):
            seen[number], _, terminated, truncated, info = envs[number].step(int(action))
            if terminated or truncated:
                ended.append((number, info))
                del seen[number]
    return ended


def frequencies(tasks: TaskSet, executor: Executor) -> dict[str, Counter[str]]:
    """How often the reference programs use each production, by the type of the hole."""
    env = CodeGenerationEnv(tasks=tasks, executor=executor, expert=True)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for task in tasks:
        _, info = env.reset(options={"task_id": task.task_id})
        over = False
        while not over and info["expert_action"] >= 0:
            draft = _draft(env)
            chosen = draft.derivation.candidates()[info["expert_action"]]
            counts[draft.derivation.hole.kind][_general(chosen.key)] += 1
            _, _, terminated, truncated, info = env.step(info["expert_action"])
            over = terminated or truncated
    return counts


def _draft(env: CodeGenerationEnv) -> GrammarDraft:
    assert env.state is not None
    assert isinstance(env.state.draft, GrammarDraft)
    return env.state.draft


def _general(key: str) -> str:
    """The production without the name it is about."""
    return key.split()[0] if key.startswith(("name ", "set ", "add ", "append ", "assign ")) else key


def by_frequency(counts: Mapping[str, Counter[str]], rng: np.random.Generator) -> Choose:
    """Draw each production as often as the training programs use it."""

    def choose(envs: list[CodeGenerationEnv], _: list[Any]) -> list[int]:
        actions = []
        for env in envs:
            derivation = _draft(env).derivation
            offered = derivation.candidates()
            used = counts.get(derivation.hole.kind, Counter())
            weights = np.array([used[_general(each.key)] + SMOOTHING for each in offered])
            actions.append(int(rng.choice(len(offered), p=weights / weights.sum())))
        return actions

    return choose


def at_random(rng: np.random.Generator) -> Choose:
    """Draw productions uniformly."""
    return lambda envs, _: [int(rng.choice(np.flatnonzero(env.action_masks()))) for env in envs]


def by_policy(policy: ActorCriticPolicy) -> Choose:
    """Sample from a policy."""

    def choose(_: list[CodeGenerationEnv], seen: list[Any]) -> list[int]:
        batch = {key: np.stack([each[key] for each in seen]) for key in seen[0]}
        actions: list[int] = policy.predict(batch, deterministic=False)[0].tolist()
        return actions

    return choose


def train(tasks: TaskSet, executor: Executor, minutes: float, ppo_share: float, seed: int) -> tuple[PPO, list[Any]]:
    """Imitate the derivations of the references, then reinforce; the model and the learning curve."""
    set_random_seed(seed)
    vector = CodeVectorEnv(
        16,
        env=CodeGenerationEnv,
        tasks=tasks,
        executor=executor,
        expert=True,
        autoreset_mode="SameStep",
        timeout_s=TIMEOUT_S,
    )
    env = VectorEnvAdapter(vector)
    env.seed(seed)
    model = PPO(
        FusionPolicy, env, n_steps=64, batch_size=256, n_epochs=2, learning_rate=1e-4, gamma=1.0, ent_coef=0.01,
        clip_range=0.2, target_kl=0.03, seed=seed, device="cpu", policy_kwargs={"features_extractor_kwargs": SIZE},
    )  # fmt: skip
    assert isinstance(env.observation_space, gymnasium.spaces.Dict)
    pupil = FusionPolicy(
        env.observation_space, env.action_space, lambda _: 0.0, features_extractor_kwargs={**SIZE, "dropout": 0.1}
    )
    curve: list[Any] = []
    began = time.perf_counter()
    seconds = 60 * minutes * (1 - ppo_share)
    with tqdm(total=100, desc="imitation", unit="%") as bar:

        def progress(row: dict[str, float]) -> float:
            done = min((time.perf_counter() - began) / seconds, 1.0)
            bar.update(round(100 * done) - bar.n)
            bar.set_postfix(accuracy=f"{row['accuracy']:.2f}", success=f"{row['success']:.2f}")
            curve.append({"minutes": (time.perf_counter() - began) / 60, **row})
            return done

        config = ImitationConfig(always_compared=(), negatives=None, expert_share=0.8, weight_decay=0.05)
        Imitation(pupil, env, config, seed).learn(progress)
    model.policy.load_state_dict(pupil.state_dict())
    if ppo_share:
        _reinforce(model, 60 * minutes * ppo_share)
    return model, curve


def _reinforce(model: PPO, seconds: float) -> None:
    began = time.perf_counter()
    with tqdm(total=100, desc="ppo", unit="%") as bar:

        def proceed(*_: Any) -> bool:
            done = min((time.perf_counter() - began) / seconds, 1.0)
            bar.update(round(100 * done) - bar.n)
            return done < 1

        model.learn(10**9, callback=proceed)


def show(results: Mapping[str, NDArray[np.float64]], budgets: Sequence[int]) -> str:
    """The table as Markdown: functions written within so many programs."""
    lines = ["| written within | " + " | ".join(f"{budget} programs" for budget in budgets) + " |"]
    lines.append("|---" * (len(budgets) + 1) + "|")
    for method, at in results.items():
        cells = [str(bootstrap_mean(within(at, budget), at.shape[1])) for budget in budgets]
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw(results: Mapping[str, NDArray[np.float64]], programs: int, path: Path) -> None:
    """Functions written over programs made, with 95 % intervals."""
    figure, axes = pyplot.subplots(figsize=(6, 3.8), layout="constrained")
    budgets = np.unique(np.geomspace(1, programs, 24).round().astype(int))
    for method, at in results.items():
        found: list[Interval] = [bootstrap_mean(within(at, budget), 100) for budget in budgets]
        axes.plot(budgets, [each.estimate for each in found], label=method)
        axes.fill_between(budgets, [each.low for each in found], [each.high for each in found], alpha=0.2)
    axes.set(xscale="log", xlabel="different programs per function", ylabel="functions written, %", ylim=(0, 100))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def page(report: str, settings: Mapping[str, Any], unseen: int, known: int, drawn: int) -> str:
    """The page of the results."""
    machine = f"{os.cpu_count()} shared {platform.machine()} cores, Python {platform.python_version()}"
    names = ("minutes", "ppo_share", "drawn", "seeds", "programs")
    command = " ".join(f"--{name.replace('_', '-')} {settings[name]}" for name in names)
    return f"""# CodeGeneration-v0: functions that were never trained on

`python -m benchmarks.generation {command} --json runs/generation.json --out docs/results`

{unseen} functions of the splits "validation" and "test" of the curriculum, written by productions of the grammar from
their descriptions. To learn from: {known} functions of the split "train", and {drawn} that were drawn from the grammar
and described by it. A function counts as written within k programs when one of the first k different programs of a
method passes all reward tests, and the first that does passes the held-out tests too. Training runs and runs of the
baselines: {settings["seeds"]} (seeds from 0), {settings["minutes"]:g} minutes each, {settings["ppo_share"]:.0%} PPO.
Brackets: 95 % bootstrap over functions and runs. Machine: {machine}, torch {torch.__version__}. Training is limited by
time, so runs differ.

{report}

`random` draws valid productions uniformly; `grammar frequencies` draws them as often as the training functions use them
for a hole of that type, and reads no description.

![functions written over programs made](generation.png)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.generation", description=__doc__.split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=5.0, help="training time of one run")
    parser.add_argument("--ppo-share", type=float, default=0.4, help="share of it for PPO")
    parser.add_argument("--drawn", type=int, default=1200, help="functions drawn from the grammar to learn from")
    parser.add_argument("--seeds", type=int, default=3, help="training runs, and runs of the baselines")
    parser.add_argument("--programs", type=int, default=100, help="different programs per function")
    parser.add_argument("--quick", action="store_true", help="one run of one minute, 20 programs, 300 drawn functions")
    parser.add_argument("--json", type=Path, help="write the results here")
    parser.add_argument("--out", type=Path, help="write generation.md and generation.png here")
    options = parser.parse_args(arguments)
    if options.quick:
        options.minutes, options.seeds, options.programs, options.drawn = 1.0, 1, 20, 300
    try:
        return _run(options)
    except CodeEnvsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    torch.set_num_threads(2)
    executor = open_executor("local:2")
    tasks = load("curriculum", executor)
    known, unseen = tasks.split("train"), joined("held-out", [tasks.split("validation"), tasks.split("test")])
    counts = frequencies(known, executor)
    drawn = synthesise(known, executor, options.drawn)
    lessons = joined("lessons", [known, drawn])
    runs: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
    curves = []
    for seed in range(options.seeds):
        model, curve = train(lessons, executor, options.minutes, options.ppo_share, seed)
        curves.append(curve)
        methods = {
            "random": at_random(np.random.default_rng(seed)),
            "grammar frequencies": by_frequency(counts, np.random.default_rng(seed)),
            "policy": by_policy(model.policy),
        }
        for name, choose in methods.items():
            runs[name].append(written_at(unseen, executor, options.programs, choose, 1000 * seed)[0])
    results = {name: np.stack(each) for name, each in runs.items()}
    budgets = [budget for budget in (1, 10, 20, 50, 100) if budget <= options.programs]
    report = show(results, budgets)
    print(report)
    print(
        f"{len(unseen)} functions that no method was made from; {len(known)} and {len(drawn)} drawn ones to learn from."
    )
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        draw(results, options.programs, options.out / "generation.png")
        text = page(report, vars(options), len(unseen), len(known), len(drawn))
        (options.out / "generation.md").write_text(text)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        rows = {name: np.where(np.isinf(each), -1, each).tolist() for name, each in results.items()}
        settings = {key: value for key, value in vars(options).items() if key not in ("json", "out")}
        record = {"settings": settings, "tasks": unseen.ids, "written_at": rows, "curves": curves}
        options.json.write_text(json.dumps(record, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
