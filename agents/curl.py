"""A static comparison: views of one program are to be alike, as in CURL, whatever its text."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from agents.augmentation import rename_identifiers
from agents.auxiliary import AuxiliaryCallback, Experience
from agents.cross_modal_extractor import CrossModalFusionExtractor

__all__ = ["CurlCallback", "curl_loss"]


def curl_loss(queries: torch.Tensor, keys: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """InfoNCE with bilinear scores `q^T W k`; keys get no gradient.

    Args:
        queries: Embeddings of one view, (B, p) float32.
        keys: Embeddings of the other, (B, p) float32.
        weight: W, (p, p) float32.

    Returns:
        The loss, ().

    Source: Laskin et al. (2020).
    """
    return functional.cross_entropy(queries @ weight @ keys.detach().T, torch.arange(len(queries)).to(queries.device))


class CurlCallback(AuxiliaryCallback):
    """Trains the code encoder on two renamings of the programs of the last rollout, with a momentum encoder.

    Args:
        slots: Slots of names; see `rename_identifiers`. Here they are
            `(V - BUCKETS - LITERAL_SLOTS - NAME_SLOTS, V - BUCKETS - LITERAL_SLOTS)` of `code_envs.syntax.tokens`.
        momentum: Share of the momentum encoder that stays at each step.
        experience: Programs of a rollout to draw from.
        **kwargs: Arguments of `AuxiliaryCallback`.
    """

    def __init__(
        self, slots: tuple[int, int], *, momentum: float = 0.95, experience: int = 1024, **kwargs: Any
    ) -> None:
        super().__init__(**({"name": "curl"} | kwargs))
        self.slots, self.momentum, self.experience = slots, momentum, experience
        self._generator = torch.Generator().manual_seed(int(self.rng.integers(2**31)))
        self._weights: dict[int, nn.Parameter] = {}
        self._slow: dict[int, CrossModalFusionExtractor] = {}
        self._programs: torch.Tensor | None = None

    def _own_parameters(self) -> list[nn.Parameter]:
        for extractor in self.extractors:
            size = extractor.code_projection.out_features
            start = torch.eye(size, device=self.model.device)
            self._weights[id(extractor)] = nn.Parameter(start)
            self._slow[id(extractor)] = copy.deepcopy(extractor).requires_grad_(False)
        return list(self._weights.values())

    def _loss(self, extractor: CrossModalFusionExtractor) -> torch.Tensor | None:
        if self._programs is None:
            return None
        chosen = self.rng.choice(len(self._programs), min(self.batch_size, len(self._programs)), replace=False)
        programs = self._programs[torch.from_numpy(chosen)]
        queries, keys = (rename_identifiers(programs, self.slots, self._generator)[0] for _ in range(2))
        slow = self._slow[id(extractor)]
        return curl_loss(extractor.embed_code(queries), slow.embed_code(keys), self._weights[id(extractor)])

    def _after_step(self) -> None:
        for extractor in self.extractors:
            pairs = zip(self._slow[id(extractor)].parameters(), extractor.parameters(), strict=True)
            with torch.no_grad():
                for slow, fast in pairs:
                    slow.lerp_(fast, 1 - self.momentum)

    def _on_rollout_end(self) -> None:
        last = Experience.of(self.model, self.experience)  # type: ignore[arg-type]
        self._programs = last.observations[self.extractors[0].code_key].long()
