"""The methods of the multi-task benchmark: ways to weigh reward components, and ablations of DTERM.

Components are compile, tests, similarity, style and brevity. The last stands where the paper has efficiency: it is what
an agent farms most easily, for the shortest text is none at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reward_machines.components import BUILT_IN, Component, Components
from reward_machines.dterm import DTERM
from reward_machines.embedding import BagOfWords, HashedText, TaskEmbedding
from reward_machines.gradnorm import GradNorm
from reward_machines.weighting import ByFamily, Fixed, OuterOnly, Uniform, Weighting

__all__ = ["ABLATIONS", "COMPONENTS", "METHODS", "Method", "RandomEmbedding", "components", "embedding", "weighting"]

COMPONENTS = ("compile", "tests", "similarity", "style", "brevity")
EXPERT = {"compile": 0.1, "tests": 0.6, "similarity": 0.2, "style": 0.05, "brevity": 0.05}
"""Chosen by hand before any run."""
ORACLE = {
    "CodeSummarization": {"similarity": 1.0},
    "CodeTranslation": {"similarity": 1.0},
    "CodeCompletion": {"tests": 0.6, "similarity": 0.4},
    "CodeRepair": {"tests": 1.0},
    "CodeGeneration": {"tests": 0.8, "similarity": 0.2},
}
"""What a person gives who knows how each type is judged."""
WIDTH = 64


@dataclass(frozen=True, slots=True)
class Method:
    """A weighting and what goes with it.

    Args:
        weighting: "Uniform", "Expert", "GradNorm", "DTERM", "OuterOnly" or "Oracle".
        gate: Style and brevity are paid in proportion to the tests that pass.
        outer_share: w_o.
        embedding: "hashed", "bag" or "random".
        value_heads: Those of `agents.ppo.PPO`.
        without: A component that is left out.
        arguments: Further ones of DTERM.
    """

    weighting: str
    gate: bool = False
    outer_share: float = 0.3
    embedding: str = "hashed"
    value_heads: str = "film"
    without: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)


METHODS = {
    "Success only": Method("OuterOnly"),
    "Uniform": Method("Uniform"),
    "Expert": Method("Expert"),
    "GradNorm": Method("GradNorm"),
    "DTERM": Method("DTERM"),
    "Oracle": Method("Oracle"),
    "Uniform, gate": Method("Uniform", gate=True),
    "Expert, gate": Method("Expert", gate=True),
    "DTERM, gate": Method("DTERM", gate=True),
    "Uniform, w_o = 0": Method("Uniform", outer_share=0.0),
    "Expert, w_o = 0": Method("Expert", outer_share=0.0),
    "GradNorm, w_o = 0": Method("GradNorm", outer_share=0.0),
    "DTERM, w_o = 0": Method("DTERM", outer_share=0.0),
}
"""Table 1. The paper's own baselines have no outer term: those with w_o = 0."""

ABLATIONS = {
    "DTERM": METHODS["DTERM"],
    "no hypernetwork": Method("DTERM", arguments={"mode": "global"}),
    "no task embedding": Method("DTERM", embedding="random"),
    "bag of words": Method("DTERM", embedding="bag"),
    "no FiLM": Method("DTERM", value_heads="linear"),
    "no compiler feedback": Method("DTERM", without="compile"),
    "static prototypes": Method("DTERM", arguments={"mode": "static"}),
    "no prototypes": Method("DTERM", arguments={"mode": "direct"}),
    "no outer term": Method("DTERM", outer_share=0.0),
    "uniform prior": Method("DTERM", arguments={"prior": "uniform"}),
    "regression": Method("DTERM", arguments={"objective": "regression"}),
    "meta-gradient": Method("DTERM", arguments={"objective": "meta_gradient"}),
    "naive objective": Method("DTERM", arguments={"objective": "naive"}),
}
"""Table 2."""


class RandomEmbedding:
    """A random vector per task, which says nothing about it. An ablation.

    Args:
        width: Width D.
        seed: Of the vectors.
    """

    def __init__(self, width: int = WIDTH, seed: int = 0) -> None:
        self.width, self.seed = width, seed
        self._rows: dict[str, np.ndarray] = {}
        self._rng = np.random.default_rng(seed)

    def __call__(self, description: str, attributes: Mapping[str, str]) -> np.ndarray:
        """The task's vector, (D,) float32 of length 1."""
        key = "\n".join([description, *(f"{name}={attributes[name]}" for name in sorted(attributes))])
        if key not in self._rows:
            row = self._rng.normal(size=self.width).astype(np.float32)
            self._rows[key] = row / np.linalg.norm(row)
        return self._rows[key].copy()

    def spec(self) -> dict[str, Any]:
        """Class and arguments."""
        return {"class": type(self).__name__, "arguments": {"width": self.width, "seed": self.seed}}


def embedding(method: Method, seed: int) -> TaskEmbedding:
    """The task embedding of a method."""
    if method.embedding == "random":
        return RandomEmbedding(WIDTH, seed)
    return BagOfWords(WIDTH) if method.embedding == "bag" else HashedText(WIDTH)


def components(method: Method) -> Components:
    """The components of a method; one that a type of tasks cannot have is 0 there."""
    brevity = Component(
        "brevity", ("size_ratio",), lambda facts: 1 - min(facts["size_ratio"], 1.0),
        "1 for an empty text, 0 for one as long as the reference", gated=True,
    )  # fmt: skip
    made = {name: BUILT_IN[name]() for name in COMPONENTS if name in BUILT_IN} | {"brevity": brevity}
    return Components([made[name] for name in _names(method)], absent="zero")


def weighting(method: Method, seed: int) -> Weighting:
    """A fresh weighting of a method."""
    names = _names(method)
    table = {name: EXPERT[name] for name in names}
    share = method.outer_share
    if method.weighting == "OuterOnly":
        return OuterOnly(names)
    if method.weighting == "Uniform":
        return Uniform(names, share)
    if method.weighting == "Expert":
        return Fixed(names, table, share)
    if method.weighting == "GradNorm":
        return GradNorm(names, share)
    if method.weighting == "Oracle":
        tables = {family: {name: row.get(name, 0.0) for name in names} for family, row in ORACLE.items()}
        return ByFamily(names, tables, outer_share=share)
    arguments = {"prior": table, "outer_share": share, "warm_up": 256, "seed": seed, **method.arguments}
    return DTERM(names, WIDTH, **arguments)


def _names(method: Method) -> tuple[str, ...]:
    return tuple(name for name in COMPONENTS if name != method.without)
