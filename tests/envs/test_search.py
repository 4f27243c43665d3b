"""CodeSearch: the return is the reciprocal rank, pools are fair, and what is hidden stays hidden."""

from __future__ import annotations

import sys

import gymnasium
import numpy as np
import pytest

import code_envs  # noqa: F401  registers the ids
from code_envs.envs.corpus import Corpus, Query, corpus_of, sketch
from code_envs.envs.observation import FIRST_SEARCH
from code_envs.envs.search import CodeSearchEnv
from code_envs.errors import ConfigurationError, MissingDependencyError
from code_envs.syntax.tokens import VOCABULARY_SIZE
from code_envs.syntax.words import word_ids, words
from code_envs.tasks.described import Described
from code_envs.tasks.search_set import SearchSet
from code_envs.testing import check_env
from code_envs.testing.evidence import canonical, in_fresh_process
from code_envs.vector import CodeVectorEnv

VERBS = "parse write close count split merge lock send"
NOUNS = "header buffer socket archive message"
PAIRS = [(verb, noun) for verb in VERBS.split() for noun in NOUNS.split()]
SIZE = 8


def task(number):
    verb, noun = PAIRS[number]
    code = (
        f"def {verb}_{noun}(self, value{number}):\n    result = self.{noun}s.{verb}(value{number})\n    return result"
    )
    return Described(f"made-v0/{number}", f"{verb.title()} the {noun} of it.", code)


def made(corpus=(), extra=()):
    tasks = (*map(task, range(len(PAIRS))), *extra)
    splits = {"train": [each.task_id for each in tasks[:20]], "test": [each.task_id for each in tasks[20:]]}
    return SearchSet("made-v0", tasks, "MIT", "this test", "0" * 64, {}, splits, corpus)


def search(**kwargs):
    return CodeSearchEnv(**{"tasks": made(), "pool_size": SIZE, "expert": True} | kwargs)


def wrong(info, env, number=0):
    """A position that is not the answer's and was not picked."""
    return [k for k in np.flatnonzero(env.action_masks()[:SIZE]) if k != info["expert_action"]][number]


# --- the loop --------------------------------------------------------------------------------------


def test_the_return_is_the_reciprocal_rank():
    """A hit at pick t pays 1 / t, everything before it nothing."""
    env = search()
    for misses in range(SIZE):
        _, info = env.reset(seed=misses)
        rewards = []
        for _ in range(misses):
            _, reward, terminated, truncated, info = env.step(wrong(info, env))
            assert (terminated, truncated) == (False, False)
            assert "missed" in info["events"]
            rewards.append(reward)
        _, reward, terminated, _, info = env.step(info["expert_action"])
        assert terminated
        assert rewards == [0.0] * misses
        assert reward == pytest.approx(1 / (misses + 1))
        assert info["held_out"] == info["measurements"]["reciprocal_rank"] == 1 / (misses + 1)
        assert info["measurements"]["rank"] == misses + 1
        assert info["is_success"] is (misses == 0)
        assert info["events"] == {"hit"}
        assert info["outcome"]["passed"] == (*(False,) * misses, True)
        assert info["program"] == env.tasks[info["task_id"]].code


def test_picks_run_out():
    env = search(max_picks=2)
    _, info = env.reset(seed=0)
    env.step(wrong(info, env))
    _, reward, terminated, truncated, info = env.step(wrong(info, env))
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert (info["held_out"], info["is_success"]) == (0.0, False)
    assert info["events"] == {"missed", "budget_spent"}


def test_a_masked_pick_changes_nothing_and_costs_a_pick():
    """An agent that stalls runs out of picks."""
    env = search()
    _, info = env.reset(seed=0)
    first = wrong(info, env)
    before, *_ = env.step(first)
    program = task(0).code and env._code(env.state, first)
    for number in range(2, SIZE + 1):
        after, reward, terminated, truncated, info = env.step(first)
        assert info["program"] == program
        assert "invalid" in info["events"]
        assert reward == 0.0
        assert info["measurements"]["picks"] == number
        for key in ("picked", "pool", "candidates", "action_mask"):
            assert np.array_equal(before[key], after[key])
    assert (terminated, truncated) == (False, True)


