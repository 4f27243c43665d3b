"""FusionPolicy: a pointer policy that scores each candidate edit of a program.

Action k has no fixed meaning, so nothing is learned per action: one scorer, shared by all candidates,
reads a candidate's own row, the fused code at its position and the state of the search. The mask
comes with the observation, so that plain PPO and A2C never sample an invalid action.
"""

from __future__ import annotations

import contextlib
from typing import Any

import gymnasium
import torch
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from agents.encoders import TokenEncoder
from agents.fusion import CrossModalFusion
from agents.pointer import INVALID, ActionHead, Features, PointerPolicy

__all__ = ["FusionExtractor", "FusionPolicy", "MaskableFusionPolicy", "PointerHead"]

KEYS = ("code", "text", "feedback", "candidates", "candidate_scores", "action_mask")
SMALL = 16
"""Width of the embeddings of operators, node kinds and roles."""
WORD = 32
"""Width of the embeddings of a candidate's tokens."""
KINDS = 128
FIXED_COLUMNS = 4
"""Columns of a candidate before its tokens: operator, node kind, role, token position."""


class FusionExtractor(BaseFeaturesExtractor):
    """Encodes code and text, fuses them, and gathers one vector per valid candidate.

    Args:
        observation_space: `Dict` with the keys of `CodeRepair-v0`.
        width: Width D of tokens.
        hidden: Width of the state and of the candidates.
        code_layers: Transformer layers over code.
        text_layers: Transformer layers over text.
        dropout: Share of the encoders' activations dropped while training. Good for imitation; PPO compares the
            probabilities of two passes and wants 0.

    Raises:
        ValueError: If a key is missing from the space.
    """

    def __init__(
        self,
        observation_space: gymnasium.spaces.Dict,
        width: int = 64,
        hidden: int = 128,
        code_layers: int = 2,
        text_layers: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(observation_space, features_dim=hidden)
        missing = [key for key in KEYS if key not in observation_space.spaces]
        if missing:
            raise ValueError(f"FusionPolicy needs the observation keys {KEYS}; {missing} are missing.")
        code, text = observation_space["code"], observation_space["text"]
        rows, scores = observation_space["candidates"], observation_space["candidate_scores"]
        feedback = observation_space["feedback"]
        shapes = [space.shape for space in (code, text, rows, scores, feedback)]
        (code_length,), (text_length,), (_, columns), (_, score_width), (feedback_width,) = shapes  # type: ignore[misc]
        assert isinstance(code, gymnasium.spaces.Box)
        vocabulary = int(code.high.max()) + 1
        self.code = TokenEncoder(vocabulary, code_length, width, code_layers, dropout=dropout)
        self.text = TokenEncoder(vocabulary, text_length, width, text_layers, dropout=dropout)
        self.fusion = CrossModalFusion(width)
        self.state = nn.Sequential(nn.Linear(2 * width + feedback_width, hidden), nn.GELU(), nn.Linear(hidden, hidden))
        self.kinds = nn.ModuleList(nn.Embedding(KINDS, SMALL) for _ in range(FIXED_COLUMNS - 1))
        self.words = nn.Embedding(vocabulary, WORD, padding_idx=0)
        words = columns - FIXED_COLUMNS
        row_width = (FIXED_COLUMNS - 1) * SMALL + words * WORD + score_width + 2 * width
        self.row = nn.Linear(row_width, hidden)

    def forward(self, observations: Features) -> Features:
        """Encode a batch.

        Args:
            observations: Tensors of the observation space, batched.

        Returns:
            `state` (B, hidden); `candidates` (N, hidden), one per valid action of the batch, row by row; and
            `valid` (B, A) bool, which says whose they are.
        """
        # TRPO differentiates twice, which torch's fused attention cannot; it is a quarter faster, so rollouts keep it
        with sdpa_kernel(SDPBackend.MATH) if torch.is_grad_enabled() else contextlib.nullcontext():
            code, code_real = self.code(observations["code"].long())
            text, text_real = self.text(observations["text"].long())
            fused, pooled = self.fusion(code, code_real, text, text_real)
        valid = observations["action_mask"] > 0
        sample = valid.nonzero(as_tuple=True)[0]
        rows = observations["candidates"][valid].long()
        position = rows[:, FIXED_COLUMNS - 1].clamp(max=fused.shape[1] - 1)
        parts = [embed(rows[:, column]) for column, embed in enumerate(self.kinds)]
        parts += [self.words(rows[:, FIXED_COLUMNS:]).flatten(1), observations["candidate_scores"][valid]]
        parts += [fused[sample, position], code[sample, position]]
        state = self.state(torch.cat([pooled, observations["feedback"]], -1))
        return {"state": state, "candidates": self.row(torch.cat(parts, -1)), "valid": valid}


class PointerHead(ActionHead):
    """Scores of candidates, and the value of the state, from what the extractor gathered.

    Args:
        hidden: Width of the state and of the candidates.
        actions: Number of actions A.
    """

    def __init__(self, hidden: int, actions: int) -> None:
        super().__init__(hidden, actions)
        self.score = nn.Sequential(
            nn.LayerNorm(hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, 1)
        )
        self.value = nn.Sequential(nn.GELU(), nn.Linear(hidden, hidden), nn.GELU())

    def forward_actor(self, features: Features) -> torch.Tensor:
        """Logits (B, A); invalid actions at -1e8."""
        valid = features["valid"]
        sample = valid.nonzero(as_tuple=True)[0]
        scores = self.score(features["candidates"] + self.given_state(features["state"])[sample]).squeeze(-1)
        logits = torch.full(valid.shape, INVALID, dtype=scores.dtype, device=scores.device)
        return logits.masked_scatter(valid, scores)


class _Fusion(PointerPolicy):
    extractor = FusionExtractor

    def _head(self: Any) -> PointerHead:
        return PointerHead(self.features_dim, int(self.action_space.n))


class FusionPolicy(_Fusion, ActorCriticPolicy):  # type: ignore[misc]  # the head is a PointerHead, the net an Identity
    """Pointer policy for PPO, A2C and TRPO; the mask is read from the observation.

    Args:
        observation_space: `Dict` with the keys of `CodeRepair-v0`.
        action_space: `Discrete(A)`.
        lr_schedule: Learning rate schedule.
        **kwargs: Arguments of SB3's `ActorCriticPolicy`; `features_extractor_kwargs` sets the widths.
    """


class MaskableFusionPolicy(_Fusion, MaskableActorCriticPolicy):  # type: ignore[misc]  # as above
    """The same policy for MaskablePPO.

    Args:
        observation_space: `Dict` with the keys of `CodeRepair-v0`.
        action_space: `Discrete(A)`.
        lr_schedule: Learning rate schedule.
        **kwargs: Arguments of `MaskableActorCriticPolicy`; `features_extractor_kwargs` sets the widths.
    """
