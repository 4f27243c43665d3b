"""How soon is the function found that a docstring describes? MRR on functions of modules that were never trained on.

    python -m benchmarks.search --json runs/search/result.json

Trains `RetrievalPolicy` from nothing on the standard library's train split (imitation of the known answer, pools of
random and of hard distractors), then lets it, BM25 and chance play the same episodes of the test split. The return
of an episode is its reciprocal rank. `--quick` trains for half a minute and leaves the page of results alone.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.utils import set_random_seed

from agents.evaluation import Interval, bootstrap_mean
from agents.imitation import Imitation, ImitationConfig
from agents.retrieval import RetrievalPolicy
from agents.vec_env import VectorEnvAdapter
from code_envs.envs.search import CodeSearchEnv
from code_envs.errors import CodeEnvsError, ConfigurationError
from code_envs.tasks.search_set import SearchSet
from code_envs.tasks.sources import load
from code_envs.vector import CodeVectorEnv

__all__ = [
    "Settings",
    "Trained",
    "bm25",
    "chance",
    "compare",
    "draw",
    "learn",
    "main",
    "play",
    "show",
    "summarise",
    "trained",
    "verdict",
]

Observation = dict[str, NDArray[Any]]
Chooser = Callable[[Observation], int]

DISTRACTORS = ("random", "hard")
BATCH, UPDATES = 32, 48
DROPOUT = 0.2
CURVE = 8
"""Points of the learning curve."""
SEED_STEP = 1_000_003
GAIN = "policy - bm25"
LITERATURE = """The literature's MRR on CodeSearchNet Python (CodeBERT 0.672, GraphCodeBERT 0.692, CodeT5+ 0.742) is
of another protocol: 999 distractors, other functions, models pretrained on millions of them. It must not be compared
with the figures of this page."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What shapes a run.

    Args:
        tasks: Task source.
        pool_size: Functions in a pool.
        minutes: Training, wall clock.
        seeds: Each test query is played with so many pools.
        seed: Of the training.
        num_envs: Episodes side by side while training.
    """

    tasks: str = "stdlib"
    pool_size: int = 32
    minutes: float = 8.0
    seeds: int = 3
    seed: int = 0
    num_envs: int = 16


DEFAULTS = Settings()


# who chooses --------------------------------------------------------------------------------------


def chance(seed: int) -> Chooser:
    """Any function that was not picked."""
    random = np.random.default_rng(seed)
    return lambda observation: int(random.choice(np.flatnonzero(observation["action_mask"])))


def bm25(observation: Observation) -> int:
    """The function with the highest BM25 of those not picked, the first where several have it."""
    scores = np.where(observation["action_mask"] > 0, observation["pool_scores"][:, 0], -1.0)
    return int(scores.argmax())


def trained(policy: ActorCriticPolicy) -> Chooser:
    """The policy's most probable action."""
    return lambda observation: int(policy.predict(observation, deterministic=True)[0])


def play(env: gymnasium.Env[Any, Any], choose: Chooser, seed: int) -> NDArray[np.float64]:
    """One episode of every task, in order; the pools are the same for every chooser.

    Args:
        env: CodeSearch, in any wrappers.
        choose: Gives an action for an observation.
        seed: Of the pools.

    Returns:
        Returns of the episodes, which are the reciprocal ranks, (num_tasks,) float64.
    """
    returns = []
    base = env.unwrapped
    assert isinstance(base, CodeSearchEnv)
    for number, task_id in enumerate(base.tasks.ids):
        observation, _ = env.reset(seed=seed * SEED_STEP + number, options={"task_id": task_id})
        total, over = 0.0, False
        while not over:
            observation, reward, terminated, truncated, _ = env.step(choose(observation))
            total += float(reward)
            over = terminated or truncated
        returns.append(total)
    return np.array(returns)


# training -----------------------------------------------------------------------------------------


class Trained(NamedTuple):
    """What training gave."""

    model: PPO
    untrained: ActorCriticPolicy
    """The policy before it."""
    curve: list[dict[str, float]]
    """Minutes, loss, and the MRR of the policy's first ranking on the validation split, by distractors."""


