"""Task embeddings: hashed, bag of words, a tiny BERT and a tiny CLIP made here; no network."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from reward_machines.dterm import DTERM
from reward_machines.embedding import BagOfWords, HashedText, HuggingFaceText, TaskEmbedding, TextAndImage, from_spec
from reward_machines.fusion import CLIP_MEAN, CLIP_STD, ClipVision

TEXT = "Return the sum of all even numbers of a list."
REPAIR = {"family": "CodeRepair", "language": "python"}


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """Folder of a BERT with random weights and a tokenizer of a few words."""
    folder = tmp_path_factory.mktemp("bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *TEXT.lower().replace(".", " .").split()]
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys(words))}
    tokenizer = transformers.BertTokenizer(vocab=vocabulary)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
    )
    transformers.BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Folder of a CLIP with random weights, images of 32 x 32."""
    folder = tmp_path_factory.mktemp("clip")
    torch.manual_seed(0)
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.CLIPConfig(
        text_config={**small, "vocab_size": 10, "max_position_embeddings": 8, "bos_token_id": 0, "eos_token_id": 1},
        vision_config={**small, "image_size": 32, "patch_size": 16},
        projection_dim=12,
    )
    transformers.CLIPModel(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("embedding", [HashedText(), HashedText(32, attributes=0.5), BagOfWords(128)])
def test_hashed_embeddings(embedding):
    """(D,) float32 of length 1, a copy each time, the same again from a spec through JSON; nothing gives zeros."""
    vector = embedding(TEXT, REPAIR)
    assert isinstance(embedding, TaskEmbedding)
    assert vector.shape == (embedding.width,)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)
    kept = vector.copy()
    vector[:] = 9
    assert (embedding(TEXT, REPAIR) == kept).all()
    again = from_spec(json.loads(json.dumps(embedding.spec())))
    assert (again(TEXT, REPAIR) == kept).all()
    assert again.spec() == embedding.spec()
    assert (embedding("", {}) == 0).all()


def test_hashing_is_the_same_in_every_process():
    """Python's own hash of a str differs by process; this one must not."""
    program = (
        f"from reward_machines.embedding import HashedText; print(HashedText()({TEXT!r}, {REPAIR!r}).tobytes().hex())"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == HashedText()(TEXT, REPAIR).tobytes().hex()


def test_likeness_follows_text_and_attributes():
    """Alike texts are near, the same attributes bring different texts near, their order does not matter."""
    embed = HashedText(256)
    other = "Parse a date and print the weekday."
    near = embed("Return the sum of all odd numbers of a list.", REPAIR) @ embed(TEXT, REPAIR)
    far = embed(other, {"family": "CodeSearch", "language": "java"}) @ embed(TEXT, REPAIR)
    same_family = embed(other, REPAIR) @ embed(TEXT, REPAIR)
    assert near > same_family > far + 0.2
    assert (embed(TEXT, REPAIR) == embed(TEXT, dict(reversed(REPAIR.items())))).all()
    bag = BagOfWords(256)
    assert (bag("a b", REPAIR) == bag("b a", {})).all()
    assert not (embed("a b", {}) == embed("b a", {})).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HashedText(4), "at least 8"),
        (lambda: BagOfWords(4), "at least 8"),
        (lambda: HashedText(attributes=-1), "not negative"),
        (lambda: from_spec({"class": "Hashed"}), "HashedText"),
        (lambda: from_spec({"class": "HashedText", "arguments": {"size": 3}}), "does not take these arguments"),
        (lambda: HuggingFaceText("x", tokens=0), "must be positive"),
    ],
)
def test_mistakes_are_named(make, message):
    """Bad input gets an error that says what was expected."""
    with pytest.raises(ValueError, match=message):
        make()


