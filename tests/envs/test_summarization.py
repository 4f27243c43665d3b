"""CodeSummarization-v0: the MDP."""

import numpy as np
import pytest
import sacrebleu

from code_envs.envs.summarization import CodeSummarizationEnv
from code_envs.errors import ConfigurationError
from code_envs.syntax.tokens import SEPARATOR
from code_envs.tasks.described import Described
from code_envs.tasks.task import TaskSet

CODE = "def parse_header(raw_bytes):\n    line = raw_bytes.split()\n    return line\n"


def made(*texts, code=CODE, **more):
    tasks = tuple(Described(f"small-v0/{number}", text, code) for number, text in enumerate(texts))
    return CodeSummarizationEnv(tasks=TaskSet("small-v0", tasks, "MIT", "these tests", "0" * 64), expert=True, **more)


@pytest.fixture
def env():
    made_env = made("Parse the header of raw bytes. More is said later.")
    made_env.reset(seed=0)
    return made_env


def write(env, text):
    return [env.step(env.state.page.vocabulary.numbers[word]) for word in text.split()]


def test_expert_writes_the_first_sentence(env):
    """Its words give the reference; the rewards add up to BLEU 1, plus 1, minus the words' cost."""
    _, info = env.reset(seed=0)
    total, over = 0.0, False
    while not over:
        _, reward, over, _, info = env.step(info["expert_action"])
        total += reward
    assert info["written"] == "parse the header of raw bytes."
    assert total == pytest.approx(2 - 7 * 0.001)
    assert info["measurements"] == {"bleu": pytest.approx(1.0), "exact": 1.0, "tokens": 7.0}
    assert (info["held_out"], info["is_success"]) == (pytest.approx(1.0), True)
    assert {"submitted", "matched"} <= info["events"]


def test_rewards_are_the_gain_of_bleu(env):
    """Whatever is written: the first terms add up to sacrebleu's score of the text; it may fall."""
    transitions = write(env, "parse raw the header zero header of bytes")
    gains = [transition[4]["vector_reward"][0] for transition in transitions]
    whole = sacrebleu.metrics.BLEU(tokenize="none", smooth_method="add-k", effective_order=True)
    expected = whole.sentence_score(
        "parse raw the header zero header of bytes", ["parse the header of raw bytes ."]
    ).score
    assert sum(gains) == pytest.approx(expected / 100, abs=1e-6)
    assert min(gains) < 0
    _, reward, terminated, _, info = env.step(0)
    assert (reward, terminated) == (0.0, True)
    assert info["held_out"] == pytest.approx(expected / 100)
    assert info["is_success"] is False


def test_masked_actions_cost_and_end(env):
    ends = []
    for _ in range(40):
        assert not env.action_masks()[511]
        _, reward, terminated, truncated, info = env.step(511)
        ends.append((terminated, truncated))
        assert reward == pytest.approx(-0.001)
        assert "invalid" in info["events"]
    assert ends == [(False, False)] * 39 + [(False, True)]
    assert info["measurements"]["bleu"] == 0.0


def test_words_of_the_function_can_be_copied_and_inflected(env):
    """Parts of names are copied, with their place in `code`; inflections are variants of them."""
    observation, _ = env.reset(seed=0)
    numbers = env.state.page.vocabulary.numbers
    row = observation["candidates"][numbers["raw"]]
    assert row[:2].tolist() == [34, 7]
    assert observation["code"][row[3]] == row[7]
    assert observation["candidates"][numbers["headers"], :2].tolist() == [34, 10]
    assert observation["candidates"][numbers["whether"], 0] == 33


def test_the_text_shows_what_was_written(env):
    """A mark, then the words."""
    *_, (observation, *_) = write(env, "parse the header")
    rows = observation["candidates"]
    numbers = env.state.page.vocabulary.numbers
    expected = [SEPARATOR, *(rows[numbers[word], 7] for word in ("parse", "the", "header"))]
    assert observation["text"][:5].tolist() == [*expected, 0]
    assert rows[1, 4:7].tolist() == expected[:0:-1]


def test_what_follows_in_the_function_is_said(env):
    """After "header", the function goes on with a bracket; after "parse the", with the header."""
    write(env, "parse")
    observation, *_ = write(env, "the")[-1]
    numbers = env.state.page.vocabulary.numbers
    assert observation["candidate_scores"][numbers["header"], 1] == 1.0


def test_long_functions_and_references_are_cut():
    """A function longer than `code` and a description of a hundred words keep the arrays in their shape."""
    env = made(" ".join(["return"] * 100), code=CODE * 60)
    observation, _ = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    assert len(env.state.page.target) == 32
    assert all(env.observation_space.contains(step[0]) for step in write(env, "return line"))


def test_a_description_without_words_is_refused():
    with pytest.raises(ConfigurationError, match=r"1 of 2 tasks of 'small-v0' have no word .* 'small-v0/1'"):
        made("Fine.", "  ")


def test_snapshot_and_fork(env):
    """They carry the sentence, and the score goes on from there."""
    write(env, "parse the")
    data, twin = env.snapshot(), env.fork()
    first, second = write(env, "header")[0], write(twin, "header")[0]
    env.restore(data)
    third = write(env, "header")[0]
    assert first[1] == second[1] == third[1]
    assert all(np.array_equal(first[0][key], third[0][key]) for key in first[0])
    assert first[4]["measurements"] == second[4]["measurements"] == third[4]["measurements"]


def test_rendering():
    env = made("Parse the header.", render_mode="ansi")
    env.reset(seed=0)
    write(env, "parse the")
    assert "parse the" in env.render()
