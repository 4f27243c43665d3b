"""The alignment benchmark: its plan, its file of runs, its methods, its page, and one tiny run."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch

from agents.contrastive_callback import ContrastiveCallback
from agents.curl import CurlCallback
from agents.pairs import Pairs
from agents.taco import TacoCallback
from benchmarks import dcrl
from benchmarks.dcrl_methods import ABLATIONS, DCRL, METHODS, NONE, STATIC, Method, WordCurlCallback, callbacks
from benchmarks.dcrl_page import report, verdicts, write
from benchmarks.dcrl_policy import PoolExtractor
from benchmarks.dcrl_runs import WIDTHS, Bench, Budget, Run, Settings
from benchmarks.dcrl_scores import gap, interval, learning, overheads, reached, scores, table
from benchmarks.dcrl_tasks import PROBLEMS, Problems, Sizes, demonstrated, play
from code_envs.errors import ConfigurationError
from code_envs.execution.cache import CachedExecutor
from code_envs.execution.pool import open_executor
from code_envs.execution.stores import MemoryStore

NAMES = "parse write close count split merge lock send open read drop move".split()
TINY = Budget(64, envs=4, rollout=8, n_steps=2, k=2)


@pytest.fixture(scope="module")
def problems(tmp_path_factory):
    """Modules of small functions whose docstrings say their names; few programs for the other problems."""
    folder = tmp_path_factory.mktemp("corpus")
    for number in range(24):
        head = '    def {0}_{1}(self):\n        """Do {0} it with {1} now."""\n'
        method = head + "        a = {1!r}\n        b = a\n        return b\n"
        body = "".join(method.format(name, f"part{chr(97 + number)}") for name in NAMES)
        (folder / f"module{number}.py").write_text("class C:\n" + body)
    sizes = {"search": Sizes(96, 0, 24), "generation": Sizes(3, 3, 2), "repair": Sizes(3, 3, 2)}
    executor = CachedExecutor(open_executor("local:2"), MemoryStore())
    return Problems(executor, "test", sizes, f"stdlib:{folder}")


def record(name, seed, score, table="table 1", problem="search", **more):
    """A run as the file has it."""
    score = score + 0.001 * seed
    point = {"held_out": score, "success": score, "separation": 0.1, "gate": [0.3, 0.4, 0.5, 0.6, 0.7]}
    curve = [{"steps": 0, "episodes": 0, **point, "held_out": None, "success": None}]
    curve += [{"steps": 10 * n, "episodes": 5 * n, **point} for n in (1, 2)]
    return {
        "key": f"{table}{problem}{name}{seed}", "table": table, "problem": problem, "name": name, "seed": seed,
        "whole_s": 3.0, "whole_cpu_s": 2.0, "curve": curve, "scores": {"held_out": [score], "success": [score]}, **more,
    }  # fmt: skip


def measured(seed, ratio, share):
    """An overhead as the file has it."""
    return record(
        DCRL, seed, 0.0, "overhead", ratio=ratio, cpu_ratio=ratio, hyper_share=0.02,
        contrastive_share={STATIC: share, DCRL: share + 0.02},
    )  # fmt: skip


# the plan and the file ----------------------------------------------------------------------------


def test_the_plan_has_every_run_once():
    """Keys tell runs apart; quick is a part of the whole."""
    keys = [run.key for run in dcrl.plan(5)]
    assert len(set(keys)) == len(keys) == 5 * (len(METHODS) * len(PROBLEMS) + 1 + len(ABLATIONS) - 1)
    assert {run.key for run in dcrl.plan(1, few=True)} < set(keys)
    assert {run.table for run in dcrl.plan(1, ["table 2"])} == {"table 2"}
    assert all(dcrl.quick(Settings()).budget(name).steps < Settings().budget(name).steps for name in PROBLEMS)


def test_a_file_that_was_cut_off_is_gone_on_with(tmp_path, monkeypatch, capsys):
    """Runs that are there are not run again, half a line is run again, and each run is a line."""
    runs = [Run("table 1", "search", name, METHODS[name], 0) for name in (NONE, STATIC, DCRL)]
    played = []

    class Played:
        def __init__(self, *_):
            pass

        def play(self, run):
            played.append(run.name)
            return record(run.name, run.seed, 0.5) | {"key": run.key}

    monkeypatch.setattr(dcrl, "plan", lambda *_: runs)
    monkeypatch.setattr(dcrl, "Bench", Played)
    path = tmp_path / "runs.jsonl"
    assert dcrl.main(["--json", str(path), "--minutes", "0"]) == 0
    assert played == []
    assert "3 runs are left" in capsys.readouterr().err
    assert dcrl.main(["--json", str(path)]) == 0
    whole = path.read_text()
    path.write_text(whole[: whole.rfind('"whole_cpu_s"')])
    played.clear()
    assert dcrl.main(["--json", str(path)]) == 0
    assert played == [DCRL]
    assert [json.loads(line).get("name") for line in path.read_text().splitlines()] == [None, NONE, STATIC, DCRL]
    assert "Table 1, search" in capsys.readouterr().out


def test_other_settings_need_another_file(tmp_path, capsys):
    """Runs of different budgets never come into one table."""
    path = tmp_path / "runs.jsonl"
    path.write_text('{"settings": {"k": 1}}\n')
    assert dcrl.main(["--json", str(path)]) == 2
    assert "other settings" in capsys.readouterr().err
    assert dcrl.main(["--json", str(path), "--seeds", "0"]) == 2


# methods ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*METHODS, *ABLATIONS])
def test_every_method_has_its_callbacks(name):
    """The first sets temperature and progress; steps are those of the objective, and none without one."""
    method = {**METHODS, **ABLATIONS}[name]
    pairs = Pairs(np.ones((3, 4), np.int32), np.arange(12, dtype=np.int32).reshape(3, 4))
    made = callbacks(method, "search", pairs, n_steps=5, k=7, seed=3)
    assert isinstance(made[0], ContrastiveCallback)
    assert made[0].schedule.mode == method.mode
    assert made[0].schedule.fixed == method.schedule.get("fixed", ())
    assert [each.n_steps for each in made] == {"none": [0], "contrastive": [5]}.get(method.objective, [0, 5])
    kinds = {"curl": WordCurlCallback, "taco": TacoCallback}
    assert isinstance(made[-1], kinds.get(method.objective, ContrastiveCallback))
    renaming = callbacks(Method("curl"), "repair", pairs, n_steps=5, k=7, seed=3)[-1]
    assert type(renaming) is CurlCallback


def test_the_policy_of_search_does_not_see_overlaps(problems):
    """Only words: the scores that nearly solve the task change nothing, the words of one function only its own row."""
    env = problems["search"].environment("train")
    observation, _ = env.reset(seed=0)
    torch.manual_seed(0)
    extractor = PoolExtractor(env.observation_space, **WIDTHS).eval()
    batch = {key: torch.as_tensor(value)[None] for key, value in observation.items()}
    known = extractor(batch)["candidates"]
    blind = batch | {"candidate_scores": torch.zeros_like(batch["candidate_scores"])}
    assert torch.equal(extractor(blind)["candidates"], known)
    pool = batch["pool"].clone()
    pool[0, 3, 0] = 7
    changed = (extractor(batch | {"pool": pool})["candidates"] - known).abs().amax(1) > 1e-6
    assert changed.tolist() == [number == 3 for number in range(8)]
    mask = batch["action_mask"].clone()
    mask[0, 3] = 0
    picked = extractor(batch | {"action_mask": mask})
    torch.testing.assert_close(picked["candidates"], known[[number for number in range(8) if number != 3]])


# tasks --------------------------------------------------------------------------------------------


def test_splits_and_pairs_of_search(problems):
    """A pair is what the observation shows of the answer and of the text; splits share no task."""
    problem = problems["search"]
    splits = problem.tasks.splits
    assert len(splits["train"]) == 96
    assert not set(splits["train"]) & set(splits["test"])
    assert len(problem.pairs(["train"])) == 96
    assert len(problem.pairs(["test"], 5)) == 5
    with pytest.raises(ConfigurationError, match="'test' or 'validation', got 'train'"):
        Problems(problems.executor, "train")


@pytest.mark.parametrize("name", ["repair", "generation"])
def test_demonstrations_solve_tasks_that_ppo_never_sees(name, problems):
    """The expert's actions are within the shortlist, and its last program is a pair's code."""
    problem = problems[name]
    splits = problem.tasks.splits
    assert not set(splits["train"]) & set(splits["demonstrations"])
    shown = demonstrated(problem)
    assert all(observation["action_mask"][action] for observation, action in shown)
    assert shown[0][0]["action_mask"].shape == (8,)
    assert len(problem.pairs(["train", "demonstrations"])) == len(splits["train"]) + len(splits["demonstrations"])


def test_episodes_are_played_side_by_side_in_order(problems):
    """Fewer lanes than episodes: every episode is played once, and its end stands at its place."""
    problem = problems["search"]
    ids = problem.tasks.split("test").ids

    class First:
        def predict(self, batch, deterministic):
            assert len(batch["text"]) <= 3
            return batch["action_mask"].argmax(1), None

    alone = play([problem.environment("test")], [(5, ids[1])], First(), True)
    ends = play([problem.environment("test") for _ in range(3)], [(5, each) for each in ids], First(), True)
    assert [end["task_id"] for end in ends] == list(ids)
    assert ends[1]["held_out"] == alone[0]["held_out"]


# figures ------------------------------------------------------------------------------------------


def test_scores_and_differences_are_in_percent_and_paired():
    """A difference that all seeds have has no width; the metric is the problem's."""
    ours, theirs = ([record(name, seed, share) for seed in range(5)] for name, share in ((DCRL, 0.5), (STATIC, 0.3)))
    np.testing.assert_allclose(scores(ours).ravel(), [50, 50.1, 50.2, 50.3, 50.4])
    found = gap(ours, theirs[:4])
    assert (found.estimate, found.low, found.high) == pytest.approx((20, 20, 20))
    assert gap(ours[:1], theirs[1:]) is None
    assert interval(scores(ours)).estimate == pytest.approx(50.2)
    assert table(ours + theirs, "table 1", "search") == {DCRL: ours, STATIC: theirs}
    np.testing.assert_allclose(learning(ours[:1]), [[50]])


