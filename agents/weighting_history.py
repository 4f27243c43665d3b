"""What a weighting did over training: signals read from `info`, finished episodes, and a record of both.

`agents` know environments by documented keys of `info`; the keys of weighted rewards are read here, in one place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import VecEnv

from reward_machines.weighting import Weighting

__all__ = [
    "Episode",
    "EpisodeReturns",
    "Record",
    "Signals",
    "WeightingHistory",
    "environments_hold",
    "has_outer",
    "read_signals",
]

KEYS = ("vector_reward", "outer_reward", "task_embedding", "family", "task_id")
END_KEYS = ("held_out", "is_success")
"""An environment gives these when it ends an episode itself; the outer metric is made of them."""


class Signals(NamedTuple):
    """What one step of E environments says about components."""

    rewards: np.ndarray
    """(E, K + 1) float32, the outer metric last."""
    embeddings: np.ndarray
    """(E, D) float32."""
    families: list[str]


class Episode(NamedTuple):
    """A finished episode."""

    embedding: np.ndarray
    """(D,) float32."""
    family: str
    task_id: str
    returns: np.ndarray
    """(K,) float32, undiscounted."""
    outer: float


def read_signals(infos: Sequence[Mapping[str, Any]], components: int) -> Signals:
    """Read component rewards from infos.

    Args:
        infos: Infos of one step, E mappings.
        components: K.

    Returns:
        The signals.

    Raises:
        ValueError: If a key is missing, or there are not K components.
    """
    for info in infos:
        missing = [key for key in KEYS if key not in info]
        if missing:
            raise ValueError(
                f"Component rewards need the info keys {KEYS}; {missing} are missing. "
                "Wrap the environment in wrappers.WeightedReward."
            )
    vectors = np.stack([np.asarray(info["vector_reward"], np.float32) for info in infos])
    if vectors.shape[1:] != (components,):
        raise ValueError(
            f"The weighting has {components} components, but info['vector_reward'] has shape {vectors.shape[1:]}. "
            "Give both the same components."
        )
    outer = np.array([[info["outer_reward"]] for info in infos], np.float32)
    embeddings = np.stack([np.asarray(info["task_embedding"], np.float32) for info in infos])
    return Signals(np.concatenate([vectors, outer], -1), embeddings, [str(info["family"]) for info in infos])


def has_outer(info: Mapping[str, Any]) -> bool:
    """Whether the last step of an episode paid the outer metric.

    It did not where the sandbox failed, or another wrapper such as `TimeLimit` broke the episode off.

    Args:
        info: Info of the last step.
    """
    return "executor_error" not in info and all(key in info for key in END_KEYS)


def environments_hold(env: VecEnv, weighting: Weighting) -> bool:
    """Whether the environments' own wrapper observes episodes for this very object.

    They do not if they live in other processes, were made from a JSON spec, or have no such wrapper.

    Args:
        env: The environments.
        weighting: The weighting.

    Raises:
        ValueError: If some hold it and some do not.
    """
    try:
        held = [each is weighting for each in env.get_attr("weighting")]
    except AttributeError:
        return False
    if any(held) and not all(held):
        raise ValueError(f"{sum(held)} of {len(held)} environments hold this weighting; give it to all or to none.")
    return all(held)


class EpisodeReturns:
    """Sums the components of running episodes.

    Args:
        environments: E.
        components: K.
    """

    def __init__(self, environments: int, components: int) -> None:
        self._sums = np.zeros((environments, components + 1))
        self.finished: list[Episode] = []
        """Episodes that ended with an outer metric since `take`."""

    def restart(self, starts: np.ndarray) -> None:
        """Forget running episodes where a new one starts, (E,) bool or float."""
        self._sums[starts.astype(bool)] = 0.0

    def step(self, signals: Signals, dones: np.ndarray, infos: Sequence[Mapping[str, Any]]) -> list[Episode]:
        """Take in one step.

        Args:
            signals: The step's components.
            dones: Which episodes ended, (E,) bool.
            infos: Infos of the step.

        Returns:
            The episodes that ended with an outer metric.
        """
        self._sums += signals.rewards
        ended = []
        for number in np.flatnonzero(dones).tolist():
            if has_outer(infos[number]):
                sums = self._sums[number].astype(np.float32)
                family, task_id = signals.families[number], str(infos[number]["task_id"])
                ended.append(Episode(signals.embeddings[number], family, task_id, sums[:-1], float(sums[-1])))
            self._sums[number] = 0.0
        self.finished += ended
        return ended

    def take(self) -> list[Episode]:
        """The episodes that ended since the last call."""
        finished, self.finished = self.finished, []
        return finished


@dataclass(frozen=True)
class Record:
    """One update of a weighting."""

    timesteps: int
    weights: dict[str, list[float]]
    """Mean weights of the episodes' tasks by family, K each."""
    returns: dict[str, list[float]]
    """Mean component returns by family, K each."""
    outer: dict[str, float]
    """Mean outer return by family."""
    entropy: float
    """Mean entropy of the weights, nats."""
    figures: dict[str, float]
    """What `Weighting.update` reported; `meta_loss` among them if it learns."""

    def shares(self, family: str) -> list[float]:
        """Component shares alpha_i E[R_i] / sum_j alpha_j E[R_j]; a negative mean return counts as 0.

        Args:
            family: A family of `weights`.

        Returns:
            K shares; NaN where no component paid anything.
        """
        paid = np.array(self.weights[family]) * np.maximum(self.returns[family], 0.0)
        total = paid.sum()
        return (paid / total if total > 0 else np.full(len(paid), np.nan)).tolist()