def test_a_pretrained_encoder_from_a_folder(bert):
    """The mean of the last layer over the real tokens, frozen, remembered, the same from a spec."""
    embed = HuggingFaceText(bert)
    vector = embed(TEXT, REPAIR)
    model = transformers.AutoModel.from_pretrained(bert, local_files_only=True).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(bert, local_files_only=True)
    batch = tokenizer(f"family: CodeRepair\nlanguage: python\n{TEXT}", return_tensors="pt")
    with torch.no_grad():
        layer = model(**batch).last_hidden_state[0].numpy()
    assert embed.width == 16
    assert vector.dtype == np.float32
    assert vector == pytest.approx(layer.mean(0), abs=1e-5)
    assert not any(parameter.requires_grad for parameter in embed._model.parameters())
    again = from_spec(json.loads(json.dumps(embed.spec())))
    assert (again(TEXT, REPAIR) == vector).all()
    assert embed(TEXT * 50, {}).shape == (16,)  # more words than the model has positions


def test_a_repeated_task_is_not_encoded_again(bert):
    """The model runs once for a text."""
    embed = HuggingFaceText(bert, tokens=16)
    first = embed(TEXT, REPAIR)
    embed._model = None
    assert (embed(TEXT, REPAIR) == first).all()


@pytest.mark.parametrize("make", [HuggingFaceText, ClipVision])
def test_a_model_that_is_not_here_is_refused_at_once(make, tmp_path):
    """In less than a second, with what to do; no network is asked."""
    started = time.perf_counter()
    with pytest.raises(ValueError, match=r"neither a folder .* download=True"):
        make("nobody/no-such-model")
    with pytest.raises(ValueError, match=r"neither a folder"):
        make("./no/such/folder")
    with pytest.raises(ValueError, match=r"has no config\.json"):
        make(tmp_path)
    assert time.perf_counter() - started < 1


def picture(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def test_clip_embeds_images_of_any_size(clip):
    """(B, V) float32 of length 1; a picture of the model's size goes in as it is, standardised."""
    vision = ClipVision(clip)
    vectors = vision([picture(32, 32), picture(50, 90), picture(90, 33)])
    assert vision.width == 12
    assert vectors.shape == (3, 12)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    model = transformers.CLIPModel.from_pretrained(clip, local_files_only=True).eval()
    pixels = (picture(32, 32) / 255.0 - np.array(CLIP_MEAN)) / np.array(CLIP_STD)
    with torch.no_grad():
        expected = (
            model.get_image_features(torch.tensor(pixels).permute(2, 0, 1)[None].float()).pooler_output[0].numpy()
        )
    assert vectors[0] == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)
    with pytest.raises(ValueError, match=r"\(H, W, 3\) uint8; got \(3, 32, 32\)"):
        vision([np.zeros((3, 32, 32), np.uint8)])


def test_a_task_with_an_image(clip, tmp_path):
    """Text, image and flag side by side; without an image zeros; the fused weights learn from it in DTERM."""
    Image.fromarray(picture(40, 60)).save(tmp_path / "diagram.png")
    embed = TextAndImage(HashedText(16), ClipVision(clip))
    with_image = embed(TEXT, {**REPAIR, "image": str(tmp_path / "diagram.png")})
    without = embed(TEXT, REPAIR)
    assert with_image.shape == (embed.width,) == (16 + 12 + 1,)
    assert (with_image[:16] == without[:16]).all()
    assert (with_image[16:-1] == ClipVision(clip)([picture(40, 60)])[0]).all()
    assert (with_image[-1], without[-1]) == (1, 0)
    assert (without[16:] == 0).all()
    again = from_spec(json.loads(json.dumps(embed.spec())))
    assert (again(TEXT, {**REPAIR, "image": str(tmp_path / "diagram.png")}) == with_image).all()
    with pytest.raises(FileNotFoundError, match=r"missing\.png"):
        embed(TEXT, {"image": "missing.png"})

    weighting = DTERM(("tests", "style"), 16, image_width=12, warm_up=0, prior="uniform", noise=0)
    random = np.random.default_rng(0)
    for _ in range(60):
        for row, useful in ((with_image, 0), (without, 1)):
            for _ in range(8):
                returns = random.uniform(0, 1, 2)
                weighting.observe(row, "CodeRepair", f"task {useful}", returns, float(returns[useful]))
        weighting.update()
    weights = weighting.weights(np.stack([with_image, without]), ["CodeRepair"] * 2)
    assert weights[0, 0] > 0.7
    assert weights[1, 1] > 0.7
