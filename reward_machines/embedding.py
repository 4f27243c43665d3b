"""Embeddings of tasks: what a weighting knows of a task before the first step (DTERM, eq. 4).

A task is its description and some attributes, such as its language or family. An embedding is a frozen function of
them: the same text gives the same vector in every process. What adapts to it is the hypernetwork. `HashedText` needs
nothing, `HuggingFaceText` takes a pretrained encoder such as CodeBERT, `BagOfWords` is the paper's ablation, and
`TextAndImage` adds the image of a task (eq. 10).
"""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from reward_machines.pretrained import pretrained

__all__ = ["BagOfWords", "HashedText", "HuggingFaceText", "TaskEmbedding", "TextAndImage", "from_spec"]

_WORD = re.compile(r"[a-z]+|[0-9]+|[^\sa-z0-9]", re.IGNORECASE)
_REMEMBERED = 4096


@runtime_checkable
class TaskEmbedding(Protocol):
    """A frozen function from a task to a vector.

    Attributes:
        width: Width D of the vector.
    """

    width: int

    def __call__(self, description: str, attributes: Mapping[str, str]) -> np.ndarray:
        """Embed a task.

        Args:
            description: What the task asks for.
            attributes: Facts about it by name, such as `{"language": "python"}`.

        Returns:
            (D,) float32.
        """
        ...

    def spec(self) -> dict[str, Any]:
        """Class and arguments as JSON values; `from_spec` makes the embedding again."""
        ...


class HashedText:
    """Hashed words, pairs of words, and triples of characters, together with the hashed attributes.

    Text and attributes are each a vector of length 1; their sum is scaled to length 1. So two tasks with the same
    attributes are alike, however different their texts.

    Args:
        width: Width D.
        attributes: Weight of the attributes beside the text's 1; 0 leaves them out.

    Raises:
        ValueError: The width is below 8, or the weight is negative.
    """

    def __init__(self, width: int = 64, attributes: float = 1.0) -> None:
        if width < 8 or attributes < 0:
            raise ValueError(f"width must be at least 8 and attributes not negative; got {width!r} and {attributes!r}")
        self.width, self.attributes = int(width), float(attributes)
        self._remembered: dict[str, np.ndarray] = {}

    def __call__(self, description: str, attributes: Mapping[str, str]) -> np.ndarray:
        """Embed a task, (D,) float32 of length 1; of length 0 if there is nothing to embed."""
        text = _remember(self._remembered, description, lambda: _hashed(_grams(description), self.width))
        # each attribute falls on eight places, so that two hardly ever look alike
        facts = (f"{name}={attributes[name]}#{place}" for name in sorted(attributes) for place in range(8))
        return _unit(text + self.attributes * _hashed(facts, self.width))

    def spec(self) -> dict[str, Any]:
        """Class and arguments."""
        return {"class": "HashedText", "arguments": {"width": self.width, "attributes": self.attributes}}


class BagOfWords:
    """Counts of the description's words, hashed; no order, no characters, no attributes. An ablation.

    Args:
        width: Width D.

    Raises:
        ValueError: The width is below 8.
    """

    def __init__(self, width: int = 64) -> None:
        if width < 8:
            raise ValueError(f"width must be at least 8; got {width!r}")
        self.width = int(width)
        self._remembered: dict[str, np.ndarray] = {}

    def __call__(self, description: str, attributes: Mapping[str, str]) -> np.ndarray:
        """Embed a task, (D,) float32 of length 1; the attributes are left out on purpose."""
        words = _WORD.findall(description.lower())
        return _remember(self._remembered, description, lambda: _hashed(words, self.width)).copy()

    def spec(self) -> dict[str, Any]:
        """Class and arguments."""
        return {"class": "BagOfWords", "arguments": {"width": self.width}}


class HuggingFaceText:
    """Mean of the last layer of a frozen encoder over the tokens of the attributes and the description.

    Args:
        name: Folder of a saved model with its tokenizer, or a name such as "microsoft/codebert-base".
        download: Whether a model that is not on this machine may be fetched. Off, nothing here uses the network.
        tokens: Longest text, or the model's own limit if that is less; the rest is cut off.

    Attributes:
        width: Width D, the model's own.

    Raises:
        ImportError: transformers is not installed.
        ValueError: The model is not on this machine and must not be fetched, or `tokens` is not positive.
    """

    def __init__(self, name: str, *, download: bool = False, tokens: int = 256) -> None:
        if tokens < 1:
            raise ValueError(f"tokens must be positive; got {tokens!r}")
        self.name, self.download, self.tokens = str(name), download, tokens
        self._model = pretrained("AutoModel", self.name, download)
        self._tokenizer = pretrained("AutoTokenizer", self.name, download)
        self.width = int(self._model.config.hidden_size)
        limits = (self._tokenizer.model_max_length, getattr(self._model.config, "max_position_embeddings", tokens))
        self._longest = int(min(tokens, *limits))
        self._remembered: dict[str, np.ndarray] = {}

    def __call__(self, description: str, attributes: Mapping[str, str]) -> np.ndarray:
        """Embed a task, (D,) float32."""
        text = "\n".join([*(f"{name}: {attributes[name]}" for name in sorted(attributes)), description])
        return _remember(self._remembered, text, lambda: self._embedded(text)).copy()

    def spec(self) -> dict[str, Any]:
        """Class and arguments."""
        arguments = {"name": self.name, "download": self.download, "tokens": self.tokens}
        return {"class": "HuggingFaceText", "arguments": arguments}

    def _embedded(self, text: str) -> np.ndarray:
        import torch

        batch = self._tokenizer(text, truncation=True, max_length=self._longest, return_tensors="pt")
        with torch.inference_mode():
            layer = self._model(**batch).last_hidden_state[0]  # (tokens, D)
        real = batch["attention_mask"][0].bool()
        return layer[real].mean(0).float().numpy()