def test_episodes_to_ninety_percent():
    """The first point that is as good as 90 % of the last one."""
    run = record(STATIC, 0, 0.5)
    run["curve"][1]["held_out"] = 0.44
    assert reached([run]).tolist() == [[100]]
    run["curve"][1]["held_out"] = 0.46
    assert reached([run]).tolist() == [[50]]


def test_a_verdict_says_what_the_interval_says():
    """Above, below, not separable, and nothing where seeds are too few; overheads against their bounds."""
    runs = [record(NONE, seed, 0.3) for seed in range(5)] + [record(STATIC, seed, 0.5) for seed in range(5)]
    runs += [record("curriculum", seed, [0.2, 0.4, 0.3, 0.2, 0.4][seed]) for seed in range(5)]
    runs += [record("CURL-style", seed, 0.1) for seed in range(5)] + [record(DCRL, seed, 0.9) for seed in range(4)]
    told = "\n".join(verdicts(runs + [measured(seed, 1.02, 0.2) for seed in range(5)]))
    assert (
        f"search, MRR, against {NONE}: above: static (+20.0); below: CURL-style (-20.0); "
        "not separable: curriculum (+0.0); "
        "too few seeds: DCRL (+60.0)."
    ) in told
    assert "DCRL / static 1.020 [1.020, 1.020] is within the bound of 1.08" in told
    assert "20.0 % [20.0, 20.0] of the time is above the bound of 0.15" in told
    assert overheads(runs) == {}


