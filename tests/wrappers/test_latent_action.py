"""Points of a cube stand for the nearest valid candidates, by places that never change."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import FilterObservation

from code_envs.errors import ConfigurationError
from code_envs.record import RecordEpisodes
from code_envs.replay import replay
from code_envs.syntax.tokens import VOCABULARY_SIZE
from wrappers.latent_action import Embedding, LatentAction


@pytest.fixture
def inner(executor):
    return gymnasium.make("CodeRepair-v0", executor=executor, max_candidates=128, max_executions=4)


@pytest.fixture
def env(inner):
    return LatentAction(inner)


def test_the_place_of_a_candidate_takes_it(env, inner):
    """The action at a candidate's own place is that candidate; its number is in `info`."""
    observation, info = env.reset(seed=1)
    assert info["action"] == -1
    valid = np.flatnonzero(observation["action_mask"])
    embedding = Embedding(8, 12, VOCABULARY_SIZE, 8)
    places = embedding(observation["candidates"], observation["candidate_scores"])
    taken = [env.nearest(places[number]) for number in valid]
    same = [np.allclose(places[first], places[second]) for first, second in zip(valid, taken, strict=True)]
    assert all(same)
    assert len(set(taken)) > 0.95 * len(valid)
    chosen = int(valid[-1])
    *_, info = env.step(places[chosen])
    assert info["action"] == taken[-1]
    assert "edited" in info["events"]


def test_no_point_is_invalid(env):
    """Whatever the point, also outside of the cube, a valid candidate is taken, and many of them can be."""
    env.reset(seed=1)
    random = np.random.default_rng(0)
    taken = set()
    for _ in range(30):
        point = random.uniform(-3, 3, 8)
        *_, terminated, truncated, info = env.step(point)
        assert "invalid" not in info["events"]
        taken.add(info["action"])
        if terminated or truncated:
            env.reset()
    assert len(taken) > 10


def test_places_are_fixed():
    """The embedding is the same on every machine and for ever: figures written down once."""
    rows = np.zeros((2, 12), np.int32)
    rows[1] = np.arange(12)
    places = Embedding(3, 12, 100, 8)(rows, np.full((2, 8), 0.5, np.float32))
    assert places.dtype == np.float32
    expected = [[-0.1377119, 0.2735857, 0.0104953], [0.6350909, -0.7273721, 0.3995166]]
    assert np.allclose(places, expected, atol=1e-6)


def test_alike_rows_are_near():
    """Rows that differ in one token are nearer than rows of another kind."""
    rows = np.tile(np.array([3, 5, 1, 10, 7, 8, 0, 9, 8, 0, 0, 0], np.int32), (3, 1))
    rows[1, 7] = 11
    rows[2, 0] = 12
    places = Embedding(8, 12, 100, 8)(rows, np.zeros((3, 8), np.float32))
    assert np.linalg.norm(places[0] - places[1]) < np.linalg.norm(places[0] - places[2])


@pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version")
def test_gymnasiums_checker_passes(env):
    """It is an environment as Gymnasium wants it, and part of the spec."""
    check_env(env, skip_render_check=True)
    assert env.spec.additional_wrappers[-1].kwargs == {"dimensions": 8}


def test_its_episodes_replay(env, tmp_path):
    """Continuous actions are recorded exactly."""
    recorded = RecordEpisodes(env, tmp_path / "latent.jsonl")
    recorded.reset(seed=0)
    recorded.action_space.seed(0)
    for _ in range(3):
        recorded.step(recorded.action_space.sample())
    recorded.close()
    found = replay(recorded.path)
    assert (found.steps, found.difference) == (3, "")


def test_what_does_not_fit_is_explained(env, inner):
    """Missing keys, continuous actions, wrong points and a step before reset get a sentence each."""
    with pytest.raises(ConfigurationError, match=r"\['candidates', 'candidate_scores'\] are missing"):
        LatentAction(FilterObservation(inner, ["code", "action_mask"]))
    with pytest.raises(ConfigurationError, match="needs Discrete actions"):
        LatentAction(env)
    with pytest.raises(ConfigurationError, match="dimensions must be in"):
        LatentAction(inner, dimensions=0)
    with pytest.raises(ConfigurationError, match="call reset"):
        env.step(np.zeros(8, np.float32))
    env.reset(seed=0)
    for point in (np.zeros(7, np.float32), np.full(8, np.nan, np.float32)):
        with pytest.raises(ConfigurationError, match="Expected a finite point"):
            env.step(point)
