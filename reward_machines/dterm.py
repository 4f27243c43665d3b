"""DTERM: weights of the reward components that are learned from the task's embedding.

The paper leaves the objective of the hypernetwork open. Maximising the weighted reward itself is linear in the weights
and ends on the easiest component. Here the weights serve an outer metric that they cannot touch, such as held-out
tests: a component gets weight where its return goes together with the outer return.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from reward_machines import objectives
from reward_machines.alignment import EpisodeMemory
from reward_machines.fusion import ResidualFusion
from reward_machines.hypernetwork import Hypernetwork
from reward_machines.weighting import Weighting, expert

__all__ = ["DTERM", "OBJECTIVES"]

OBJECTIVES = ("alignment", "regression", "meta_gradient", "naive")
"""Products of component and outer return; outer return from all components; influence on success; weighted reward."""

TEMPERATURES = (0.02, 10.0)
"""Ends of the search for T; at the second the weights are the prior. Noise in the scores raises the first."""

MOST_TASKS = 2048
"""Tasks of one gradient step; with more, a step takes a random part of them."""


class DTERM(Weighting):
    """Weights from a hypernetwork of the task embedding, trained on what episodes showed.

    Objectives (`reward_machines.objectives`), with X and Y an episode's component and outer returns, each centred on
    its task and divided by its spread (`reward_machines.alignment`), and beta the scores:

    - "alignment" (default): the least of `sum_i (beta_i(e) - X_i Y)^2`. Then `alpha = softmax(beta / T + log prior)`.
    - "regression": the least of `(Y - sum_i beta_i(e) X_i)^2`, and alpha as before: predictive rather than useful.
    - "meta_gradient": the most of `sum_s c_s sum_i alpha_i(e_s) A_i(s)` over samples of the last rollout, c_s their
      influence on the outer return; `agents.ppo.PPO` gives it by `observe_influence`. T is 1, and no warm-up is needed.
      It is fragile.
    - "naive": the most of the weighted reward. T is 1. It collapses; it is here to be compared with.

    T is set after each update so that the mean entropy of the weights over the tasks seen is `target_entropy`, but not
    below twice the standard error of a family's mean product: few episodes must not move the weights by chance. Without
    any outer success all products are 0 and the weights stay at the prior.

    Args:
        components: Names of the components.
        width: Width D of the task embedding.
        mode: Form of the hypernetwork, one of `reward_machines.hypernetwork.MODES`.
        objective: One of `OBJECTIVES`.
        mixture: What attention mixes, one of `reward_machines.hypernetwork.MIXTURES`; None for "scores" with the first
            two objectives, which fit scores, and "weights" (eq. 9 literally) with the others.
        prior: Weights to start from: "expert", "uniform", or a positive weight for each component.
        outer_share: w_o, the share of the outer metric.
        image_width: Width V of an image's embedding, if tasks may have one; embeddings are then (B, D + V + 1), as
            `reward_machines.embedding.TextAndImage` makes them.
        prototypes: Number of prototypes.
        hidden: Width of the hypernetwork's MLP.
        floor: Share of the weights that is spread evenly.
        target_entropy: Mean entropy of the weights in nats; None for log 2, and less with fewer than three components.
        warm_up: Episodes before the weights leave the prior; the meta-gradient has none.
        steps: Adam steps per update.
        learning_rate: That of Adam.
        penalty: Weight of the squared scores, those of tasks and those of prototypes, in the loss. Tasks alone left
            prototypes free to be extreme, and unseen tasks got wild weights.
        noise: Standard deviation of what is added to an embedding, scaled to a root mean square of 1, while training.
            With 24 tasks in three families, penalty and noise took the share of unseen tasks whose useful component
            had the most weight from 0.84 to 0.98 (3 seeds).
        memory: Updates after which an episode counts a factor e less.
        seed: Seed of the initial parameters and of random parts.

    Attributes:
        phi: The hypernetwork, a `torch.nn.Module`.
        frozen: Whether episodes are ignored and updates do nothing, as on tasks that it must not learn from.
        temperature: T.

    Raises:
        ValueError: An argument is none of those allowed.

    Source: DTERM, eq. 5, 8 and 9; the objective is ours, the meta-gradient that of Zheng et al. 2018 (LIRPG).
    """

    def __init__(
        self,
        components: Sequence[str],
        width: int = 64,
        *,
        mode: str = "prototypes",
        objective: str = "alignment",
        mixture: str | None = None,
        prior: str | Mapping[str, float] = "expert",
        outer_share: float = 0.3,
        image_width: int = 0,
        prototypes: int = 8,
        hidden: int = 256,
        floor: float = 0.02,
        target_entropy: float | None = None,
        warm_up: int = 256,
        steps: int = 5,
        learning_rate: float = 3e-3,
        penalty: float = 0.03,
        noise: float = 0.3,
        memory: float = 400.0,
        seed: int = 0,
    ) -> None:
        super().__init__(components, outer_share)
        if objective not in OBJECTIVES:
            raise ValueError(f"objective must be one of {OBJECTIVES}; got {objective!r}")
        if target_entropy is not None and not 0.0 < target_entropy <= math.log(len(self.components)):
            raise ValueError(
                f"target_entropy must be above 0 and at most log {len(self.components)}; got {target_entropy!r}"
            )
        if min(steps, memory) <= 0 or min(warm_up, penalty, image_width) < 0 or learning_rate <= 0:
            raise ValueError(
                "steps, memory and learning_rate must be positive, warm_up, penalty and image_width not negative; "
                f"got {steps!r}, {memory!r}, {learning_rate!r}, {warm_up!r}, {penalty!r} and {image_width!r}"
            )
        fits_scores = objective in ("alignment", "regression")
        self._arguments: dict[str, Any] = {
            "components": list(self.components),
            "width": width,
            "mode": mode,
            "objective": objective,
            "mixture": mixture if mixture is not None else "scores" if fits_scores else "weights",
            "prior": prior if isinstance(prior, str) else dict(prior),
            "outer_share": self.outer_share,
            "image_width": image_width,
            "prototypes": prototypes,
            "hidden": hidden,
            "floor": floor,
            "target_entropy": target_entropy,
            "warm_up": warm_up,
            "steps": steps,
            "learning_rate": learning_rate,
            "penalty": penalty,
            "noise": noise,
            "memory": memory,
            "seed": seed,
        }
        self.objective, self.frozen, self.temperature = objective, False, TEMPERATURES[1] if fits_scores else 1.0
        self._generator = torch.Generator().manual_seed(seed)
        self.phi = Hypernetwork(
            len(self.components),
            width,
            torch.tensor(_prior(self.components, prior)),
            mode=mode,
            mixture=self._arguments["mixture"],
            prototypes=prototypes,
            hidden=hidden,
            floor=floor,
            noise=noise,
            fusion=_fusion(width, image_width, seed) if image_width else None,
            generator=self._generator,
        ).eval()
        self._width = width + image_width + 1 if image_width else width
        self._adam = torch.optim.Adam(self.phi.parameters(), lr=learning_rate)
        self._episodes = EpisodeMemory(len(self.components), self._width, memory=memory)
        self._influence: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    @property
    def warm(self) -> bool:
        """Whether the warm-up is over: until then the weights are the prior."""
        return self._episodes.episodes >= self._arguments["warm_up"]

    def weights(self, embeddings: np.ndarray, families: Sequence[str]) -> np.ndarray:
        """Weights for tasks, seen or not; the families are not used.

        Args:
            embeddings: (B, D) float32.
            families: B names.

        Returns:
            (B, K) float32, rows on the simplex.
        """
        rows = torch.from_numpy(self._wide(self.checked(embeddings, families)))
        with torch.no_grad():
            return self.phi(rows, self.temperature, torch.from_numpy(self._active)).numpy()

    def observe(self, embedding: np.ndarray, family: str, task_id: str, returns: np.ndarray, outer: float) -> None:
        """Take in one finished episode; nothing happens while frozen."""
        super().observe(embedding, family, task_id, returns, outer)
        if not self.frozen:
            row = self._wide(self.checked(np.asarray(embedding)[None], [family]))[0]
            self._episodes.add(row, family, task_id, returns, outer)

    def observe_influence(
        self, embeddings: np.ndarray, families: Sequence[str], advantages: np.ndarray, influence: np.ndarray
    ) -> None:
        """Take in samples for the meta-gradient; they are used by the next update and then dropped.

        Args:
            embeddings: Task of each sample, (N, D) float32.
            families: Family of each sample, N names.
            advantages: Advantage of each component, (N, K).
            influence: c, by how much making the sample's action more likely raises the outer return, (N,): the product
                of the gradient of its log-probability and that of the outer return.

        Raises:
            ValueError: Shapes do not agree, a number is not finite, or the objective is another.
        """
        if self.objective != "meta_gradient":
            raise ValueError(f'only objective="meta_gradient" takes influences; this one is {self.objective!r}')
        rows = self._wide(self.checked(embeddings, families))
        gains, share = np.asarray(advantages, np.float32), np.asarray(influence, np.float32)
        if gains.shape != (len(rows), len(self.components)) or share.shape != (len(rows),):
            raise ValueError(
                f"for {len(rows)} samples, advantages must be ({len(rows)}, {len(self.components)}) and influence "
                f"({len(rows)},); got {gains.shape} and {share.shape}"
            )
        if not (np.isfinite(gains).all() and np.isfinite(share).all()):
            raise ValueError("advantages and influence must be finite; got NaN or infinity")
        if not self.frozen:
            self._influence.append((rows, gains, share))

    def update(self) -> dict[str, float]:
        """Learn from the episodes seen so far: some Adam steps, then the temperature.

        Returns:
            `episodes` and `tasks` seen; `compared`, the new episodes that could be compared with others of their task
            or family; after the warm-up also `meta_loss`, the loss before the steps, `temperature`, and `entropy`, the
            mean over the tasks in nats. Without any data, or while frozen, nothing.

        Raises:
            RuntimeError: The objective is the meta-gradient and no influences were given.
        """
        if self.frozen:
            return {}
        compared = self._episodes.close(self._active)
        seen = {"episodes": float(self._episodes.episodes), "tasks": float(len(self._episodes)), "compared": compared}
        if self.objective == "meta_gradient":
            return {**seen, **self._learn()}
        if not self._episodes.episodes:
            return {}
        return {**seen, **self._learn()} if self.warm else seen

    def freeze(self, frozen: bool = True) -> None:
        """Stop learning, or go on: frozen, episodes are ignored and updates do nothing.

        Args:
            frozen: Whether to stop.
        """
        self.frozen = frozen

    def arguments(self) -> dict[str, Any]:
        """All arguments."""
        return dict(self._arguments)

    def state(self) -> dict[str, np.ndarray]:
        """Parameters, optimiser, generator, temperature and the episodes' sums."""
        adam = {
            f"adam.{number}.{name}": np.asarray(value)
            for number, values in self._adam.state_dict()["state"].items()
            for name, value in values.items()
        }
        samples = self._samples() if self._influence else ()
        return {
            **super().state(),
            **{f"phi.{name}": value.detach().numpy().copy() for name, value in self.phi.state_dict().items()},
            **{name: value.copy() for name, value in adam.items()},
            **{f"episodes.{name}": value for name, value in self._episodes.state().items()},
            **{f"influence.{number}": value for number, value in enumerate(samples)},
            "temperature": np.array(self.temperature),
            "frozen": np.array(self.frozen),
            "generator": self._generator.get_state().numpy().copy(),
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state that `state` gave."""
        super().restore(state)
        self.phi.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in _below(state, "phi.")})
        slots: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in _below(state, "adam."):
            number, _, slot = name.partition(".")
            slots.setdefault(int(number), {})[slot] = torch.from_numpy(np.array(value))
        self._adam.load_state_dict({**self._adam.state_dict(), "state": slots})
        self._episodes.restore(dict(_below(state, "episodes.")))
        samples = dict(_below(state, "influence."))
        self._influence = [(samples["0"], samples["1"], samples["2"])] if samples else []
        self.temperature, self.frozen = float(state["temperature"]), bool(state["frozen"])
        self._generator.set_state(torch.from_numpy(np.array(state["generator"])))

    def _wide(self, rows: np.ndarray) -> np.ndarray:
        """The rows (B, D), if that is their width."""
        if rows.shape[1] != self._width:
            raise ValueError(
                f"this DTERM takes embeddings of width {self._width}, got {rows.shape[1]}; "
                "make it with width=embedding.width"
            )
        return rows

    def _learn(self) -> dict[str, float]:
        """The Adam steps, then the temperature; returns the loss before them, the temperature and the entropy."""
        losses = []
        self.phi.train()
        for _ in range(self._arguments["steps"]):
            loss = self._loss()
            self._adam.zero_grad()
            loss.backward()
            self._adam.step()
            losses.append(float(loss.detach()))
        self.phi.eval()
        rows = torch.from_numpy(
            self._samples()[0] if self.objective == "meta_gradient" else self._moments()["embeddings"]
        )
        self._influence.clear()
        active = torch.from_numpy(self._active)
        with torch.no_grad():
            parts = self.phi.parts(rows)
            if self.objective in ("alignment", "regression"):
                self.temperature = self._bisected(parts, active)
            entropy = _entropy(self.phi.combine(*parts, self.temperature, active))
        return {"meta_loss": losses[0], "temperature": self.temperature, "entropy": entropy}

    def _loss(self) -> torch.Tensor:
        """The objective and the penalty as something to make small, a scalar."""
        active = torch.from_numpy(self._active)
        if self.objective == "meta_gradient":
            rows, advantages, influence = map(torch.from_numpy, self._samples())
            return objectives.meta_gradient(self.phi(rows, 1.0, active), advantages, influence) + self._penalty()
        sums = {name: torch.from_numpy(array) for name, array in self._moments().items()}
        if self.objective == "naive":
            return objectives.naive(self.phi(sums["embeddings"], 1.0, active), sums)
        scores = self.phi.scores(sums["embeddings"])
        fit = objectives.alignment if self.objective == "alignment" else objectives.regression
        shrinkage = (sums["count"] * scores.square().sum(-1)).sum() / sums["count"].sum().clamp(min=1e-6)
        return fit(scores, sums) + self._arguments["penalty"] * shrinkage + self._penalty()

    def _penalty(self) -> torch.Tensor:
        """The prototypes' share of the penalty, a scalar."""
        scores = self.phi.prototype_scores()
        return self._arguments["penalty"] * scores.square().sum() / max(len(scores), 1)

    def _moments(self) -> dict[str, np.ndarray]:
        """Sums of all tasks, or of a random part of them where there are too many for one step."""
        tasks = len(self._episodes)
        if tasks <= MOST_TASKS:
            return self._episodes.moments()
        return self._episodes.moments(torch.randperm(tasks, generator=self._generator)[:MOST_TASKS].numpy())

    def _samples(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Embeddings, advantages and influence of all samples given since the last update."""
        if not self._influence:
            raise RuntimeError(
                "the meta-gradient needs the influence of samples on the outer return, and none was observed. Train "
                'with agents.ppo.PPO(..., reward=DTERM(..., objective="meta_gradient")), or take objective="alignment"'
            )
        rows, advantages, influence = (np.concatenate(part) for part in zip(*self._influence, strict=True))
        return rows, advantages, influence

    def _bisected(self, parts: tuple[torch.Tensor, torch.Tensor], active: torch.Tensor) -> float:
        """T at which the mean entropy is the target; an end of `TEMPERATURES` where none is."""
        target = self._arguments["target_entropy"]
        if target is None:
            target = min(math.log(2.0), 0.8 * math.log(max(int(active.sum()), 1)))
        least = min(max(TEMPERATURES[0], 2.0 * self._episodes.noise()), TEMPERATURES[1])
        low, high = math.log(least), math.log(TEMPERATURES[1])
        for _ in range(24):
            middle = (low + high) / 2.0
            if _entropy(self.phi.combine(*parts, math.exp(middle), active)) > target:
                high = middle
            else:
                low = middle
        return math.exp(high)


def _entropy(weights: torch.Tensor) -> float:
    """Mean entropy of rows on the simplex, nats."""
    return float(-torch.xlogy(weights, weights).sum(-1).mean())


def _prior(components: tuple[str, ...], prior: str | Mapping[str, float]) -> list[float]:
    """Positive weights to start from, in the components' order."""
    if prior == "uniform":
        return [1.0] * len(components)
    if isinstance(prior, str) and prior != "expert":
        raise ValueError(f'prior must be "expert", "uniform" or a weight for each component; got {prior!r}')
    table = expert(components) if isinstance(prior, str) else prior
    if set(table) != set(components) or not all(0.0 < value < math.inf for value in table.values()):
        raise ValueError(f"prior must give each of {list(components)} a positive weight; got {dict(table)}")
    return [float(table[name]) for name in components]


def _fusion(width: int, image_width: int, seed: int) -> ResidualFusion:
    """The fusion of text and image, drawn without touching PyTorch's global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ResidualFusion(width, image_width)


def _below(state: Mapping[str, np.ndarray], prefix: str) -> list[tuple[str, np.ndarray]]:
    return [(name.removeprefix(prefix), value) for name, value in state.items() if name.startswith(prefix)]