def learn(tasks: SearchSet, settings: Settings, quiet: bool = False) -> Trained:
    """Train a policy on the train split."""
    set_random_seed(settings.seed)
    vector = CodeVectorEnv(
        settings.num_envs,
        env=CodeSearchEnv,
        tasks=tasks.split("train"),
        pool_size=settings.pool_size,
        distractors="mixed",
        bm25=True,
        expert=True,
        autoreset_mode=AutoresetMode.SAME_STEP,
    )
    env = VectorEnvAdapter(vector)
    env.seed(settings.seed)
    widths = {"features_extractor_kwargs": {"dropout": DROPOUT}}
    model = PPO(RetrievalPolicy, env, policy_kwargs=widths, seed=settings.seed, device="cpu")
    untrained = copy.deepcopy(model.policy)
    shown = {name: _first_observations(_env(tasks, "validation", name, settings)) for name in DISTRACTORS}
    curve: list[dict[str, float]] = []
    began, budget = time.perf_counter(), 60 * settings.minutes

    def progress(row: dict[str, float]) -> float:
        share = (time.perf_counter() - began) / budget
        if share * CURVE >= len(curve):
            found = {name: _first_ranking(model.policy, *each) for name, each in shown.items()}
            curve.append({"minutes": share * settings.minutes, "loss": row["loss"], **found})
            if not quiet:
                print({key: round(value, 3) for key, value in (row | curve[-1]).items()}, flush=True)
        return share

    config = ImitationConfig(
        learning_rate=2e-3, expert_share=1.0, negatives=None, always_compared=(), batch_size=BATCH, updates=UPDATES
    )
    Imitation(model.policy, env, config, seed=settings.seed).learn(progress)
    found = {name: _first_ranking(model.policy, *each) for name, each in shown.items()}
    curve.append({"minutes": (time.perf_counter() - began) / 60, "loss": curve[-1]["loss"], **found})
    return Trained(model, untrained, curve)


def _env(tasks: SearchSet, split: str, distractors: str, settings: Settings) -> CodeSearchEnv:
    return CodeSearchEnv(
        tasks, split, pool_size=settings.pool_size, distractors=distractors, bm25=True, expert=True
    )  # fmt: skip


def _first_observations(env: CodeSearchEnv) -> tuple[dict[str, torch.Tensor], NDArray[np.int64]]:
    """What an agent sees at the start of every task, stacked, and the answers."""
    starts = [env.reset(seed=number, options={"task_id": each}) for number, each in enumerate(env.tasks.ids)]
    stacked = {
        key: torch.from_numpy(np.stack([observation[key] for observation, _ in starts]).astype(np.float32))
        for key in env.observation_space.spaces
    }
    return stacked, np.array([info["expert_action"] for _, info in starts])


def _first_ranking(policy: ActorCriticPolicy, seen: dict[str, torch.Tensor], answers: NDArray[np.int64]) -> float:
    """MRR of the ranking that a policy gives at the start."""
    ranks = []
    with torch.no_grad():
        for first in range(0, len(answers), BATCH):
            part = {key: value[first : first + BATCH] for key, value in seen.items()}
            logits = policy.get_distribution(part).distribution.logits.numpy()  # type: ignore[union-attr]
            right = logits[np.arange(len(logits)), answers[first : first + BATCH], None]
            ranks.append(1 + (logits > right).sum(1))
    return float((1 / np.concatenate(ranks)).mean())


# results ------------------------------------------------------------------------------------------


def compare(tasks: SearchSet, result: Trained, settings: Settings) -> dict[str, dict[str, Any]]:
    """Reciprocal ranks of every method on the test split, by distractors and method, (seeds, num_tasks) float64."""
    methods: dict[str, Chooser] = {
        "chance": chance(settings.seed),
        "bm25": bm25,
        "untrained policy": trained(result.untrained),
        "policy": trained(result.model.policy),
    }
    found: dict[str, dict[str, Any]] = {}
    for name in DISTRACTORS:
        env = _env(tasks, "test", name, settings)
        found[name] = {
            method: np.stack([play(env, choose, seed) for seed in range(settings.seeds)])
            for method, choose in methods.items()
        }
    return found


def summarise(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Interval]]:
    """MRR with 95 % bootstrap intervals by distractors and method, and what the policy is above BM25."""
    return {
        name: {
            **{method: bootstrap_mean(ranks) for method, ranks in methods.items()},
            GAIN: bootstrap_mean(methods["policy"] - methods["bm25"]),
        }
        for name, methods in found.items()
    }


def show(summary: dict[str, dict[str, Interval]]) -> str:
    """The table as Markdown."""
    rows = ["| MRR | random distractors | hard distractors |", "|---|---|---|"]
    for method in summary["random"]:
        cells = [summary[name][method] for name in DISTRACTORS]
        rows.append(
            f"| {method} | " + " | ".join(f"{c.estimate:.3f} [{c.low:.3f}, {c.high:.3f}]" for c in cells) + " |"
        )
    return "\n".join(rows)


def verdict(summary: dict[str, dict[str, Interval]]) -> str:
    """In words, what the intervals say about the trained policy."""
    lines = []
    for name, row in summary.items():
        gain = row[GAIN]
        above = "above" if gain.low > 0 else "below" if gain.high < 0 else "not told apart from"
        change = "adds to its MRR" if row["policy"].estimate > row["untrained policy"].estimate else "adds nothing"
        lines.append(f"- {name} distractors: the policy is {above} BM25 (95 %); training {change}.")
    return "\n".join(lines)


