"""Buffers of component rewards: GAE is linear, and no reward is stale."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import torch
from component_toys import COMPONENTS, WIDTH, Watched, environments
from stable_baselines3 import DQN
from stable_baselines3.common.buffers import DictRolloutBuffer, RolloutBuffer

from agents.component_buffer import (
    ComponentReplayBuffer,
    ComponentRolloutBuffer,
    FlatComponentReplayBuffer,
    FlatComponentRolloutBuffer,
    LiveRewards,
    TaskTable,
)
from agents.weighting_callback import WeightingCallback
from reward_machines.dterm import DTERM
from reward_machines.weighting import ByFamily, Fixed

BOX = gymnasium.spaces.Box(-1, 1, (3,), np.float32)
ACTIONS = gymnasium.spaces.Discrete(3)
STEPS, ENVS, K = 7, 3, 4


@pytest.fixture
def filled():
    """Our buffer, SB3's buffer with the composed reward, and the weights of each environment's task."""

    def make(flat):
        rng = np.random.default_rng(0)
        space = BOX if flat else gymnasium.spaces.Dict({"seen": BOX})
        arguments = {"gamma": 0.9, "gae_lambda": 0.8, "n_envs": ENVS, "device": "cpu"}
        ours = (FlatComponentRolloutBuffer if flat else ComponentRolloutBuffer)(
            STEPS, space, ACTIONS, components=K, **arguments
        )
        theirs = (RolloutBuffer if flat else DictRolloutBuffer)(STEPS, space, ACTIONS, **arguments)
        weights = rng.dirichlet(np.ones(K), ENVS).astype(np.float32)
        full = np.concatenate([0.7 * weights, np.full((ENVS, 1), 0.3)], -1).astype(np.float32)
        embeddings = np.eye(ENVS, dtype=np.float32)
        predicted = rng.normal(size=(STEPS, ENVS, K + 1)).astype(np.float32)
        for values in predicted:
            seen = rng.uniform(-1, 1, (ENVS, 3)).astype(np.float32)
            observation = seen if flat else {"seen": seen}
            rewards = rng.normal(size=(ENVS, K + 1)).astype(np.float32)
            starts, logs = rng.random(ENVS) < 0.3, torch.zeros(ENVS)
            ours.add_components(rewards, embeddings, ["a"] * ENVS)
            ours.add(observation, np.zeros((ENVS, 1)), rewards[:, 0], starts, torch.zeros(ENVS), logs)
            composed = torch.from_numpy((full * values).sum(-1))
            theirs.add(observation, np.zeros((ENVS, 1)), (full * rewards).sum(-1), starts, composed, logs)
        last = rng.normal(size=(ENVS, K + 1)).astype(np.float32)
        dones = np.array([True, False, False])
        ours.compute_component_advantages(predicted, last, dones)
        ours.weigh(weights, 0.3)
        theirs.compute_returns_and_advantage(torch.from_numpy((full * last).sum(-1)), dones)
        return ours, theirs

    return make


@pytest.mark.parametrize("flat", [True, False])
def test_weighted_advantages_are_those_of_the_weighted_reward(filled, flat):
    """A^alpha = GAE(sum_i alpha_i r_i, sum_i alpha_i V_i), for each environment's own weights."""
    ours, theirs = filled(flat)
    np.testing.assert_allclose(ours.advantages, theirs.advantages, atol=1e-6)
    np.testing.assert_allclose(ours.returns, theirs.returns, atol=1e-6)
    np.testing.assert_allclose(ours.values, theirs.values, atol=1e-6)


@pytest.mark.parametrize("flat", [True, False])
def test_minibatches_keep_rows_together(filled, flat):
    """Every sample's components, advantages and task belong to its observation, and each step comes once."""
    ours, _ = filled(flat)
    seen = ours.observations if flat else ours.observations["seen"]
    rows = {tuple(seen[step, env]): (step, env) for step in range(STEPS) for env in range(ENVS)}
    expected = {
        name: getattr(ours, name).copy() for name in ("component_values", "component_returns", "advantages", "returns")
    }
    found = []
    for _ in range(2):  # the second pass goes over arrays that the first flattened
        found.append([])
        for batch in ours.get(4):
            observed = batch.observations if flat else batch.observations["seen"]
            for number, row in enumerate(observed.numpy()):
                step, env = place = rows[tuple(row)]
                found[-1].append(place)
                for name, array in expected.items():
                    np.testing.assert_array_equal(getattr(batch, name)[number].numpy(), array[step, env])
                assert batch.embeddings[number].argmax() == env
    assert sorted(found[0]) == sorted(found[1]) == sorted(rows.values())
    assert found[0] != found[1]


