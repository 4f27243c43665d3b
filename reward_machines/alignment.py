"""What an episode says about the components: standardised returns, summed by task, with slow forgetting.

A component is worth weight on a task if its return goes together with the outer return there. The product of both
returns, each centred on its task and divided by its spread, is an unbiased sample of that. Training objectives are
quadratic in the scores, so sums by task hold all that they need: an update costs the same after a million episodes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["EpisodeMemory", "Episodes", "standardised"]

SPREAD = 0.05
"""Added to the spread before dividing by it, so that a return that hardly varies is not blown up."""


@dataclass(frozen=True)
class Episodes:
    """The finished episodes of one rollout.

    Attributes:
        tasks: Number of each episode's task, (E,) int64.
        families: Number of each episode's family, (E,) int64.
        returns: Component returns, (E, K) float64.
        outer: Outer returns, (E,) float64.
    """

    tasks: np.ndarray
    families: np.ndarray
    returns: np.ndarray
    outer: np.ndarray


def standardised(present: Episodes, past: list[Episodes]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns centred on the other episodes of the task, divided by their spread.

    An episode is centred on the mean of the m other episodes of its task in this rollout and the past ones; if there is
    none, of its family; if there is none either, it says nothing. The factor `sqrt(m / (m + 1))` makes the products of
    two such values unbiased for the covariance.

    Args:
        present: Episodes of this rollout.
        past: Those of recent rollouts, used for the means only.

    Returns:
        Components (E, K) float64, outer (E,) float64, and which episodes could be centred, (E,) bool; rows of the
        others are 0.
    """
    values = np.column_stack([present.returns, present.outer])
    everything = np.concatenate([*(np.column_stack([each.returns, each.outer]) for each in past), values])
    centred = np.zeros_like(values)
    known = np.zeros(len(values), bool)
    for name in ("families", "tasks"):  # the task overwrites the family
        groups = np.concatenate([*(getattr(each, name) for each in past), getattr(present, name)])
        size = np.bincount(groups)
        sums = np.zeros((len(size), values.shape[1]))
        np.add.at(sums, groups, everything)
        own = getattr(present, name)
        others = size[own] - 1
        usable = others > 0
        count = others[usable, None]
        mean = (sums[own[usable]] - values[usable]) / count
        centred[usable] = np.sqrt(count / (count + 1.0)) * (values[usable] - mean)
        known |= usable
    if known.any():
        centred /= np.sqrt(np.square(centred[known]).mean(0)) + SPREAD
    return centred[:, :-1], centred[:, -1], known