def _page(record: dict[str, Any], summary: dict[str, dict[str, Interval]], picture: str) -> str:
    settings = record["settings"]
    return f"""# CodeSearch-v0: finding a function by its docstring

`{record["command"]}`

{record["tasks"]}; {record["queries"]["train"]} queries to train on, {record["queries"]["test"]} to test on, of other
modules. Pools of {settings["pool_size"]}: the answer and other functions of the test split, drawn at random, or those
with the highest BM25 for the query ("hard"). Each query is played with {settings["seeds"]} pools (seeds 0 to
{settings["seeds"] - 1}); the policy is one training run (seed {settings["seed"]}, {settings["minutes"]:g} minutes,
wall clock). Brackets: 95 % bootstrap over queries and pools. The last row is paired: same queries, same pools.

{show(summary)}

{verdict(summary)}

![MRR by method, and over the training]({picture})

BM25 is Lucene's form (k1 1.5, b 0.75) over the parts of identifiers in lower case, with the statistics of the test
split; English stop words are taken out of the query, a word counts once. Chance picks what was not picked. The policy
sees BM25's scores, the words of text and functions as hashed ids, and the overlaps of `candidate_scores`. Before
training it ranks mainly by the sum of BM25 and these overlaps, which the row "untrained policy" measures; so that row
is what the overlaps add to BM25, and the next what training adds. It imitates the known answer, from nothing else. Its
few settings were chosen on the validation split. Training is limited by time, so runs differ between machines.

{LITERATURE}

Machine: {record["machine"]}.
"""


def draw(summary: dict[str, dict[str, Interval]], curve: list[dict[str, float]], path: Path) -> None:
    """Draw MRR by method, and on the validation split over the training."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    methods = [method for method in summary["random"] if method != GAIN]
    for shift, name in zip((-0.2, 0.2), DISTRACTORS, strict=True):
        cells = [summary[name][method] for method in methods]
        heights = [cell.estimate for cell in cells]
        errors = [[c.estimate - c.low for c in cells], [c.high - c.estimate for c in cells]]
        left.bar(np.arange(len(methods)) + shift, heights, 0.36, yerr=errors, capsize=3, label=f"{name} distractors")
        right.plot([row["minutes"] for row in curve], [row[name] for row in curve], marker="o", label=name)
    left.set_xticks(np.arange(len(methods)), [method.replace(" ", "\n") for method in methods])
    left.set(ylabel="MRR, test split", ylim=(0, 1), title="test")
    right.set(xlabel="minutes of training", ylabel="MRR, first ranking", title="validation")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


# command line -------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="half a minute of training, two pools per query")
    parser.add_argument("--tasks", default=DEFAULTS.tasks, help="task source with train, validation and test splits")
    parser.add_argument("--pool-size", type=int, default=DEFAULTS.pool_size, help="functions in a pool")
    parser.add_argument("--minutes", type=float, help=f"training, wall clock; default {DEFAULTS.minutes:g}")
    parser.add_argument("--seeds", type=int, help=f"pools per test query; default {DEFAULTS.seeds}")
    parser.add_argument("--seed", type=int, default=DEFAULTS.seed, help="of the training")
    parser.add_argument("--json", type=Path, required=True, help="write the results here, the policy beside it")
    parser.add_argument("--page", type=Path, help="write a page and a picture into this folder; docs/results but quick")
    options = parser.parse_args(arguments)
    try:
        return _run(options)
    except CodeEnvsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    minutes = options.minutes or (0.5 if options.quick else DEFAULTS.minutes)
    seeds = options.seeds or (2 if options.quick else DEFAULTS.seeds)
    settings = Settings(options.tasks, options.pool_size, minutes, seeds, options.seed)
    tasks = SearchSet.of(load(settings.tasks))
    missing = {"train", "validation", "test"} - set(tasks.splits)
    if missing:
        raise ConfigurationError(f"{tasks.name!r} has the splits {list(tasks.splits)}; {sorted(missing)} are missing.")
    began = time.perf_counter()
    torch.set_num_threads(1)  # spinning threads cost more than they gain where cores are shared
    result = learn(tasks, settings)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    result.model.save(options.json.with_suffix(".zip"))
    summary = summarise(compare(tasks, result, settings))
    print(show(summary))
    record = _record(tasks, settings, summary, result.curve, began)
    options.json.write_text(json.dumps(record, indent=1))
    folder = options.page or (None if options.quick else Path("docs/results"))
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        draw(summary, result.curve, folder / "search.png")
        (folder / "search.md").write_text(_page(record, summary, "search.png"))
    return 0


def _record(
    tasks: SearchSet,
    settings: Settings,
    summary: dict[str, dict[str, Interval]],
    curve: list[dict[str, float]],
    began: float,
) -> dict[str, Any]:
    cores = f"{os.cpu_count()} shared {platform.machine()} cores"
    return {
        "command": " ".join(["python -m benchmarks.search", *sys.argv[1:]]),
        "tasks": f"{tasks.name} ({tasks.origin})",
        "sha256": tasks.sha256,
        "queries": {name: len(ids) for name, ids in tasks.splits.items()},
        "settings": asdict(settings),
        "machine": f"{cores}, Python {platform.python_version()}, torch {torch.__version__}",
        "wall_s": round(time.perf_counter() - began, 1),
        "mrr": {
            name: {method: [cell.estimate, cell.low, cell.high] for method, cell in row.items()}
            for name, row in summary.items()
        },
        "curve": curve,
    }


if __name__ == "__main__":
    sys.exit(main())
