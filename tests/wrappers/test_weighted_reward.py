"""The weighted reward: its formula, its facts in `info`, the hack it must not pay, and every kind of algorithm."""

from __future__ import annotations

import copy
import json

import gymnasium
import numpy as np
import pytest
import sb3_contrib
import stable_baselines3
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import TimeLimit
from stable_baselines3.common.env_checker import check_env as check_env_sb3

from code_envs.errors import ConfigurationError, ExecutorError
from code_envs.execution.executor import Executor
from reward_machines.components import Component, Components
from reward_machines.weighting import Fixed, OuterOnly, Uniform
from wrappers.compatibility import suited
from wrappers.measured import Measured
from wrappers.weighted_reward import WeightedReward

NAMES = ["compile", "tests", "similarity", "style"]
TABLE = {"compile": 1, "tests": 4, "similarity": 2, "style": 1}
TASK = {"task_id": "curriculum-v0/sum_of_squares"}
HONEST = """def sum_of_squares( numbers ):
    result=0
    for number in numbers : result=result+number
    return( result )
"""


class Lengths:
    """A task embedding for tests."""

    width = 2

    def __init__(self):
        self.asked = []

    def __call__(self, description, attributes):
        self.asked.append((description, dict(attributes)))
        return np.array([len(description), len(attributes)], np.float32)

    def spec(self):
        return {"class": "Lengths"}


class Recording(Uniform):
    """Remembers what it was told, and can change its weights."""

    def __init__(self, components, outer_share=0.3):
        super().__init__(components, outer_share)
        self.told = []
        self.row = np.full(len(self.components), 1 / len(self.components), np.float32)

    def weights(self, embeddings, families):
        self.checked(embeddings, families)
        return self.masked(np.tile(self.row, (len(embeddings), 1)))

    def observe(self, embedding, family, task_id, returns, outer):
        super().observe(embedding, family, task_id, returns, outer)
        self.told.append((embedding, family, task_id, returns, outer))


class Failing(Executor):
    """Hands jobs to a real executor until told to fail."""

    def __init__(self, inner):
        self.inner, self.broken = inner, False

    def submit(self, job):
        if self.broken:
            raise ExecutorError("the worker is lost")
        return self.inner.submit(job)

    def capabilities(self, language="python"):
        return self.inner.capabilities()

    def close(self):
        """The real one is another's to close."""


@pytest.fixture
def inner(executor):
    return Measured(gymnasium.make("CodeGeneration-v0", executor=executor, expert=True))


@pytest.fixture
def writing(executor):
    return Measured(gymnasium.make("CodeGeneration-v0", executor=executor, actions="text", max_attempts=1))


def episode(env, seed=0, expert=False):
    """Rewards and infos of an episode; the first info is that of reset."""
    observation, info = env.reset(seed=seed)
    env.action_space.seed(seed)
    rewards, infos, over = [], [info], False
    while not over:
        action = info["expert_action"] if expert else env.action_space.sample(observation["action_mask"])
        observation, reward, terminated, truncated, info = env.step(action)
        rewards.append(reward)
        infos.append(info)
        over = terminated or truncated
    return rewards, infos


@pytest.mark.parametrize("gate", [True, False])
@pytest.mark.parametrize("expert", [True, False])
def test_component_returns_telescope(inner, gate, expert):
    """The sum of a component's rewards is its last value less its first, by the components themselves."""
    components = Components(NAMES)
    _, infos = episode(WeightedReward(inner, Uniform(NAMES), components, gate=gate), expert=expert)
    value = components.gated if gate else components.values
    first, last = value(infos[0]["measurements"]), value(infos[-1]["measurements"])
    assert sum(info["vector_reward"] for info in infos) == pytest.approx(last - first, abs=1e-5)
    for info in infos:
        assert info["component_values"].tolist() == value(info["measurements"]).tolist()


