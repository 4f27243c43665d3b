"""The multi-task benchmark of DTERM: its tasks, its methods, its file of runs and its tables."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from agents.evaluation import interquartile_mean
from benchmarks import dterm
from benchmarks.dterm_methods import ABLATIONS, COMPONENTS, METHODS, RandomEmbedding, components, embedding, weighting
from benchmarks.dterm_page import report, write
from benchmarks.dterm_runs import Settings
from benchmarks.dterm_scores import bootstrap, mean, metric_of, middle, overall, overhead, paired, scores, verdicts
from benchmarks.dterm_tasks import ENVIRONMENTS, FAMILIES, AllOrNothing, Shortlist, families, make
from benchmarks.dterm_translations import NAMES, PATTERNS, statements
from code_envs.errors import ConfigurationError
from code_envs.execution.cache import CachedExecutor
from code_envs.execution.pool import open_executor
from code_envs.execution.stores import MemoryStore

TYPES = list(FAMILIES)


@pytest.fixture(scope="module")
def executor():
    return CachedExecutor(open_executor("local:2"), MemoryStore())


@pytest.fixture(scope="module")
def tasks(executor):
    return families(executor, train=3, test=2)


def record(name, seed, success, table="table 1", sparse=False, only=(), wall_s=1.0):
    """A run as the file has it: every task solved with the given share, better with the seed."""
    names = list(only or TYPES)
    share = success + 0.01 * seed
    kinds = {kind: [[share], [share]] for kind in ("success", "held_out", "exact")}
    rows = {each: {"tasks": ["a", "b"], **kinds} for each in names}
    return {
        "key": f"{table}{name}{seed}{sparse}{only}", "table": table, "name": name, "seed": seed, "sparse": sparse,
        "only": list(only), "transfer": "", "steps": 10, "wall_s": wall_s, "cpu_s": wall_s, "test": rows, "train": rows,
        "curve": [{"steps": 5, "means": {each: [share, share, 3.0] for each in names}}] * 2,
        "weights": {each: [0.2] * 5 for each in names}, "components": list(COMPONENTS),
    }  # fmt: skip


# tasks --------------------------------------------------------------------------------------------


def test_translations_share_no_pattern_and_no_name_between_splits():
    """A test statement has a pattern and names that training never showed."""
    java = [pattern for each in PATTERNS.values() for pattern, _ in each]
    names = [name for pairs in NAMES.values() for pair in pairs for name in pair]
    assert len(set(java)) == len(java)
    assert len(set(names)) == len(names)
    pairs = statements()
    assert len(pairs) == sum(map(len, pairs.splits.values()))


@pytest.mark.parametrize("name", TYPES)
def test_the_expert_solves_every_task_with_the_shortlist(name, tasks, executor):
    """The list always has the action of the reference, and every observation fits the shared space."""
    env = make(name, tasks[name], "all", executor)
    assert env.observation_space == make(TYPES[0], tasks[TYPES[0]], "all", executor).observation_space
    for task in env.unwrapped.tasks:
        observation, info = env.reset(options={"task_id": task.task_id})
        over = False
        while not over:
            assert env.observation_space.contains(observation)
            assert (observation["action_mask"] > 0).tolist() == env.action_masks().tolist()
            assert observation["action_mask"].sum() <= FAMILIES[name].offered
            action = np.flatnonzero(env.kept == info["expert_action"])
            assert len(action) == 1
            observation, _, terminated, truncated, info = env.step(int(action[0]))
            over = terminated or truncated
        assert info["is_success"]


@pytest.mark.parametrize("name", TYPES)
def test_a_spent_budget_terminates(name, tasks, executor):
    """PPO must not add the value of what would come after the budget."""
    env = make(name, tasks[name], "train", executor)
    env.reset(seed=0)
    for _ in range(200):
        _, _, terminated, truncated, info = env.step(env.size - 1 if name != "CodeRepair" else len(env.kept) - 1)
        assert not truncated
        if terminated:
            break
    assert terminated
    assert "is_success" in info


def test_an_action_beyond_the_list_is_a_masked_one(tasks, executor):
    """It changes nothing, and the events say so."""
    env = make("CodeTranslation", tasks["CodeTranslation"], "train", executor)
    env.reset(seed=0)
    _, _, _, _, info = env.step(len(env.kept))
    assert info["events"] == {"invalid"}
    assert info["written"] == ""


def test_splits_have_no_task_in_common(tasks):
    """Training and test tasks are different programs."""
    for each in tasks.values():
        assert not set(each.splits["train"]) & set(each.splits["test"])
        assert each.splits["train"]
        assert each.splits["test"]


def test_all_or_nothing_takes_the_share_of_tests_away(tasks, executor):
    """A translation that is nearly right has BLEU, and here 0."""
    env = AllOrNothing(make("CodeTranslation", tasks["CodeTranslation"], "train", executor))
    _, info = env.reset(seed=0)
    _, _, _, _, info = env.step(int(np.flatnonzero(env.get_wrapper_attr("kept") == info["expert_action"])[0]))
    _, _, terminated, _, info = env.step(0)
    assert terminated
    assert info["measurements"]["bleu"] > 0
    assert info["held_out"] == 0.0


def test_a_shortlist_has_room_for_the_reference(tasks, executor):
    """Two actions are no choice."""
    with pytest.raises(ConfigurationError, match="offered must be from 3 to size = 32, got 2"):
        Shortlist(make("CodeRepair", tasks["CodeRepair"], "train", executor).env, offered=2)


# methods ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*METHODS, *ABLATIONS])
def test_every_method_weighs_its_components(name):
    """Weights are on the simplex, for the components that the environments are given."""
    method = {**METHODS, **ABLATIONS}[name]
    made = weighting(method, seed=0)
    assert made.components == components(method).names
    rows = np.stack([embedding(method, 0)(f"task {family}", {"family": family}) for family in TYPES])
    weights = made.weights(rows, TYPES)
    assert weights.shape == (len(TYPES), len(made.components))
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-5)


def test_the_shortest_text_has_most_brevity():
    """The trap: an empty text has compile, style and brevity in full where nothing gates them."""
    empty = {"errors": 0.0, "tests": 0.0, "similarity": 0.0, "findings": 0.0, "lines": 0.0, "size_ratio": 0.0}
    right = {**empty, "tests": 1.0, "similarity": 1.0, "lines": 2.0, "size_ratio": 1.0}
    made = components(METHODS["Uniform"])
    assert dict(zip(made.names, made.values(empty), strict=True))["brevity"] == 1
    assert dict(zip(made.names, made.values(right), strict=True))["brevity"] == 0
    assert dict(zip(made.names, made.gated(empty), strict=True))["brevity"] == 0


def test_random_embeddings_are_the_task_s_own():
    """The same task has the same vector, another one another."""
    first, again = RandomEmbedding(), RandomEmbedding()
    np.testing.assert_array_equal(first("a", {}), again("a", {}))
    assert abs(float(first("a", {}) @ first("b", {}))) < 0.9


# the file of runs ---------------------------------------------------------------------------------


def test_the_plan_has_every_run_once():
    """Keys tell runs apart; quick is a part of the whole."""
    keys = [run.key for run in dterm.plan(5)]
    assert len(set(keys)) == len(keys)
    assert {run.key for run in dterm.plan(1, quick=True)} < set(keys)
    assert {run.name for run in dterm.plan(1, ["table 1"])} == {*METHODS, "DTERM, frozen"}
    assert {run.only for run in dterm.plan(1, ["figure 2"])} == {(name,) for name in ENVIRONMENTS}


def test_other_settings_need_another_file(tmp_path, capsys):
    """Runs of different lengths never come into one table."""
    path = tmp_path / "runs.jsonl"
    path.write_text('{"settings": {"steps": 1}}\n')
    assert dterm.main(["--json", str(path), "--steps", "5"]) == 2
    assert "other settings" in capsys.readouterr().err


# tables -------------------------------------------------------------------------------------------


def test_scores_are_means_over_tries():
    """(num_runs, num_tasks), and each type counts the same in the whole."""
    runs = [record("DTERM", seed, 0.5) for seed in (0, 1)]
    runs[0]["test"]["CodeRepair"] = {"success": [[0, 1], [1, 1]]}
    np.testing.assert_allclose(scores(runs, "CodeRepair", "success"), [[0.5, 1.0], [0.51, 0.51]])
    assert overall(runs).shape == (2, 5)
    assert metric_of("CodeSummarization") == "held_out"
    assert metric_of("CodeRepair") == "success"


def test_the_bootstrap_draws_whole_runs():
    """Where runs are all alike there is no interval, however much tasks differ."""
    alike = bootstrap(np.array([[0.0, 1.0]] * 5), mean)
    assert (alike.low, alike.estimate, alike.high) == (0.5, 0.5, 0.5)
    apart = bootstrap(np.array([[0.0, 0.0], [1.0, 1.0]] * 5), mean)
    assert 0 < apart.low < 0.3 < 0.7 < apart.high < 1
    with pytest.raises(ValueError, match="at least one of each"):
        bootstrap(np.zeros((0, 3)), mean)


def test_the_interquartile_mean_is_that_of_the_agents():
    """The quick one for many samples gives what the plain one gives."""
    scores = np.random.default_rng(0).random((3, 5, 7))
    np.testing.assert_allclose(middle(scores), [interquartile_mean(each) for each in scores])


def test_paired_differences_compare_the_same_seeds():
    """A difference that all seeds have has no width."""
    gap = paired([record("a", seed, 0.5) for seed in range(5)], [record("b", seed, 0.3) for seed in range(4)])
    assert gap.estimate == pytest.approx(20)
    assert gap.low == pytest.approx(gap.high)
    with pytest.raises(ValueError, match="no seed in common"):
        paired([record("a", 0, 0.5)], [record("b", 1, 0.5)])


def test_overhead_is_paired_by_seed():
    """Time of DTERM against Uniform of the same seed."""
    runs = [record("DTERM", seed, 0.5, wall_s=1.1 * (1 + seed)) for seed in range(3)]
    assert overhead(runs) is None
    runs += [record("Uniform", seed, 0.5, wall_s=1.0 + seed) for seed in range(3)]
    assert overhead(runs).estimate == pytest.approx(1.1)


def test_a_verdict_says_what_the_interval_says():
    """Above, below, or not separable."""
    runs = [record("DTERM", seed, 0.5) for seed in range(5)] + [record("Uniform", seed, 0.2) for seed in range(5)]
    runs += [record("Expert", seed, 0.8) for seed in range(5)]
    runs += [record("Oracle", seed, [0.4, 0.6, 0.5, 0.4, 0.6][seed]) for seed in range(5)]
    told = "\n".join(verdicts(runs))
    assert "test tasks: DTERM is above Uniform" in told
    assert "DTERM is below Expert" in told
    assert "DTERM is not separable from Oracle" in told
    assert "above" not in "\n".join(verdicts([run for run in runs if run["seed"] < 4]))


def test_the_page_has_every_table(tmp_path):
    """From records alone, so that a page can be made again without a run."""
    runs = [record(name, seed, 0.5) for name in METHODS for seed in range(2)]
    runs += [record(name, seed, 0.4, sparse=True) for name in (*dterm.SPARSE, "DTERM, frozen") for seed in range(2)]
    runs += [record("no FiLM", seed, 0.4, table="table 2") for seed in range(2)]
    runs += [record("DTERM", 0, 0.4, table="figure 2", sparse=True, only=(name,)) for name in TYPES]
    text = report(runs)
    for part in ("Table 1, success learnable alone", "too sparse", "Table 2", "Figure 2", "Weights that DTERM", "1.00"):
        assert part in text
    head = {"settings": asdict(Settings()), "command": "python -m benchmarks.dterm", "machine": "a machine"}
    write(tmp_path, json.loads(json.dumps(head)), json.loads(json.dumps(runs)))
    assert "python -m benchmarks.dterm" in (tmp_path / "dterm.md").read_text()
    assert (tmp_path / "dterm.png").stat().st_size > 1000


@pytest.mark.slow
def test_a_run_learns_and_is_not_run_twice(tmp_path: Path, monkeypatch, capsys):
    """The command trains, evaluates and writes; the second call only reports."""
    runs = [each for each in dterm.plan(1, ["table 1"]) if each.name in ("DTERM", "DTERM, frozen")]
    monkeypatch.setattr(dterm, "plan", lambda *_: runs)
    path = tmp_path / "runs.jsonl"
    arguments = ["--json", str(path), "--steps", "2600", "--seeds", "1", "--results", str(tmp_path)]
    assert dterm.main(arguments) == 0
    lines = path.read_text().split("\n")
    assert len(lines) == 2 + len(runs)
    first = json.loads(lines[1])
    assert first["steps"] == 2600
    assert all(len(rows["success"]) == len(rows["tasks"]) for rows in first["test"].values())
    assert np.mean([np.mean(first["train"][name]["success"]) for name in TYPES]) > 0.15  # random: 0.01
    monkeypatch.setattr(dterm, "Bench", None)
    assert dterm.main(arguments) == 0
    assert path.read_text().split("\n") == lines
    assert "Table 1" in capsys.readouterr().out
