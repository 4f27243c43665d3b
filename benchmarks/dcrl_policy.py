"""DCRL's extractor for search: every function of the pool is fused with the text, and the policy points at one."""

from __future__ import annotations

from typing import Any

import gymnasium
import torch
from torch import nn
from torch.nn import functional

from agents.cross_modal import attention_temperature, masked_mean
from agents.cross_modal_extractor import CrossModalFusionExtractor
from agents.encoders import TokenEncoder
from agents.pointer import Features

__all__ = ["PoolExtractor"]


class PoolExtractor(CrossModalFusionExtractor):
    """Gives `FusionPolicy` one vector for each function of the pool that was not picked.

    A function's vector is made of z, its fusion with the text, and of the product of both embeddings, which is what the
    contrastive loss aligns. The overlaps in `candidate_scores`, which nearly solve the task, are not read. Code and
    text are the same kind of words in search, so one encoder of words serves both; what follows it is of each its own.

    Args:
        observation_space: `Dict` with the keys of `CodeSearch-v0`.
        hidden: Width of the state and of the candidates.
        encoder_width: Width of the encoder of words.
        encoder_layers: Its transformer layers.
        **kwargs: Further arguments of `CrossModalFusionExtractor`.
    """

    def __init__(
        self,
        observation_space: gymnasium.spaces.Dict,
        hidden: int = 64,
        encoder_width: int = 64,
        encoder_layers: int = 1,
        **kwargs: Any,
    ) -> None:
        space = observation_space["pool"]
        assert isinstance(space, gymnasium.spaces.Box)
        length = max(int(observation_space[key].shape[-1]) for key in ("code", "text", "pool"))  # type: ignore[index]
        words = TokenEncoder(int(space.high.max()) + 1, length, encoder_width, encoder_layers)
        super().__init__(
            observation_space, row_width=0, encoder_width=encoder_width, code_encoder=lambda _: words,
            text_encoder=lambda _: words, **kwargs,
        )  # fmt: skip
        self._features_dim = hidden
        feedback = observation_space["feedback"].shape
        assert feedback is not None
        self.known = nn.Linear(self.width + self.code_projection.out_features, hidden)
        self.state = nn.Sequential(nn.Linear(self.width + feedback[0], hidden), nn.GELU(), nn.Linear(hidden, hidden))

    def forward(self, observations: Features) -> Features:
        """Encode a batch; what it returns is told in `agents.policies.FusionExtractor.forward`."""
        valid = observations["action_mask"] > 0
        sample = valid.nonzero(as_tuple=True)[0]
        code, code_real = self._encoded(self.code, self.code_in, observations["pool"][valid])  # (N, L, D)
        text, text_real = self._encoded(self.text, self.text_in, observations[self.text_key])  # (B, M, D)
        about = masked_mean(text, text_real)
        products = functional.normalize(self.code_projection(masked_mean(code, code_real)), dim=-1)
        products = products * functional.normalize(self.text_projection(about), dim=-1)[sample]
        temperature = attention_temperature(self.temperature, self.reference, self.kappa)
        told, told_real = text[sample], text_real[sample]
        for layer in self.layers:
            code, told = layer(code, told, code_real, told_real, temperature)
        blend = self._blend(masked_mean(code, code_real), masked_mean(told, told_real))
        candidates = self.known(torch.cat([blend, products * products.shape[-1] ** 0.5], -1))
        state = self.state(torch.cat([about, observations["feedback"]], -1))
        return {"state": state, "candidates": candidates, "valid": valid}
