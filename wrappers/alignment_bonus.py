"""A bonus for code that fits its text better (DCRL, eq. 7), for any algorithm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs

from code_envs.errors import ConfigurationError

__all__ = ["AlignmentBonus"]

Info = dict[str, Any]
Similarity = Callable[[Any], float]
FORMS = ("progress", "potential", "literal")
SOLVED = "all_tests"


class AlignmentBonus(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Pay lambda_1 * r + lambda_2 * bonus, where the bonus tells how the alignment of code and text changed.

    With the similarity Phi of an observation, the bonus of a step is

    | form | bonus | what it does |
    |---|---|---|
    | `progress` | gamma Phi' - Phi | sums up to gamma^T Phi(end) - Phi(start): reach a well-aligned program |
    | `potential` | the same with Phi(terminal) = 0 | changes no optimal policy (Ng et al. 1999), and taught nothing |
    | `literal` | Phi' | the paper's; it is best then never to submit, for each further step is paid |

    With the gate, alignment stops to count where all tests pass: Phi is held at its last value there, so that going
    in and out of such states earns nothing, and `literal` pays nothing. An episode that another wrapper or the sandbox
    breaks off keeps its potential; of a step whose execution failed nothing is known, and the potential is held too.

    The bonus is as good as the similarity. Give one by an encoder that was trained on verified pairs and does not
    learn while it pays; `agents.contrastive_callback.ContrastiveCallback` calls `set_similarity` between rollouts.

    `info` has, beside what it had:

    | key | type | range | meaning |
    |---|---|---|---|
    | `task_reward` | float | | what the environment paid, without lambda_1 |
    | `alignment` | float | | Phi of the observation |
    | `alignment_bonus` | float | | lambda_2 times the bonus |

    Args:
        env: An environment; with the gate, one with `info["measurements"]` or `info["events"]`.
        similarity: From an observation to Phi, mostly a cosine. None: 0, until `set_similarity` is called.
        form: One of the table.
        task_weight: lambda_1.
        alignment_weight: lambda_2; the paper found a ratio of 3 best.
        gamma: Discount; give the agent's.
        gate: Whether alignment stops to count where all tests pass.

    Raises:
        ConfigurationError: If an argument cannot be used.

    Source: DCRL, eq. 7.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        similarity: Similarity | None = None,
        *,
        form: str = "progress",
        task_weight: float = 0.75,
        alignment_weight: float = 0.25,
        gamma: float = 0.99,
        gate: bool = True,
    ) -> None:
        RecordConstructorArgs.__init__(
            self,
            similarity=similarity,
            form=form,
            task_weight=task_weight,
            alignment_weight=alignment_weight,
            gamma=gamma,
            gate=gate,
        )
        gymnasium.Wrapper.__init__(self, env)
        if form not in FORMS:
            raise ConfigurationError(f"form must be one of {FORMS}, got {form!r}.")
        if similarity is not None and not callable(similarity):
            raise ConfigurationError(f"similarity must be a function of an observation, got {similarity!r:.200}.")
        if not 0 < gamma <= 1:
            raise ConfigurationError(f"gamma must be in (0, 1], got {gamma!r}.")
        self.similarity = similarity
        self.form, self.gamma, self.gate = form, gamma, gate
        self.task_weight, self.alignment_weight = task_weight, alignment_weight
        self._observation: Any = None
        self._potential = 0.0

    def set_similarity(self, similarity: Similarity) -> None:
        """Pay by another similarity from now on; the present state gets its potential by it.

        Args:
            similarity: From an observation to Phi.
        """
        self.similarity = similarity
        if self._observation is not None:
            self._potential = self._phi(self._observation)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Info]:
        """Start an episode."""
        observation, info = self.env.reset(seed=seed, options=options)
        phi = self._phi(observation)
        self._observation, self._potential = observation, phi
        return observation, {**info, "task_reward": 0.0, "alignment": phi, "alignment_bonus": 0.0}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, Info]:
        """Take an action; the reward has the bonus."""
        observation, paid, terminated, truncated, info = self.env.step(action)
        phi = self._phi(observation)
        if "executor_error" in info:
            bonus = 0.0
        else:
            bonus = self.alignment_weight * self._bonus(phi, self._solved(info), terminated)
        facts = {"task_reward": float(paid), "alignment": phi, "alignment_bonus": bonus}
        reward = self.task_weight * float(paid) + bonus
        self._observation = None if terminated or truncated else observation
        return observation, reward, terminated, truncated, {**info, **facts}

    def _bonus(self, phi: float, solved: bool, terminated: bool) -> float:
        if self.form == "literal":
            return 0.0 if solved else phi
        before, after = self._potential, self._potential if solved else phi
        self._potential = after
        kept = 0.0 if terminated and self.form == "potential" else after
        return self.gamma * kept - before

    def _phi(self, observation: Any) -> float:
        if self.similarity is None:
            return 0.0
        phi = float(self.similarity(observation))
        if not np.isfinite(phi):
            raise ConfigurationError(f"The similarity of an observation must be a finite number, got {phi!r}.")
        return phi

    def _solved(self, info: Info) -> bool:
        if not self.gate:
            return False
        if "tests" in info.get("measurements", {}):
            return bool(info["measurements"]["tests"] >= 1)
        if "events" not in info:
            raise ConfigurationError(
                "The gate needs info['measurements'] or info['events'], which this environment does not give; "
                "use gate=False."
            )
        return SOLVED in info["events"]
