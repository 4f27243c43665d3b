"""Which algorithm of Stable-Baselines3 and its contrib package fits which environment, and how it is made to fit.

SB3 itself is not imported here: an algorithm is known by the name of its class.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import gymnasium
from gymnasium.wrappers import FilterObservation, FlattenObservation, RescaleObservation

from code_envs.errors import ConfigurationError
from wrappers.latent_action import LatentAction

__all__ = ["ALGORITHMS", "Fit", "suited", "table"]

SEEN = ("code", "text", "feedback")
"""What an algorithm with continuous actions sees; a point of the cube needs no list of candidates."""


class Fit(NamedTuple):
    """How an algorithm is made to fit.

    Args:
        policy: Name of its policy.
        latent: Whether its actions are continuous.
        pointer: The policy of `agents.policies` that it can have as well, or "".
        masked: Whether it needs `action_masks()`.
        note: What a reader should know.
    """

    policy: str
    latent: bool
    pointer: str
    masked: bool
    note: str


_ON = "never samples a masked action with its pointer policy"
_OFF = "one masked action is one wasted step; give `buffer_size` (a transition is about 90 KB at the default sizes)"
_POINT = "every point is a valid action"

ALGORITHMS = {
    "PPO": Fit("MultiInputPolicy", False, "FusionPolicy", False, _ON),
    "A2C": Fit("MultiInputPolicy", False, "FusionPolicy", False, _ON),
    "TRPO": Fit("MultiInputPolicy", False, "FusionPolicy", False, _ON),
    "MaskablePPO": Fit("MultiInputPolicy", False, "MaskableFusionPolicy", True, "never samples a masked action"),
    "RecurrentPPO": Fit("MultiInputLstmPolicy", False, "", False, "learns by itself what is masked"),
    "DQN": Fit("MultiInputPolicy", False, "", False, _OFF),
    "QRDQN": Fit("MultiInputPolicy", False, "", False, _OFF),
    "SAC": Fit("MlpPolicy", True, "", False, _POINT),
    "TD3": Fit("MlpPolicy", True, "", False, _POINT),
    "DDPG": Fit("MlpPolicy", True, "", False, _POINT),
    "TQC": Fit("MlpPolicy", True, "", False, _POINT),
    "CrossQ": Fit("MlpPolicy", True, "", False, _POINT),
    "ARS": Fit("MlpPolicy", True, "", False, _POINT),
}
"""By the name of the algorithm's class."""


def suited(
    algorithm: str | type, env: gymnasium.Env[Any, Any], policy: str | type | None = None, dimensions: int = 8
) -> tuple[Any, gymnasium.Env[Any, Any]]:
    """The policy and the environment with which an algorithm works: `SAC(*suited(SAC, env))`.

    Args:
        algorithm: A class of Stable-Baselines3 or its contrib package, or its name.
        env: An environment of Code Envs.
        policy: A policy of your own choice; None means the one of the table.
        dimensions: Of the continuous actions, where the algorithm needs them.

    Raises:
        ConfigurationError: If they do not fit; the message says what to use instead.
    """
    name = algorithm if isinstance(algorithm, str) else algorithm.__name__
    fit = ALGORITHMS.get(name)
    if fit is None:
        raise ConfigurationError(f"There is no rule for the algorithm {name!r}; use one of {list(ALGORITHMS)}.")
    if not isinstance(env.action_space, gymnasium.spaces.Discrete):
        raise ConfigurationError(
            f"{name} needs an environment with Discrete actions, not {env.action_space}; make it with another "
            "`actions` argument, or act with a language model."
        )
    if not isinstance(env.observation_space, gymnasium.spaces.Dict):
        raise ConfigurationError(
            f"{name} gets its wrappers here; use the environment as gymnasium.make gives it, not with the "
            f"observation {env.observation_space}."
        )
    if fit.masked and not env.has_wrapper_attr("action_masks"):
        raise ConfigurationError(f"{name} needs action_masks(), which this environment has not; use PPO instead.")
    _check_policy(name, fit, policy)
    return policy or fit.policy, _latent(env, dimensions) if fit.latent else env


def _check_policy(name: str, fit: Fit, policy: str | type | None) -> None:
    wanted = policy if isinstance(policy, str | None) else policy.__name__
    pointers = {each.pointer for each in ALGORITHMS.values()} - {""}
    if wanted in pointers and wanted != fit.pointer:
        having = [other for other, each in ALGORITHMS.items() if each.pointer == wanted]
        raise ConfigurationError(
            f"{wanted} is a policy for {', '.join(having)}; use {fit.pointer or fit.policy!r} with {name} instead."
        )
    if isinstance(policy, str) and policy != fit.policy:
        raise ConfigurationError(f"{name} works with the policy {fit.policy!r} here, not with {policy!r}.")


def _latent(env: gymnasium.Env[Any, Any], dimensions: int) -> gymnasium.Env[Any, Any]:
    """Continuous actions, and an observation of numbers in [0, 1]."""
    filtered = FilterObservation(LatentAction(env, dimensions), list(SEEN))
    return RescaleObservation(FlattenObservation(filtered), 0, 1)  # type: ignore[arg-type]


def table() -> str:
    """The table of the documentation, in Markdown."""
    rows = ["| algorithm | policy | actions | wrappers | remark |", "|---|---|---|---|---|"]
    for name, fit in ALGORITHMS.items():
        policy = f'`"{fit.policy}"`' + (f" or `{fit.pointer}`" if fit.pointer else "")
        actions = "a point in a cube" if fit.latent else "the number of a candidate"
        wrappers = "`LatentAction`, flat observation" if fit.latent else "none"
        rows.append(f"| {name} | {policy} | {actions} | {wrappers} | {fit.note} |")
    return "\n".join(rows) + "\n"
