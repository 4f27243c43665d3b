"""BLEU and edit similarity of growing texts are those of the whole texts."""

import random

import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st

from code_envs.envs.agreement import Bleu, EditSimilarity
from code_envs.errors import MissingDependencyError


@pytest.mark.parametrize("smoothing", ["exp", "add-k"])
def test_bleu_is_sacrebleus_at_every_token(smoothing):
    """The statistics that are kept give the score that sacrebleu computes from the text."""
    drawn = random.Random(0)
    whole = sacrebleu.metrics.BLEU(tokenize="none", smooth_method=smoothing, effective_order=True)
    for length in (1, 3, 12):
        reference = [drawn.choice("abcde") for _ in range(length)]
        bleu, text = Bleu(reference, smoothing), []
        for _ in range(20):
            text.append(drawn.choice("abcdef"))
            expected = whole.sentence_score(" ".join(text), [" ".join(reference)]).score / 100
            assert bleu.add(text[-1]) == pytest.approx(min(expected, 1.0), abs=1e-9)


def test_bleu_of_the_reference_is_one():
    bleu = Bleu("return the name of the file".split())
    assert bleu.score == 0.0
    assert [bleu.add(word) for word in "return the name of the file".split()][-1] == pytest.approx(1.0)


def test_missing_sacrebleu_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sacrebleu.metrics.bleu", None)
    with pytest.raises(MissingDependencyError, match=r"code-envs\[text\]"):
        Bleu(["a"])


def levenshtein(first, second):
    row = list(range(len(second) + 1))
    for number, left in enumerate(first, 1):
        before, row[0] = row[0], number
        for place, right in enumerate(second, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (left != right))
    return row[-1]


@given(st.text("abc", max_size=8), st.lists(st.text("abc", max_size=8), max_size=4))
def test_edit_similarity(reference, texts):
    """Whatever was asked before, it is 1 - distance / longer length."""
    similarity = EditSimilarity(reference)
    for text in texts:
        longer = max(len(text), len(reference)) or 1
        assert similarity.of(text) == pytest.approx(1 - levenshtein(text, reference) / longer)
