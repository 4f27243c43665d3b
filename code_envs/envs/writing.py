"""What the environments in which an agent writes have in common: a text that grows by a token per step.

A concrete environment says what is to be written, from which tokens (`Page`), and what the text is worth.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from code_envs.envs.arguments import at_least
from code_envs.envs.base import CodeEnv
from code_envs.envs.episode import Episode, Step
from code_envs.envs.observation import FEEDBACK, FIRST_WRITING, SCORES, Observation, padded
from code_envs.envs.rendering import Frame
from code_envs.execution.executor import Executor, Job, Outcome
from code_envs.syntax.candidates import CANDIDATE_WIDTH
from code_envs.syntax.program import Edit
from code_envs.syntax.spacing import BREAK, DEEPER, LESS_DEEP, STRUCTURE
from code_envs.syntax.tokens import SEPARATOR
from code_envs.syntax.writing import END, MATCH, View, Vocabulary, word_id
from code_envs.tasks.task import TaskSet

__all__ = ["Page", "Writing", "WritingEnv"]

DESCRIPTION_TOKENS = 40
PAGES = 16
SPACE_BEHIND = 4
"""The part of `code` for what stands behind the gap: one in four."""
CLOSING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class Page:
    """What is fixed in a task.

    Args:
        vocabulary: The tokens that can be written.
        target: The tokens of the reference.
        lead: The tokens that the text continues, the last ones; empty where it stands apart.
        description: Ids of a description, for `text`.
        fresh: Whether the text begins a line, so that its indentation is open.
    """

    vocabulary: Vocabulary
    target: tuple[str, ...]
    lead: tuple[str, ...] = ()
    description: tuple[int, ...] = ()
    fresh: bool = False

    @property
    def way(self) -> tuple[int, ...]:
        """The actions that write the reference; -1 for a token that is not on offer."""
        numbers = self.vocabulary.numbers
        return tuple(numbers.get(token, -1) for token in self.target)


@dataclass(slots=True, kw_only=True)
class Writing(Episode):
    """An episode; `view` belongs to the tokens written so far."""

    page: Page
    way: tuple[int, ...]
    view: View
    brackets: list[str]
    pointer: int
    written: list[int] = field(default_factory=list)
    spent: int = 0
    last: int = -1
    ended: bool = False
    status: str = "writing"
    passed: tuple[bool, ...] = ()
    message: str = ""

    @property
    def tokens(self) -> list[str]:
        """The text so far."""
        return [self.page.vocabulary.texts[number] for number in self.written]

    @property
    def exact(self) -> bool:
        """Whether the text is the reference, token by token."""
        return tuple(self.written) == self.way


W = TypeVar("W", bound=Writing)


class WritingEnv(CodeEnv[W]):
    """A text grows by one token per step, until the agent ends it.

    Args:
        tasks: Task source or task set.
        split: Which split of it.
        max_tokens: Tokens and masked actions of an episode.
        max_candidates: Size A of the action space.
        code_tokens: Length T of `code`.
        text_tokens: Length M of `text`.
        executor: "local", "local:N", or an executor.
        timeout_s: CPU time of one execution, s.
        memory_mib: Address space of one execution, MiB.
        expert: Report `expert_action`.
        render_mode: "ansi", "rgb_array" or None.
    """

    cost: float
    """Of a token, and of a masked action."""
    shortest = 16, DESCRIPTION_TOKENS + 2

    def __init__(
        self,
        tasks: str | TaskSet[Any],
        split: str,
        max_tokens: int,
        max_candidates: int,
        code_tokens: int,
        text_tokens: int,
        executor: str | Executor,
        timeout_s: float,
        memory_mib: int,
        expert: bool,
        render_mode: str | None,
    ) -> None:
        at_least("max_tokens", max_tokens, 1)
        at_least("max_candidates", max_candidates, 3)
        super().__init__(tasks, split, code_tokens, text_tokens, executor, timeout_s, memory_mib, expert, render_mode)
        self.max_tokens = max_tokens
        self.max_candidates = max_candidates
        self._pages: OrderedDict[str, Page] = OrderedDict()
        self._offer(max_candidates)

    def action_masks(self) -> NDArray[np.bool_]:
        """Valid actions of the current state, (max_candidates,) bool; the name MaskablePPO looks for."""
        episode = self._running()
        mask = np.zeros(self.max_candidates, np.bool_)
        mask[: len(episode.page.vocabulary)] = True
        for token in (DEEPER, LESS_DEEP):
            number = episode.page.vocabulary.numbers.get(token)
            if number is not None:
                mask[number] = _may_indent(episode, token)
        return mask

    def token(self, action: int) -> str:
        """The token that an action writes in this episode; "" for the end, and for actions that write nothing."""
        texts = self._running().page.vocabulary.texts
        return texts[action] if 0 <= action < len(texts) else ""

    # the loop -------------------------------------------------------------------------------------

    def _start(self, task: Any) -> None:
        page = self._page(task)
        gap = page.vocabulary.context.gap
        self.state = self._episode(
            task=task,
            page=page,
            way=page.way,
            view=View(np.zeros((0, 0), np.int32), np.zeros((0, 0), np.float32), np.zeros(0, np.int64)),
            brackets=[],
            pointer=max(gap, 0),
        )

    def _open(self, episode: W, outcome: Outcome | None) -> None:
        for token in episode.page.lead:
            _enter(episode.brackets, token)
        episode.view = self._view(episode)

    def _act(self, episode: W, action: int) -> Job | None:
        valid = bool(self.action_masks()[action])
        episode.last = action if valid else -1
        episode.ended = action == END
        episode.spent += not episode.ended
        if valid and not episode.ended:
            self._write(episode, action)
        return self._job(episode) if self._over(episode) else None

    def _write(self, episode: W, number: int) -> None:
        """Append a token."""
        vocabulary = episode.page.vocabulary
        episode.written.append(number)
        _enter(episode.brackets, vocabulary.texts[number])
        place = int(episode.view.places[number])
        if vocabulary.context.gap < 0 and place >= 0:
            episode.pointer = place + 1

    def _over(self, episode: W) -> bool:
        return episode.ended or episode.spent >= self.max_tokens

    def _advance(self, episode: W, outcome: Outcome | None) -> Step:
        over = self._over(episode)
        events = {"edited"} if episode.last > END else {"submitted"} if episode.ended else {"invalid"}
        terms, more = self._value(episode, over, outcome)
        if over and not episode.ended:
            events.add("budget_spent")
        if over and episode.exact:
            events.add("matched")
        if episode.last > END:
            episode.view = self._view(episode)
        vector = np.array([*terms, 0.0 if episode.ended else -self.cost], np.float32)
        return Step(vector, events | more, episode.ended, over)

    def _withdraw(self, episode: W) -> None:
        """A text that could not be judged is left as it is: the agent did end it."""

    # what the agent sees --------------------------------------------------------------------------

    def _page(self, task: Any) -> Page:
        """The page of a task; the last ones are remembered."""
        page = self._pages.pop(task.task_id, None) or self._read(task)
        self._pages[task.task_id] = page
        if len(self._pages) > PAGES:
            self._pages.popitem(last=False)
        return page

    def _history(self, episode: W) -> list[str]:
        """The last tokens, as the context would have them."""
        tokens = ["\n" if token == BREAK else token for token in episode.tokens[-2 * MATCH :]]
        return [*episode.page.lead, *(token for token in tokens if token not in STRUCTURE)][-2 * MATCH :]

    def _view(self, episode: W) -> View:
        here, _, window = self._window(episode)
        bracket = CLOSING.get(episode.brackets[-1], "") if episode.brackets else ""
        return episode.page.vocabulary.view(self._history(episode), episode.pointer, bracket, window, here)

    def _window(self, episode: W) -> tuple[int, list[int], NDArray[np.int64]]:
        """Position of the next token in `code`, the ids in `code`, and the position of each place of the context."""
        vocabulary = episode.page.vocabulary
        gap, ids = vocabulary.context.gap, vocabulary.ids
        places = np.arange(len(ids))
        if gap < 0:
            here = min(episode.pointer, len(ids) - 1, self.code_tokens - 1)
            return here, ids[:-1].tolist(), np.where(places < self.code_tokens, places, -1)
        behind = min(len(ids) - gap - 2, self.code_tokens // SPACE_BEHIND)
        room = min(self.max_tokens, self.code_tokens // 8)
        before = min(gap, self.code_tokens - behind - room - 1)
        here = before + len(episode.written)
        written = [word_id(token) for token in episode.tokens]
        code = [*ids[gap - before : gap].tolist(), *written, SEPARATOR, *ids[gap + 1 : gap + 1 + behind].tolist()]
        positions = np.where(places < gap, places - gap + before, places - gap + here)
        positions[positions >= self.code_tokens] = -1
        return min(here, self.code_tokens - 1), code, np.maximum(positions, -1)

    def _observation(self, episode: W) -> Observation:
        view = episode.view
        count = len(view.rows)
        candidates = np.zeros((self.max_candidates, CANDIDATE_WIDTH), np.int32)
        candidates[:count] = view.rows
        candidates[:count, 0] += FIRST_WRITING
        scores = np.zeros((self.max_candidates, SCORES), np.float32)
        scores[:count] = view.scores
        written = [word_id(token) for token in episode.tokens]
        text = [*episode.page.description[:DESCRIPTION_TOKENS], SEPARATOR]
        return {
            "code": padded(self._window(episode)[1], self.code_tokens),
            "text": padded([*text, *written[-(self.text_tokens - len(text)) :]], self.text_tokens),
            "feedback": self._feedback(episode),
            "candidates": candidates,
            "candidate_scores": scores,
            "action_mask": self.action_masks().astype(np.int8),
        }

    def _feedback(self, episode: W) -> NDArray[np.float32]:
        context = episode.page.vocabulary.context
        length, source = len(episode.written), len(context.tokens)
        feedback = np.zeros(FEEDBACK, np.float32)
        feedback[:9] = (
            min(episode.spent / self.max_tokens, 1),
            length / (length + 16),
            len(episode.view.rows) / self.max_candidates,
            float(episode.view.scores[:, 1:4].max()),
            float(episode.view.scores[:, 4].max()),
            len(episode.brackets) / (len(episode.brackets) + 2),
            0.0 if context.gap >= 0 else min(episode.pointer / max(source, 1), 1),
            0.0 if context.gap >= 0 else length / (length + source) if length else 0.0,
            episode.last < 0 and episode.spent > 0,
        )
        return feedback

    def _facts(self, episode: W) -> dict[str, Any]:
        return {
            "program": self._program(episode),
            "written": self._text(episode),
            "outcome": {"status": episode.status, "passed": episode.passed, "message": episode.message},
            "measurements": {
                **self._measured(episode),
                "exact": float(episode.exact),
                "tokens": float(len(episode.written)),
            },
        }

    def _expert_action(self, episode: W) -> int:
        """The next token of the reference; -1 where the text is another one, or the token is not on offer."""
        count = len(episode.written)
        if self._over(episode) or tuple(episode.written) != episode.way[:count]:
            return -1
        return END if count == len(episode.way) else episode.way[count]

    # pictures -------------------------------------------------------------------------------------

    def _frame(self, episode: W) -> Frame:
        before, text = self._marked(episode)
        program = self._program(episode)
        start = len(before.encode("utf-8", "replace"))
        edit = Edit(start, start, text.encode("utf-8", "replace"))
        return Frame(
            episode.task.task_id,
            program if program.startswith(before + text) else before + text,
            edit,
            episode.passed,
            episode.status,
            episode.message,
            episode.reward,
            episode.spent,
            self.max_tokens,
        )

    # what an environment defines ------------------------------------------------------------------

    def _episode(self, **fields: Any) -> Any:
        """A new episode of the environment's own kind."""
        return Writing(**fields)

    @abstractmethod
    def _read(self, task: Any) -> Page:
        """What is fixed in a task."""

    def _job(self, episode: W) -> Job | None:
        """What is executed when the text is finished."""
        return None

    @abstractmethod
    def _value(self, episode: W, over: bool, outcome: Outcome | None) -> tuple[Sequence[float], set[str]]:
        """The terms of the reward but the cost, and events beside those of writing."""

    @abstractmethod
    def _text(self, episode: W) -> str:
        """What is written so far."""

    @abstractmethod
    def _program(self, episode: W) -> str:
        """The agent's answer so far."""

    @abstractmethod
    def _marked(self, episode: W) -> tuple[str, str]:
        """What a picture shows before the written text, and the text."""

    @abstractmethod
    def _measured(self, episode: W) -> dict[str, float]:
        """Measurements beside `exact` and `tokens`."""


def _may_indent(episode: Writing, token: str) -> bool:
    """Whether a line has just begun, and its indentation was not changed the other way."""
    last = episode.tokens[-1:] or [BREAK if episode.page.fresh else ""]
    return last[0] in (BREAK, token)


def _enter(brackets: list[str], token: str) -> None:
    if token in CLOSING:
        brackets.append(token)
    elif brackets and token == CLOSING[brackets[-1]]:
        brackets.pop()
