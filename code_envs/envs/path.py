"""Environments in which a program changes by edits: a path of versions that can be gone back.

Each version offers edits of its own; one that was tried from it is masked. An environment of this kind defines what a
version is, which edits it offers and what they are worth; how the agent moves, what may end the episode and what the
observation consists of is the same in all.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from code_envs.envs.arguments import at_least
from code_envs.envs.base import CodeEnv
from code_envs.envs.episode import Episode
from code_envs.envs.observation import SCORES, Observation, padded
from code_envs.envs.rendering import Frame
from code_envs.envs.versions import AnyProgram
from code_envs.execution.executor import Executor, Job, Limits, Outcome, Status
from code_envs.syntax.candidates import CANDIDATE_WIDTH
from code_envs.syntax.program import Edit
from code_envs.syntax.rewrite import Operator
from code_envs.syntax.tokens import TokenIds
from code_envs.tasks.task import TaskSet, Verdict

__all__ = ["COST", "FIRST_EDIT", "SUBMIT", "UNDO", "Executed", "PathEnv", "PathEpisode"]

SUBMIT, UNDO, FIRST_EDIT = 0, 1, 2
COST = 0.01
"""Of an execution, and of a masked action."""


class Executed(Protocol):
    """What every version tells of a program that was executed."""

    tried: NDArray[np.bool_]
    """Which of the edits that it offers were tried, (K,) bool."""

    @property
    def program(self) -> AnyProgram:
        """The program."""

    @property
    def verdict(self) -> Verdict:
        """Which reward tests pass."""

    @property
    def status(self) -> Status:
        """How the execution went."""

    @property
    def message(self) -> str:
        """What it said."""


V = TypeVar("V", bound=Executed)


@dataclass(slots=True, kw_only=True)
class PathEpisode(Episode, Generic[V]):
    """The last version of `path` is the current program."""

    limits: Limits
    ids: TokenIds
    description: tuple[int, ...] = ()
    path: list[V] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    """Those that lead from one version of the path to the next."""
    known: dict[bytes, V] = field(default_factory=dict)
    """All versions of the episode by their source."""
    latest: V | None = None
    """The version that was executed last, kept or not."""
    attempts: int = 0
    executions: int = 0
    last: int = UNDO
    """The last action, -1 where it was masked."""
    change: float = 0.0
    pending: AnyProgram | None = None
    """The program that is being executed."""
    prepared: Any = None
    """What `prepare` worked out for it."""

    @property
    def cost(self) -> float:
        """Of the last action."""
        return COST if self.last >= FIRST_EDIT or self.last < 0 else 0.0


P = TypeVar("P", bound=PathEpisode[Any])


class PathEnv(CodeEnv[P]):
    """Edit a program, undo edits, submit.

    Args:
        tasks: Task source or task set.
        split: Which split of it.
        max_executions: Edits and masked actions of an episode.
        max_candidates: Size A of the action space.
        code_tokens: Length T of `code`.
        text_tokens: Length M of `text`.
        executor: "local", "local:N", or an executor.
        timeout_s: CPU time of one execution, s.
        memory_mib: Address space of one execution, MiB.
        expert: Report `expert_action`.
        render_mode: "ansi", "rgb_array" or None.
    """

    description_tokens: int
    """So much of `text` is for the description."""

    def __init__(
        self,
        tasks: str | TaskSet,
        split: str,
        max_executions: int,
        max_candidates: int,
        code_tokens: int,
        text_tokens: int,
        executor: str | Executor,
        timeout_s: float,
        memory_mib: int,
        expert: bool,
        render_mode: str | None,
    ) -> None:
        at_least("max_executions", max_executions, 1)
        at_least("max_candidates", max_candidates, 3)
        super().__init__(tasks, split, code_tokens, text_tokens, executor, timeout_s, memory_mib, expert, render_mode)
        self.max_executions = max_executions
        self.max_candidates = max_candidates
        self._offer(max_candidates)

    def action_masks(self) -> NDArray[np.bool_]:
        """Valid actions of the current state, (max_candidates,) bool; the name MaskablePPO looks for."""
        path = self._running().path
        mask = np.zeros(self.max_candidates, np.bool_)
        mask[SUBMIT] = True
        mask[UNDO] = len(path) > 1
        mask[FIRST_EDIT : FIRST_EDIT + len(path[-1].tried)] = ~path[-1].tried
        return mask

    # the loop -------------------------------------------------------------------------------------

    def _open(self, episode: P, outcome: Outcome | None) -> None:
        assert episode.pending is not None
        assert outcome is not None
        episode.latest = self._judged(episode, episode.pending, outcome)
        episode.path.append(episode.latest)
        episode.description = episode.ids.text(episode.task.description)[: self.description_tokens]

    def _act(self, episode: P, action: int) -> Job | None:
        episode.last = action if self.action_masks()[action] else -1
        if episode.last < FIRST_EDIT:
            return None
        current = episode.path[-1]
        program = episode.pending = current.program.apply(self._edit(current, episode.last - FIRST_EDIT))
        return None if program.source in episode.known else self._job(episode, program)

    def _move(self, episode: P, outcome: Outcome | None) -> set[str]:
        """Move to the next version; returns what happened."""
        if episode.last == SUBMIT:
            return {"submitted"}
        if episode.last == UNDO:
            episode.path.pop()
            episode.edits.pop()
            return {"reverted"}
        episode.attempts += 1
        if episode.last < 0:
            return {"invalid"}
        current, program = episode.path[-1], episode.pending
        assert program is not None
        episode.executions += outcome is not None
        version = episode.known[program.source] if outcome is None else self._judged(episode, program, outcome)
        episode.latest = version
        episode.pending = episode.prepared = None
        if not self._keeps(version):
            return {"broken"}
        episode.edits.append(self._edit(current, episode.last - FIRST_EDIT))
        episode.path.append(version)
        return {"edited"}

    def _judged(self, episode: P, program: AnyProgram, outcome: Outcome) -> Any:
        """The version that an execution gives, remembered for the rest of the episode."""
        version = episode.known[program.source] = self._version(episode, program, outcome)
        episode.pending = episode.prepared = None
        return version

    def _last_job(self, episode: P) -> Job:
        return episode.task.held_out_tests.job(episode.path[-1].program.source, episode.limits)

    def _conclude(self, episode: P, outcome: Outcome | None) -> dict[str, Any]:
        assert outcome is not None
        verdict = episode.task.held_out_tests.grade(outcome, self.executor)
        return {"held_out": verdict.share, "is_success": verdict.all_passed and self._succeeds(episode)}

    def _withdraw(self, episode: P) -> None:
        episode.pending = episode.prepared = None

    # what the agent sees --------------------------------------------------------------------------

    def _observation(self, episode: P) -> Observation:
        tokens, offered, known = self._offered(episode)
        end = FIRST_EDIT + len(offered)
        rows = np.zeros((self.max_candidates, CANDIDATE_WIDTH), np.int32)
        rows[SUBMIT, 0], rows[UNDO, 0] = Operator.SUBMIT, Operator.UNDO
        rows[FIRST_EDIT:end] = offered
        scores = np.zeros((self.max_candidates, SCORES), np.float32)
        scores[FIRST_EDIT:end] = known
        return {
            "code": padded(tokens, self.code_tokens),
            "text": padded(self._text(episode), self.text_tokens),
            "feedback": self._feedback(episode),
            "candidates": rows,
            "candidate_scores": scores,
            "action_mask": self.action_masks().astype(np.int8),
        }

    def _facts(self, episode: P) -> dict[str, Any]:
        version = episode.path[-1]
        return {
            "program": version.program.text,
            "outcome": {
                "status": str(version.status),
                "passed": version.verdict.passed,
                "message": version.message,
            },
            "measurements": {
                **self._measured(episode),
                "edits": float(len(episode.edits)),
                "executions": float(episode.executions),
                "size": float(len(version.program.source)),
            },
        }

    def _frame(self, episode: P) -> Frame:
        version = episode.path[-1]
        return Frame(
            episode.task.task_id,
            version.program.text,
            episode.edits[-1] if episode.edits else None,
            version.verdict.passed,
            self._status(episode),
            version.message,
            episode.reward,
            episode.attempts,
            self.max_executions,
        )

    # what an environment defines ------------------------------------------------------------------

    @abstractmethod
    def _job(self, episode: P, program: Any) -> Job:
        """What executes a program on the reward tests."""

    @abstractmethod
    def _version(self, episode: P, program: Any, outcome: Outcome) -> Any:
        """What is known of an executed program, with the edits that it offers."""

    @abstractmethod
    def _edit(self, version: Any, number: int) -> Edit:
        """An edit that a version offers."""

    def _keeps(self, version: Any) -> bool:
        """Whether an executed version becomes the current one."""
        return True

    @abstractmethod
    def _succeeds(self, episode: P) -> bool:
        """Whether the final program is a success, if it passes the held-out tests."""

    @abstractmethod
    def _offered(self, episode: P) -> tuple[Any, NDArray[np.int32], NDArray[np.float32]]:
        """Token ids of the program; of each edit offered its row, (K, CANDIDATE_WIDTH), and scores, (K, SCORES)."""

    @abstractmethod
    def _text(self, episode: P) -> list[int]:
        """Token ids of the description and of what went wrong."""

    @abstractmethod
    def _feedback(self, episode: P) -> NDArray[np.float32]:
        """What the agent is told of the episode so far."""

    @abstractmethod
    def _measured(self, episode: P) -> dict[str, float]:
        """Measurements beside `edits`, `executions` and `size`."""

    def _status(self, episode: P) -> str:
        """What a picture says of the current version."""
        return str(episode.path[-1].status)