def test_a_task_has_one_number():
    """Embedding and family together make a task; the table keeps copies."""
    table = TaskTable()
    rows = np.eye(2, dtype=np.float32)
    assert table.numbers(rows, ["a", "a"]).tolist() == [0, 1]
    assert table.numbers(rows, ["a", "b"]).tolist() == [0, 2]
    rows[:] = 9
    np.testing.assert_array_equal(table.embeddings(), np.eye(2, dtype=np.float32)[[0, 1, 1]])
    assert table.families(np.array([2, 0])) == ["b", "a"]


def test_live_rewards_are_those_of_each_steps_task():
    """w_o outer + (1 - w_o) alpha . R with the family's own weights."""
    tables = {"a": {"tests": 1.0, "style": 0.0}, "b": {"tests": 0.25, "style": 0.75}}
    live = LiveRewards(ByFamily(COMPONENTS, tables, outer_share=0.5), (2, 2))
    info = {"task_embedding": np.zeros(WIDTH, np.float32), "task_id": "0", "outer_reward": 0.5}
    for step, vector in enumerate([[1.0, 0.0], [0.0, 1.0]]):
        live.store(step, [info | {"vector_reward": np.array(vector), "family": family} for family in "ab"])
    rewards = live[np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])]
    np.testing.assert_allclose(rewards, [0.25 + 0.5, 0.25 + 0.125, 0.25, 0.25 + 0.375])
    assert rewards.dtype == np.float32


@pytest.mark.parametrize(("spaces", "policy", "buffer"), [
    ("box", "MlpPolicy", FlatComponentReplayBuffer), ("dict", "MultiInputPolicy", ComponentReplayBuffer),
])  # fmt: skip
def test_replayed_rewards_are_never_stale(spaces, policy, buffer):
    """DQN learns; when the weights change, samples of old steps are paid by the new ones."""
    weighting = Watched(outer_share=0.0)
    model = DQN(
        policy, environments(spaces=spaces, count=1), replay_buffer_class=buffer, learning_starts=20, seed=0,
        buffer_size=100, replay_buffer_kwargs={"weighting": weighting}, device="cpu",
    ).learn(160, WeightingCallback(weighting, every=50))  # fmt: skip
    assert weighting.updates == 3
    stored = model.replay_buffer.rewards
    steps = np.arange(100)
    rows = stored.components[steps, 0]
    for table in ({"tests": 1.0, "style": 0.0}, {"tests": 0.0, "style": 1.0}):
        weighting.table = table
        np.random.seed(0)
        drawn = model.replay_buffer.sample(400).rewards.numpy().ravel()
        np.testing.assert_array_equal(stored[steps, np.zeros(100, int)], rows @ [table["tests"], table["style"]])
        assert set(np.unique(drawn)) == set(np.unique(rows @ list(table.values())).astype(np.float32))
        assert len(set(drawn)) > 1


def test_a_replay_buffer_works_with_a_learned_weighting():
    """DTERM under DQN: its episodes are observed once, and its updates counted."""
    weighting = DTERM(COMPONENTS, WIDTH, warm_up=4)
    DQN(
        "MlpPolicy", environments(count=2), replay_buffer_class=FlatComponentReplayBuffer, learning_starts=20, seed=0,
        buffer_size=200, replay_buffer_kwargs={"weighting": weighting}, device="cpu",
    ).learn(200, WeightingCallback(weighting, every=100))  # fmt: skip
    assert weighting._episodes.episodes == 200 // 4


def test_a_callback_of_another_weighting_is_refused():
    """Buffer and callback must hold one object."""
    model = DQN(
        "MlpPolicy", environments(count=1), replay_buffer_class=FlatComponentReplayBuffer, device="cpu",
        buffer_size=100, replay_buffer_kwargs={"weighting": Fixed(COMPONENTS, dict.fromkeys(COMPONENTS, 1.0))},
    )  # fmt: skip
    with pytest.raises(ValueError, match="give both the same object"):
        model.learn(8, WeightingCallback(Watched()))
