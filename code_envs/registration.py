"""The table of environment ids; nothing is imported or built here."""

from __future__ import annotations

from typing import Any

import gymnasium

__all__ = ["ENVIRONMENTS", "register_all"]

ENVIRONMENTS: dict[str, dict[str, Any]] = {
    "CodeRepair-v0": {
        "entry_point": "code_envs.envs.repair:CodeRepairEnv",
        "vector_entry_point": "code_envs.vector:repair",
        "kwargs": {},
    },
}
"""Arguments of `gymnasium.register` by id."""


def register_all() -> None:
    """Register every id with Gymnasium; ids that stand already are left alone."""
    for environment, arguments in ENVIRONMENTS.items():
        if environment not in gymnasium.registry:
            gymnasium.register(environment, **arguments)
