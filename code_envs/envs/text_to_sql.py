"""TextToSQL: answer a question about a database with a SQL query, built choice by choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from code_envs.envs.arguments import at_least
from code_envs.envs.base import CodeEnv
from code_envs.envs.episode import Episode, Step
from code_envs.envs.observation import FEEDBACK, FIRST_SQL, SCORES, Observation, padded
from code_envs.envs.rendering import Frame
from code_envs.execution.executor import Executor, Job, Outcome
from code_envs.syntax.candidates import CANDIDATE_WIDTH
from code_envs.syntax.sql_gold import NotExpressibleError, parse_query
from code_envs.syntax.sql_grammar import Decision, Derivation, Option, Production
from code_envs.syntax.sql_query import HOLE, Column, Query, words_of
from code_envs.syntax.sql_values import QuestionValues
from code_envs.syntax.tokens import SEPARATOR, TokenIds, lex
from code_envs.tasks.sql_database import Result, is_ordered, matches
from code_envs.tasks.sql_questions import SqlTask
from code_envs.tasks.task import TaskSet

__all__ = ["TextToSQLEnv"]

TIMEOUT_S, MEMORY_MIB = 2.0, 512
"""Nothing runs in the executor; the base wants numbers."""
OLD, NEW = slice(4, 7), slice(7, 12)
SLOTS = tuple(
    "from join distinct function column where operator value group having order direction limit combine".split()
)
INCOMPLETE = Result("incomplete")


@dataclass(slots=True, kw_only=True)
class _Episode(Episode):
    """A question and the query so far."""

    task: SqlTask
    derivation: Derivation
    values: QuestionValues
    ids: TokenIds
    words: frozenset[str]
    text: NDArray[np.int32]
    result: Result = INCOMPLETE
    match: bool = False
    attempts: int = 0
    last: int = -1


@final
class TextToSQLEnv(CodeEnv[_Episode]):
    """Answer a question about a database with a SQL query, built choice by choice.

    ## Description
    The agent sees a question, the schema of a database and the query so far, with `...` where it is not written yet.
    Each action fills the leftmost hole with a production of a grammar over the schema: tables and joins along its
    links first, then SELECT, WHERE, GROUP BY, HAVING, ORDER BY, LIMIT, and a second query behind UNION, INTERSECT or
    EXCEPT. Values are numbers, quoted and capitalised words of the question, and stored texts that it mentions. Every
    sequence of choices ends in a query that the database accepts. A complete query is executed, read-only, and counts
    if it gives what the known query gives: the same rows as often, in the same order where the known query orders
    them. The grammar can express 469 of the 493 queries of Spider's dev set that are at hand (95 %), with 16 choices
    on the average.

    ## Action Space
    `Discrete(max_candidates)`: action k is the k-th production for the leftmost hole, in a canonical order. It has no
    fixed meaning: its row in `candidates` says what it does. Other actions are masked; a masked action changes
    nothing and spends the budget like a choice.

    ## Observation Space
    `Dict` of `Box`:

    | key | shape | dtype | range | meaning |
    |---|---|---|---|---|
    | `code` | (code_tokens,) | int32 | [0, V) | token ids of the query so far, a separator, the schema; 0 = padding |
    | `text` | (text_tokens,) | int32 | [0, V) | the question |
    | `feedback` | (12,) | float32 | [0, 1] | budget used; nesting; tables, items, conditions, groups, keys; what is decided; number of options; complete; executes; match |
    | `candidates` | (max_candidates, 12) | int32 | [0, V) | 72 and more: production; slot, nesting, token position of the hole, 3 tokens of the slot, 5 tokens of the production |
    | `candidate_scores` | (max_candidates, 8) | float32 | [0, 1] | share of the name's words in the question; are all in it; share of the table's words; is the value in the question; is it used in the query; key column; number column; place in the list |
    | `action_mask` | (max_candidates,) | int8 | {0, 1} | 1 = valid; also `action_masks()` |

    V is `code_envs.syntax.tokens.VOCABULARY_SIZE`. Names are numbered by first appearance in the schema.

    ## Starting State
    A question drawn with `np_random`, or `reset(options={"task_id": ...})`, and the query `SELECT ... FROM ...`.

    ## Rewards
    1 when a complete query gives what the known query gives, else 0. Each reward and each return lies in [0, 1].
    `info["vector_reward"]` holds the one term.

    ## Episode End
    *Terminated*: the query is complete. *Truncated*: `max_actions` are spent.

    ## Information
    `task_id`, `program` (the query so far), `outcome` (status: "incomplete", "ok", "error" or "limit"; passed;
    message), `measurements` (`match` 0 or 1, `executes` 0 or 1, `rows` of the result, `depth` of nesting from 1,
    `choices`), `events` (`code_envs.events`), `vector_reward` (1,) float32. At the end also `held_out` (1.0 if the
    query is right on the held-out database as well: the same schema, other rows; Spider has no other) and
    `is_success` (right on both). With `expert=True` also `expert_action`: the next choice on the way to the known
    query, -1 where the grammar has none or another way was taken; needs the extra `sql`.

    ## Arguments
    | argument | default | meaning |
    |---|---|---|
    | `tasks` | "sql" | task source, see `python -m code_envs list` |
    | `split` | "all" | which tasks of it |
    | `max_depth` | 2 | how deep queries may nest: 1 allows neither subqueries nor set operations |
    | `max_actions` | 64 | actions per episode |
    | `max_candidates` | 512 | size of the action space; options beyond it cannot be chosen |
    | `code_tokens`, `text_tokens` | 256, 96 | lengths of `code` and `text` |
    | `executor` | "local" | not used: queries run in SQLite, read-only, in this process |
    | `expert` | False | report `expert_action` |

    ## Registered Configurations
    `TextToSQL-v0`: the defaults above.

    ## Source and Licence
    62 questions on two schemas, written for this project (MIT). Spider (CC-BY-SA-4.0) by path.

    ## Version History
    * v0: initial version.
    """

    task_type = SqlTask
    reward_bounds = (0,), (1,)

    def __init__(
        self,
        tasks: str | TaskSet[SqlTask] = "sql",
        split: str = "all",
        max_depth: int = 2,
        max_actions: int = 64,
        max_candidates: int = 512,
        code_tokens: int = 256,
        text_tokens: int = 96,
        executor: str | Executor = "local",
        expert: bool = False,
        render_mode: str | None = None,
    ) -> None:
        at_least("max_depth", max_depth, 1)
        at_least("max_actions", max_actions, 1)
        at_least("max_candidates", max_candidates, 16)
        super().__init__(tasks, split, code_tokens, text_tokens, executor, TIMEOUT_S, MEMORY_MIB, expert, render_mode)
        self.max_depth = max_depth
        self.max_actions = max_actions
        self.max_candidates = max_candidates
        self._offer(max_candidates)

    def action_masks(self) -> NDArray[np.bool_]:
        """Valid actions of the current state, (max_candidates,) bool; the name MaskablePPO looks for."""
        mask = np.zeros(self.max_candidates, np.bool_)
        decision = self._running().derivation.decision
        mask[: 1 if decision is None else len(decision.options)] = True
        return mask

    def option(self, action: int) -> Option | None:
        """The production that an action stands for in the current state; None for a masked action."""
        decision = self._running().derivation.decision
        options = () if decision is None else decision.options
        return options[action] if 0 <= action < len(options) else None

    # the loop -------------------------------------------------------------------------------------

    def _start(self, task: SqlTask) -> Job | None:
        values = QuestionValues(task.question, task.database.values)
        target = self._target(task) if self.expert else None
        ids = TokenIds(task.schema.text)
        self.state = _Episode(
            task=task,
            derivation=Derivation(task.schema, values, self.max_depth, target),
            values=values,
            ids=ids,
            words=frozenset(words_of(task.question)),
            text=padded(ids.text(task.question), self.text_tokens),
        )
        return None

    def _target(self, task: SqlTask) -> Query | None:
        try:
            return parse_query(task.query, task.schema)
        except NotExpressibleError:
            return None

    def _open(self, episode: _Episode, outcome: Outcome | None) -> None:
        """Nothing is executed before the first observation."""

    def _act(self, episode: _Episode, action: int) -> Job | None:
        episode.last = action if self.action_masks()[action] else -1
        return None

    def _advance(self, episode: _Episode, outcome: Outcome | None) -> Step:
        episode.attempts += 1
        events = {"invalid"} if episode.last < 0 else {"edited"}
        if episode.last >= 0:
            episode.derivation.choose(episode.last)
        complete = episode.derivation.decision is None
        if complete:
            self._execute(episode)
            events.add("complete")
            if episode.result.status == "ok":
                events.add("runs")
            if episode.match:
                events.add("answered")
        spent = episode.attempts >= self.max_actions
        if spent:
            events.add("budget_spent")
        vector = np.array([float(episode.match)], np.float32)
        return Step(vector, events, complete, spent and not complete)

    def _execute(self, episode: _Episode) -> None:
        task = episode.task
        episode.result = task.database.run(episode.derivation.query.text())
        episode.match = matches(episode.result, task.database.run(task.query), is_ordered(task.query))

    def _conclude(self, episode: _Episode, outcome: Outcome | None) -> dict[str, Any]:
        task, right = episode.task, False
        if episode.derivation.decision is None:
            found = task.held_out.run(episode.derivation.query.text())
            right = matches(found, task.held_out.run(task.query), is_ordered(task.query))
        return {"held_out": float(right), "is_success": right and episode.match}

    # what the agent sees --------------------------------------------------------------------------

    def _observation(self, episode: _Episode) -> Observation:
        decision = episode.derivation.decision
        query = [token for _, token in lex(episode.derivation.query.text())]
        schema = [token for _, token in lex(episode.task.schema.text)]
        ids = episode.ids
        code = [*(ids[token] for token in query), SEPARATOR, *(ids[token] for token in schema)]
        rows = np.zeros((self.max_candidates, CANDIDATE_WIDTH), np.int32)
        scores = np.zeros((self.max_candidates, SCORES), np.float32)
        if decision is None:
            rows[0, 0] = FIRST_SQL + Production.END
        else:
            place = min(query.index(HOLE) if HOLE in query else len(query), self.code_tokens - 1)
            self._describe(episode, decision, place, rows, scores)
        return {
            "code": padded(code, self.code_tokens),
            "text": episode.text.copy(),
            "feedback": self._feedback(episode),
            "candidates": rows,
            "candidate_scores": scores,
            "action_mask": self.action_masks().astype(np.int8),
        }

    def _describe(
        self,
        episode: _Episode,
        decision: Decision,
        place: int,
        rows: NDArray[np.int32],
        scores: NDArray[np.float32],
    ) -> None:
        """Write the rows and scores of the options."""
        used = _used(episode.derivation.query)
        old = [episode.ids[token] for _, token in lex(decision.slot)][:3]
        count = len(decision.options[: self.max_candidates])
        for number, option in enumerate(decision.options[: self.max_candidates]):
            rows[number, :4] = FIRST_SQL + option.production, SLOTS.index(decision.slot) + 1, decision.depth, place
            rows[number, OLD] = padded(old, 3)
            rows[number, NEW] = padded([episode.ids[token] for _, token in lex(option.text[:200])], 5)
            scores[number] = *_names(option, episode), *_kinds(option, used), number / count

    def _feedback(self, episode: _Episode) -> NDArray[np.float32]:
        query, decision = episode.derivation.query, episode.derivation.decision
        counts = (len(query.tables), len(query.items), len(query.where), len(query.group), len(query.order))
        values = (
            min(episode.attempts / self.max_actions, 1),
            (query.depth - 1) / query.depth,
            *(count / (count + 1) for count in counts),
            1.0 if decision is None else SLOTS.index(decision.slot) / len(SLOTS),
            0.0 if decision is None else len(decision.options) / (len(decision.options) + 16),
            decision is None,
            episode.result.status == "ok",
            episode.match,
        )
        return np.array(values, np.float32).reshape(FEEDBACK)

    def _facts(self, episode: _Episode) -> dict[str, Any]:
        query, result = episode.derivation.query, episode.result
        return {
            "program": query.text(),
            "outcome": {"status": result.status, "passed": (episode.match,), "message": result.message},
            "measurements": {
                "match": float(episode.match),
                "executes": float(result.status == "ok"),
                "rows": float(len(result.rows)),
                "depth": float(query.depth),
                "choices": float(episode.derivation.choices),
            },
        }

    def _expert_action(self, episode: _Episode) -> int:
        decision = episode.derivation.decision
        wanted = -1 if decision is None else decision.wanted
        return wanted if wanted < self.max_candidates else -1

    # pictures -------------------------------------------------------------------------------------

    def _frame(self, episode: _Episode) -> Frame:
        shown = f"-- {episode.task.question}\n{episode.derivation.query.text()}\n"
        return Frame(
            episode.task.task_id,
            shown,
            None,
            (episode.match,),
            episode.result.status,
            episode.result.message,
            episode.reward,
            episode.attempts,
            self.max_actions,
        )


def _used(query: Query) -> set[Column | None]:
    """Columns that a query has already."""
    columns = {item.column for item in query.items} | {each.left.column for each in query.where} | {*query.group}
    return columns | {item.column for item, _ in query.order}


def _names(option: Option, episode: _Episode) -> tuple[float, float, float, float]:
    """How much of an option's names and value the question has."""
    words = words_of(option.column.name if option.column is not None else option.table or option.text)
    share = sum(word in episode.words for word in words) / max(len(words), 1)
    table = words_of(option.table)
    of_table = sum(word in episode.words for word in table) / max(len(table), 1)
    mentioned = option.production is Production.VALUE and episode.values.mentions(option.text)
    return share, float(share == 1), of_table, float(mentioned)


def _kinds(option: Option, used: set[Column | None]) -> tuple[float, float, float]:
    """Whether an option's column is used already, is a key, holds numbers."""
    column = option.column
    if column is None:
        return 0.0, 0.0, 0.0
    return float(column in used), float(column.key), float(column.number)
