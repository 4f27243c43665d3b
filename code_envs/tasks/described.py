"""Code with a description: what search finds and summarisation writes."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Described"]


@dataclass(frozen=True, slots=True)
class Described:
    """A function and a text that describes it.

    Args:
        task_id: Permanent id, `<task set>/<item>`.
        text: The description: a docstring, or somebody's query that the function answers.
        code: The function, without that description.
        language: Name in `code_envs.syntax.languages`.
    """

    task_id: str
    text: str
    code: str
    language: str = "python"