def test_an_invalid_pick_makes_the_hit_worth_less():
    env = search()
    _, info = env.reset(seed=0)
    first = wrong(info, env)
    env.step(first)
    env.step(first)
    _, reward, *_ = env.step(info["expert_action"])
    assert reward == pytest.approx(1 / 3)


def test_the_order_of_the_pool_says_nothing():
    env = search()
    answers = [env.reset(seed=seed)[1]["expert_action"] for seed in range(200)]
    counts = np.bincount(answers, minlength=SIZE)
    assert counts.min() > 8


# --- pools -----------------------------------------------------------------------------------------


def test_pools_hold_the_answer_once_and_nothing_twice():
    env = search()
    for seed in range(20):
        _, info = env.reset(seed=seed)
        codes = [env._code(env.state, position) for position in range(SIZE)]
        assert len(set(codes)) == SIZE
        assert codes[info["expert_action"]] == env.tasks[info["task_id"]].code


def test_distractors_come_from_the_split():
    """A function that is trained on is no distractor of the test."""
    env = search(split="test")
    allowed = {each.code for each in env.tasks}
    for seed in range(20):
        env.reset(seed=seed)
        assert {env._code(env.state, position) for position in range(SIZE)} <= allowed


def test_a_corpus_serves_every_split():
    corpus = tuple(f"def corpus_{number}(): pass" for number in range(100))
    env = search(tasks=made(corpus=corpus), split="test")
    seen = set()
    for seed in range(30):
        env.reset(seed=seed)
        seen |= {env._code(env.state, position) for position in range(SIZE)}
    assert len(seen & set(corpus)) > 50


def test_what_has_the_same_description_is_no_distractor():
    """Both answer the query; only one would count."""
    twins = tuple(Described(f"made-v0/twin{k}", task(0).text, f"def twin_{k}(): pass") for k in range(20))
    env = search(tasks=made(extra=twins), distractors="hard")
    for each in (*twins[:3], task(0)):
        env.reset(options={"task_id": each.task_id})
        codes = {env._code(env.state, position) for position in range(SIZE)}
        assert codes & {task(0).code, *(twin.code for twin in twins)} == {each.code}


def test_hard_distractors_are_those_with_the_highest_bm25():
    env = search(distractors="hard", bm25=True)
    _, info = env.reset(options={"task_id": "made-v0/0"})
    others = {env.state.sketches[k].name for k in range(SIZE) if k != info["expert_action"]}
    assert all("parse" in name or "header" in name for name in others)
    scores = env._corpus.bm25(Query(task(0).text, env._corpus))
    lowest = env.state.scores.min()
    assert (scores > lowest).sum() < SIZE


def test_mixed_distractors_are_drawn_either_way():
    hard, mixed, random = (search(distractors=name) for name in ("hard", "mixed", "random"))
    pools = []
    for seed in range(20):
        for env in (hard, mixed, random):
            env.reset(seed=seed)
        pools.append([set(env.state.pool) for env in (hard, mixed, random)])
    as_hard = [mixed == hard for hard, mixed, _ in pools]
    assert 4 < sum(as_hard) < 16


def test_a_pool_that_is_too_large_is_refused():
    with pytest.raises(ConfigurationError, match=r"A pool of 41 needs 40 distractors; a task of 'made-v0' has 39"):
        search(pool_size=41)
    with pytest.raises(ConfigurationError, match=r"pool_size must be in \[2, 1000\], got 1001"):
        search(pool_size=1001)
    with pytest.raises(ConfigurationError, match=r"distractors must be one of .*, got 'harder'"):
        search(distractors="harder")
    with pytest.raises(ConfigurationError, match="max_picks must be at least 1"):
        search(max_picks=0)
    with pytest.raises(ConfigurationError, match="needs tasks of the kind 'Described'"):
        search(tasks="builtin")


def test_as_many_functions_as_the_pool_needs():
    env = search(pool_size=40)
    env.reset(seed=0)
    assert sorted(env.state.pool) == list(range(40))


# --- what the agent sees ---------------------------------------------------------------------------


