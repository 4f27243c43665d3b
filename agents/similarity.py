"""Alignment of an observation by an encoder that no longer learns: the potential of an alignment bonus."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from agents.cross_modal_extractor import CrossModalFusionExtractor

__all__ = ["FrozenSimilarity"]


class FrozenSimilarity:
    """Cosine between the embeddings of an observation's code and text, by a copy of an extractor.

    The copy is on the CPU and never learns: a reward whose meaning moves with every gradient step cannot be learned
    from. `agents.contrastive_callback` takes a new copy before each rollout.

    Args:
        extractor: To be copied.
    """

    def __init__(self, extractor: CrossModalFusionExtractor) -> None:
        self._keys = (extractor.code_key, extractor.text_key)
        self._extractor = copy.deepcopy(extractor).cpu().eval().requires_grad_(False)

    def __call__(self, observation: Mapping[str, Any]) -> float:
        """The cosine of one observation, in [-1, 1]."""
        return float(self.batch({key: np.asarray(observation[key])[None] for key in self._keys})[0])

    def batch(self, observations: Mapping[str, Any]) -> np.ndarray:
        """Cosines of a batch, (B,) float32."""
        with torch.no_grad():
            code, text = self._extractor.embed({key: torch.as_tensor(observations[key]) for key in self._keys})
            return functional.cosine_similarity(code, text).numpy()