def test_the_page_has_every_table_and_picture(tmp_path):
    """From records alone, so that a page can be made again without a run."""
    runs = [record(name, seed, 0.5, problem=each) for each in PROBLEMS for name in METHODS for seed in range(2)]
    runs += [record(name, seed, 0.4, "table 2") for name in ABLATIONS if name != DCRL for seed in range(2)]
    runs += [measured(seed, 1.1, 0.1) for seed in range(2)]
    text = report(runs)
    for part in (
        "Table 1, search",
        "Table 1, repair",
        "Table 2, ablations on search",
        "Overheads",
        "1.100",
        "averaging",
    ):
        assert part in text
    head = {"settings": asdict(Settings()), "command": "python -m benchmarks.dcrl", "commit": "abc", "machine": "m"}
    write(tmp_path, json.loads(json.dumps(head)), json.loads(json.dumps(runs)), ["table 2 search"] * 3)
    page = (tmp_path / "dcrl.md").read_text()
    for part in (
        "python -m benchmarks.dcrl",
        "Commit abc, m.",
        "reported are seeds 0, 1 on",
        "| search | 2048 + 0 / 256",
    ):
        assert part in page
    for name in ("dcrl", "dcrl_alignment", "dcrl_gate"):
        assert (tmp_path / f"{name}.png").stat().st_size > 1000
        assert f"({name}.png)" in page


