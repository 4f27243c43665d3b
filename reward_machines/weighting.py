"""How much each reward component counts: the interface of a weighting, and the weightings that learn nothing.

The reward of a step is `w_o * outer + (1 - w_o) * sum_i alpha_i R_i` (DTERM, eq. 6, with an outer term that no weight
touches). A weighting gives the alphas from the embedding of the task, one row per task, on the simplex. Those that
learn are `reward_machines.gradnorm.GradNorm` and `reward_machines.dterm.DTERM`. Only NumPy is needed here.
"""

from __future__ import annotations

import importlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["ByFamily", "Fixed", "OuterOnly", "Uniform", "Weighting", "expert", "from_spec", "load"]

CLASSES = {
    "Uniform": "reward_machines.weighting",
    "Fixed": "reward_machines.weighting",
    "ByFamily": "reward_machines.weighting",
    "OuterOnly": "reward_machines.weighting",
    "GradNorm": "reward_machines.gradnorm",
    "DTERM": "reward_machines.dterm",
}
"""Short names of a spec's class, and the modules that hold them; any other class is named "module:Class"."""

EXPERT = {
    "compile": 0.1,
    "tests": 0.6,
    "similarity": 0.1,
    "ast_similarity": 0.1,
    "style": 0.05,
    "efficiency": 0.05,
    "size": 0.05,
    "preference": 0.1,
}
"""Shares set by hand before any run: what decides success counts most, what only looks good counts least."""

_OUTER_SHARE = 0.3


