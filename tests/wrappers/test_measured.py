"""Facts that are added to what environments measure, and which components each environment can supply."""

from __future__ import annotations

import builtins
import math
import re
from pathlib import Path

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env

from code_envs.errors import ConfigurationError, ExecutorError, MissingDependencyError
from code_envs.execution.executor import Executor
from code_envs.record import RecordEpisodes
from code_envs.registration import ENVIRONMENTS
from code_envs.replay import replay
from code_envs.tasks.sources import load
from reward_machines.components import BUILT_IN, Components
from wrappers import text_facts
from wrappers.measured import MEASUREMENTS, Measured
from wrappers.task_card import FAMILIES, card_of, family_of

PAGE = Path(__file__).parent.parent.parent / "docs" / "rewards.md"
NAMES = [name for name in BUILT_IN if name != "preference"]
COSTED = ("CodeRepair-v0", "CodeGeneration-v0", "CodeCompletion-v0", "CodeOptimization-v0")
SHORT = {"CodeRepair-v0": {"max_executions": 2}, "CodeOptimization-v0": {"max_executions": 2}}
FEW = {"CodeRepair-v0": ("mutants:builtin", 3), "CodeSummarization-v0": ("stdlib", 60), "CodeSearch-v0": ("stdlib", 60)}
"""The default sources, and how many of their items are enough."""
TASK = {"task_id": "curriculum-v0/sum_of_squares"}


class Failing(Executor):
    """Hands jobs to a real executor and fails at the one with a number."""

    def __init__(self, inner, fails=-1):
        self.inner, self.fails, self.count = inner, fails, 0

    def submit(self, job):
        self.count += 1
        if self.count == self.fails:
            raise ExecutorError("the worker is lost")
        return self.inner.submit(job)

    def capabilities(self, language="python"):
        return self.inner.capabilities()

    def close(self):
        """The real one is another's to close."""


def make(name, executor):
    """An environment with short episodes and few of its default tasks."""
    few = {"tasks": load(FEW[name][0], executor, FEW[name][1])} if name in FEW else {}
    return gymnasium.make(name, executor=executor, **few, **SHORT.get(name, {}))


def episode(env, seed=0, expert=False):
    """The infos of an episode of random valid actions, or of the known way."""
    observation, info = env.reset(seed=seed)
    env.action_space.seed(seed)
    infos, over = [info], False
    while not over:
        action = info["expert_action"] if expert else env.action_space.sample(observation["action_mask"])
        observation, _, terminated, truncated, info = env.step(action)
        infos.append(info)
        over = terminated or truncated
    return infos


def documented():
    """Components by id, from the table of the page."""
    rows = re.findall(r"^\| `(\w+-v0)` \| ([\w, ]+) \|", PAGE.read_text(), re.MULTILINE)
    return {name: cell.split(", ") for name, cell in rows}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_each_environment_supplies_the_components_of_the_table(name, executor):
    """A real episode of each id has the measurements of the components that the page names, and of no other."""
    inner = make(name, executor)
    measured = Measured(inner).measurements
    env = Measured(inner, [*measured, "cost_ratio"]) if name in COSTED else Measured(inner)
    components = Components(NAMES, absent="zero")
    infos = episode(env)
    keys = [set(info["measurements"]) for info in infos]
    assert all(each == keys[0] for each in keys)
    lacking = components.missing(keys[0], gate=True)
    assert [each for each in NAMES if each not in lacking] == documented()[name]
    for info in infos:
        values = components.gated(info["measurements"])
        assert values.shape == (len(NAMES),)
        assert ((values >= 0) & (values <= 1)).all()
        assert all(isinstance(each, float) and math.isfinite(each) for each in info["measurements"].values())


def test_the_page_lists_every_id_and_component():
    """No environment and no component is left out of the documentation."""
    assert list(documented()) == list(ENVIRONMENTS)
    text = PAGE.read_text()
    assert [name for name in (*BUILT_IN, *MEASUREMENTS) if f"`{name}`" not in text] == []


