"""Token ids of another tokenizer: rows are those of the texts that the agent would see."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from code_envs.envs.search import CodeSearchEnv
from code_envs.envs.translation import CodeTranslationEnv
from code_envs.errors import ConfigurationError
from code_envs.tasks.described import Described
from code_envs.tasks.search_set import SearchSet
from wrappers.token_ids import TokenIds

LENGTH, VOCABULARY = 10, 128


def letters(texts):
    """The first characters' codes, padded with 0."""
    return np.array([[*text.encode("ascii", "replace")[:LENGTH].ljust(LENGTH, b"\0")] for text in texts])


def functions(count=12):
    """Functions of different names, each described."""
    tasks = [
        Described(f"made-v0/{k}", f"{chr(97 + k)} is what it returns.", f"def {chr(97 + k)}_name(x):\n    return {k}")
        for k in range(count)
    ]
    return SearchSet("made-v0", tuple(tasks), "MIT", "this test", "0" * 64, {}, {}, ())


def search(**kwargs):
    return CodeSearchEnv(functions(), pool_size=6, expert=True, **kwargs)


def text_of(row):
    return bytes(row[row > 0].tolist()).decode()


def test_the_rows_are_the_texts():
    """Description, every function of the pool in its order, and the function picked last."""
    env = TokenIds(search(), letters, VOCABULARY)
    plain = env.unwrapped
    observation, info = env.reset(seed=0)
    assert env.keys == ("code", "text", "pool")
    assert env.observation_space.contains(observation)
    assert text_of(observation["text"]) == plain.tasks[info["task_id"]].text[:LENGTH]
    assert [text_of(row) for row in observation["pool"]] == [each[:LENGTH] for each in plain.seen_functions()]
    answer = plain.tasks[info["task_id"]].code
    assert text_of(observation["pool"][info["expert_action"]]) == answer[:LENGTH]
    assert not observation["code"].any()
    observation, *_ = env.step(info["expert_action"])
    assert text_of(observation["code"]) == answer[:LENGTH]


def test_hidden_functions_stay_hidden():
    """Before it is opened, a function is no more than its name."""
    env = TokenIds(search(inspect=True), letters, VOCABULARY, keys=["pool"])
    observation, _ = env.reset(seed=0)
    assert all(text_of(row).endswith("_name") for row in observation["pool"])
    observation, *_ = env.step(6 + 2)
    assert [text_of(row).startswith("def ") for row in observation["pool"]] == [k == 2 for k in range(6)]


def test_other_keys_are_left_alone():
    """Only the keys asked for change, and nesting gives them different lengths."""
    short = TokenIds(search(), lambda texts: letters(texts)[:, :4], VOCABULARY, keys=["text"])
    env = TokenIds(short, letters, VOCABULARY, keys=["pool"])
    observation, _ = env.reset(seed=3)
    expected, _ = search().reset(seed=3)
    assert observation["text"].shape == (4,)
    assert observation["pool"].shape == (6, LENGTH)
    for key in set(expected) - {"text", "pool"}:
        assert np.array_equal(observation[key], expected[key])


def test_translation_has_code_and_text():
    """Elsewhere, `code` is what was written so far, `text` the description."""
    env = TokenIds(CodeTranslationEnv(), letters, VOCABULARY)
    observation, info = env.reset(seed=0)
    assert env.keys == ("code", "text")
    assert text_of(observation["text"]) == env.unwrapped.tasks[info["task_id"]].source[:LENGTH]
    observation, *_, info = env.step(int(np.flatnonzero(observation["action_mask"])[0]))
    assert text_of(observation["code"]) == info["program"][:LENGTH]


def test_gymnasiums_checker():
    with pytest.warns(UserWarning, match="different from the unwrapped"):
        check_env(TokenIds(search(), letters, VOCABULARY), skip_render_check=True)


@pytest.mark.parametrize(
    ("ids", "keys", "message"),
    [
        (letters, ["pools"], "keys must be some of"),
        (letters, "pool", "keys must be some of"),
        (letters, [], "keys must be some of"),
        (lambda texts: letters(texts) + 200, None, "must be in"),
        (lambda texts: letters(texts).astype(float), None, "rows of integers"),
        (lambda texts: letters(texts)[0], None, "rows of integers"),
    ],
    ids=["unknown", "a text", "none", "too large", "floats", "one row"],
)
def test_bad_arguments(ids, keys, message):
    with pytest.raises(ConfigurationError, match=message):
        TokenIds(search(), ids, VOCABULARY, keys)


def test_rows_must_have_one_length():
    env = TokenIds(search(), lambda texts: np.zeros((1, len(texts[0])), int), VOCABULARY)
    with pytest.raises(ConfigurationError, match="rows of one length"):
        env.reset(seed=0)


def test_another_environment_is_refused():
    with pytest.raises(ConfigurationError, match="Expected an environment of Code Envs"):
        TokenIds(gymnasium.make("CartPole-v1"), letters, VOCABULARY)
