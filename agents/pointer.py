"""What policies that point at actions share: a head whose outputs are the logits, and no layer behind it.

Action k has no fixed meaning, so there is no weight per action: the extractor reads what each action does, and a head
scores it. The mask comes with the observation, so that plain PPO and A2C never sample an invalid action. A policy names
its extractor and makes its head: `class Mine(PointerPolicy, ActorCriticPolicy)`.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import gymnasium
import torch
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.type_aliases import Schedule
from torch import nn

__all__ = ["INVALID", "ActionHead", "Features", "PointerPolicy"]

INVALID = -1e8
"""Logit of an invalid action."""

Features = dict[str, torch.Tensor]


class ActionHead(nn.Module):
    """Scores of actions, and the value of the state, from what an extractor gathered.

    Args:
        hidden: Width of the state, and of what is known of an action.
        actions: Number of actions A.
    """

    value: nn.Module
    """Value features of a state, (B, hidden) to (B, hidden)."""

    def __init__(self, hidden: int, actions: int) -> None:
        super().__init__()
        self.latent_dim_pi = actions
        self.latent_dim_vf = hidden
        self.given_state = nn.Linear(hidden, hidden)

    def forward(self, features: Features) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (B, A), invalid actions at -1e8, and value features (B, hidden)."""
        return self.forward_actor(features), self.forward_critic(features)

    @abstractmethod
    def forward_actor(self, features: Features) -> torch.Tensor:
        """Logits (B, A); invalid actions at -1e8."""

    def forward_critic(self, features: Features) -> torch.Tensor:
        """Value features (B, hidden)."""
        return self.value(features["state"])


class PointerPolicy:
    """Puts an extractor and a head into SB3's actor-critic policies, maskable or not.

    Args:
        observation_space: `Dict` with the keys that the extractor reads.
        action_space: `Discrete(A)`.
        lr_schedule: Learning rate schedule.
        **kwargs: Arguments of SB3's policy; `features_extractor_kwargs` sets the widths.
    """

    extractor: type[BaseFeaturesExtractor]

    def __init__(
        self,
        observation_space: gymnasium.spaces.Dict,
        action_space: gymnasium.Space,
        lr_schedule: Schedule,
        **kwargs: Any,
    ) -> None:
        arguments: dict[str, Any] = {"features_extractor_class": self.extractor, "ortho_init": False} | kwargs
        super().__init__(observation_space, action_space, lr_schedule, **arguments)  # type: ignore[call-arg]  # a mixin

    @abstractmethod
    def _head(self) -> ActionHead:
        """The head, from `features_dim` and the spaces."""

    def _build_mlp_extractor(self: Any) -> None:
        self.mlp_extractor = self._head()

    def _build(self: Any, lr_schedule: Schedule) -> None:
        super()._build(lr_schedule)  # type: ignore[misc]
        self.action_net = nn.Identity()
        self.optimizer = self.optimizer_class(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)
