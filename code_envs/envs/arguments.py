"""Arguments of an environment's constructor: checked when they come, read back when a snapshot wants them.

An environment keeps each argument as an attribute of the same name, as estimators do in scikit-learn, so that its
settings are written nowhere but in the signature.
"""

from __future__ import annotations

import inspect
from typing import Any

from code_envs.errors import ConfigurationError

__all__ = ["at_least", "kept_arguments"]

APART = frozenset({"tasks", "split", "executor", "timeout_s", "memory_mib", "render_mode"})
"""Arguments that a snapshot checks otherwise, or not at all."""


def at_least(name: str, value: int, least: int) -> None:
    """Check an argument; raises ConfigurationError."""
    if value < least:
        raise ConfigurationError(f"{name} must be at least {least}, got {value}.")


def kept_arguments(instance: object, root: type) -> dict[str, Any]:
    """The arguments of an instance's constructors, each read from the attribute of its name.

    Constructors that hand on `*args` or `**kwargs` are followed up to `root`.

    Args:
        instance: An environment; its class derives from `root`.
        root: The last class whose constructor counts.

    Returns:
        Values by name, JSON values; without what a snapshot checks otherwise, or not at all.

    Raises:
        ConfigurationError: If an argument was not kept.
    """
    kinds = type(instance).__mro__
    signatures = [inspect.signature(kind) for kind in kinds[: kinds.index(root) + 1]]
    several = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    arguments = [each for found in signatures for each in found.parameters.values()]
    names = dict.fromkeys(each.name for each in arguments if each.kind not in several and each.name not in APART)
    missing = [name for name in names if not hasattr(instance, name)]
    if missing:
        raise ConfigurationError(
            f"{type(instance).__name__} does not keep its arguments {missing}, so no snapshot can tell its settings. "
            f"Write `self.{missing[0]} = {missing[0]}` in its constructor."
        )
    return {name: getattr(instance, name) for name in names}
