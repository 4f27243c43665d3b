"""Preferences: a score of programs learned from recorded comparisons of two (DTERM, eq. 12).

Comparisons are a file of JSON Lines. Each line holds the measurements of two programs of one task and says which was
preferred::

    {"first": {"tests": 1.0, "findings": 0.0}, "second": {"tests": 0.5, "findings": 3.0}, "preferred": "first"}

Other keys of a line are left alone. The model is that of Bradley and Terry (1952): the first is preferred with
probability sigma(r(first) - r(second)). The component stays masked until there are 200 comparisons, and until it
foretells more than 60 % of those that it was not trained on.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from reward_machines.components import Component

__all__ = ["Comparison", "PreferenceHead", "read_comparisons", "write_comparisons"]

LEAST_PAIRS, LEAST_ACCURACY = 200, 0.6
FOLDS = 5
STEPS, DECAY = 50, 1e-3
FORMAT = "code-envs preference head 1"
SIDES = ("first", "second")


class Comparison(NamedTuple):
    """Two programs, and whether the first was preferred."""

    first: Mapping[str, float]
    """Measurements of the first."""
    second: Mapping[str, float]
    """Measurements of the second."""
    first_preferred: bool


def read_comparisons(path: str | Path) -> list[Comparison]:
    """Read a file of comparisons.

    Args:
        path: The file, as the module describes it.

    Raises:
        ValueError: If a line is not as described; the message names it.
    """
    found = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        if line.strip():
            found.append(_comparison(line, f"{path}, line {number}"))
    if not found:
        raise ValueError(f"{path}: there is no comparison; a line is {json.dumps(_EXAMPLE)}")
    return found


_EXAMPLE = {"first": {"tests": 1.0}, "second": {"tests": 0.5}, "preferred": "first"}


def _comparison(line: str, place: str) -> Comparison:
    try:
        content = json.loads(line)
    except ValueError as error:
        raise ValueError(f"{place}: not JSON, or cut off: {error}") from error
    if not isinstance(content, dict) or content.get("preferred") not in SIDES:
        raise ValueError(f"{place}: 'preferred' must be one of {list(SIDES)}; a line is {json.dumps(_EXAMPLE)}")
    for side in SIDES:
        facts = content.get(side)
        if not isinstance(facts, dict) or not all(isinstance(each, int | float) for each in facts.values()):
            raise ValueError(f"{place}: {side!r} must be an object of measurements, numbers by name; got {facts!r:.80}")
    return Comparison(content["first"], content["second"], content["preferred"] == "first")


def write_comparisons(path: str | Path, comparisons: Iterable[Comparison]) -> None:
    """Append comparisons to a file.

    Args:
        path: The file; it is made if it is not there.
        comparisons: What to append.
    """
    with open(path, "a", encoding="utf-8") as file:
        for first, second, first_preferred in comparisons:
            line = {"first": dict(first), "second": dict(second), "preferred": SIDES[not first_preferred]}
            file.write(json.dumps(line) + "\n")


class PreferenceHead:
    """A score of measurements, trained on comparisons; its output is sigma((r - mean) / deviation), in (0, 1).

    The score r is a small network on standardised measurements. Mean and deviation are those of r over all programs
    that were compared. `accuracy` is the share of comparisons that a model trained without them foretells, over five
    parts. Training draws from a generator of its own: same comparisons and seed, same head.

    Args:
        features: Names of the measurements that it reads, F of them.
        hidden: Units of the hidden layer; 0 makes the score linear.
        seed: Of initial weights and of the five parts.

    Attributes:
        pairs: Number of comparisons that it was trained on.
        accuracy: Share of left-out comparisons that are foretold, in [0, 1].

    Raises:
        ValueError: If there is no feature, or an argument cannot be used.
    """

    def __init__(self, features: Sequence[str], hidden: int = 8, seed: int = 0) -> None:
        self.features = tuple(features)
        if isinstance(features, str) or not self.features or len(set(self.features)) < len(self.features):
            raise ValueError(f'features must be different names of measurements, such as ("tests",); got {features!r}')
        if hidden < 0:
            raise ValueError(f"hidden must be at least 0, got {hidden}")
        self.hidden, self.seed = hidden, seed
        self.pairs, self.accuracy = 0, 0.0
        count = len(self.features)
        self._scale = torch.zeros(2, count, dtype=torch.float64)
        self._scale[1] = 1.0
        self._range = torch.tensor([0.0, 1.0], dtype=torch.float64)
        self._network = self._fresh()

    @property
    def active(self) -> bool:
        """Whether it may count: 200 comparisons, and more than 60 % of left-out ones foretold."""
        return self.pairs >= LEAST_PAIRS and self.accuracy > LEAST_ACCURACY

    def fit(self, comparisons: Sequence[Comparison]) -> dict[str, float]:
        """Train anew on all comparisons: minimise -log sigma(r(preferred) - r(other)).

        Args:
            comparisons: N of them, at least five.

        Returns:
            `loss` on all, `accuracy` on left-out ones, `pairs`.

        Raises:
            ValueError: If there are too few, or a measurement is missing or not finite.
        """
        if len(comparisons) < FOLDS:
            raise ValueError(
                f"training needs at least {FOLDS} comparisons, and {LEAST_PAIRS} to count; got {len(comparisons)}"
            )
        better = self._rows([each.first if each.first_preferred else each.second for each in comparisons])  # (N, F)
        worse = self._rows([each.second if each.first_preferred else each.first for each in comparisons])
        both = torch.cat([better, worse])
        deviation = both.std(0, correction=0)
        self._scale = torch.stack([both.mean(0), torch.where(deviation > 0, deviation, 1.0)])
        better, worse = self._standard(better), self._standard(worse)
        self._network = self._fresh()
        with _one_thread():
            self.pairs, self.accuracy = len(comparisons), self._cross_validated(better, worse)
            loss = _train(self._network, better, worse)
        with torch.no_grad():
            scores = self._network(torch.cat([better, worse]))
        self._range = torch.stack([scores.mean(), scores.std(correction=0).clamp_min(1e-6)])
        return {"loss": loss, "accuracy": self.accuracy, "pairs": float(self.pairs)}

    def scores(self, programs: Sequence[Mapping[str, float]]) -> NDArray[np.float64]:
        """The scores r of programs.

        Args:
            programs: Measurements of each, B of them.

        Returns:
            (B,) float64; only differences mean something.

        Raises:
            ValueError: If a measurement is missing or not finite.
        """
        with torch.no_grad():
            scores: torch.Tensor = self._network(self._standard(self._rows(programs))).squeeze(-1)
        return scores.numpy()

    def __call__(self, measurements: Mapping[str, float]) -> float:
        """The component's value of one program, in (0, 1)."""
        mean, deviation = self._range.tolist()
        return float(1 / (1 + np.exp(-np.clip((self.scores([measurements])[0] - mean) / deviation, -30, 30))))

    def component(self, path: str | None = None) -> Component:
        """This head as a component, masked until it may count.

        Args:
            path: The file that it was saved to, so that the component can be made again; None if it was not.
        """
        return Component(
            "preference",
            self.features,
            self,
            "how much the program would be preferred to those that were compared",
            parameters=None if path is None else {"path": str(path)},
            active=lambda: self.active,
        )

    def save(self, path: str | Path) -> None:
        """Write the head to a file; `load` reads it."""
        settings = {"features": list(self.features), "hidden": self.hidden, "seed": self.seed}
        torch.save(
            {
                "format": FORMAT,
                "settings": settings,
                "pairs": self.pairs,
                "accuracy": self.accuracy,
                "scale": self._scale,
                "range": self._range,
                "network": self._network.state_dict(),
            },
            path,
        )

    @classmethod
    def load(cls, path: str | Path) -> PreferenceHead:
        """Read a head from a file that `save` wrote; only tensors and plain values are read.

        Raises:
            ValueError: If the file holds none.
        """
        try:
            content: Any = torch.load(path, weights_only=True)
        except FileNotFoundError:
            raise
        except Exception as error:  # torch raises errors of many kinds for a file that is none of its own
            raise ValueError(f"{path} holds no preference head; write one with PreferenceHead.save") from error
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(
                f"{path} holds no preference head of the format {FORMAT!r}; write one with PreferenceHead.save"
            )
        head = cls(**content["settings"])
        head.pairs, head.accuracy = content["pairs"], content["accuracy"]
        head._scale, head._range = content["scale"], content["range"]
        head._network.load_state_dict(content["network"])
        return head

    # inside ---------------------------------------------------------------------------------------

    def _rows(self, programs: Sequence[Mapping[str, float]]) -> torch.Tensor:
        """Their features, (B, F) float64."""
        for facts in programs:
            missing = [name for name in self.features if name not in facts]
            if missing:
                raise ValueError(
                    f"the preference head reads {list(self.features)}; {missing} are not among {sorted(facts)}"
                )
        rows = torch.tensor([[float(facts[name]) for name in self.features] for facts in programs], dtype=torch.float64)
        if not torch.isfinite(rows).all():
            raise ValueError(f"the measurements {list(self.features)} must be finite numbers in every program")
        return rows

    def _standard(self, rows: torch.Tensor) -> torch.Tensor:
        return (rows - self._scale[0]) / self._scale[1]

    def _fresh(self) -> nn.Sequential:
        """A network with weights drawn from the seed; torch's own generator is left alone."""
        generator = torch.Generator().manual_seed(self.seed)
        sizes = [len(self.features), *([self.hidden] if self.hidden else []), 1]
        layers: list[nn.Module] = []
        for inner, outer in itertools.pairwise(sizes):
            layer = nn.utils.skip_init(nn.Linear, inner, outer, dtype=torch.float64)
            with torch.no_grad():
                layer.weight.copy_(torch.randn(outer, inner, generator=generator, dtype=torch.float64) / inner**0.5)
                layer.bias.zero_()
            layers += [layer, nn.Tanh()]
        return nn.Sequential(*layers[:-1])

    def _cross_validated(self, better: torch.Tensor, worse: torch.Tensor) -> float:
        """Share of comparisons that a network trained on the other four fifths foretells."""
        generator = torch.Generator().manual_seed(self.seed)
        part = torch.randperm(len(better), generator=generator) % FOLDS
        right = 0.0
        for fold in range(FOLDS):
            network = self._fresh()
            kept = part != fold
            _train(network, better[kept], worse[kept])
            with torch.no_grad():
                difference = network(better[~kept]) - network(worse[~kept])
            right += float((difference > 0).sum() + 0.5 * (difference == 0).sum())
        return right / len(better)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """One thread of torch: fitting so small a network took 7.3 s with two and 0.7 s with one on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _train(network: nn.Module, better: torch.Tensor, worse: torch.Tensor) -> float:
    """Fit a network to comparisons, (N, F) each, with a small penalty on its weights; returns the loss without it."""
    optimizer = torch.optim.LBFGS(network.parameters(), max_iter=STEPS, line_search_fn="strong_wolfe")

    def objective() -> torch.Tensor:
        optimizer.zero_grad()
        penalty = torch.stack([each.square().sum() for each in network.parameters()]).sum()
        loss = _loss(network, better, worse) + DECAY / 2 * penalty
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(objective)
    with torch.no_grad():
        return float(_loss(network, better, worse))


def _loss(network: nn.Module, better: torch.Tensor, worse: torch.Tensor) -> torch.Tensor:
    """Mean of -log sigma(r(preferred) - r(other))."""
    return -nn.functional.logsigmoid(network(better) - network(worse)).mean()
