"""The methods of the alignment benchmark: what trains the encoders beside PPO, and how both modalities are fused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from agents.auxiliary import AuxiliaryCallback, Experience
from agents.contrastive_callback import ContrastiveCallback
from agents.cross_modal_extractor import CrossModalFusionExtractor
from agents.curl import CurlCallback, curl_loss
from agents.pairs import Pairs
from agents.schedule import ContrastiveSchedule
from agents.taco import TacoCallback
from code_envs.syntax.tokens import BUCKETS, LITERAL_SLOTS, NAME_SLOTS, VOCABULARY_SIZE

__all__ = ["ABLATIONS", "DCRL", "METHODS", "NONE", "STATIC", "Method", "WordCurlCallback", "callbacks"]

NONE, STATIC, DCRL = "no contrastive loss", "static", "DCRL"
FIRST_SLOT = VOCABULARY_SIZE - BUCKETS - LITERAL_SLOTS - NAME_SLOTS
SLOTS = FIRST_SLOT, FIRST_SLOT + NAME_SLOTS
NEGATIVE = "random"
"""Of the margin term. With the hardest one all embeddings fell together at temperatures near 1: separation 0.0003 after
56 steps, 0.19 with a random one, and no difference at 0.1. So it would have ruined all dynamic methods."""
EXPERIENCE = 64
"""Steps that the policy's gradient is taken of, for the hypergradient; with 256 it took 13 % of the time."""
HORIZON = 1
"""Of TACO; episodes have a handful of steps."""
DROPPED = 0.3
"""Share of the words of a function that a view of it lacks, where names are no slots."""


@dataclass(frozen=True, slots=True)
class Method:
    """What differs between runs.

    Args:
        objective: "contrastive", "curl", "taco" or "none".
        mode: Of `ContrastiveSchedule`.
        fusion: Of `CrossModalFusionExtractor`.
        gate: Whether the gate learns; else it stays at 0.5.
        bonus: Whether the reward has eq. 7's alignment term, in the form "progress".
        schedule: More arguments of `ContrastiveSchedule`.
    """

    objective: str = "contrastive"
    mode: str = "static"
    fusion: str = "cross"
    gate: bool = True
    bonus: bool = False
    schedule: Mapping[str, Any] = field(default_factory=dict)


METHODS = {
    NONE: Method("none"),
    "concatenation, no loss": Method("none", fusion="concat"),
    STATIC: Method(),
    "curriculum": Method(mode="curriculum"),
    "closed form": Method(mode="closed"),
    "learned temperature": Method(mode="clip"),
    DCRL: Method(mode="dcrl"),
    "CURL-style": Method("curl"),
    "TACO-style": Method("taco"),
    "static at 0.5": Method(schedule={"temperature": 0.5}),
}
"""Table 1. The first is attention without alignment, as in UCP; the second is as in ArchBERT. The last tells a
temperature that moves from one that is only higher."""

ABLATIONS = {
    DCRL: METHODS[DCRL],
    "fixed temperature": Method(mode="dcrl", schedule={"fixed": ("temperature",)}),
    "fixed margin": Method(mode="dcrl", schedule={"fixed": ("margin",)}),
    "with alignment reward": Method(mode="dcrl", bonus=True),
    "concatenation": Method(mode="dcrl", fusion="concat"),
    "averaging": Method(mode="dcrl", fusion="mean"),
    "gate at 0.5": Method(mode="dcrl", gate=False),
}
"""Table 2, the paper's section 5.3. Its alignment reward is left out of DCRL here, and added in one row."""


class WordCurlCallback(CurlCallback):
    """CURL for search, whose words have no slots of names to exchange: a view lacks some of the words.

    Args:
        **kwargs: Arguments of `AuxiliaryCallback`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(SLOTS, **kwargs)

    def _loss(self, extractor: CrossModalFusionExtractor) -> torch.Tensor | None:
        if self._programs is None:
            return None
        chosen = self.rng.choice(len(self._programs), min(self.batch_size, len(self._programs)), replace=False)
        programs = self._programs[torch.from_numpy(chosen)]
        queries, keys = (self._thinned(programs) for _ in range(2))
        slow = self._slow[id(extractor)]
        return curl_loss(extractor.embed_code(queries), slow.embed_code(keys), self._weights[id(extractor)])

    def _thinned(self, programs: torch.Tensor) -> torch.Tensor:
        return programs * (torch.rand(programs.shape, generator=self._generator) >= DROPPED)

    def _on_rollout_end(self) -> None:
        last = Experience.of(self.model, self.experience)  # type: ignore[arg-type]
        self._programs = last.observations["pool"][:, 0].long()


def callbacks(
    method: Method, problem: str, pairs: Pairs, *, n_steps: int, k: int, seed: int, learning_rate: float = 3e-4
) -> list[AuxiliaryCallback]:
    """Fresh callbacks of a method; the first sets temperature, margin and progress, the last trains the encoders.

    Args:
        method: The method.
        problem: One of `dcrl_tasks.PROBLEMS`.
        pairs: The positives.
        n_steps: Contrastive steps before each rollout, or those of CURL and TACO.
        k: Contrastive steps between adaptations.
        seed: Draws batches and the auxiliary network.
        learning_rate: Of the objective's Adam.
    """
    shared: dict[str, Any] = {"n_steps": n_steps, "seed": seed, "learning_rate": learning_rate}
    schedule = ContrastiveSchedule(method.mode, seed=seed, **method.schedule)
    if method.objective == "contrastive":
        return [
            ContrastiveCallback(
                pairs, schedule, k=k, diagnose=False, negative=NEGATIVE, experience=EXPERIENCE, **shared
            )
        ]
    made: list[AuxiliaryCallback] = [
        ContrastiveCallback(pairs, schedule, diagnose=False, **(shared | {"n_steps": 0}))
    ]  # fmt: skip
    if method.objective == "curl":
        made.append(WordCurlCallback(**shared) if problem == "search" else CurlCallback(SLOTS, **shared))
    elif method.objective == "taco":
        made.append(TacoCallback(horizon=HORIZON, **shared))
    return made