class EpisodeMemory:
    """Sums by task of what past episodes said, the older the less.

    Args:
        components: K.
        width: Width D of an embedding.
        recent: Rollouts, besides the present one, whose episodes are compared with each other.
        memory: Rollouts after which an episode counts a factor e less.
    """

    def __init__(self, components: int, width: int, recent: int = 4, memory: float = 400.0) -> None:
        self.episodes = 0
        self._components, self._width = components, width
        self._keep = float(np.exp(-1.0 / memory))
        self._numbers: dict[tuple[str, str], int] = {}
        self._families: dict[str, int] = {}
        self._waiting: list[tuple[int, int, np.ndarray, float]] = []
        self._recent: deque[Episodes] = deque(maxlen=recent)
        self._embeddings = np.zeros((0, width), np.float32)
        self._sums = {name: np.zeros((0, *shape)) for name, shape in self._shapes().items()}

    def __len__(self) -> int:
        """Number of tasks seen."""
        return len(self._numbers)

    def add(self, embedding: np.ndarray, family: str, task_id: str, returns: np.ndarray, outer: float) -> None:
        """Take in one finished episode; it counts after the next `close`.

        Args:
            embedding: (D,) float32; the latest of a task is kept.
            family: Its family.
            task_id: The task, unique in its family.
            returns: Component returns, (K,).
            outer: Outer return.
        """
        number = self._numbers.setdefault((family, task_id), len(self._numbers))
        if number == len(self._embeddings):
            self._grow()
        self._embeddings[number] = embedding
        kind = self._families.setdefault(family, len(self._families))
        self._waiting.append((number, kind, np.asarray(returns, np.float64), float(outer)))
        self.episodes += 1

    def close(self, active: np.ndarray) -> int:
        """End a rollout: add its episodes to the sums.

        Args:
            active: Components that count, (K,) bool; what the others returned is not kept.

        Returns:
            Number of episodes that could be compared with others and now count.
        """
        if not self._waiting:
            return 0
        present = self._batch()
        components, outer, known = standardised(present, list(self._recent))
        self._recent.append(present)
        components = np.where(active, components, 0.0)
        for name, values in self._values(present, components, outer).items():
            self._sums[name] *= self._keep
            np.add.at(self._sums[name], present.tasks[known], values[known])
        return int(known.sum())

    def moments(self, rows: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Embeddings and sums of tasks, float32.

        Args:
            rows: Numbers of the tasks, (N,) int64; None for all.

        Returns:
            `embeddings` (N, D); `count` (N,), the episodes; sums over them: `returns` (N, K) as they came; `product`
            (N, K) of component and outer, standardised; `square` (N, K, K) of the components; `outer_square` (N,);
            `product_square` (N,), summed over the components.
        """
        chosen = slice(None, len(self)) if rows is None else rows
        sums = {name: array[chosen].astype(np.float32) for name, array in self._sums.items()}
        return {"embeddings": self._embeddings[chosen], **sums}

    def noise(self) -> float:
        """Standard error of a family's mean product: by how much scores differ by chance."""
        count = max(float(self._sums["count"].sum()), 1.0) / max(len(self._families), 1)
        mean_square = float(self._sums["product_square"].sum()) / (
            self._components * count * max(len(self._families), 1)
        )
        return float(np.sqrt(mean_square / count))

    def state(self) -> dict[str, np.ndarray]:
        """Everything as named arrays of numbers and text, episodes that wait for `close` included."""
        recent = [*self._recent, *([self._batch(clear=False)] if self._waiting else [])]
        stacked = {
            f"recent_{name}": np.concatenate([getattr(each, name) for each in recent]) if recent else np.zeros(0)
            for name in ("tasks", "families", "returns", "outer")
        }
        return {
            "episodes": np.array(self.episodes),
            "names": np.array([list(key) for key in self._numbers], str).reshape(-1, 2),
            "families": np.array(list(self._families), str),
            "task_embeddings": self._embeddings[: len(self)].copy(),
            **{f"sum_{name}": array[: len(self)].copy() for name, array in self._sums.items()},
            **stacked,
            "recent_sizes": np.array([len(each.tasks) for each in recent], int),
            "waiting": np.array(len(self._waiting)),
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state that `state` gave."""
        self.episodes = int(state["episodes"])
        self._numbers = {(str(family), str(task)): row for row, (family, task) in enumerate(state["names"])}
        self._families = {str(name): row for row, name in enumerate(state["families"])}
        self._embeddings = np.array(state["task_embeddings"], np.float32)
        self._sums = {name: np.array(state[f"sum_{name}"], float) for name in self._sums}
        ends = np.cumsum(state["recent_sizes"])[:-1]
        split = {name: np.split(state[f"recent_{name}"], ends) for name in ("tasks", "families", "returns", "outer")}
        recent = [
            Episodes(tasks, families, returns, outer)
            for tasks, families, returns, outer in zip(*split.values(), strict=True)
            if len(tasks)
        ]
        self._waiting = []
        if int(state["waiting"]):
            last = recent.pop()
            self._waiting = [
                (int(task), int(family), returns, float(outer))
                for task, family, returns, outer in zip(
                    last.tasks, last.families, last.returns, last.outer, strict=True
                )
            ]
        self._recent = deque(recent, maxlen=self._recent.maxlen)

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        k = self._components
        return {
            "count": (),
            "returns": (k,),
            "product": (k,),
            "square": (k, k),
            "outer_square": (),
            "product_square": (),
        }

    def _values(self, present: Episodes, components: np.ndarray, outer: np.ndarray) -> dict[str, np.ndarray]:
        product = components * outer[:, None]
        return {
            "count": np.ones(len(outer)),
            "returns": present.returns,
            "product": product,
            "square": components[:, :, None] * components[:, None, :],
            "outer_square": outer**2,
            "product_square": np.square(product).sum(1),
        }

    def _grow(self) -> None:
        """Double the room for tasks."""
        room = max(64, len(self._embeddings))
        self._embeddings = np.concatenate([self._embeddings, np.zeros((room, self._width), np.float32)])
        self._sums = {
            name: np.concatenate([array, np.zeros((room, *array.shape[1:]))]) for name, array in self._sums.items()
        }

    def _batch(self, clear: bool = True) -> Episodes:
        """The waiting episodes as arrays."""
        tasks, families, returns, outer = zip(*self._waiting, strict=True)
        if clear:
            self._waiting = []
        return Episodes(np.array(tasks), np.array(families), np.array(returns), np.array(outer))
