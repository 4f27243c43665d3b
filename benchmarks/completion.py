"""Does a policy that learns in CodeCompletion-v0 write more lines exactly than what the file itself suggests?

    CODE_ENVS_DATA=... python -m benchmarks.completion --results docs/results --json runs/completion.json

The policy is trained from nothing by imitation (`expert_action`) on lines of PY150's development file (split "train",
by file) and writes the lines of the split "test". Beside it: random valid actions, and the greedy continuation of
n-grams of the file with its beginning of the line, whose weights were chosen on the split "validation". All choose
among the same tokens; a line counts when it is the missing one, token by token.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from stable_baselines3 import PPO
from tqdm import tqdm

from agents.evaluation import Interval, bootstrap_mean
from agents.imitation import Imitation, ImitationConfig
from agents.policies import FusionPolicy
from agents.vec_env import VectorEnvAdapter
from code_envs.envs.completion import CodeCompletionEnv
from code_envs.errors import CodeEnvsError, ConfigurationError
from code_envs.tasks.sources import load
from code_envs.tasks.task import TaskSet
from code_envs.vector import CodeVectorEnv

__all__ = [
    "Line",
    "chosen_by",
    "complete",
    "fitted",
    "main",
    "ngrams",
    "random_actions",
    "show",
    "table",
    "train",
    "writable",
    "write",
]

Batch = dict[str, NDArray[Any]]
Chooser = Callable[[Batch], NDArray[np.int64]]
CODE_TOKENS, MAX_TOKENS = 64, 32
EPISODES, TRIES = 32, 8
WEIGHTS = (0.01, 0.3, 1.0, 3.0, 10.0, 0.03, 0.3, 0.03)
"""Of the columns of `candidate_scores` in the n-gram continuation; `fitted` varies them."""


@dataclass(frozen=True, slots=True)
class Line:
    """What one method wrote for one gap.

    Args:
        task_id: The gap.
        exact: Whether it is the missing line.
        similarity: Edit similarity to it, in [0, 1].
        writable: Whether its tokens are all on offer.
        target: The missing line.
        written: What was written.
    """

    task_id: str
    exact: bool
    similarity: float
    writable: bool
    target: str
    written: str


def complete(chooser: Chooser, tasks: TaskSet[Any], quiet: bool = False) -> list[Line]:
    """Complete every gap of a set once.

    Args:
        chooser: From a batch of observations to actions, (B,) int64.
        tasks: Gaps without tests.
        quiet: No progress bar.
    """
    queue = list(reversed(tasks.tasks))
    envs = [_environment(tasks) for _ in range(min(EPISODES, len(queue)))]
    running = [(env, env.reset(options={"task_id": queue.pop().task_id})[0]) for env in envs]
    lines: dict[str, Line] = {}
    with tqdm(total=len(tasks), unit="line", disable=quiet, file=sys.stderr) as bar:
        while running:
            batch = {key: np.stack([observation[key] for _, observation in running]) for key in running[0][1]}
            following = []
            for (env, _), action in zip(running, chooser(batch), strict=True):
                observation, _, terminated, truncated, info = env.step(action)
                if terminated or truncated:
                    lines[info["task_id"]] = _line(env, info)
                    bar.update()
                    if not queue:
                        continue
                    observation = env.reset(options={"task_id": queue.pop().task_id})[0]
                following.append((env, observation))
            running = following
    return [lines[task.task_id] for task in tasks]


def _environment(tasks: TaskSet[Any], **more: Any) -> CodeCompletionEnv:
    return CodeCompletionEnv(tasks=tasks, code_tokens=CODE_TOKENS, max_tokens=MAX_TOKENS, **more)


def _line(env: CodeCompletionEnv, info: dict[str, Any]) -> Line:
    assert env.state is not None
    measured, task = info["measurements"], env.state.task
    writable = min(env.state.way, default=0) >= 0
    return Line(
        task.task_id, bool(measured["exact"]), measured["similarity"], writable, task.target, info["written"].strip()
    )


def writable(tasks: TaskSet[Any]) -> TaskSet[Any]:
    """The gaps that can be written with the tokens on offer: only they have an expert to the end."""
    env = _environment(tasks)
    kept = []
    for task in tasks:
        env.reset(options={"task_id": task.task_id})
        assert env.state is not None
        if min(env.state.way, default=0) >= 0:
            kept.append(task)
    return replace(tasks, tasks=tuple(kept), splits={})


def random_actions(rng: np.random.Generator) -> Chooser:
    """Any valid action."""
    return lambda batch: np.array([rng.choice(np.flatnonzero(mask)) for mask in batch["action_mask"]])


def ngrams(weights: Sequence[float] = WEIGHTS) -> Chooser:
    """The token whose weighted scores are highest: what follows the longest passages in the file, and so on."""
    return partial(_likeliest, np.array(weights, np.float32))


def fitted(tasks: TaskSet[Any], tries: int, seed: int = 0) -> tuple[float, ...]:
    """The weights of the n-gram continuation that write most lines of a set exactly, of so many variations."""
    rng = np.random.default_rng(seed)
    best, weights = _exact(WEIGHTS, tasks), WEIGHTS
    for _ in range(tries):
        varied = np.array(weights) * rng.choice([0.1, 0.3, 1, 1, 1, 3, 10], len(weights))
        score = _exact(tuple(varied.tolist()), tasks)
        if score > best:
            best, weights = score, tuple(varied.tolist())
    return weights


def _exact(weights: Sequence[float], tasks: TaskSet[Any]) -> float:
    return float(np.mean([line.exact for line in complete(ngrams(weights), tasks, quiet=True)]))


def _likeliest(weights: NDArray[np.float32], batch: Batch) -> NDArray[np.int64]:
    return np.where(batch["action_mask"] > 0, batch["candidate_scores"] @ weights, -1.0).argmax(1)


def chosen_by(policy: FusionPolicy) -> Chooser:
    """The best action of a policy."""
    return lambda batch: policy.predict(batch, deterministic=True)[0]


def train(
    tasks: TaskSet[Any], minutes: float, seed: int = 0, quiet: bool = False
) -> tuple[FusionPolicy, list[dict[str, float]]]:
    """Train a policy from nothing by imitation; returns it with its learning curve.

    Args:
        tasks: Gaps to learn from.
        minutes: Wall clock.
        seed: Of everything that is drawn.
        quiet: No progress bar.
    """
    vector = CodeVectorEnv(
        EPISODES, env=CodeCompletionEnv, autoreset_mode=AutoresetMode.SAME_STEP, tasks=tasks, expert=True,
        code_tokens=CODE_TOKENS, max_tokens=MAX_TOKENS,
    )  # fmt: skip
    env = VectorEnvAdapter(vector)
    env.seed(seed)
    widths = {"features_extractor_kwargs": {"width": 32, "code_layers": 1, "dropout": 0.1}}
    policy: Any = PPO(FusionPolicy, env, policy_kwargs=widths, seed=seed, n_steps=8, device="cpu").policy
    # a wrong token has no label behind it, so the policy's own states teach nothing: the expert acts throughout
    config = ImitationConfig(
        buffer_size=24576, always_compared=(0,), expert_share=1.0, collect_steps=16, updates=32, negatives=48
    )
    teacher = Imitation(policy, env, config, seed)
    curve: list[dict[str, float]] = []
    began = time.perf_counter()
    with tqdm(total=100, desc="imitation", unit="%", disable=quiet) as bar:

        def progress(row: dict[str, float]) -> float:
            passed = (time.perf_counter() - began) / 60
            curve.append({"minutes": passed, **row})
            bar.update(round(100 * min(passed / minutes, 1)) - bar.n)
            bar.set_postfix(accuracy=f"{row['accuracy']:.2f}")
            return min(passed / minutes, 1.0)

        teacher.learn(progress)
    return policy, curve


def table(runs: dict[str, list[list[Line]]]) -> dict[str, dict[str, Interval]]:
    """Shares in percent by method: exact lines, exact ones among those that can be written, and mean similarity."""
    rows = {}
    for name, every in runs.items():
        exact = np.array([[float(line.exact) for line in run] for run in every])
        similar = np.array([[line.similarity for line in run] for run in every])
        possible = np.array([line.writable for line in every[0]])
        rows[name] = {
            "exact": bootstrap_mean(exact, 100),
            "writable": bootstrap_mean(exact[:, possible], 100),
            "similarity": bootstrap_mean(similar, 100),
        }
    return rows


def show(runs: dict[str, list[list[Line]]]) -> str:
    """The table as Markdown."""
    lines = ["| method | exact lines, % | of the writable ones, % | edit similarity, % |", "|---|---|---|---|"]
    for name, row in table(runs).items():
        lines.append(f"| {name} | {row['exact']} | {row['writable']} | {row['similarity']} |")
    first = next(iter(runs.values()))[0]
    count = sum(line.writable for line in first)
    share = 100 * count / len(first)
    lines.append("")
    lines.append(
        f"{len(first)} lines, of which {count} ({share:.1f} %) can be written with the tokens on offer. Brackets: "
        "95 % bootstrap over lines."
    )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.completion", description=__doc__.split("\n\n")[0])
    parser.add_argument("--tasks", default="py150", help="source of gaps with the splits train and test")
    parser.add_argument("--minutes", type=float, default=9.0, help="of training")
    parser.add_argument("--seed", type=int, default=0, help="of the training")
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    parser.add_argument("--quick", action="store_true", help="a quarter of a minute of training, 40 lines")
    parser.add_argument("--json", type=Path, help="write the results here")
    parser.add_argument("--results", type=Path, help="folder for completion.md and completion.png")
    options = parser.parse_args(arguments)
    try:
        return _run(options)
    except CodeEnvsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    if options.minutes <= 0:
        raise ConfigurationError(f"--minutes must be above 0, got {options.minutes}.")
    torch.set_num_threads(options.threads)
    tasks = load(options.tasks)
    if tasks[0].program is not None:
        raise ConfigurationError(f"{options.tasks!r} has tests; exact lines are counted here: py150 or javaCorpus.")
    test = tasks.split("test")
    minutes = options.minutes
    if options.quick:
        minutes = min(minutes, 0.25)
        test = TaskSet(test.name, test.tasks[:40], test.licence, test.origin, test.sha256)
    weights = fitted(tasks.split("validation"), 0 if options.quick else TRIES)
    runs = {
        "random": [
            complete(random_actions(np.random.default_rng(seed)), test) for seed in range(1 if options.quick else 3)
        ],
        "n-grams of the file": [complete(ngrams(weights), test)],
    }
    policy, curve = train(writable(tasks.split("train")), minutes, options.seed)
    policy.set_training_mode(False)
    runs["policy"] = [complete(chosen_by(policy), test)]
    report = show(runs)
    print(report)
    record = _record(options, tasks, runs, curve)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(record, indent=1))
    if options.results:
        write(options.results, report, record)
    return 0


def _record(
    options: argparse.Namespace, tasks: TaskSet[Any], runs: dict[str, list[list[Line]]], curve: list[dict[str, float]]
) -> dict[str, Any]:
    cells = {
        name: {key: [cell.estimate, cell.low, cell.high] for key, cell in row.items()}
        for name, row in table(runs).items()
    }
    return {
        "command": " ".join(["python -m benchmarks.completion", *sys.argv[1:]]),
        "tasks": tasks.name,
        "sha256": tasks.sha256,
        "train": len(tasks.splits["train"]),
        "seed": options.seed,
        "machine": f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}",
        "gymnasium": gymnasium.__version__,
        "percent": cells,
        "curve": curve,
        "lines": [
            {"task_id": line.task_id, "target": line.target, "written": line.written, "exact": line.exact}
            for line in runs["policy"][0]
        ],
    }


def write(folder: Path, report: str, record: dict[str, Any]) -> None:
    """Write the page of results and its picture."""
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    rows = record["curve"]
    left.plot([row["minutes"] for row in rows], [row["accuracy"] for row in rows])
    left.set(title="imitation, training lines", xlabel="minutes", ylabel="expert's token chosen", ylim=(0, 1))
    left.grid(alpha=0.3)
    names = list(record["percent"])
    cells = [record["percent"][name]["exact"] for name in names]
    errors = [[cell[0] - cell[1] for cell in cells], [cell[2] - cell[0] for cell in cells]]
    right.bar(names, [cell[0] for cell in cells], yerr=errors, capsize=4)
    right.set(title="lines of unseen files", ylabel="exact, %")
    figure.savefig(folder / "completion.png", dpi=110)
    pyplot.close(figure)
    (folder / "completion.md").write_text(PAGE.format(report=report, verdict=_verdict(record), **record))


def _verdict(record: dict[str, Any]) -> str:
    """Whether the policy writes more lines than the n-grams, beyond both intervals."""
    policy, plain = (record["percent"][name]["exact"] for name in ("policy", "n-grams of the file"))
    if policy[1] > plain[2]:
        return "The policy writes more lines exactly than the n-grams of the file."
    if policy[2] < plain[1]:
        return "The policy writes fewer lines exactly than the n-grams of the file."
    return (
        "The intervals overlap: this run does not show that the policy is better or worse than the n-grams of the file."
    )


PAGE = """# Completion of lines

`CODE_ENVS_DATA=... {command}`

{report}

{verdict}

![learning curve and comparison](completion.png)

- Data: `{tasks}`, the development file of CodeXGLUE's line completion, divided by file; {train} lines to learn from,
  of which those that can be written are used, none of the files of the test. Literals are normalised as the data have
  them. Files of one project may stand on both sides, and lines of one project resemble each other, so the true
  intervals are wider than those over lines.
- Policy: `FusionPolicy` trained from nothing by imitation of the reference's next token (seed {seed}, one run), code
  window of 64 tokens, one layer of width 32; decoded greedily. No PPO.
- n-grams: at each token the one with the highest weighted scores of the environment (what follows the last 1 to 8
  tokens elsewhere in the file); of 8 random variations of the weights, those that write most lines of the split
  "validation". Random: mean of 3 seeds.
- Machine: 2 shared x86-64 cores, other work beside; {machine}.
- Published figures of CodeXGLUE's line completion are on its test file of 10,000 lines, which is not at hand, with
  models that were trained on 100,000 files and write any token. They are another protocol, so none is quoted here.
"""


if __name__ == "__main__":
    sys.exit(main())