class Weighting(ABC):
    """Weights of K reward components for a task, fixed or learned.

    A subclass gives `weights` and `arguments`; one that learns also gives `observe`, `update`, `state` and `restore`.

    Args:
        components: Names of the components, in the order of every (K,) vector.
        outer_share: w_o in [0, 1], the share of the reward that is the outer metric, which no weight touches.

    Attributes:
        components: The names, K of them.
        outer_share: w_o.

    Raises:
        ValueError: There is no component, one is named twice, or the share is outside [0, 1].
    """

    def __init__(self, components: Sequence[str], outer_share: float = _OUTER_SHARE) -> None:
        self.components = tuple(components)
        self.outer_share = float(outer_share)
        if isinstance(components, str) or not self.components or len(set(self.components)) < len(self.components):
            raise ValueError(
                f'components must be different names, at least one, such as ("compile", "tests"); got {components!r}'
            )
        if not 0.0 <= self.outer_share <= 1.0:
            raise ValueError(f"outer_share is a share of the reward and must be in [0, 1]; got {outer_share!r}")
        self._active = np.ones(len(self.components), bool)

    @abstractmethod
    def weights(self, embeddings: np.ndarray, families: Sequence[str]) -> np.ndarray:
        """Weights of the components for each task.

        Args:
            embeddings: Embeddings of the tasks, (B, D) float32.
            families: Family of each task, B names such as "CodeRepair".

        Returns:
            (B, K) float32, every row on the simplex; inactive components have weight 0.
        """

    @abstractmethod
    def arguments(self) -> dict[str, Any]:
        """Arguments that make this weighting again, JSON values; what was learned is not among them."""

    def observe(self, embedding: np.ndarray, family: str, task_id: str, returns: np.ndarray, outer: float) -> None:
        """Take in one finished episode; a weighting that learns nothing keeps nothing.

        Args:
            embedding: Embedding of the task, (D,) float32.
            family: Family of the task.
            task_id: The task; episodes of one task are compared with each other.
            returns: Return of each component, (K,) float32.
            outer: Return of the outer metric.

        Raises:
            ValueError: The returns are not K finite numbers, or the outer return is not finite.
        """
        array = np.asarray(returns)
        if array.shape != (len(self.components),) or not (np.isfinite(array).all() and np.isfinite(outer)):
            raise ValueError(
                f"an episode has {len(self.components)} finite component returns and a finite outer return; "
                f"got {returns!r} and {outer!r} for the task {task_id!r} of {family!r}"
            )

    def update(self) -> dict[str, float]:
        """Learn from what was observed since the last update; call it once after each rollout.

        Returns:
            Figures to log; empty if there is nothing to learn.
        """
        return {}

    def set_active(self, component: str, active: bool) -> None:
        """Let a component count, or give it weight 0 until it may be trusted.

        The preference component is inactive until its model has seen enough comparisons and is right often enough.

        Args:
            component: Name of the component.
            active: Whether it counts.

        Raises:
            ValueError: There is no such component, or none would be left.
        """
        if component not in self.components:
            raise ValueError(f"no component is named {component!r}; the components are {list(self.components)}")
        wanted = self._active.copy()
        wanted[self.components.index(component)] = active
        if not wanted.any():
            raise ValueError(f"{component!r} is the only active component; make another active first")
        self._active = wanted

    def state(self) -> dict[str, np.ndarray]:
        """What was learned, as named arrays of numbers and bool."""
        return {"active": self._active.copy()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state that `state` gave.

        Args:
            state: Named arrays.

        Raises:
            ValueError: The state is that of another number of components.
        """
        active = np.asarray(state["active"], bool)
        if active.shape != self._active.shape:
            raise ValueError(f"the state holds {len(active)} components, but there are {len(self.components)} here")
        self._active = active.copy()

    def spec(self) -> dict[str, Any]:
        """Class and arguments as JSON values; `from_spec` makes the weighting again, without what was learned."""
        name, module = type(self).__qualname__, type(self).__module__
        return {"class": name if CLASSES.get(name) == module else f"{module}:{name}", "arguments": self.arguments()}

    def save(self, path: str | Path) -> None:
        """Write the weighting with what it learned to a file of NumPy's npz format; `load` reads it.

        Args:
            path: The file; it is replaced.
        """
        arrays: dict[str, Any] = self.state()
        with open(path, "wb") as file:
            np.savez(file, spec=np.array(json.dumps(self.spec())), **arrays)

    def checked(self, embeddings: np.ndarray, families: Sequence[str]) -> np.ndarray:
        """The embeddings as (B, D) float32.

        Raises:
            ValueError: They are no matrix, not finite, or their number is not that of the families.
        """
        array = np.asarray(embeddings, np.float32)
        if array.ndim != 2 or isinstance(families, str) or len(array) != len(families):
            raise ValueError(
                "weights() takes embeddings (B, D) and B families; "
                f"got shape {array.shape} and {1 if isinstance(families, str) else len(families)} families. "
                "For one task give embedding[None] and [family]"
            )
        if not np.isfinite(array).all():
            raise ValueError("embeddings must be finite; got NaN or infinity")
        return array

    def masked(self, rows: np.ndarray) -> np.ndarray:
        """Rows of non-negative weights (B, K) without the inactive components, on the simplex, float32."""
        kept = np.where(self._active, rows, 0.0).astype(np.float64)
        total = kept.sum(-1, keepdims=True)
        # where only inactive components had weight, the active ones share it
        return np.where(total > 0, kept / np.maximum(total, 1e-12), self._active / self._active.sum()).astype(
            np.float32
        )


class Uniform(Weighting):
    """All components count the same.

    Args:
        components: Names of the components.
        outer_share: w_o, the share of the outer metric.
    """

    def weights(self, embeddings: np.ndarray, families: Sequence[str]) -> np.ndarray:
        """Equal weights, (B, K) float32."""
        return self.masked(np.ones((len(self.checked(embeddings, families)), len(self.components))))

    def arguments(self) -> dict[str, Any]:
        """Components and the outer share."""
        return {"components": list(self.components), "outer_share": self.outer_share}


class OuterOnly(Uniform):
    """The outer metric is the whole reward; no component counts. The baseline that DTERM's paper leaves out.

    Args:
        components: Names of the components, still reported in `info`.
    """

    def __init__(self, components: Sequence[str]) -> None:
        super().__init__(components, outer_share=1.0)

    def arguments(self) -> dict[str, Any]:
        """The components."""
        return {"components": list(self.components)}


class Fixed(Weighting):
    """The same weights for every task.

    Args:
        components: Names of the components.
        table: Weight of each component, divided by their sum; None for the expert table.
        outer_share: w_o, the share of the outer metric.

    Raises:
        ValueError: The table's names are not the components, or a weight is negative or not finite.
    """

    def __init__(
        self,
        components: Sequence[str],
        table: Mapping[str, float] | None = None,
        outer_share: float = _OUTER_SHARE,
    ) -> None:
        super().__init__(components, outer_share)
        self.table = _shares(self.components, expert(self.components) if table is None else table)

    def weights(self, embeddings: np.ndarray, families: Sequence[str]) -> np.ndarray:
        """The table's shares, (B, K) float32."""
        return self.masked(np.tile(_row(self.table), (len(self.checked(embeddings, families)), 1)))

    def arguments(self) -> dict[str, Any]:
        """Components, table and the outer share."""
        return {"components": list(self.components), "table": self.table, "outer_share": self.outer_share}


class ByFamily(Weighting):
    """A table of weights for each family of tasks: with the right tables, the oracle.

    Args:
        components: Names of the components.
        tables: Weights by family, then by component; each table is divided by its sum.
        default: Weights for families that have no table; None makes such a family an error.
        outer_share: w_o, the share of the outer metric.

    Raises:
        ValueError: There is no table, or a table's names are not the components, or a weight cannot be used.
    """

    def __init__(
        self,
        components: Sequence[str],
        tables: Mapping[str, Mapping[str, float]],
        default: Mapping[str, float] | None = None,
        outer_share: float = _OUTER_SHARE,
    ) -> None:
        super().__init__(components, outer_share)
        if not tables:
            raise ValueError("tables is empty; give the weights of at least one family, or use Fixed")
        self.tables = {family: _shares(self.components, table) for family, table in tables.items()}
        self.default = None if default is None else _shares(self.components, default)

    def weights(self, embeddings: np.ndarray, families: Sequence[str]) -> np.ndarray:
        """The shares of each task's family, (B, K) float32.

        Raises:
            ValueError: A family has no table and there is no default.
        """
        self.checked(embeddings, families)
        rows = [_row(self._table(family)) for family in families]
        return self.masked(np.array(rows).reshape(-1, len(self.components)))

    def arguments(self) -> dict[str, Any]:
        """Components, tables, default and the outer share."""
        return {
            "components": list(self.components),
            "tables": self.tables,
            "default": self.default,
            "outer_share": self.outer_share,
        }

    def _table(self, family: str) -> dict[str, float]:
        table = self.tables.get(family, self.default)
        if table is None:
            raise ValueError(f"no weights for the family {family!r}; there are {sorted(self.tables)}: give default=...")
        return table


def expert(components: Sequence[str]) -> dict[str, float]:
    """The expert table for these components, its shares summing to 1.

    Args:
        components: Names of the components.

    Returns:
        Weight by component.

    Raises:
        ValueError: The table has no entry for a component.
    """
    unknown = [name for name in components if name not in EXPERT]
    if unknown:
        raise ValueError(
            f"the expert table has no weight for {unknown}; it knows {list(EXPERT)}. "
            "Give the weights yourself: Fixed(components, table={...})"
        )
    return _shares(tuple(components), {name: EXPERT[name] for name in components})


def from_spec(spec: Mapping[str, Any]) -> Weighting:
    """Make a weighting from what `Weighting.spec` gave, without what was learned.

    Args:
        spec: `{"class": name, "arguments": {...}}`; the name is one of `CLASSES` or "module:Class".

    Returns:
        The weighting.

    Raises:
        ValueError: The spec has other keys, or names no weighting, or its arguments are not those of the class.
    """
    if not isinstance(spec, Mapping) or set(spec) - {"class", "arguments"} or "class" not in spec:
        raise ValueError(f'a spec is {{"class": name, "arguments": {{...}}}}; got {spec!r}')
    name = str(spec["class"])
    module, _, qualname = name.partition(":") if ":" in name else (CLASSES.get(name, ""), "", name)
    if not module:
        raise ValueError(f'no weighting is named {name!r}; use one of {list(CLASSES)} or "module:Class"')
    try:
        found = getattr(importlib.import_module(module), qualname)
    except (ModuleNotFoundError, AttributeError) as error:
        raise ValueError(f"the weighting {name!r} cannot be imported: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Weighting)):
        raise ValueError(f"{name!r} is no weighting: it must be a subclass of Weighting")
    try:
        return found(**spec.get("arguments", {}))
    except TypeError as error:
        raise ValueError(f"the weighting {name!r} does not take these arguments: {error}") from error


def load(path: str | Path) -> Weighting:
    """Read a weighting with what it learned from a file that `Weighting.save` wrote.

    Args:
        path: The file.

    Returns:
        The weighting.

    Raises:
        ValueError: The file is none that `save` wrote.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        weighting = from_spec(json.loads(str(arrays.pop("spec"))))
        weighting.restore(arrays)
    except (KeyError, EOFError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} holds no weighting; write one with Weighting.save") from error
    return weighting


def _shares(components: tuple[str, ...], table: Mapping[str, float]) -> dict[str, float]:
    """The table in the order of the components, divided by its sum."""
    if set(table) != set(components):
        raise ValueError(f"a table must name exactly the components {list(components)}; got {list(table)}")
    values = np.array([table[name] for name in components], float)
    if not np.isfinite(values).all() or (values < 0).any() or values.sum() <= 0:
        raise ValueError(f"weights must be finite, not negative, and not all zero; got {dict(table)}")
    return dict(zip(components, (values / values.sum()).tolist(), strict=True))


def _row(table: Mapping[str, float]) -> list[float]:
    return list(table.values())
