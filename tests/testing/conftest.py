"""A task set small enough to read, and an environment on it."""

import pytest

from code_envs.envs.repair import CodeRepairEnv
from code_envs.tasks.cases import Case, CaseSuite
from code_envs.tasks.task import Task, TaskSet, digest

FAULTY = {"double": "def f(x):\n    return x * 3\n", "next": "def f(x):\n    return x - 1\n"}
RIGHT = {"double": "def f(x):\n    return x * 2\n", "next": "def f(x):\n    return x + 1\n"}
ANSWERS = {"double": lambda x: x * 2, "next": lambda x: x + 1}


def suite(name, numbers):
    return CaseSuite("f", [Case.of("f", [number], ANSWERS[name](number)) for number in numbers])


@pytest.fixture
def tiny():
    """Two tasks with a fault each."""
    tasks = [
        Task(f"tiny-v0/{name}", name, "f", RIGHT[name], FAULTY[name], suite(name, [1, 2]), suite(name, [3, 4]), 1000)
        for name in FAULTY
    ]
    return TaskSet("tiny-v0", tuple(tasks), "MIT", "written for a test", digest(b"tiny"))


@pytest.fixture
def env(tiny, executor):
    """CodeRepair on the two tasks."""
    return CodeRepairEnv(tasks=tiny, executor=executor, max_candidates=64, code_tokens=64, max_executions=8)
