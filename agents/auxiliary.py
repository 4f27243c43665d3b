"""Auxiliary objectives under any on-policy algorithm of SB3: gradient steps of their own before each rollout.

They come before the rollout, not after it, so that the probabilities which the rollout stores are those of the encoder
that PPO then starts from. What of the last rollout they need is put aside when it ends.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from agents.cross_modal_extractor import CrossModalFusionExtractor, extractors_of

__all__ = ["AuxiliaryCallback", "Experience", "encoder_parameters"]

MAX_GRAD_NORM = 1.0


class Experience(NamedTuple):
    """Steps of the last rollout."""

    observations: dict[str, torch.Tensor]
    actions: torch.Tensor
    advantages: torch.Tensor
    log_probs: torch.Tensor
    masks: Any

    @classmethod
    def of(cls, model: OnPolicyAlgorithm, count: int) -> Experience:
        """Steps of a full rollout buffer, evenly spread.

        Args:
            model: Its buffer still has the shape (n_steps, n_envs, ...).
            count: So many steps, or all.
        """
        buffer: Any = model.rollout_buffer
        total = buffer.buffer_size * buffer.n_envs
        chosen = np.linspace(0, total - 1, min(count, total)).astype(np.int64)

        def rows(array: np.ndarray) -> np.ndarray:
            return array.reshape(-1, *array.shape[2:])[chosen]

        def tensor(array: np.ndarray) -> torch.Tensor:
            return torch.as_tensor(rows(array), device=model.device)

        masks = getattr(buffer, "action_masks", None)
        actions = tensor(buffer.actions)
        return cls(
            {key: tensor(each) for key, each in buffer.observations.items()},
            actions.long().flatten() if actions.shape[-1] == 1 else actions,
            tensor(buffer.advantages).flatten(),
            tensor(buffer.log_probs).flatten(),
            None if masks is None else rows(masks),
        )

    def policy_loss(self, policy: Any) -> torch.Tensor:
        """PPO's surrogate on these steps, without clipping, ()."""
        extra = {} if self.masks is None else {"action_masks": self.masks}
        log_probs = policy.get_distribution(self.observations, **extra).log_prob(self.actions)
        advantages = self.advantages - self.advantages.mean()
        advantages = advantages / (advantages.std(unbiased=False) + 1e-8)
        return -(advantages * (log_probs - self.log_probs).exp()).mean()


class AuxiliaryCallback(BaseCallback):
    """Takes gradient steps on an auxiliary loss before each rollout, with an Adam of its own.

    The encoder is in two optimizers, this one and the policy's, which take turns. A subclass says what the loss is.

    Args:
        n_steps: Gradient steps before each rollout.
        batch_size: Rows of a batch.
        learning_rate: Of Adam; a weight of the loss would change nothing, for Adam is free of scale.
        seed: Draws the batches.
        name: Of the figures in the log, `name/...`.
        verbose: As for SB3's callbacks.

    Attributes:
        seconds: Time spent here since training began, s.
        steps: Gradient steps taken so far.
    """

    def __init__(
        self,
        *,
        n_steps: int = 16,
        batch_size: int = 64,
        learning_rate: float = 3e-4,
        seed: int = 0,
        name: str = "auxiliary",
        verbose: int = 0,
    ) -> None:
        super().__init__(verbose)
        if n_steps < 0 or batch_size < 2 or learning_rate <= 0:
            raise ValueError(
                f"Expected n_steps >= 0, batch_size >= 2 and a positive learning_rate; got {n_steps!r}, "
                f"{batch_size!r}, {learning_rate!r}."
            )
        self.n_steps, self.batch_size, self.learning_rate, self.name = n_steps, batch_size, learning_rate, name
        self.rng = np.random.default_rng(seed)
        self.steps = 0
        self.seconds = 0.0
        self.extractors: list[CrossModalFusionExtractor] = []
        self.optimizer: torch.optim.Adam | None = None
        self._optimizer_state: dict[str, Any] | None = None

    # what a subclass says -------------------------------------------------------------------------

    @abstractmethod
    def _loss(self, extractor: CrossModalFusionExtractor) -> torch.Tensor | None:
        """The loss of the next batch, (); None if there is nothing to learn from yet."""

    def _own_parameters(self) -> Sequence[torch.nn.Parameter]:
        """Parameters beside the encoder's."""
        return []

    def _before_step(self) -> None:
        """Called before each gradient step."""

    def _after_step(self) -> None:
        """Called after each gradient step."""

    def _conclude(self, loss: float | None) -> dict[str, float]:
        """Called before a rollout, after the gradient steps; returns figures to log."""
        return {} if loss is None else {"loss": loss}

    # SB3's hooks ----------------------------------------------------------------------------------

    def _on_training_start(self) -> None:
        if not isinstance(self.model, OnPolicyAlgorithm):
            raise ValueError(
                f"{type(self).__name__} works between the rollouts of an on-policy algorithm such as PPO or A2C, not "
                f"under {type(self.model).__name__}, which learns all the time."
            )
        self.extractors = extractors_of(self.model.policy)
        for module in self._own_modules():
            module.to(self.model.device)
        parameters = [*encoder_parameters(self.extractors), *self._own_parameters()]
        if self.optimizer is None:
            self.optimizer = torch.optim.Adam(parameters, lr=self.learning_rate)
            if self._optimizer_state is not None:
                self.optimizer.load_state_dict(self._optimizer_state)
        self._began = time.perf_counter()
        self.seconds = 0.0

    def _own_modules(self) -> Sequence[torch.nn.Module]:
        """Modules beside the encoder."""
        return []

    def _on_rollout_start(self) -> None:
        began = time.perf_counter()
        losses = [loss for _ in range(self.n_steps) if (loss := self._gradient_step()) is not None]
        figures = self._conclude(float(np.mean(losses)) if losses else None)
        now = time.perf_counter()
        self.seconds += now - began
        figures["share_of_time"] = self.seconds / max(now - self._began, 1e-9)
        for key, value in figures.items():
            self.logger.record(f"{self.name}/{key}", value)

    def _gradient_step(self) -> float | None:
        assert self.optimizer is not None
        self._before_step()
        losses = [self._loss(each) for each in self._trained()]
        known = [each for each in losses if each is not None]
        if not known:
            return None
        loss = torch.stack(known).mean()
        self.optimizer.zero_grad()
        loss.backward()
        for group in self.optimizer.param_groups:
            torch.nn.utils.clip_grad_norm_(group["params"], MAX_GRAD_NORM)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.steps += 1
        self._after_step()
        return float(loss.detach())

    def _trained(self) -> list[CrossModalFusionExtractor]:
        """Extractors with an encoder of their own; a policy without a shared one has two."""
        return self.extractors

    def _on_step(self) -> bool:
        return True


def encoder_parameters(extractors: Sequence[CrossModalFusionExtractor]) -> list[torch.nn.Parameter]:
    """Parameters that a contrastive loss trains, each once."""
    found: dict[int, torch.nn.Parameter] = {}
    for extractor in extractors:
        for module in extractor.alignment_modules():
            found.update((id(each), each) for each in module.parameters() if each.requires_grad)
    return list(found.values())
