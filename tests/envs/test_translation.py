"""CodeTranslation-v0: the MDP."""

import numpy as np
import pytest
import sacrebleu

from code_envs.envs.translation import CodeTranslationEnv
from code_envs.errors import ConfigurationError
from code_envs.tasks.task import TaskSet
from code_envs.tasks.translations import Translation, load_builtin

JAVA = "public boolean isEmpty() { return count == 0; }"
CSHARP = "public bool IsEmpty() { return count == 0; }"


def made(*pairs, **more):
    tasks = tuple(Translation(f"small-v0/{number}", *pair) for number, pair in enumerate(pairs))
    return CodeTranslationEnv(tasks=TaskSet("small-v0", tasks, "MIT", "these tests", "0" * 64), expert=True, **more)


@pytest.fixture
def env():
    made_env = made((JAVA, CSHARP))
    made_env.reset(seed=0)
    return made_env


def test_expert_translates(env):
    """Its tokens give the reference; the rewards add up to BLEU 1, plus 1, minus the tokens' cost."""
    _, info = env.reset(seed=0)
    total, over = 0.0, False
    while not over:
        _, reward, over, _, info = env.step(info["expert_action"])
        total += reward
    assert info["program"] == info["written"]
    assert info["written"] == CSHARP
    assert total == pytest.approx(2 - 0.001 * info["measurements"]["tokens"])
    assert (info["held_out"], info["is_success"]) == (pytest.approx(1.0), True)


def test_a_copy_earns_its_bleu(env):
    """The Java text itself is a poor translation, and scores as sacrebleu says."""
    tokens = ["public", "bool", "isEmpty", "(", ")", "{", "return", "count"]
    numbers = env.state.page.vocabulary.numbers
    total = sum(env.step(numbers[token])[4]["vector_reward"][0] for token in tokens)
    reference = " ".join(env.state.page.target)
    whole = sacrebleu.metrics.BLEU(tokenize="none", effective_order=True)
    assert total == pytest.approx(whole.sentence_score(" ".join(tokens), [reference]).score / 100, abs=1e-6)
    _, _, terminated, _, info = env.step(0)
    assert terminated
    assert info["is_success"] is False
    assert info["held_out"] == pytest.approx(total, abs=1e-6)


def test_the_place_in_the_source_moves_along(env):
    """After a copied token, the neighbours of its place are the nearest, and the next one follows."""
    numbers = env.state.page.vocabulary.numbers
    first, _ = env.reset(seed=0)
    assert first["candidate_scores"][numbers["public"], 5] == 1.0
    for token in ("public", "bool"):
        observation, *_ = env.step(numbers[token])
    assert observation["candidate_scores"][numbers["IsEmpty"], [1, 2]].tolist() == [1.0, 1.0]
    assert observation["candidate_scores"][numbers["IsEmpty"], 5] == 1.0
    assert observation["candidates"][numbers["IsEmpty"], :2].tolist() == [34, 10]


def test_masked_actions_cost_and_end():
    env = made((JAVA, CSHARP), max_tokens=5)
    env.reset(seed=0)
    ends = [env.step(511)[1:4] for _ in range(5)]
    assert [end[1:] for end in ends] == [(False, False)] * 4 + [(False, True)]
    assert all(end[0] == pytest.approx(-0.001) for end in ends)


def test_other_languages_are_refused():
    task = Translation("t-v0/0", "x", "y", "python", "javascript")
    with pytest.raises(ConfigurationError, match="translates java to csharp; 't-v0/0' is python to javascript"):
        CodeTranslationEnv(tasks=TaskSet("t-v0", (task,), "MIT", "", "0" * 64))


def test_the_built_in_pairs_can_be_written():
    """All but one of the default pairs can be written in full with the tokens on offer."""
    env = CodeTranslationEnv()
    assert len(env.tasks) == len(load_builtin()) == 40
    assert sum(min(env._page(task).way) >= 0 for task in env.tasks) == 39


def test_long_methods_keep_their_shape():
    """A method longer than `code` is cut; the place in it may be behind the cut."""
    body = "".join(f"int v{n} = read{n}(); " for n in range(60))
    env = made((f"void f() {{ {body} }}", CSHARP))
    observation, _ = env.reset(seed=0)
    numbers = env.state.page.vocabulary.numbers
    for token in ("int", "v40", "=", "Read40", "("):
        observation, *_ = env.step(numbers[token])
        assert env.observation_space.contains(observation)


def test_snapshot_and_fork(env):
    numbers = env.state.page.vocabulary.numbers
    env.step(numbers["public"])
    data, twin = env.snapshot(), env.fork()
    first, second = env.step(numbers["bool"]), twin.step(numbers["bool"])
    env.restore(data)
    third = env.step(numbers["bool"])
    assert first[1] == second[1] == third[1]
    assert all(np.array_equal(first[0][key], third[0][key]) for key in first[0])