class TextAndImage:
    """A text embedding, the CLIP embedding of the task's image, and whether it has one, side by side.

    The image is the file that the attribute `image` names; the text embedding does not see this attribute. The fusion
    of both (eq. 10) is learned: `DTERM(components, width=text.width, image_width=vision.width)`.

    Args:
        text: Embedding of the text, or its spec.
        vision: `reward_machines.fusion.ClipVision`, or its arguments.

    Attributes:
        width: Width of the whole row, `text.width + vision.width + 1`.
    """

    def __init__(self, text: TaskEmbedding | Mapping[str, Any], vision: Any) -> None:
        from reward_machines.fusion import ClipVision

        self.text = from_spec(text) if isinstance(text, Mapping) else text
        self.vision = ClipVision(**vision) if isinstance(vision, Mapping) else vision
        self.width = self.text.width + self.vision.width + 1
        self._remembered: dict[str, np.ndarray] = {}

    def __call__(self, description: str, attributes: Mapping[str, str]) -> np.ndarray:
        """Embed a task, (text.width + V + 1,) float32; without an image the last V + 1 numbers are 0.

        Raises:
            ImportError: There is an image, and Pillow, which reads it, is not installed.
            FileNotFoundError: The image's file does not exist.
        """
        text = self.text(description, {name: value for name, value in attributes.items() if name != "image"})
        image = np.zeros(self.vision.width + 1, np.float32)
        if "image" in attributes:
            path = attributes["image"]
            image = _remember(self._remembered, path, lambda: np.append(self.vision([_picture(path)])[0], 1.0))
        return np.concatenate([text, image]).astype(np.float32)

    def spec(self) -> dict[str, Any]:
        """Class and arguments."""
        return {"class": "TextAndImage", "arguments": {"text": self.text.spec(), "vision": self.vision.spec()}}


_CLASSES: dict[str, Callable[..., TaskEmbedding]] = {
    "HashedText": HashedText,
    "BagOfWords": BagOfWords,
    "HuggingFaceText": HuggingFaceText,
    "TextAndImage": TextAndImage,
}


def from_spec(spec: Mapping[str, Any]) -> TaskEmbedding:
    """Make an embedding from what its `spec` gave.

    Args:
        spec: `{"class": name, "arguments": {...}}`.

    Returns:
        The embedding.

    Raises:
        ValueError: The spec has other keys, or names no embedding, or its arguments are not those of the class.
    """
    if not isinstance(spec, Mapping) or set(spec) - {"class", "arguments"} or spec.get("class") not in _CLASSES:
        raise ValueError(
            f'a spec is {{"class": name, "arguments": {{...}}}} with a name of {list(_CLASSES)}; got {spec!r}'
        )
    try:
        return _CLASSES[spec["class"]](**spec.get("arguments", {}))
    except TypeError as error:
        raise ValueError(f"{spec['class']} does not take these arguments: {error}") from error


def _grams(text: str) -> Iterable[str]:
    """Words, pairs of neighbouring words, and triples of characters within words."""
    words = _WORD.findall(text.lower())
    yield from words
    yield from (f"{one} {two}" for one, two in itertools.pairwise(words))
    for word in words:
        padded = f"<{word}>"
        yield from (f"~{padded[start : start + 3]}" for start in range(len(padded) - 2) if len(padded) > 3)


def _hashed(features: Iterable[str], width: int) -> np.ndarray:
    """Signed feature hashing (Weinberger et al. 2009) of the square roots of counts, of length 1, (D,) float32."""
    counts: dict[str, int] = {}
    for feature in features:
        counts[feature] = counts.get(feature, 0) + 1
    vector = np.zeros(width)
    for feature, count in counts.items():
        code = zlib.crc32(feature.encode("utf-8", "surrogatepass"))
        vector[(code >> 1) % width] += (1 if code & 1 else -1) * count**0.5
    return _unit(vector)


def _unit(vector: np.ndarray) -> np.ndarray:
    length = float(np.linalg.norm(vector))
    return (vector / length if length > 0 else vector).astype(np.float32)


def _remember(known: dict[str, np.ndarray], key: str, make: Callable[[], np.ndarray]) -> np.ndarray:
    """The value of a key, made at the first time; the oldest is forgotten when there are too many."""
    if key not in known:
        if len(known) >= _REMEMBERED:
            del known[next(iter(known))]
        known[key] = make()
    return known[key]


def _picture(path: str) -> np.ndarray:
    """An image file as (H, W, 3) uint8."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("'pillow' is not installed. Install it with: pip install 'code-envs[render]'") from error
    if not Path(path).is_file():
        raise FileNotFoundError(f"the task's image {path!r} does not exist; leave the attribute out or give a file")
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