@pytest.mark.parametrize("outer_share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("expert", [True, False])
def test_the_reward_is_the_formula(inner, outer_share, expert):
    """w_o * outer + (1 - w_o) * sum_i alpha_i R_i, with the outer metric at the end alone (eq. 6)."""
    env = WeightedReward(inner, Fixed(NAMES, TABLE, outer_share), NAMES)
    rewards, infos = episode(env, expert=expert)
    alpha = np.array(list(TABLE.values())) / 8
    for reward, info in zip(rewards, infos[1:], strict=True):
        expected = outer_share * info["outer_reward"] + (1 - outer_share) * float(alpha @ info["vector_reward"])
        assert isinstance(reward, float)
        assert reward == pytest.approx(expected, abs=1e-6)
    assert [info["outer_reward"] for info in infos[:-1]] == [0.0] * (len(infos) - 1)
    assert infos[-1]["outer_reward"] == 0.5 * infos[-1]["held_out"] + 0.5 * infos[-1]["is_success"]
    if expert:
        assert infos[-1]["outer_reward"] == 1
    if outer_share == 1:
        assert sum(rewards) == infos[-1]["outer_reward"]


def test_outer_only_pays_the_outer_metric(inner):
    """The baseline without components."""
    rewards, infos = episode(WeightedReward(inner, OuterOnly(NAMES), NAMES), expert=True)
    assert rewards == [0.0] * (len(rewards) - 1) + [infos[-1]["outer_reward"]]


def test_info_says_what_was_paid(inner):
    """Every documented key, with its type; the environment's own reward is that of the bare environment."""
    embedding = Lengths()
    env = WeightedReward(inner, Uniform(NAMES), NAMES, embedding)
    _, infos = episode(env)
    plain, _ = episode(inner)
    assert [info["environment_reward"] for info in infos[1:]] == plain
    description = inner.unwrapped.tasks[infos[0]["task_id"]].description
    for info in infos:
        assert env.reward_space.contains(info["vector_reward"])
        assert info["component_values"].shape == info["weights"].shape == (4,)
        assert info["component_values"].dtype == info["weights"].dtype == np.float32
        assert info["task_embedding"].tolist() == [len(description), 3]
        assert isinstance(info["outer_reward"], float)
        assert isinstance(info["environment_reward"], float)
        assert info["family"] == "CodeGeneration"
    attributes = {"family": "CodeGeneration", "language": "python", "judged_by": "tests"}
    assert embedding.asked == [(description, attributes)]
    assert env.reward_space == gymnasium.spaces.Box(-1, 1, (4,), np.float32)


def test_arrays_are_fresh(inner):
    """A caller who changes what it got changes nothing else."""
    env, twin = (WeightedReward(inner, Uniform(NAMES), NAMES, Lengths()) for _ in range(2))
    expected, _ = episode(twin, expert=True)
    _, info = env.reset(seed=0)
    rewards, over = [], False
    while not over:
        for key in ("vector_reward", "component_values", "weights", "task_embedding"):
            info[key][:] = 7
        _, reward, terminated, truncated, info = env.step(info["expert_action"])
        rewards.append(reward)
        over = terminated or truncated
    assert rewards == expected


def test_the_weighting_is_told_of_each_episode_once(inner):
    """At its end: embedding, family, task, component returns and outer return."""
    weighting = Recording(NAMES)
    env = WeightedReward(inner, weighting, NAMES, Lengths())
    for expert in (True, False):
        _, infos = episode(env, expert=expert)
        embedding, family, task_id, returns, outer = weighting.told[-1]
        assert returns == pytest.approx(infos[-1]["component_values"] - infos[0]["component_values"], abs=1e-5)
        assert (family, task_id, outer) == ("CodeGeneration", infos[0]["task_id"], infos[-1]["outer_reward"])
        assert embedding.tolist() == infos[0]["task_embedding"].tolist()
    assert len(weighting.told) == 2


def test_weights_are_fixed_within_an_episode(inner):
    """A weighting that learns in between is asked again at the next reset."""
    weighting = Recording(NAMES)
    env = WeightedReward(inner, weighting, NAMES)
    _, info = env.reset(seed=0)
    weighting.row = np.array([0, 1, 0, 0], np.float32)
    *_, info = env.step(info["expert_action"])
    assert info["weights"].tolist() == [0.25] * 4
    _, info = env.reset(seed=0)
    assert info["weights"].tolist() == [0, 1, 0, 0]


def paid(env, program):
    """Reward of writing one program."""
    env.reset(options=TASK)
    _, reward, terminated, truncated, info = env.step(program)
    assert terminated or truncated
    return reward, info


def test_an_empty_program_pays_only_without_the_gate(writing):
    """Under equal weights an empty program earns more than an honest attempt; with the gate it earns less.

    The honest one is right on some tests, has findings, and is no shorter than the reference.
    """
    names = ["compile", "tests", "style", "size"]
    open_, gated = (WeightedReward(writing, Uniform(names, 0.0), names, gate=gate) for gate in (False, True))
    (empty, _), (honest, info) = paid(open_, ""), paid(open_, HONEST)
    assert 0 < info["measurements"]["tests"] < 1
    assert empty == 0
    assert honest < -0.1
    (empty, info), (honest, _) = paid(gated, ""), paid(gated, HONEST)
    assert info["component_values"].tolist() == [1, 0, 0, 0]
    assert empty == 0
    assert honest > 0.05


@pytest.mark.parametrize("gate", [True, False])
def test_emptying_a_program_pays_only_without_the_gate(executor, gate):
    """Equal weights pay for throwing away an honest attempt; with the gate it costs what was earned."""
    names = ["compile", "tests", "style", "size"]
    env = Measured(gymnasium.make("CodeGeneration-v0", executor=executor, actions="text", max_attempts=2))
    env = WeightedReward(env, Uniform(names, 0.0), names, gate=gate)
    env.reset(options=TASK)
    *_, info = env.step(HONEST)
    kept = info["measurements"]["tests"]
    _, reward, *_, info = env.step("")
    assert (info["program"], info["measurements"]["tests"]) == ("", 0)
    if gate:
        assert reward < -kept / 4
    else:
        assert reward > 0.1


def test_a_sandbox_failure_pays_and_observes_nothing(executor):
    """The step is worth 0, the components stay where they were, and the next episode is whole."""
    failing = Failing(executor)
    weighting = Recording(NAMES)
    bare = gymnasium.make("CodeGeneration-v0", executor=failing, actions="text", max_attempts=2)
    env = WeightedReward(Measured(bare), weighting, NAMES)
    env.reset(options=TASK)
    *_, before = env.step(HONEST)
    failing.broken = True
    _, reward, terminated, truncated, info = env.step("def sum_of_squares(numbers):\n    return 0\n")
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert info["executor_error"] == "the worker is lost"
    assert (info["vector_reward"].tolist(), info["outer_reward"]) == ([0] * 4, 0)
    assert info["component_values"].tolist() == before["component_values"].tolist()
    assert weighting.told == []
    failing.broken = False
    env.reset(options=TASK)
    env.step(HONEST)
    env.step(HONEST)
    assert len(weighting.told) == 1


def test_a_time_limit_has_no_outer_metric(executor):
    """An episode that a wrapper cuts off pays its components and is not observed."""
    weighting = Recording(NAMES)
    cut = TimeLimit(gymnasium.make("CodeGeneration-v0", executor=executor, expert=True), 1)
    env = WeightedReward(Measured(cut), weighting, NAMES)
    _, info = env.reset(options=TASK)
    _, reward, _, truncated, info = env.step(info["expert_action"])
    assert truncated
    assert reward == pytest.approx(0.7 * info["vector_reward"].mean())
    assert info["outer_reward"] == 0
    assert weighting.told == []


def test_the_environments_own_terms_can_be_weighted(inner):
    """Without components the terms of the environment's reward are."""
    space = inner.unwrapped.reward_space
    names = [f"term {number}" for number in range(space.shape[0])]
    env = WeightedReward(inner, Uniform(names, 0.0), None)
    rewards, infos = episode(env, expert=True)
    plain, own = episode(inner, expert=True)
    assert [info["vector_reward"].tolist() for info in infos] == [info["vector_reward"].tolist() for info in own]
    assert np.multiply(rewards, len(names)) == pytest.approx(plain, abs=1e-5)
    assert env.reward_space == space
    assert infos[-1]["component_values"] == pytest.approx(sum(info["vector_reward"] for info in own), abs=1e-5)


def test_a_component_that_may_not_count_has_no_weight(inner):
    """Until it may: then the weighting is told at the next reset; what a user turned off stays off."""
    may = [False]
    own = Component("own", ("lines",), lambda facts: 1.0, "always 1", active=lambda: may[0])
    weighting = Uniform(["compile", "tests", "own"])
    weighting.set_active("compile", False)
    env = WeightedReward(inner, weighting, Components(["compile", "tests", own]))
    assert env.reset(seed=0)[1]["weights"].tolist() == [0, 1, 0]
    may[0] = True
    assert env.reset(seed=0)[1]["weights"].tolist() == [0, 0.5, 0.5]


def test_the_spec_survives_json():
    """Objects and specs alike become JSON, and gymnasium.make gives an environment that pays the same."""
    components = Components([{"name": "compile", "lam": 0.25}, "tests", "style"], absent="zero")
    weighting = Fixed(components.names, {"compile": 1, "tests": 2, "style": 1}, 0.5)
    bare = gymnasium.make("TextToSQL-v0")
    first = WeightedReward(Measured(bare), weighting, components, gate=False)
    second = WeightedReward(Measured(bare), weighting.spec(), json.loads(json.dumps(components.spec())), gate=False)
    third = gymnasium.make(EnvSpec.from_json(first.spec.to_json()))
    assert first.spec.to_json() == second.spec.to_json() == third.spec.to_json()
    assert isinstance(third, WeightedReward)
    assert third.gate is False
    assert episode(first)[0] == episode(second)[0] == episode(third)[0]


def test_the_embedding_survives_json():
    """By its spec, too."""
    embedding = pytest.importorskip("reward_machines.embedding")
    env = WeightedReward(
        Measured(gymnasium.make("TextToSQL-v0")), Uniform(["tests"]), ["tests"], embedding.HashedText()
    )
    again = gymnasium.make(EnvSpec.from_json(env.spec.to_json()))
    _, expected = env.reset(seed=0)
    _, info = again.reset(seed=0)
    assert expected["task_embedding"].shape == (env.embedding.width,)
    assert np.abs(expected["task_embedding"]).sum() > 0
    assert info["task_embedding"].tolist() == expected["task_embedding"].tolist()


@pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version")
@pytest.mark.filterwarnings("ignore:.*has an unconventional shape")
def test_both_checkers_pass():
    """Gymnasium's and Stable-Baselines3's."""
    env = WeightedReward(Measured(gymnasium.make("TextToSQL-v0")), Uniform(["tests", "compile"]), ["tests", "compile"])
    check_env(env, skip_render_check=True)
    check_env_sb3(env)


def test_gymnasiums_own_vector_environment_takes_it():
    """Several in one process share the weighting object."""
    weighting = Recording(["tests", "compile"])
    envs = gymnasium.make_vec(
        "TextToSQL-v0",
        2,
        vectorization_mode="sync",
        wrappers=[Measured, lambda env: WeightedReward(env, weighting, ["tests", "compile"])],
        max_actions=3,
    )
    envs.reset(seed=0)
    for _ in range(4):
        *_, infos = envs.step(np.zeros(2, np.int64))
    assert infos["vector_reward"].shape == (2, 2)
    assert len(weighting.told) >= 2
    envs.close()


NET = {"net_arch": [16]}
ROLLOUT = {"n_steps": 8, "batch_size": 8, "n_epochs": 1, "policy_kwargs": NET}
REPLAY = {"buffer_size": 64, "learning_starts": 4, "batch_size": 4, "train_freq": 2, "policy_kwargs": NET}
ALGORITHMS = {
    "PPO": ROLLOUT,
    "A2C": {"n_steps": 4, "policy_kwargs": NET},
    "DQN": REPLAY,
    "MaskablePPO": ROLLOUT,
    "SAC": REPLAY,
    "TD3": REPLAY,
}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_algorithms_train_on_it(name):
    """On-policy, off-policy, masked, and in a cube: parameters move, and episodes are observed."""
    kind = getattr(stable_baselines3, name, None) or getattr(sb3_contrib, name)
    weighting = Recording(["tests", "compile", "similarity"])
    bare = gymnasium.make("TextToSQL-v0", max_actions=4, max_candidates=64, code_tokens=64)
    env = WeightedReward(Measured(bare), weighting, weighting.components)
    model = kind(*suited(kind, env), seed=0, device="cpu", **copy.deepcopy(ALGORITHMS[name]))
    before = [each.clone() for each in model.policy.parameters()]
    model.learn(16)
    after = model.policy.parameters()
    assert any(not old.equal(new) for old, new in zip(before, after, strict=True))
    assert len(weighting.told) >= 3


UNFIT = {
    "order": ({"components": ["tests", "compile"]}, ConfigurationError, "same names in the same order"),
    "terms": ({"components": None}, ConfigurationError, "has the shape"),
    "weighting": ({"weighting": 0.5}, ConfigurationError, "weighting must be a Weighting or its spec"),
    "embedding": ({"embedding": 64}, ConfigurationError, "embedding must be a task embedding"),
    "spec": ({"weighting": {"class": "Best"}}, ValueError, "no weighting is named 'Best'"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_does_not_fit_is_explained(name):
    """When the wrapper is made."""
    changed, kind, message = UNFIT[name]
    arguments = {"weighting": Uniform(["compile", "tests"]), "components": ["compile", "tests"], **changed}
    with pytest.raises(kind, match=message):
        WeightedReward(gymnasium.make("TextToSQL-v0"), **arguments)


def test_a_missing_measurement_says_what_supplies_it():
    """At the first reset, before an episode is played for nothing."""
    env = WeightedReward(gymnasium.make("TextToSQL-v0"), Uniform(["tests"]), ["tests"])
    with pytest.raises(ValueError, match=r"measured\.Measured adds"):
        env.reset()


def test_what_is_no_json_is_refused_by_the_spec():
    """A component of one's own works, but not in a spec that goes to JSON."""
    own = Component("own", ("tests",), lambda facts: facts["tests"], "the share")
    env = WeightedReward(Measured(gymnasium.make("TextToSQL-v0")), Uniform(["own"]), Components([own]))
    env.reset(seed=0)
    with pytest.raises(TypeError, match="type Components is not JSON serializable"):
        env.spec.to_json()