# runs ---------------------------------------------------------------------------------------------


def test_a_tiny_run_of_search_and_its_overhead(problems):
    """Trains, follows, evaluates; the same seed gives the same figures; the overhead is a ratio of two times."""
    bench = Bench(problems, Settings(search=TINY, blocks=2))
    run = Run("table 1", "search", DCRL, METHODS[DCRL], 1)
    first, again = bench.play(run), bench.play(run)
    assert json.loads(json.dumps(first))["key"] == "table 1 | search | DCRL | 1"
    assert first["contrastive_steps"] == 4
    assert first["curve"] == again["curve"]
    assert first["scores"] == again["scores"]
    assert len(first["scores"]["held_out"]) == 24
    assert first["curve"][-1]["steps"] == 64
    assert 0 < first["contrastive_share"] < 1
    costs = bench.play(Run("overhead", "search", DCRL, METHODS[DCRL], 1))
    assert costs["ratio"] > 0.3
    assert {len(rows) for rows in costs["times"].values()} == {2}
    assert 0 < costs["hyper_share"] < costs["contrastive_share"][DCRL]


@pytest.mark.parametrize(
    "name",
    [
        "gate at 0.5",
        pytest.param("CURL-style", marks=pytest.mark.slow),
        pytest.param("TACO-style", marks=pytest.mark.slow),
        pytest.param("with alignment reward", marks=pytest.mark.slow),
        pytest.param("averaging", marks=pytest.mark.slow),
    ],
)
def test_other_methods_train(name, problems):
    """Each trains what it says: objectives take their steps, a fixed gate stays where it is."""
    bench = Bench(problems, Settings(search=TINY))
    found = bench.play(Run("table 2", "search", name, {**METHODS, **ABLATIONS}[name], 0))
    assert found["contrastive_steps"] >= 2
    if name == "gate at 0.5":
        assert found["curve"][-1]["gate"] == [0.5] * 5
    assert ("gate" in found["curve"][-1]) == (name != "averaging")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["repair", "generation"])
def test_a_tiny_run_with_a_warm_start(name, problems):
    """All methods of a seed begin with the same imitation."""
    budget = Budget(64, envs=4, rollout=8, n_steps=1, k=1, warm_start=3, tries=2)
    bench = Bench(problems, Settings(repair=budget, generation=budget))
    model, _ = bench._ready(Run("table 1", name, STATIC, METHODS[STATIC], 0))
    other, _ = bench._ready(Run("table 1", name, NONE, METHODS[NONE], 0))
    for key, value in model.policy.state_dict().items():
        assert torch.equal(value, other.policy.state_dict()[key]), key
    found = bench.play(Run("table 1", name, DCRL, METHODS[DCRL], 0))
    assert len(found["scores"]["success"]) == 2
