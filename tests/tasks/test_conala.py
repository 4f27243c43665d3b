"""CoNaLa: intents with snippets, as gaps to be completed."""

import pytest

from code_envs.envs.completion import CodeCompletionEnv
from code_envs.tasks.conala import load
from code_envs.tasks.sources import load as load_source

PAIR = {
    "intent": "sorting",
    "rewritten_intent": "sort `scores` by 'key'\n now",
    "snippet": "scores.sort(key=key)\r\nprint(scores)\n",
    "question_id": 5,
}


def test_a_pair_is_a_gap_below_its_intent(write):
    """The rewritten intent is the comment, and what it quotes can be copied."""
    (gap,) = tasks = load(write([PAIR], "conala-mined.jsonl"))
    assert gap.before == "# sort `scores` by 'key' now\n# scores key\n"
    assert (gap.target, gap.after, gap.program) == ("scores.sort(key=key)\nprint(scores)", "\n", None)
    assert gap.description == "sort `scores` by 'key' now"
    assert (tasks.name, tasks.licence, tasks.ids) == ("conala-v0", "CC-BY-SA-4.0", ("conala-v0/0",))


@pytest.mark.parametrize("change", [{"rewritten_intent": None}, {"rewritten_intent": ""}])
def test_without_a_rewritten_intent_the_title_is_the_intent(write, change):
    """It may be null; mined pairs have none at all."""
    mined = {key: value for key, value in PAIR.items() if key != "rewritten_intent"}
    for record in ({**PAIR, **change}, mined):
        assert load(write([record]))[0].before == "# sorting\n"


def test_what_is_left_out_is_named(write):
    """Pairs that come twice, and pairs without text."""
    tasks = load(write([PAIR, {**PAIR, "snippet": "  "}, {**PAIR, "question_id": 6}, {**mute(), "snippet": "x"}]))
    assert tasks.ids == ("conala-v0/0",)
    assert tasks.left_out == {
        "conala-v0/1": "there is nothing to complete",
        "conala-v0/2": "the same pair as 'conala-v0/0'",
        "conala-v0/3": "the intent is empty",
    }


def mute():
    return {**PAIR, "rewritten_intent": None, "intent": " "}


def test_splits_keep_questions_together(write):
    """All snippets of a question are in one split; a file of the test pairs is the split "test"."""
    pairs = [{**PAIR, "snippet": f"f({number})", "question_id": number // 3} for number in range(300)]
    tasks = load(write(pairs, "conala-train.json"))
    where = {task_id: split for split, ids in tasks.splits.items() for task_id in ids}
    assert len(where) == len(tasks)
    assert all(len({where[f"conala-v0/{3 * q + k}"] for k in range(3)}) == 1 for q in range(100))
    assert set(where.values()) == {"train", "validation", "test"}
    assert {split: len(ids) for split, ids in load(write(pairs, "conala-test.json")).splits.items()} == {"test": 300}
    assert len(load(write(pairs), limit=4)) == 4


def test_an_episode(write, executor):
    """An agent that writes the snippet has success; its layout is that of a span."""
    env = CodeCompletionEnv(tasks=load(write([PAIR])), expert=True, executor=executor)
    _, info = env.reset(seed=0)
    over, reward = False, 0.0
    while not over:
        _, reward, terminated, truncated, info = env.step(info["expert_action"])
        over = terminated or truncated
    assert info["written"] == PAIR["snippet"].strip().replace("\r\n", "\n")
    assert (info["is_success"], round(reward, 2)) == (True, 1.0)


@pytest.mark.data
def test_real_pairs(data, executor):
    """All 2,378 pairs are read; 12 come twice."""
    tasks = load_source("conala", executor)
    assert (len(tasks), len(tasks.left_out)) == (2366, 12)
    assert {name: len(ids) for name, ids in tasks.splits.items()} == {"train": 1844, "validation": 247, "test": 275}
    env = CodeCompletionEnv(tasks=tasks, executor=executor)
    env.reset(seed=0)
    _, _, terminated, _, info = env.step(0)
    assert (terminated, info["is_success"]) == (True, False)
