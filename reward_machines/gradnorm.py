"""GradNorm: weights that balance the gradient norms of the components, for every task alike.

Source: Chen et al. 2018, "GradNorm: Gradient normalization for adaptive loss balancing in deep multitask networks".
It is a baseline of DTERM. It sees gradients and losses of the agent, never success.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reward_machines.weighting import Weighting

__all__ = ["GradNorm"]


class GradNorm(Weighting):
    """Component weights moved until the norms of the weighted gradients follow the components' training rates.

    With w_i = K alpha_i, n_i the gradient norm of component i before weighting, and L_i its loss, an update is one
    gradient step on `sum_i |w_i n_i - target_i| / mean_j(n_j)` with `target_i = mean_j(w_j n_j) * rate_i^asymmetry`
    held constant and `rate_i = (L_i / L_i(0)) / mean_j(L_j / L_j(0))`. Then w is kept positive and scaled to sum to K.
    The division by the mean norm is ours: without it the size of a step would depend on the scale of the network.

    It needs the agent's gradients, so it works only with `agents.ppo.PPO(..., reward=GradNorm(...))`.

    Args:
        components: Names of the components.
        outer_share: w_o, the share of the outer metric.
        learning_rate: Size of the step in w.
        asymmetry: Exponent of the training rates, alpha of the paper; 0 equalises the norms.

    Raises:
        ValueError: The learning rate is not positive or the asymmetry is negative.
    """

    def __init__(
        self,
        components: Sequence[str],
        outer_share: float = 0.3,
        learning_rate: float = 0.025,
        asymmetry: float = 1.5,
    ) -> None:
        super().__init__(components, outer_share)
        if learning_rate <= 0 or asymmetry < 0:
            raise ValueError(
                f"learning_rate must be positive and asymmetry not negative; got {learning_rate!r} and {asymmetry!r}"
            )
        self.learning_rate, self.asymmetry = float(learning_rate), float(asymmetry)
        self._scales = np.ones(len(self.components))  # w, sums to K
        self._first_losses = np.zeros(len(self.components))  # L(0); 0 where there was none yet
        self._pending: list[tuple[np.ndarray, np.ndarray]] = []

    def weights(self, embeddings: np.ndarray, families: Sequence[str]) -> np.ndarray:
        """The present weights, the same for every task, (B, K) float32."""
        return self.masked(np.tile(self._scales, (len(self.checked(embeddings, families)), 1)))

    def observe_gradients(self, norms: np.ndarray, losses: np.ndarray) -> None:
        """Take in the gradients of one batch; call it before `update`, as often as there are batches.

        Args:
            norms: Norm of the gradient of each component's loss, not weighted, with respect to the last layer that the
                components share, (K,).
            losses: Loss of each component, not negative, (K,).

        Raises:
            ValueError: The shapes are others, or a value is negative or not finite.
        """
        pair = np.array([norms, losses], float)
        if pair.shape != (2, len(self.components)) or not np.isfinite(pair).all() or (pair < 0).any():
            raise ValueError(
                f"norms and losses must be ({len(self.components)},), finite and not negative; "
                f"got {norms!r} and {losses!r}"
            )
        self._pending.append((pair[0], pair[1]))

    def update(self) -> dict[str, float]:
        """One step of the weights by the mean of the gradients observed since the last update.

        Returns:
            `meta_loss`, the objective before the step.

        Raises:
            RuntimeError: No gradients were observed.
        """
        if not self._pending:
            raise RuntimeError(
                "GradNorm balances gradient norms, and none were observed. Train with "
                "agents.ppo.PPO(..., reward=GradNorm(...)), which calls observe_gradients; "
                "WeightedReward alone cannot see the agent's gradients"
            )
        norms, losses = np.mean(self._pending, axis=0)
        self._pending.clear()
        self._first_losses = np.where(self._first_losses > 0, self._first_losses, losses)
        loss, slope = self.objective(norms, losses)
        moved = np.maximum(self._scales - self.learning_rate * slope, 1e-3)
        # inactive components stand aside: they keep their scale and take no part in the sum
        moved = np.where(self._active, moved, self._scales)
        moved[self._active] *= self._active.sum() / moved[self._active].sum()
        self._scales = moved
        return {"meta_loss": loss}

    def objective(self, norms: np.ndarray, losses: np.ndarray) -> tuple[float, np.ndarray]:
        """The paper's L_grad, divided by the mean norm, and its gradient in w, the targets held constant.

        Args:
            norms: (K,).
            losses: (K,).

        Returns:
            The objective and its gradient (K,).
        """
        active = self._active
        ratio = losses / np.maximum(self._first_losses, 1e-12)
        rate = ratio / max(float(ratio[active].mean()), 1e-12)
        weighted = self._scales * norms
        mean = max(float(weighted[active].mean()), 1e-12)
        gap = np.where(active, weighted - mean * rate**self.asymmetry, 0.0)
        unit = max(float(norms[active].mean()), 1e-12)
        return float(np.abs(gap).sum() / unit), np.sign(gap) * norms / unit

    def arguments(self) -> dict[str, Any]:
        """Components, outer share, learning rate and asymmetry."""
        return {
            "components": list(self.components),
            "outer_share": self.outer_share,
            "learning_rate": self.learning_rate,
            "asymmetry": self.asymmetry,
        }

    def state(self) -> dict[str, np.ndarray]:
        """The weights, the first losses and the gradients that wait for an update."""
        pending = np.array(self._pending).reshape(-1, 2, len(self.components))
        return {
            **super().state(),
            "scales": self._scales.copy(),
            "first_losses": self._first_losses.copy(),
            "pending": pending,
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state that `state` gave."""
        super().restore(state)
        self._scales = np.array(state["scales"], float)
        self._first_losses = np.array(state["first_losses"], float)
        self._pending = [(norms, losses) for norms, losses in np.array(state["pending"], float)]
