"""One unit vector per text by a token encoder, such as a pretrained one: what search compares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from agents.cross_modal import masked_mean

__all__ = ["SentenceEncoder"]

BATCH = 32


class SentenceEncoder(nn.Module):
    """The mean of the vectors of a text's tokens, as a unit vector.

    Args:
        encoder: Vectors and mask from token ids, and ids from texts: `agents.pretrained_encoder.HuggingFaceEncoder`,
            or a module with the same `ids` and `forward`.

    Source: Reimers and Gurevych (2019), mean pooling.
    """

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder: Any = encoder
        self._seen: dict[str, NDArray[np.float32]] = {}

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Vectors of rows of token ids, (B, T) int64: (B, D) float32."""
        vectors, real = self.encoder(ids)
        return functional.normalize(masked_mean(vectors, real), dim=-1)

    def train(self, mode: bool = True) -> SentenceEncoder:
        """Set the training mode; what training will change is forgotten."""
        if mode:
            self._seen.clear()
        return super().train(mode)

    @torch.no_grad()
    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts, (N, D) float32; those of a text that was seen are not computed again.

        Raises:
            RuntimeError: In training mode, whose vectors must not be kept.
        """
        if self.training:
            raise RuntimeError("embed() keeps what it computes, which training changes; call eval() first.")
        # of similar length together: attention over padding costs most of the time
        missing = sorted({text for text in texts if text not in self._seen}, key=lambda text: (len(text), text))
        for first in range(0, len(missing), BATCH):
            part = missing[first : first + BATCH]
            self._seen.update(zip(part, self(self.encoder.ids(part)).cpu().numpy(), strict=True))
        return np.stack([self._seen[text] for text in texts])
