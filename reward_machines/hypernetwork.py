"""The hypernetwork of DTERM: from the embedding of a task to the weights of the components (eq. 5, 8 and 9).

`scores` are what a training objective fits, `forward` turns them into weights. All random numbers come from a generator
of the module's own, so that making one leaves PyTorch's global generator alone.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn.utils import skip_init

__all__ = ["MIXTURES", "MODES", "Hypernetwork"]

MODES = ("prototypes", "direct", "mixed", "static", "global")
"""Prototypes with attention; the embedding itself; both; prototypes whose scores are free numbers; no embedding."""

MIXTURES = ("scores", "weights")
"""What attention mixes: the prototypes' scores, before the softmax, or their weights, after it (eq. 9 literally)."""


class Hypernetwork(nn.Module):
    """Weights of K components for a task embedding e of width D.

    H is a 3-layer MLP with a last layer that starts at zero, so that all weights start at the prior. Eq. 5 is this last
    layer. With P prototypes p_j, attention is `a_j = softmax_j(p_j^T W_a e)` (eq. 8), the prototypes' weights are
    `alpha^(j) = softmax(H(p_j) / T + log prior)`, and eq. 9 mixes them, `alpha = sum_j a_j alpha^(j)`. The mixture
    "scores" is instead `beta(e) = sum_j a_j H(p_j)`, `alpha = softmax(beta(e) / T + log prior)`. At last comes a floor:
    every active component gets at least `floor` divided by their number. Embeddings are scaled to a root mean square of
    1 first: W_a starts at `I / sqrt(D)`, and attention would be almost even for embeddings of length 1.

    Args:
        components: K.
        width: D.
        prior: Weights to start from, (K,), positive.
        mode: One of `MODES`.
        mixture: One of `MIXTURES`; the modes "direct" and "global" mix nothing.
        prototypes: P.
        hidden: Width of the MLP.
        floor: Share of the weights that is spread evenly.
        noise: Standard deviation of what is added to a scaled embedding while training; it keeps the network from
            learning the noise of single tasks.
        fusion: Module that makes embeddings of width D from what comes in, such as
            `reward_machines.fusion.ResidualFusion`; None if embeddings come in.
        generator: Source of the initial parameters and of the noise.

    Raises:
        ValueError: An argument is none of those allowed.

    Source: DTERM, eq. 5, 8, 9 and section 5.1.
    """

    def __init__(
        self,
        components: int,
        width: int,
        prior: torch.Tensor,
        *,
        mode: str = "prototypes",
        mixture: str = "scores",
        prototypes: int = 8,
        hidden: int = 256,
        floor: float = 0.02,
        noise: float = 0.0,
        fusion: nn.Module | None = None,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        _check(mode, mixture, floor, width, prototypes, noise)
        self.mode, self.mixture, self.floor, self.width = mode, mixture, floor, width
        self.fusion, self.noise, self._generator = fusion, noise, generator
        self.register_buffer("log_prior", torch.log(prior / prior.sum()).float())
        self.log_prior: torch.Tensor
        if mode in ("prototypes", "direct", "mixed"):
            self.trunk = _mlp(width, hidden, components, generator)
        if mode in ("prototypes", "mixed", "static"):
            self.prototypes = nn.Parameter(torch.randn(prototypes, width, generator=generator))
            self.attend = nn.Parameter(torch.eye(width) / math.sqrt(width))
        if mode == "mixed":
            self.mixing = nn.Parameter(torch.tensor(-2.0))
        if mode == "static":
            self.free = nn.Parameter(torch.zeros(prototypes, components))
        if mode == "global":
            self.free = nn.Parameter(torch.zeros(1, components))

    def attention(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Share of each prototype (eq. 8).

        Args:
            embeddings: (B, D) float32.

        Returns:
            (B, P) float32, rows on the simplex.

        Raises:
            ValueError: The mode has no prototypes.
        """
        if self.mode not in ("prototypes", "mixed", "static"):
            raise ValueError(f'the mode {self.mode!r} has no prototypes; use "prototypes", "mixed" or "static"')
        return self._attention(self._task(embeddings))

    def prototype_scores(self) -> torch.Tensor:
        """Scores of the prototypes, H(p_j), (P, K); one row in the mode "global", none in the mode "direct"."""
        if self.mode == "direct":
            return torch.zeros(0, len(self.log_prior))
        return self.trunk(self.prototypes) if self.mode in ("prototypes", "mixed") else self.free

    def patterns(self, temperature: float = 1.0) -> torch.Tensor:
        """The prototypes' weights alpha^(j): the canonical patterns, without floor and mask, (P, K)."""
        return torch.softmax(self.prototype_scores() / temperature + self.log_prior, -1)

    def parts(self, embeddings: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores that are turned into weights, and the shares with which these weights are mixed.

        Args:
            embeddings: (B, D) float32.

        Returns:
            Shares (B, M) on the simplex and scores (B, M, K); M is 1 when the scores themselves were mixed.
        """
        shares, scores = self._unmixed(embeddings)
        if self.mixture == "scores":
            return torch.ones_like(shares[:, :1]), (shares.unsqueeze(-1) * scores).sum(1, keepdim=True)
        return shares, scores

    def scores(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Scores beta(e) of the components, 0 before any training.

        Args:
            embeddings: (B, D) float32.

        Returns:
            (B, K) float32.
        """
        shares, scores = self._unmixed(embeddings)
        return (shares.unsqueeze(-1) * scores).sum(1)

    def forward(
        self, embeddings: torch.Tensor, temperature: float = 1.0, active: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Weights of the components.

        Args:
            embeddings: (B, D) float32.
            temperature: T; the higher, the nearer to the prior.
            active: Components that may have weight, (K,) bool; None for all.

        Returns:
            (B, K) float32, rows on the simplex; inactive components have weight 0.
        """
        return self.combine(*self.parts(embeddings), temperature, active)

    def combine(
        self, shares: torch.Tensor, scores: torch.Tensor, temperature: float, active: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Weights (B, K) from what `parts` gave: softmax, mixture (eq. 9), floor."""
        active = torch.ones_like(self.log_prior, dtype=torch.bool) if active is None else active
        barred = self.log_prior.masked_fill(~active, -torch.inf)
        mixed = (shares.unsqueeze(-1) * torch.softmax(scores / temperature + barred, -1)).sum(1)
        return (1.0 - self.floor) * mixed + self.floor * active / active.sum()

    def _unmixed(self, embeddings: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Shares (B, M) and scores (B, M, K) of the mode."""
        alone = torch.ones(len(embeddings), 1, dtype=self.log_prior.dtype)
        if self.mode == "global":
            return alone, self.free.expand(len(embeddings), 1, -1)
        task = self._task(embeddings)
        if self.mode == "direct":
            return alone, self.trunk(task).unsqueeze(1)
        attention = self._attention(task)
        scores = self.prototype_scores().expand(len(task), -1, -1)
        if self.mode != "mixed":
            return attention, scores
        own = torch.sigmoid(self.mixing)
        shares = torch.cat([(1.0 - own) * attention, own * alone], 1)
        return shares, torch.cat([scores, self.trunk(task).unsqueeze(1)], 1)

    def _task(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Embeddings (B, D), fused if need be, with a root mean square of 1; a row of zeros stays one."""
        task = embeddings if self.fusion is None else self.fusion(embeddings)
        task = task / (task.square().mean(-1, keepdim=True) + 1e-12).sqrt()
        if self.training and self.noise:
            return task + self.noise * torch.randn(task.shape, generator=self._generator)
        return task

    def _attention(self, task: torch.Tensor) -> torch.Tensor:
        return torch.softmax(task @ self.attend.T @ self.prototypes.T, -1)


def _check(mode: str, mixture: str, floor: float, width: int, prototypes: int, noise: float) -> None:
    if mode not in MODES:
        raise ValueError(f"mode must be one of {MODES}; got {mode!r}")
    if mixture not in MIXTURES:
        raise ValueError(f"mixture must be one of {MIXTURES}; got {mixture!r}")
    if not 0.0 <= floor < 1.0:
        raise ValueError(f"floor is a share of the weights and must be in [0, 1); got {floor!r}")
    if noise < 0:
        raise ValueError(f"noise is a standard deviation and must not be negative; got {noise!r}")
    if width < 1 or prototypes < 1:
        raise ValueError(f"width and prototypes must be positive; got {width!r} and {prototypes!r}")


def _mlp(inputs: int, hidden: int, outputs: int, generator: torch.Generator) -> nn.Sequential:
    """Three linear layers with ReLU between; the last one is zero."""
    layers = [
        _linear(inputs, hidden, generator),
        _linear(hidden, hidden, generator),
        skip_init(nn.Linear, hidden, outputs),
    ]
    nn.init.zeros_(layers[2].weight)
    nn.init.zeros_(layers[2].bias)
    return nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])


def _linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    layer = skip_init(nn.Linear, inputs, outputs)
    nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
    nn.init.zeros_(layer.bias)
    return layer
