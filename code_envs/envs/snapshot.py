"""Episodes as data: what was done and what came of it, so that an episode can go on elsewhere.

An environment is a deterministic function of its task, the actions and the outcomes of their executions. So a
snapshot holds these and nothing of the environment's inner state: it is small, survives changes of the code that
keep the MDP, and needs neither pickle nor the sandbox to be restored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from code_envs.errors import ConfigurationError
from code_envs.execution.cache import decode_outcome, encode_outcome
from code_envs.execution.executor import Outcome

__all__ = ["FORMAT", "Moment", "Snapshot", "random_numbers"]

FORMAT = 1


class Moment(NamedTuple):
    """The start of an episode, or one step of it."""

    action: int | str | None
    """None for the start, or a number that the environment draws its start from."""
    outcomes: list[Outcome]
    """Of the job of the step, and of the last job of the episode, as far as there were any."""
    error: str | None = None
    """How the sandbox failed, where it did."""


class Snapshot(NamedTuple):
    """An episode up to some step."""

    environment: str
    identity: Mapping[str, Any]
    task_id: str
    origin: Mapping[str, Any]
    """State of `np_random` when the episode began."""
    random: Mapping[str, Any]
    """Its state now."""
    history: list[Moment]

    def encode(self) -> bytes:
        """The snapshot as JSON."""
        moments = [
            [each.action, [encode_outcome(outcome).decode(errors="surrogatepass") for outcome in each.outcomes],
             each.error]
            for each in self.history
        ]  # fmt: skip
        fields = {**self._asdict(), "format": FORMAT, "history": moments}
        return json.dumps(fields, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, data: bytes) -> Snapshot:
        """Read what `encode` wrote.

        Raises:
            ConfigurationError: If it is something else, or of another format.
        """
        try:
            fields = json.loads(data)
            found = fields.pop("format")
            if found != FORMAT:
                raise ConfigurationError(f"The snapshot has format {found!r}; this version reads format {FORMAT}.")
            fields["history"] = [
                Moment(action, [decode_outcome(text.encode(errors="surrogatepass")) for text in outcomes], error)
                for action, outcomes, error in fields["history"]
            ]
            return cls(**fields)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            if isinstance(error, ConfigurationError):
                raise
            raise ConfigurationError(f"Expected what snapshot() gave; {data[:40]!r} is not: {error!r}") from error

    def require(self, environment: str, identity: Mapping[str, Any]) -> None:
        """Make sure that an environment can continue this episode.

        Raises:
            ConfigurationError: If it is of another class, or has other tasks or arguments; the message names them.
        """
        if environment != self.environment:
            raise ConfigurationError(f"The snapshot is of a {self.environment}, not of a {environment}.")
        names = sorted(self.identity.keys() | identity.keys())
        other = [
            f"{name}={self.identity.get(name)!r} (here {identity.get(name)!r})"
            for name in names
            if self.identity.get(name) != identity.get(name)
        ]
        if other:
            raise ConfigurationError(f"The snapshot is of an environment with {', '.join(other)}.")


def random_numbers(state: Mapping[str, Any]) -> np.random.Generator:
    """Random numbers that go on from a state: what `bit_generator.state` gave."""
    bits = np.random.PCG64()
    bits.state = dict(state)  # type: ignore[assignment]  # numpy types what it reads more narrowly than what it gives
    return np.random.Generator(bits)