def test_equal_words_have_equal_ids():
    """Text, pool, code and candidates speak of one word with one id."""
    env = search()
    observation, info = env.reset(options={"task_id": "made-v0/7"})  # "Write the socket of it."
    verb, noun = word_ids(["write", "socket"])
    answer = info["expert_action"]
    assert {verb, noun} <= set(observation["text"])
    assert observation["pool"][answer][:2].tolist() == [verb, noun]
    assert observation["candidates"][answer][4:6].tolist() == [verb, noun]
    after, *_ = env.step(wrong(info, env))
    assert observation["code"].max() == 0
    assert after["code"].max() > 0
    code = env._code(env.state, env.state.seen)
    assert after["code"][: len(words(code))].tolist() == word_ids(words(code))


def test_overlaps_are_highest_for_the_answer():
    env = search()
    for seed in range(10):
        observation, info = env.reset(seed=seed)
        scores = observation["candidate_scores"]
        assert scores[info["expert_action"], 0] == scores[:, 0].max()
        assert scores[:, :7].min() >= 0
        assert scores.max() <= 1


def test_bm25_is_shown_on_request_only():
    plain, _ = search().reset(seed=0)
    env = search(bm25=True)
    shown, info = env.reset(seed=0)
    assert "pool_scores" not in plain
    assert shown["pool_scores"].shape == (SIZE, 1)
    assert shown["pool_scores"].max() == 1
    order = np.argsort(-shown["pool_scores"][:, 0], kind="stable").tolist()
    assert info["measurements"]["bm25_rank"] == order.index(info["expert_action"]) + 1
    assert "bm25_rank" not in search().reset(seed=0)[1]["measurements"]


def test_bm25_needs_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "bm25s", None)
    corpus_of.cache_clear()
    with pytest.raises(MissingDependencyError, match=r"code-envs\[search\]"):
        search(bm25=True).reset(seed=0)
    corpus_of.cache_clear()


def test_a_description_without_known_words():
    """Nothing to go by is no error."""
    extra = (Described("made-v0/odd", "1234 of the", "def zz(): pass"),)
    env = search(tasks=made(extra=extra), bm25=True)
    observation, _ = env.reset(options={"task_id": "made-v0/odd"})
    assert observation["pool_scores"].max() == 0
    assert env.observation_space.contains(observation)


# --- inspection ------------------------------------------------------------------------------------


def test_bodies_are_hidden_until_they_are_opened():
    env = search(inspect=True)
    assert env.action_space.n == 2 * SIZE
    before, info = env.reset(seed=0)
    assert np.count_nonzero(before["pool"], axis=1).max() == 2
    assert before["candidates"][:SIZE, 2].tolist() == [1] * SIZE
    assert before["candidates"][:, 0].tolist() == [FIRST_SEARCH] * SIZE + [FIRST_SEARCH + 1] * SIZE
    after, reward, *_, info = env.step(SIZE + 3)
    assert reward == pytest.approx(-0.02)
    assert info["events"] == {"opened"}
    assert info["program"] == ""
    changed = np.flatnonzero((before["pool"] != after["pool"]).any(1))
    assert changed.tolist() == [3]
    assert np.count_nonzero(after["pool"][3]) > 2
    assert after["candidates"][3, 2] == after["candidates"][SIZE + 3, 2] == 2
    assert after["action_mask"].tolist() == [1] * (SIZE + 3) + [0] + [1] * (SIZE - 4)
    _, reward, *_, info = env.step(SIZE + 3)
    assert reward == pytest.approx(-0.02)
    assert "invalid" in info["events"]
    assert info["measurements"] == {"rank": 0.0, "picks": 1.0, "reciprocal_rank": 0.0, "opened": 1.0}
    _, reward, *_ = env.step(info["expert_action"])
    assert reward == pytest.approx(0.5)


def test_a_picked_function_is_not_opened_any_more():
    env = search(inspect=True)
    _, info = env.reset(seed=0)
    position = wrong(info, env)
    observation, *_ = env.step(position)
    assert observation["action_mask"][[position, SIZE + position]].tolist() == [0, 0]


# --- sameness --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kwargs", [{}, {"inspect": True, "bm25": True}, {"distractors": "mixed", "max_picks": 3}, {"pool_size": 20}]
)
def test_the_contract(kwargs):
    """The shipped conformance check, in every mode."""
    check_env(search(**kwargs), steps=20, walks=2)


def picks(env, steps):
    record = []
    for _ in range(steps):
        transition = env.step(np.flatnonzero(env.action_masks())[-1])
        record.append(canonical(list(transition)))
        if transition[2] or transition[3]:
            record.append(canonical(list(env.reset())))
    return record


