"""A static comparison: state and actions are to foretell the state that they lead to, as in TACO."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from agents.auxiliary import AuxiliaryCallback
from agents.cross_modal_extractor import CrossModalFusionExtractor

__all__ = ["Sequences", "TacoCallback", "taco_loss", "whole_sequences"]


def taco_loss(foretold: torch.Tensor, reached: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """InfoNCE with bilinear scores between what was foretold and what was reached.

    Args:
        foretold: From state and actions, (B, p) float32.
        reached: From the state that they led to, (B, p) float32.
        weight: (p, p) float32.

    Returns:
        The loss, ().

    Source: Zheng et al. (2023), the temporal action-driven term.
    """
    return functional.cross_entropy(foretold @ weight @ reached.T, torch.arange(len(foretold)).to(foretold.device))


class Sequences(NamedTuple):
    """States, the actions after them, and the states that these led to."""

    before: dict[str, torch.Tensor]
    actions: torch.Tensor
    after: dict[str, torch.Tensor]


class TacoCallback(AuxiliaryCallback):
    """Trains the encoders on sequences of the last rollout that lie within one episode.

    Where the observation has `candidates`, an action is the row of the candidate that was taken, with its scores: its
    number means another thing at every step.

    Args:
        horizon: Actions between both states.
        hidden: Width of the heads.
        experience: Sequences of a rollout to draw from.
        **kwargs: Arguments of `AuxiliaryCallback`.

    Raises:
        ValueError: If the horizon is below 1.
    """

    def __init__(self, *, horizon: int = 3, hidden: int = 64, experience: int = 1024, **kwargs: Any) -> None:
        super().__init__(**({"name": "taco"} | kwargs))
        if horizon < 1:
            raise ValueError(f"horizon must be at least 1, got {horizon!r}.")
        self.horizon, self.hidden, self.experience = horizon, hidden, experience
        self._heads: dict[int, nn.ModuleDict] = {}
        self._sequences: Sequences | None = None

    def _own_modules(self) -> list[nn.Module]:
        for extractor in self.extractors:
            size = 2 * extractor.code_projection.out_features
            width = self.horizon * _action_width(self.model)
            foretell = nn.Sequential(nn.Linear(size + width, self.hidden), nn.GELU(), nn.Linear(self.hidden, size))
            weight = nn.Linear(size, size, bias=False)
            nn.init.eye_(weight.weight)
            self._heads[id(extractor)] = nn.ModuleDict({"foretell": foretell, "weight": weight})
        return list(self._heads.values())

    def _own_parameters(self) -> list[nn.Parameter]:
        return [each for heads in self._heads.values() for each in heads.parameters()]

    def _loss(self, extractor: CrossModalFusionExtractor) -> torch.Tensor | None:
        if self._sequences is None or len(self._sequences.actions) < 2:
            return None
        count = len(self._sequences.actions)
        chosen = torch.from_numpy(self.rng.choice(count, min(self.batch_size, count), replace=False))
        before, after = (
            torch.cat(extractor.embed({key: each[chosen] for key, each in states.items()}), -1)
            for states in (self._sequences.before, self._sequences.after)
        )
        heads = self._heads[id(extractor)]
        foretold = heads["foretell"](torch.cat([before, self._sequences.actions[chosen]], -1))
        weight = heads["weight"]
        assert isinstance(weight, nn.Linear)
        return taco_loss(foretold, after, weight.weight)

    def _on_rollout_end(self) -> None:
        buffer: Any = self.model.rollout_buffer  # type: ignore[attr-defined]
        steps, envs = whole_sequences(buffer.episode_starts, self.horizon)
        kept = np.linspace(0, len(steps) - 1, min(self.experience, len(steps))).astype(np.int64)
        steps, envs = steps[kept], envs[kept]
        keys = (self.extractors[0].code_key, self.extractors[0].text_key)

        def states(at: np.ndarray) -> dict[str, torch.Tensor]:
            return {key: self._tensor(buffer.observations[key][at, envs]) for key in keys}

        actions = [_actions(self.model, buffer, steps + offset, envs) for offset in range(self.horizon)]
        self._sequences = Sequences(
            states(steps), self._tensor(np.concatenate(actions, -1)), states(steps + self.horizon)
        )

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(array, device=self.model.device)


def whole_sequences(episode_starts: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Steps and environments from which an episode goes on for `horizon` steps, (N,) each.

    Args:
        episode_starts: Whether a step is the first of an episode, (n_steps, n_envs).
        horizon: Steps.
    """
    last = len(episode_starts) - horizon
    if last <= 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    begins = np.stack([episode_starts[1 + offset : 1 + offset + last] for offset in range(horizon)])
    steps, envs = np.nonzero(~begins.astype(bool).any(0))
    return steps, envs


def _action_width(model: Any) -> int:
    spaces = getattr(model.observation_space, "spaces", {})
    if "candidates" in spaces and hasattr(model.action_space, "n"):
        return int(spaces["candidates"].shape[1] + spaces["candidate_scores"].shape[1])
    return int(model.action_space.n) if hasattr(model.action_space, "n") else int(np.prod(model.action_space.shape))


def _actions(model: Any, buffer: Any, steps: np.ndarray, envs: np.ndarray) -> np.ndarray:
    """What was done, (N, width) float32."""
    taken = buffer.actions[steps, envs]
    if not hasattr(model.action_space, "n"):
        return taken.reshape(len(taken), -1).astype(np.float32)
    numbers = taken.reshape(-1).astype(np.int64)
    spaces = getattr(model.observation_space, "spaces", {})
    if "candidates" not in spaces:
        return np.eye(int(model.action_space.n), dtype=np.float32)[numbers]
    rows = buffer.observations["candidates"][steps, envs, numbers] / (spaces["candidates"].high.max() + 1)
    return np.concatenate([rows, buffer.observations["candidate_scores"][steps, envs, numbers]], -1).astype(np.float32)
