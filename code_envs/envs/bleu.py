"""Environments whose text is worth its likeness to a reference: BLEU as it grows, and one more where they are equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from code_envs.envs.agreement import Bleu
from code_envs.envs.writing import Writing, WritingEnv
from code_envs.execution.executor import Outcome

__all__ = ["BleuEnv", "BleuWriting"]

COST = 0.001


@dataclass(slots=True, kw_only=True)
class BleuWriting(Writing):
    """An episode, and how much of the reference its text has."""

    bleu: Bleu


B = TypeVar("B", bound=BleuWriting)


class BleuEnv(WritingEnv[B]):
    """Write a text that is like a reference; nothing is executed. The arguments are those of `WritingEnv`."""

    cost = COST
    reward_bounds = (-1, 0, -COST), (1, 1, 0)

    def _value(self, episode: B, over: bool, outcome: Outcome | None) -> tuple[Sequence[float], set[str]]:
        before = episode.bleu.score
        if episode.last > 0:
            episode.bleu.add(episode.page.vocabulary.texts[episode.last])
        if over:
            episode.status = "finished"
        return (episode.bleu.score - before, float(over and episode.exact)), set()

    def _conclude(self, episode: B, outcome: Outcome | None) -> dict[str, Any]:
        return {"held_out": episode.bleu.score, "is_success": episode.exact}

    def _program(self, episode: B) -> str:
        return self._text(episode)

    def _measured(self, episode: B) -> dict[str, float]:
        return {"bleu": episode.bleu.score}
