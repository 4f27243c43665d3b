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
from stable_baselines3.common.type_aliases import Schedule
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from agents.encoders import TokenEncoder
from agents.fusion import CrossModalFusion

__all__ = ["FusionExtractor", "FusionPolicy", "MaskableFusionPolicy", "PointerHead"]

KEYS = ("code", "text", "feedback", "candidates", "candidate_scores", "action_mask")
SMALL = 16
"""Width of the embeddings of operators, node kinds and roles."""
WORD = 32
"""Width of the embeddings of a candidate's tokens."""
KINDS = 128
FIXED_COLUMNS = 4
"""Columns of a candidate before its tokens: operator, node kind, role, token position."""
INVALID = -1e8

Features = dict[str, torch.Tensor]


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


class PointerHead(nn.Module):
    """Scores of candidates, and the value of the state, from what the extractor gathered.

    Args:
        hidden: Width of the state and of the candidates.
        actions: Number of actions A.
    """

    def __init__(self, hidden: int, actions: int) -> None:
        super().__init__()
        self.latent_dim_pi = actions
        self.latent_dim_vf = hidden
        self.given_state = nn.Linear(hidden, hidden)
        self.score = nn.Sequential(
            nn.LayerNorm(hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, 1)
        )
        self.value = nn.Sequential(nn.GELU(), nn.Linear(hidden, hidden), nn.GELU())

    def forward(self, features: Features) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (B, A), invalid actions at -1e8, and value features (B, hidden)."""
        return self.forward_actor(features), self.forward_critic(features)

    def forward_actor(self, features: Features) -> torch.Tensor:
        """Logits (B, A); invalid actions at -1e8."""
        valid = features["valid"]
        sample = valid.nonzero(as_tuple=True)[0]
        scores = self.score(features["candidates"] + self.given_state(features["state"])[sample]).squeeze(-1)
        logits = torch.full(valid.shape, INVALID, dtype=scores.dtype, device=scores.device)
        return logits.masked_scatter(valid, scores)

    def forward_critic(self, features: Features) -> torch.Tensor:
        """Value features (B, hidden)."""
        return self.value(features["state"])


class _Fusion:
    """What both policies share: the extractor, the pointer head, and no layer behind its logits."""

    def _build_mlp_extractor(self: Any) -> None:
        self.mlp_extractor = PointerHead(self.features_dim, int(self.action_space.n))

    def _build(self: Any, lr_schedule: Schedule) -> None:
        super()._build(lr_schedule)  # type: ignore[misc]
        self.action_net = nn.Identity()
        self.optimizer = self.optimizer_class(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)


class FusionPolicy(_Fusion, ActorCriticPolicy):  # type: ignore[misc]  # the head is a PointerHead, the net an Identity
    """Pointer policy for PPO, A2C and TRPO; the mask is read from the observation.

    Args:
        observation_space: `Dict` with the keys of `CodeRepair-v0`.
        action_space: `Discrete(A)`.
        lr_schedule: Learning rate schedule.
        **kwargs: Arguments of SB3's `ActorCriticPolicy`; `features_extractor_kwargs` sets the widths.
    """

    def __init__(
        self,
        observation_space: gymnasium.spaces.Dict,
        action_space: gymnasium.Space,
        lr_schedule: Schedule,
        **kwargs: Any,
    ) -> None:
        super().__init__(observation_space, action_space, lr_schedule, **_defaults(kwargs))


class MaskableFusionPolicy(_Fusion, MaskableActorCriticPolicy):  # type: ignore[misc]  # as above
    """The same policy for MaskablePPO.

    Args:
        observation_space: `Dict` with the keys of `CodeRepair-v0`.
        action_space: `Discrete(A)`.
        lr_schedule: Learning rate schedule.
        **kwargs: Arguments of `MaskableActorCriticPolicy`; `features_extractor_kwargs` sets the widths.
    """

    def __init__(
        self,
        observation_space: gymnasium.spaces.Dict,
        action_space: gymnasium.Space,
        lr_schedule: Schedule,
        **kwargs: Any,
    ) -> None:
        super().__init__(observation_space, action_space, lr_schedule, **_defaults(kwargs))


def _defaults(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {"features_extractor_class": FusionExtractor, "ortho_init": False} | kwargs
