"""Task sets for search: descriptions of functions, and the functions that distractors are drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from code_envs.tasks.described import Described
from code_envs.tasks.task import TaskSet, joined

__all__ = ["SearchSet", "joined_search"]


@dataclass(frozen=True)
class SearchSet(TaskSet[Described]):
    """Described functions and a corpus to find them in.

    Args:
        corpus: Functions beside those of the tasks; every split keeps them. Without them, the distractors of a
            task are the functions of the other tasks of its split.
    """

    corpus: tuple[str, ...] = ()

    @classmethod
    def of(cls, tasks: TaskSet[Described]) -> SearchSet:
        """A task set as a search set."""
        if isinstance(tasks, SearchSet):
            return tasks
        return cls(tasks.name, tasks.tasks, tasks.licence, tasks.origin, tasks.sha256, tasks.left_out, tasks.splits)

    @cached_property
    def functions(self) -> tuple[str, ...]:
        """Every function once: those of the tasks in order, then those of the corpus."""
        return tuple(dict.fromkeys([*(task.code for task in self.tasks), *self.corpus]))


def joined_search(name: str, sets: Sequence[SearchSet]) -> SearchSet:
    """One search set of several; splits of one name are joined, and the corpora too."""
    corpus = dict.fromkeys(code for each in sets for code in each.corpus)
    whole = SearchSet.of(joined(name, sets))
    return SearchSet(
        name, whole.tasks, whole.licence, whole.origin, whole.sha256, whole.left_out, whole.splits, tuple(corpus)
    )