@pytest.fixture
def generation(executor):
    return gymnasium.make("CodeGeneration-v0", executor=executor, expert=True)


def test_facts_are_those_of_the_text(generation):
    """What is added says of the program what the functions of texts say; what was there stays."""
    env = Measured(generation)
    for info in episode(env):
        facts, program = info["measurements"], info["program"]
        reference = generation.unwrapped.tasks[info["task_id"]].reference
        assert facts["similarity"] == text_facts.bleu(program, reference)
        assert facts["ast_similarity"] == text_facts.ast_similarity(program, reference, "python")
        assert facts["findings"] == text_facts.findings(program)
        assert facts["size_ratio"] == len(program) / len(reference)
        assert facts["steps"] >= 0
    assert "cost_ratio" not in facts


def test_the_known_way_ends_alike_and_as_cheap(generation):
    """The reference, written by the grammar, has its structure and its cost, and no cost before it passes."""
    infos = episode(Measured(generation, ["ast_similarity", "cost_ratio", "similarity"]), expert=True)
    last = infos[-1]["measurements"]
    assert infos[-1]["is_success"]
    assert last["ast_similarity"] > 0.9
    assert 0.5 < last["cost_ratio"] <= 2
    assert {info["measurements"]["cost_ratio"] for info in infos[:-1]} == {0.0}


def write(env, program):
    """Facts of one text."""
    env.reset(options=TASK)
    *_, info = env.step(program)
    return info["measurements"]


def test_a_wasteful_program_costs_more(executor):
    """The cost is that of the work done, the same in each run; a program that fails a test has none."""
    inner = gymnasium.make("CodeGeneration-v0", executor=executor, actions="text")
    env = Measured(inner, ["cost_ratio"])
    reference = inner.unwrapped.tasks[TASK["task_id"]].reference
    entry = inner.unwrapped.tasks[TASK["task_id"]].entry_point
    wasteful = (
        reference + f"\n_inner = {entry}\n\ndef {entry}(numbers):\n    for _ in range(3):\n        _inner(numbers)\n"
    )
    wasteful += "    return _inner(numbers)\n"
    assert write(env, reference)["cost_ratio"] == 1
    first = write(env, wasteful)["cost_ratio"]
    assert 0.15 < first < 0.35
    again = Measured(gymnasium.make("CodeGeneration-v0", executor=executor, actions="text"), ["cost_ratio"])
    assert write(again, wasteful)["cost_ratio"] == first
    assert write(env, f"def {entry}(numbers):\n    return -1\n")["cost_ratio"] == 0


def test_what_was_measured_is_not_executed_again(executor):
    """A program that comes back costs no execution, nor does a reference."""
    counted = Failing(executor)
    env = Measured(gymnasium.make("CodeGeneration-v0", executor=counted, actions="text"), ["cost_ratio"])
    reference = env.unwrapped.tasks[TASK["task_id"]].reference
    counts = []
    for _ in range(3):
        before = counted.count
        write(env, reference)
        counts.append(counted.count - before)
    assert counts[0] == counts[1] + 2
    assert counts[1] == counts[2]


def test_optimisation_measures_the_program_at_hand(executor):
    """A transformation that broke a test is not kept: tests and cost are those of the program that is."""
    env = Measured(gymnasium.make("CodeOptimization-v0", executor=executor, max_executions=6))
    infos = [info for seed in range(2) for info in episode(env, seed)]
    assert any("broken" in info["events"] for info in infos)
    for info in infos:
        assert info["measurements"]["tests"] == 1
        assert info["measurements"]["cost_ratio"] == pytest.approx(math.exp(info["measurements"]["gain"]))