def continued(data: str, steps: int) -> list:
    """What the fresh process does."""
    env = search(inspect=True, bm25=True)
    env.restore(data.encode())
    return picks(env, steps)


def test_a_restored_episode_has_the_same_pool():
    """Also in another process, and the next episodes are the same as well."""
    env = search(inspect=True, bm25=True)
    env.reset(seed=5)
    picks(env, 11)
    data = env.snapshot()
    other = search(inspect=True, bm25=True)
    other.reset(seed=1)
    assert canonical(list(other.restore(data))) == canonical(list(env.restore(data)))
    twin = env.fork()
    there = in_fresh_process(f"{__name__}:continued", data.decode(), 12)
    assert there == picks(env, 12) == picks(twin, 12)


def test_a_snapshot_does_not_fit_another_corpus():
    env = search()
    env.reset(seed=0)
    with pytest.raises(ConfigurationError, match="corpus="):
        search(split="train").restore(env.snapshot())


def test_many_episodes_at_once():
    vector = CodeVectorEnv(3, env=CodeSearchEnv, tasks=made(), pool_size=SIZE, expert=True)
    _, infos = vector.reset(seed=4)
    assert {id(each._corpus) for each in vector.envs} == {id(vector.envs[0]._corpus)}
    single = search()
    assert single.reset(seed=5)[1]["expert_action"] == infos["expert_action"][1]
    _, rewards, terminated, *_ = vector.step(np.array(infos["expert_action"], np.int64))
    assert rewards.tolist() == [1, 1, 1]
    assert terminated.all()


def test_the_registered_id_finds_standard_library_functions():
    env = gymnasium.make("CodeSearch-v0", expert=True).unwrapped
    env.reset(seed=0)
    observation, info = env.reset(options={"task_id": "stdlib-v0/textwrap.dedent"})
    assert observation["pool"].shape == (32, 64)
    best = observation["candidate_scores"][:, 2].argmax()
    _, reward, *_ = env.step(info["expert_action"])
    assert reward == 1
    assert best == info["expert_action"]


def test_rendering():
    env = search(render_mode="ansi")
    env.reset(options={"task_id": "made-v0/0"})
    env.step(env.state.answer)
    lines = env.render().splitlines()
    assert lines[0] == "made-v0/0  8 functions"
    assert lines[1:4] == ["? Parse the header of it.", "+   1  parse_header", "reward +1.000   picks 1 of 8"]
    assert lines[4].strip().startswith("def parse_header")
    with pytest.raises(ConfigurationError, match="rgb_array"):
        search(render_mode="rgb_array")


# --- words and sketches ----------------------------------------------------------------------------


def test_words_of_every_spelling():
    assert words("parseHTTPHeader parse_http_header Parse an HTTP header!") == [
        *"parse http header parse http header parse an http header".split()
    ]
    assert words("naïve Über x2y 12") == ["naïve", "über", "x", "y"]
    found = word_ids(["list", "header", "naïve", "日本"])
    assert found == word_ids(["list", "header", "naïve", "日本"])
    assert all(0 < each < VOCABULARY_SIZE for each in found)


@pytest.mark.parametrize(
    ("code", "name", "method"),
    [
        ("def f(self, a):\n    pass", "f", True),
        ("async def wait_for(a): pass", "wait_for", False),
        ("@cache\ndef f(n): pass", "f", False),
        ("func (s *Server) Close(now bool) error {}", "Close", False),
        ("function* walk(tree) {}", "walk", False),
        ("public static int sum(int[] xs) {}", "sum", False),
        ("x = 1", "", False),
    ],
)
def test_sketches_name_the_function(code, name, method):
    found = sketch(code)
    assert (found.name, found.method) == (name, method)


def test_rare_words_weigh_more():
    corpus = Corpus(("def f(): common; rare", "def g(): common", "def h(): common"))
    assert corpus.rarity("rare") > corpus.rarity("common") > 0
    assert corpus.rarity("absent") == corpus.rarity("rare")
    query = Query("the rare common", corpus)
    assert query.words == ["rare", "common"]
    assert query.overlaps(sketch("def x(): rare"), hidden=False)[2] > 0.5
    assert query.overlaps(sketch("def x(): rare"), hidden=True)[2] == 0
    assert corpus.bm25(query).argmax() == 0
