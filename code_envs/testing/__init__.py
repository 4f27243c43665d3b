"""Conformance checks for environments, executors and task sets: for our own and for yours.

Each check raises an `AssertionError` that names what was expected and what came. They are what
`tests/test_conformance.py` runs on every registered id, so a new environment that is registered is checked.
"""

from code_envs.testing.env import check_env
from code_envs.testing.executor import check_executor
from code_envs.testing.task_set import check_task_set

__all__ = ["check_env", "check_executor", "check_task_set"]
