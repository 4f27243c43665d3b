"""A small extractor for `FusionPolicy`: bags of words for the state, a row per action.

It is made for the multi-task benchmark, where a training run has a minute or two: no attention, and so no sequence.
"""

from __future__ import annotations

import gymnasium
import torch
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn

from agents.policies import FIXED_COLUMNS, KINDS, Features

__all__ = ["BagExtractor"]


class BagExtractor(BaseFeaturesExtractor):
    """State and actions of the shared observation, without attention.

    Args:
        observation_space: `Dict` with the keys of `CodeRepair-v0`.
        word: Width of the embeddings of words.
        kind: Width of the embeddings of operators, node kinds and roles.
        hidden: Width of the state and of the candidates.
    """

    def __init__(
        self, observation_space: gymnasium.spaces.Dict, word: int = 24, kind: int = 8, hidden: int = 64
    ) -> None:
        super().__init__(observation_space, features_dim=hidden)
        code, rows = observation_space["code"], observation_space["candidates"]
        scores, feedback = observation_space["candidate_scores"], observation_space["feedback"]
        assert isinstance(code, gymnasium.spaces.Box)
        assert rows.shape is not None
        assert scores.shape is not None
        assert feedback.shape is not None
        vocabulary = int(code.high.max()) + 1
        self.words = nn.Embedding(vocabulary, word, padding_idx=0)
        nn.init.normal_(self.words.weight, std=0.5)
        self.kinds = nn.ModuleList(nn.Embedding(KINDS, kind) for _ in range(FIXED_COLUMNS - 1))
        texts = rows.shape[1] - FIXED_COLUMNS
        self.row = nn.Linear((FIXED_COLUMNS - 1) * kind + texts * word + scores.shape[1], hidden)
        self.state = nn.Sequential(nn.Linear(2 * word + feedback.shape[0], hidden), nn.Tanh())

    def forward(self, observations: Features) -> Features:
        """Encode a batch; what it returns is told in `agents.policies.FusionExtractor.forward`."""
        code, text = self._bag(observations["code"]), self._bag(observations["text"])
        valid = observations["action_mask"] > 0
        rows = observations["candidates"][valid].long()
        parts = [embed(rows[:, column]) for column, embed in enumerate(self.kinds)]
        parts += [self.words(rows[:, FIXED_COLUMNS:]).flatten(1), observations["candidate_scores"][valid]]
        state = self.state(torch.cat([code, text, observations["feedback"]], -1))
        return {"state": state, "candidates": self.row(torch.cat(parts, -1)), "valid": valid}

    def _bag(self, ids: torch.Tensor) -> torch.Tensor:
        """Mean of the words of each row, (B, T) -> (B, word)."""
        ids = ids.long()
        count = (ids != 0).sum(1, keepdim=True).clamp(min=1)
        return self.words(ids).sum(1) / count.sqrt()
