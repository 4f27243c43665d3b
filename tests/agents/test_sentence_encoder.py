"""Sentence vectors: means of token vectors, remembered while the encoder does not learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_bert import save_tiny_bert

from agents.pretrained_encoder import HuggingFaceEncoder
from agents.sentence_encoder import SentenceEncoder

TEXTS = ["a b c", "c", "b a a c b a", "", "a b"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny_bert(tmp_path_factory.mktemp("bert"), list("abc"))


def test_the_vector_is_the_normalised_mean(folder):
    """Text by text as the model gives it, whatever it is batched with."""
    encoder = SentenceEncoder(HuggingFaceEncoder(folder)).eval()
    found = encoder.embed(TEXTS)
    assert (found.shape, found.dtype) == ((5, 16), np.float32)
    for text, vector in zip(TEXTS, found, strict=True):
        tokens = encoder.encoder(encoder.encoder.ids([text]))[0][0]
        expected = tokens.mean(0) / tokens.mean(0).norm()
        assert np.allclose(vector, expected.detach().numpy(), atol=1e-6)


def test_vectors_are_remembered_until_it_learns(folder):
    """A text is computed once; training forgets, and nothing is kept while it lasts."""
    encoder = SentenceEncoder(HuggingFaceEncoder(folder, tuning="full")).eval()
    before = encoder.embed(TEXTS)
    calls = []
    encoder.encoder.model.register_forward_hook(lambda *_: calls.append(1))
    assert np.array_equal(encoder.embed(TEXTS[::-1]), before[::-1])
    assert not calls
    encoder.train()
    with pytest.raises(RuntimeError, match="call eval"):
        encoder.embed(TEXTS)
    with torch.no_grad():
        encoder.encoder.model.embeddings.word_embeddings.weight += torch.randn(8, 16)
    assert not np.allclose(encoder.eval().embed(TEXTS), before, atol=1e-3)
