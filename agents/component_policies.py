"""Actor-critic policies with one value head per reward component.

SB3's policies predict one value. Here the value network stops at its features, and heads that also see the embedding of
the task turn them into K + 1 values, one per component and one for the outer metric (DTERM, eq. 7). The task is known
from `info`, after the step, so the heads are a second call: `component_values(features, embeddings)`.
"""

from __future__ import annotations

from typing import Any

import torch
from stable_baselines3.common.policies import ActorCriticCnnPolicy, ActorCriticPolicy, MultiInputActorCriticPolicy
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from torch import nn

from agents.policies import FusionPolicy
from reward_machines.film import VALUE_HEADS

__all__ = [
    "ComponentCnnPolicy",
    "ComponentFusionPolicy",
    "ComponentMlpPolicy",
    "ComponentMultiInputPolicy",
    "ComponentValues",
    "component_policy",
]

DECAY = 0.9
"""Of the running variance of returns, per rollout."""
FLOOR = 0.01
"""Added to the variance of returns, which lie in [-1, 1]: a component that no longer moves is not blown up."""


class ComponentValues:
    """Puts component heads into an SB3 actor-critic policy: `class Mine(ComponentValues, MyPolicy)`.

    `forward` and `evaluate_actions` give value features (B, F) where SB3's give values.

    Args:
        *args: Arguments of the policy.
        heads: Number of value heads, K + 1.
        embedding_width: Width D of task embeddings.
        value_heads: "film", "concat" or "linear", a key of `reward_machines.film.VALUE_HEADS`.
        **kwargs: Arguments of the policy.

    Attributes:
        heads: The value heads, called with features (B, F) and embeddings (B, D).
        return_variance: Running variance of each head's returns, (K + 1,) float32, part of the state dict.

    Raises:
        ValueError: If there are no heads of that name.
    """

    def __init__(self, *args: Any, heads: int, embedding_width: int, value_heads: str = "film", **kwargs: Any) -> None:
        if value_heads not in VALUE_HEADS:
            raise ValueError(f"value_heads is one of {sorted(VALUE_HEADS)}, not {value_heads!r}.")
        self._head_arguments: dict[str, Any] = {
            "heads": heads, "embedding_width": embedding_width, "value_heads": value_heads
        }  # fmt: skip
        super().__init__(*args, **kwargs)

    def _build(self: Any, lr_schedule: Schedule) -> None:
        super()._build(lr_schedule)  # type: ignore[misc]
        arguments = self._head_arguments
        self.value_net = nn.Identity()
        make = VALUE_HEADS[arguments["value_heads"]]
        self.heads = make(self.mlp_extractor.latent_dim_vf, arguments["embedding_width"], arguments["heads"])
        if self.ortho_init:
            # the gain that SB3 gives its value layer; the layers that read the task keep their own start
            self.init_weights(self.heads.readout, gain=1)
        self.register_buffer("return_variance", torch.zeros(arguments["heads"]))
        self.register_buffer("rollouts_seen", torch.zeros(()))
        self.optimizer = self.optimizer_class(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)

    def _get_constructor_parameters(self: Any) -> dict[str, Any]:
        return super()._get_constructor_parameters() | self._head_arguments  # type: ignore[misc]

    def component_values(self: Any, features: torch.Tensor, embeddings: torch.Tensor) -> torch.Tensor:
        """Predicted returns.

        Args:
            features: Value features, (B, F) float32.
            embeddings: Embeddings of the tasks, (B, D) float32.

        Returns:
            (B, K + 1) float32, the outer metric last.
        """
        return self.heads(features, embeddings)

    def value_features(self: Any, observations: PyTorchObs) -> torch.Tensor:
        """What the heads read, (B, F) float32, without the actor's part."""
        return super().predict_values(observations)  # type: ignore[misc]

    def predict_values(self, observations: PyTorchObs) -> torch.Tensor:
        """SB3's one value does not exist here.

        Raises:
            TypeError: Always; it says what to call.
        """
        raise TypeError(
            f"{type(self).__name__} predicts one value per reward component and needs the task: call "
            "component_values(value_features(observations), embeddings)."
        )

    def observe_returns(self: Any, returns: torch.Tensor) -> None:
        """Follow the variance of each head's returns, to bring the heads' losses to one scale.

        Args:
            returns: Returns of a rollout, (N, K + 1) float32.
        """
        self.return_variance.mul_(DECAY).add_((1.0 - DECAY) * returns.var(0, unbiased=False))
        self.rollouts_seen.add_(1.0)

    def value_scale(self: Any) -> torch.Tensor:
        """What a head's squared error is divided by, (K + 1,) float32: the variance of its returns plus 0.01."""
        return self.return_variance / (1.0 - DECAY**self.rollouts_seen).clamp(min=1e-6) + FLOOR

    def last_shared_layer(self: Any) -> torch.Tensor:
        """Weights of the actor's last layer, which every component's policy gradient goes through."""
        layers = [each for part in (self.mlp_extractor, self.action_net) for each in part.modules()]
        linear = [each for each in layers if isinstance(each, nn.Linear) and self._is_of_actor(each)]
        return linear[-1].weight

    def _is_of_actor(self: Any, layer: nn.Module) -> bool:
        critic = getattr(self.mlp_extractor, "value_net", getattr(self.mlp_extractor, "value", nn.Identity()))
        return all(layer is not each for each in critic.modules())


class ComponentMlpPolicy(ComponentValues, ActorCriticPolicy):  # type: ignore[misc]  # value_net is an Identity
    """`MlpPolicy` with component heads."""


class ComponentCnnPolicy(ComponentValues, ActorCriticCnnPolicy):  # type: ignore[misc]  # as above
    """`CnnPolicy` with component heads."""


class ComponentMultiInputPolicy(ComponentValues, MultiInputActorCriticPolicy):  # type: ignore[misc]  # as above
    """`MultiInputPolicy` with component heads."""


class ComponentFusionPolicy(ComponentValues, FusionPolicy):  # type: ignore[misc]  # as above
    """`FusionPolicy` with component heads; the mask is read from the observation."""


WITH_COMPONENTS: dict[type, type] = {
    ActorCriticPolicy: ComponentMlpPolicy,
    ActorCriticCnnPolicy: ComponentCnnPolicy,
    MultiInputActorCriticPolicy: ComponentMultiInputPolicy,
    FusionPolicy: ComponentFusionPolicy,
}


def component_policy(policy: type[ActorCriticPolicy]) -> type[ActorCriticPolicy]:
    """The class with component heads for a policy class.

    Args:
        policy: One of SB3's three actor-critic policies, `FusionPolicy`, or a class that has the heads.

    Raises:
        ValueError: If there is none.
    """
    if issubclass(policy, ComponentValues):
        return policy
    if policy not in WITH_COMPONENTS:
        raise ValueError(
            f"{policy.__name__} has one value and the reward has components: "
            f"define `class Component{policy.__name__}(ComponentValues, {policy.__name__})` and train that."
        )
    return WITH_COMPONENTS[policy]
