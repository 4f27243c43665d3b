"""What a task tells beside its tests: its description, its language, its reference, and how it is judged.

Tasks of the environments are of several kinds; measurements and task embeddings need the same few things of each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gymnasium

from code_envs.envs.base import CodeEnv
from code_envs.errors import ConfigurationError
from code_envs.tasks.task import Task

__all__ = ["FAMILIES", "TaskCard", "card_of", "family_of"]


@dataclass(frozen=True, slots=True)
class TaskCard:
    """A task, as far as wrappers want to know it.

    Args:
        description: What the agent is told of the task, never the answer.
        language: Language of what the agent writes: "python", "javascript", "java", "c", "csharp", "sql", "english".
        reference: A right answer, in the form of `info["program"]`.
        judged_by: "tests", "database", "reference" or "position".
        tests: The task whose reward tests judge a program; None where there are none.
        attributes: Family, language and judge by name, for a task embedding.
    """

    description: str
    language: str
    reference: str
    judged_by: str
    tests: Task | None = None
    attributes: dict[str, str] = field(default_factory=dict)


def _program(task: Any) -> TaskCard:
    return TaskCard(task.description, task.language, task.reference, "tests", task)


def _completion(task: Any) -> TaskCard:
    reference = f"{task.before}{task.target}{task.after}"
    judged_by = "reference" if task.program is None else "tests"
    return TaskCard(task.description or task.before, task.language, reference, judged_by, task.program)


def _translation(task: Any) -> TaskCard:
    return TaskCard(task.source, task.target_language, task.target, "reference")


def _summary(task: Any) -> TaskCard:
    return TaskCard(task.code, "english", task.text, "reference")


def _search(task: Any) -> TaskCard:
    return TaskCard(task.text, task.language, task.code, "position")


def _query(task: Any) -> TaskCard:
    return TaskCard(task.question, "sql", task.query, "database")


FAMILIES: dict[str, Callable[[Any], TaskCard]] = {
    "CodeRepair": _program,
    "CodeGeneration": _program,
    "CodeCompletion": _completion,
    "CodeTranslation": _translation,
    "CodeSummarization": _summary,
    "CodeSearch": _search,
    "CodeOptimization": _program,
    "TextToSQL": _query,
}
"""How the tasks of each environment are read, by the id without its version."""


def family_of(env: gymnasium.Env[Any, Any]) -> str:
    """The family of an environment's tasks: its id without namespace and version, such as "CodeRepair".

    Raises:
        ConfigurationError: If it is no environment of Code Envs.
    """
    base = env.unwrapped
    family = type(base).__name__.removesuffix("Env")
    if not isinstance(base, CodeEnv) or family not in FAMILIES:
        raise ConfigurationError(
            f"Expected an environment of Code Envs, one of {list(FAMILIES)}, whose tasks can be read; "
            f"got {type(base).__name__}."
        )
    return family


def card_of(family: str, task: Any) -> TaskCard:
    """The card of a task.

    Args:
        family: Name in `FAMILIES`.
        task: A task of an environment of that family.
    """
    card = FAMILIES[family](task)
    card.attributes.update(family=family, language=card.language, judged_by=card.judged_by)
    return card