def test_a_sandbox_that_fails_while_it_measures_ends_the_episode(executor):
    """Truncated with the error, as in every environment; the next episode is another."""
    failing = Failing(executor)
    env = Measured(gymnasium.make("CodeGeneration-v0", executor=failing, actions="text").unwrapped, ["cost_ratio"])
    reference = env.unwrapped.tasks[TASK["task_id"]].reference
    env.reset(options=TASK)
    failing.fails = failing.count + 3  # reward tests, held-out tests, cost
    _, _, terminated, truncated, info = env.step(reference)
    assert (terminated, truncated, info["executor_error"]) == (False, True, "the worker is lost")
    assert info["measurements"]["cost_ratio"] == 0
    with pytest.raises(ConfigurationError, match="call reset"):
        env.step(reference)
    assert write(env, reference)["cost_ratio"] == 1


def test_an_episode_that_could_go_on_is_over_when_measuring_fails(executor, monkeypatch):
    """Whatever the environment thinks, there is no further step."""
    env = Measured(make("CodeRepair-v0", executor), ["cost_ratio"])
    env.reset(seed=0)

    def fail(info):
        if info["measurements"]["executions"]:
            raise ExecutorError("the worker is lost")
        return 0.0

    monkeypatch.setattr(env, "_cost", fail)
    _, _, terminated, truncated, info = env.step(2)
    assert (terminated, truncated, info["executor_error"]) == (False, True, "the worker is lost")
    with pytest.raises(ConfigurationError, match="call reset"):
        env.step(0)


@pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version")
def test_it_is_part_of_the_spec_and_of_records(tmp_path):
    """Gymnasium's checker passes; the spec survives JSON; a recorded episode replays with its facts."""
    env = Measured(gymnasium.make("TextToSQL-v0"), ["tests", "similarity"])
    check_env(env, skip_render_check=True)
    again = gymnasium.make(gymnasium.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    assert again.measurements == ("tests", "similarity")
    recorded = RecordEpisodes(again, tmp_path / "measured.jsonl")
    episode(recorded)
    recorded.close()
    assert replay(recorded.path).difference == ""


UNFIT = {
    "unknown": ("TextToSQL-v0", ["beauty"], r"names of \['tests'"),
    "text": ("TextToSQL-v0", "tests", "names of"),
    "summary": ("CodeSummarization-v0", ["ast_similarity"], "no syntax tree of english"),
    "sharp": ("CodeTranslation-v0", ["ast_similarity"], "no syntax tree of csharp"),
    "query": ("TextToSQL-v0", ["findings"], "reads Python, not sql"),
    "picked": ("CodeSearch-v0", ["findings"], "picked, not written"),
    "untested": ("CodeTranslation-v0", ["tests"], "no tests"),
    "free": ("CodeSummarization-v0", ["cost_ratio"], "deterministic cost"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_cannot_be_had_is_said_at_once(name, executor):
    """A sentence with the reason, and what can be had instead."""
    environment, wanted, message = UNFIT[name]
    with pytest.raises(ConfigurationError, match=message):
        Measured(make(environment, executor), wanted)


def test_other_environments_are_refused():
    """Nothing is known of tasks that are not ours."""
    with pytest.raises(ConfigurationError, match="an environment of Code Envs"):
        Measured(gymnasium.make("CartPole-v1"))


@pytest.mark.parametrize("package", ["sacrebleu", "pycodestyle"])
def test_a_missing_package_names_its_extra(package, generation, monkeypatch):
    """Said when the wrapper is made."""
    real = builtins.__import__

    def without(name, *arguments, **named):
        if name.partition(".")[0] == package:
            raise ImportError(name)
        return real(name, *arguments, **named)

    text_facts.require_sacrebleu.cache_clear()
    text_facts.require_linter.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependencyError, match=r"code-envs\[rewards\]"):
        Measured(generation)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_descriptions_keep_the_answer_to_themselves(name, executor):
    """What an embedding is told of a task is not what the agent has to write, and every family is known."""
    env = make(name, executor)
    family = family_of(env)
    assert family == name.removesuffix("-v0")
    assert family in FAMILIES
    for task in list(env.unwrapped.tasks)[:20]:
        card = card_of(family, task)
        assert card.description
        assert card.reference
        assert card.reference.strip() not in card.description
        assert card.attributes == {"family": family, "language": card.language, "judged_by": card.judged_by}
