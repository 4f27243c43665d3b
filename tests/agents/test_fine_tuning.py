"""Fine-tuning: matched pairs come together, batches hold alike pairs, and the schedule follows retrieval."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_bert import save_tiny_bert

from agents.fine_tuning import FineTuningConfig, epoch_order, fine_tune
from agents.pretrained_encoder import HuggingFaceEncoder
from agents.schedule import ContrastiveSchedule
from agents.sentence_encoder import SentenceEncoder

NOUNS, VERBS = [f"n{k}" for k in range(6)], [f"v{k}" for k in range(6)]
WORDS = [*NOUNS, *VERBS, *(word.upper().lower() + "x" for word in NOUNS + VERBS)]
PAIRS = [(f"{noun} {verb}", f"{verb}x {noun}x") for noun in NOUNS for verb in VERBS]
"""The code of a text has other words, in another order."""
TRAIN = [pair for number, pair in enumerate(PAIRS) if number % 5]
HELD_OUT = [pair for number, pair in enumerate(PAIRS) if number % 5 == 0]
CONFIG = FineTuningConfig(epochs=30, batch_size=10, clique=5, learning_rate=5e-3)


@pytest.fixture
def encoder(tmp_path):
    return SentenceEncoder(HuggingFaceEncoder(save_tiny_bert(tmp_path, WORDS), tuning="upper", layers=2)).eval()


def accuracy(encoder, pairs):
    texts, codes = (encoder.embed(list(each)) for each in zip(*pairs, strict=True))
    return float(((texts @ codes.T).argmax(1) == np.arange(len(pairs))).mean())


def tuned(encoder, mode="static", config=CONFIG, **kwargs):
    rows = []
    texts, codes = zip(*TRAIN, strict=True)
    fine_tune(encoder, texts, codes, ContrastiveSchedule(mode), config, progress=rows.append, **kwargs)
    return rows


def test_it_learns_pairs_and_others(encoder):
    """Texts that were never seen find their codes too; what lies below the trained layers stays."""
    before, frozen = accuracy(encoder, HELD_OUT), encoder.encoder.model.embeddings.word_embeddings.weight.clone()
    rows = tuned(encoder)
    assert not encoder.training
    assert accuracy(encoder, HELD_OUT) > max(before + 0.3, 0.6)
    assert rows[-1]["accuracy"] > 0.6 > rows[0]["accuracy"]  # within batches of alike pairs, with dropout
    assert [row["epoch"] for row in rows] == list(range(1, 31))
    assert torch.equal(frozen, encoder.encoder.model.embeddings.word_embeddings.weight)


def test_the_seed_decides(tmp_path):
    """One seed gives the same weights, another does not."""
    folder = save_tiny_bert(tmp_path, WORDS)
    found = []
    for seed in (1, 1, 2):
        encoder = SentenceEncoder(HuggingFaceEncoder(folder, tuning="upper")).eval()
        tuned(encoder, config=FineTuningConfig(epochs=2, batch_size=10), seed=seed)
        found.append(encoder.embed(["n1 v2"]))
    assert np.array_equal(found[0], found[1])
    assert not np.allclose(found[0], found[2])


def test_the_closed_schedule_follows_retrieval(encoder):
    """The temperature falls as retrieval within batches gets better, and stays where the mode is static."""
    rows = tuned(encoder, "closed")
    assert rows[-1]["temperature"] < rows[0]["temperature"] - 0.1
    assert rows[-1]["margin"] < rows[0]["margin"]


def test_a_learned_temperature_learns(encoder):
    rows = tuned(encoder, "clip", FineTuningConfig(epochs=3, batch_size=10, learning_rate=1e-2))
    assert rows[-1]["temperature"] != pytest.approx(rows[0]["temperature"])


def test_alike_pairs_stand_together():
    """Every pair once; of two clusters, each clique is of one."""
    cluster = np.arange(24) % 2
    near = (cluster[:, None] == cluster).astype(np.float32)
    order = epoch_order(near, 4, np.random.default_rng(0))
    assert sorted(order.tolist()) == list(range(24))
    assert all(len(set(cluster[each])) == 1 for each in order.reshape(6, 4))
    plain = epoch_order(near, 1, np.random.default_rng(0))
    assert np.array_equal(plain, np.random.default_rng(0).permutation(24))


def test_what_cannot_be_used(encoder):
    with pytest.raises(ValueError, match="fine-tuning has no policy"):
        fine_tune(encoder, ["a", "b"], ["c", "d"], ContrastiveSchedule("dcrl"))
    with pytest.raises(ValueError, match="each with its code; got 2 and 1"):
        fine_tune(encoder, ["a", "b"], ["c"], ContrastiveSchedule())