@dataclass
class WeightingHistory:
    """The records of a training, for pictures and files.

    Args:
        components: Names of the K components.
        records: In the order of time.
    """

    components: tuple[str, ...]
    records: list[Record] = field(default_factory=list)

    @property
    def families(self) -> list[str]:
        """Every family that finished an episode, sorted."""
        return sorted({family for record in self.records for family in record.weights})

    def add(
        self, timesteps: int, weighting: Weighting, episodes: Sequence[Episode], figures: Mapping[str, float]
    ) -> Record | None:
        """Record an update.

        Args:
            timesteps: Steps of the environments so far.
            weighting: After its update.
            episodes: Episodes that ended since the last update.
            figures: What the update reported.

        Returns:
            The record; None, and nothing recorded, if no episode ended.
        """
        if not episodes:
            return None
        families = [episode.family for episode in episodes]
        weights = weighting.weights(np.stack([episode.embedding for episode in episodes]), families)
        returns = np.stack([episode.returns for episode in episodes])
        outer = np.array([episode.outer for episode in episodes])
        rows = {family: np.array([each == family for each in families]) for family in sorted(set(families))}
        record = Record(
            timesteps,
            {family: weights[row].mean(0).tolist() for family, row in rows.items()},
            {family: returns[row].mean(0).tolist() for family, row in rows.items()},
            {family: float(outer[row].mean()) for family, row in rows.items()},
            float(-(weights * np.log(np.maximum(weights, 1e-12))).sum(-1).mean()),
            {key: float(value) for key, value in figures.items()},
        )
        self.records.append(record)
        return record

    def log(self, record: Record, logger: Logger) -> None:
        """Write a record to SB3's logger, and so to TensorBoard.

        Args:
            record: One of this history.
            logger: The algorithm's.
        """
        for key, value in record.figures.items():
            logger.record(f"weighting/{key}", value)
        logger.record("weighting/entropy", record.entropy)
        for family in record.weights:
            logger.record(f"outer/{family}", record.outer[family])
            shares = record.shares(family)
            for number, name in enumerate(self.components):
                logger.record(f"weights/{family}/{name}", record.weights[family][number])
                logger.record(f"returns/{family}/{name}", record.returns[family][number])
                if not np.isnan(shares[number]):
                    logger.record(f"shares/{family}/{name}", shares[number])

    def save(self, path: str | Path) -> None:
        """Write the history as JSON."""
        Path(path).write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> WeightingHistory:
        """Read what `save` wrote."""
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        return cls(tuple(content["components"]), [Record(**record) for record in content["records"]])
