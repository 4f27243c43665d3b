"""Scores of an encoder: how near text and function are, beside what was there."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from test_token_ids import search

from code_envs.errors import ConfigurationError
from wrappers.encoder_scores import EncoderScores


def embed(texts):
    """Unit vectors, drawn by the text."""
    drawn = [np.random.default_rng(list(text.encode())).normal(size=5) for text in texts]
    return np.stack([each / np.linalg.norm(each) for each in drawn]).astype(np.float32)


def test_the_column_is_the_nearness():
    """Of text and each function, in the order of the pool, also after a pick; BM25 stays where it was."""
    env = EncoderScores(search(bm25=True), embed)
    observation, info = env.reset(seed=1)
    plain, _ = search(bm25=True).reset(seed=1)
    base = env.unwrapped
    text = embed([base.tasks[info["task_id"]].text])[0]
    cosines = np.array([float(embed([code])[0] @ text) for code in base.seen_functions()])
    expected = np.exp((cosines - cosines.max()) / 0.1)
    assert env.observation_space.contains(observation)
    for seen in (observation, env.step((info["expert_action"] + 1) % 6)[0]):
        assert seen["pool_scores"].dtype == np.float32
        assert np.allclose(seen["pool_scores"][:, 1], expected, atol=1e-6)
        assert np.array_equal(seen["pool_scores"][:, :1], plain["pool_scores"])
    assert (expected.argsort() == cosines.argsort()).all()


def test_without_bm25_and_twice():
    """The first column, where there was none; one more with each encoder."""
    env = EncoderScores(EncoderScores(search(), embed), lambda texts: -embed(texts), 0.1)
    observation, _ = env.reset(seed=1)
    assert observation["pool_scores"].shape == (6, 2)
    assert np.array_equal(observation["pool_scores"][:, 0], observation["pool_scores"][:, 1])


def test_an_encoder_is_not_copied():
    """Many environments share one, with what it remembers."""

    class Encoder:
        def __call__(self, texts):
            return embed(texts)

        def __deepcopy__(self, memo):
            raise AssertionError("the encoder was copied")

    assert EncoderScores(search(), Encoder()).reset(seed=0)[0]["pool_scores"].shape == (6, 1)


def test_what_is_hidden_is_judged_by_its_name():
    env = EncoderScores(search(inspect=True), embed)
    observation, info = env.reset(seed=0)
    base = env.unwrapped
    text = embed([base.tasks[info["task_id"]].text])[0]
    hidden = base.seen_functions()
    assert not any("def" in each for each in hidden)
    cosines = embed(hidden) @ text
    assert np.allclose(observation["pool_scores"][:, 0], np.exp((cosines - cosines.max()) / 0.1), atol=1e-6)
    opened = env.step(6 + 2)[0]
    assert base.seen_functions()[2].startswith("def ")
    cosines = embed(base.seen_functions()) @ text
    assert np.allclose(opened["pool_scores"][:, 0], np.exp((cosines - cosines.max()) / 0.1), atol=1e-6)


def test_gymnasiums_checker():
    with pytest.warns(UserWarning, match="different from the unwrapped"):
        check_env(EncoderScores(search(), embed), skip_render_check=True)


@pytest.mark.parametrize(
    "wrong",
    [lambda texts: embed(texts)[1:], lambda texts: embed(texts)[0], lambda texts: embed(texts) * np.nan],
    ids=["too few", "one vector", "nan"],
)
def test_vectors_must_fit(wrong):
    with pytest.raises(ConfigurationError, match="finite vector for each of the 7 texts"):
        EncoderScores(search(), wrong).reset(seed=0)


def test_what_cannot_be_used():
    with pytest.raises(ConfigurationError, match="temperature must be above 0"):
        EncoderScores(search(), embed, 0.0)
    with pytest.raises(ConfigurationError, match="needs CodeSearch"):
        EncoderScores(gymnasium.make("CartPole-v1"), embed)
