"""Conformance checks for environments, executors and task sets: for our own and for yours.

Each check raises an `AssertionError` that names what was expected and what came. They are what
`tests/test_conformance.py` runs on every registered id, so a new environment that is registered is checked.
`attack` runs the hostile programs alone, and reports instead of raising.
"""

from code_envs.testing.attack_report import Attack, AttackReport, Fault
from code_envs.testing.campaign import attack, attacks
from code_envs.testing.env import check_env
from code_envs.testing.executor import check_executor
from code_envs.testing.hostile import PROGRAMS as HOSTILE
from code_envs.testing.hostile import Hostile
from code_envs.testing.task_set import check_task_set
from code_envs.testing.vector import check_vector_env

__all__ = [
    "HOSTILE",
    "Attack",
    "AttackReport",
    "Fault",
    "Hostile",
    "attack",
    "attacks",
    "check_env",
    "check_executor",
    "check_task_set",
    "check_vector_env",
]
