"""CodeRepair: edit a faulty program until its tests pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from code_envs.envs.episode import Step
from code_envs.envs.path import COST, FIRST_EDIT, SUBMIT, UNDO, PathEnv, PathEpisode
from code_envs.envs.versions import AnyEnumerator, AnyProgram, Version, ahead, begun, version_of
from code_envs.errors import ConfigurationError
from code_envs.events import label
from code_envs.execution.executor import CallStatus, Executor, Job, Outcome, Status
from code_envs.syntax.candidates import POSITION, CandidateSet
from code_envs.syntax.program import Edit
from code_envs.syntax.tokens import SEPARATOR, VOCABULARY_SIZE
from code_envs.tasks.task import Task, TaskSet

__all__ = ["CodeRepairEnv", "find_edit"]

DESCRIPTION_TOKENS = 60


@dataclass(slots=True, kw_only=True)
class _Episode(PathEpisode[Version]):
    enumerator: AnyEnumerator
    best: float = 0.0


@final
class CodeRepairEnv(PathEnv[_Episode]):
    """Edit a faulty program until its tests pass.

    ## Description
    A program fails some of its tests. The agent applies edits, one at a time, from a list of candidates
    that keep the program parsing; after each edit the reward tests run in a sandbox and the agent sees
    which fraction passes and how the rest failed. Edits stay until they are undone, so repairs of
    several edits and backtracking search are both within reach.

    Tasks in C (`tracer`, `deepfix`) are programs that do not compile. Their judge is the compiler: the program is
    checked and never run. With N errors at the start there are N tests, and test k passes if at most k errors are
    left, so the share falls with each error and all pass exactly if the program compiles. The edits are over tokens
    and promise nothing about the syntax. There is no second judge: `held_out` is 1 if the program compiles, and an
    edit that deletes the faulty statement counts; compare `program` with the task's reference where that matters.
    Messages and counts are those of the gcc that the executor has; another version may have others.

    ## Action Space
    `Discrete(max_candidates)`:

    | action | meaning |
    |---|---|
    | 0 | submit: end the episode with the current program |
    | 1 | undo the last edit; costs no execution |
    | 2 .. | candidate `k - 2` of the current program: replace one contiguous byte range |

    The candidates come from 21 edit operators in a canonical order. Action k has no fixed meaning: its row
    in `candidates` says what it does. Where there are more candidates than actions, the operators take
    turns, each offering the edits of the most suspicious lines first. An edit that was tried from this
    program already is masked. A masked action changes nothing and costs as much as an edit.

    Programs in other languages than Python have the ten operators that need no more than a grammar, neither step
    limit nor traces, and so no suspicious lines. Those in C have 23 operators over tokens
    (`code_envs.syntax.token_edits.TokenEdit`, 104 to 126), for the lines with compiler errors and those around them;
    the edits closest to an error come first.

    ## Observation Space
    `Dict` of `Box`:

    | key | shape | dtype | range | meaning |
    |---|---|---|---|---|
    | `code` | (code_tokens,) | int32 | [0, V) | token ids of the current program, 0 = padding |
    | `text` | (text_tokens,) | int32 | [0, V) | description, then the first failing test |
    | `feedback` | (12,) | float32 | [0, 1] | shares of calls: passing, raising, wrong, over the step limit, not run; does not load; budget used; last change; best and first share; depth; last action was undo |
    | `candidates` | (max_candidates, 12) | int32 | [0, V) | operator, node kind, role, token position, 3 old tokens, 5 new tokens |
    | `candidate_scores` | (max_candidates, 8) | float32 | [0, 1] | Ochiai value of the line, is it the highest, its rank, share of failing tests running it; size change; how often the new names occur; tries on this line, best gain among them |
    | `action_mask` | (max_candidates,) | int8 | {0, 1} | 1 = valid; also `action_masks()` |

    V is `code_envs.syntax.tokens.VOCABULARY_SIZE`. Names are numbered by first appearance in
    the starting program.

    In C, `text` has the first error behind the description; of `feedback`, the third figure is the share of tests that
    fail, and raising, over the step limit and not run stay 0. In `candidates` the node kind is that of the token at the
    edit (`code_envs.syntax.c_tokens.TokenKind`, 1 to 10) and the role its place: first, inside or last in its line, all
    of the line, or the file (1 to 5). The first four scores are 1 / (1 + lines to the nearest error) up to 8 lines, is
    the line one with an error, its rank, and the share of errors in it.

    ## Starting State
    A task drawn with `np_random`, or `reset(options={"task_id": ...})`. Its faulty program has been executed.

    ## Rewards
    Change of the share of passing reward tests, + 1 when all pass, - 0.01 per edit or masked action.
    Each reward lies in [-1.01, 1.99]; the return of an episode in [-1 - 0.01 * max_executions, 1.99].
    `info["vector_reward"]` holds the three terms.

    ## Episode End
    *Terminated*: all reward tests pass, or submit. *Truncated*: `max_executions` edits are spent, or the
    sandbox failed (`info["executor_error"]`).

    ## Information
    `task_id`, `program`, `outcome` (status, passed per test, message), `measurements` (`tests`, `errors`,
    `edits`, `executions`, `size`), `events` (`code_envs.events`), `vector_reward` (3,) float32. At the end
    also `held_out` (share of held-out tests that pass) and `is_success` (all tests of both suites pass).
    With `expert=True` also `expert_action`: the next action on the known way back to the reference of a
    task with injected faults, -1 where none is known; in C, the edit that gives the reference to the byte.
    `errors` is the number of errors that the compiler counts; where there is none, as in Python, 1 for a program that
    does not compile. Nothing in `info` depends on time or process.

    ## Arguments
    | argument | default | meaning |
    |---|---|---|
    | `tasks` | "mutants:builtin" | task source, see `python -m code_envs list` |
    | `split` | "all" | which tasks of it |
    | `max_executions` | 32 | edits per episode |
    | `max_candidates` | 512 | size of the action space |
    | `code_tokens`, `text_tokens` | 256, 96 | lengths of `code` and `text` |
    | `executor` | "local" | "local", "local:N" or an executor |
    | `timeout_s`, `memory_mib` | 2.0, 512 | CPU time and memory of one execution |
    | `expert` | False | report `expert_action` |

    ## Registered Configurations
    `CodeRepair-v0`: the defaults above.

    ## Source and Licence
    Operators after the mutation and repair literature, measured on QuixBugs, HumanEvalFix and student
    programs. The built-in programs were written for this project (MIT).
    Of the first 200 programs of TRACER, one of the 510 candidates makes 196 compile, and for 126 one is the student's
    own repair up to layout: `python -m benchmarks.compile_errors --tasks "tracer*234" --first 200`, gcc 12; the
    operators were written after reading the repairs of the first 60 pairs.

    ## Version History
    * v0: initial version.
    """

    reward_bounds = (-1, 0, -COST), (1, 1, 0)
    shortest = 1, DESCRIPTION_TOKENS + 2
    description_tokens = DESCRIPTION_TOKENS

    def __init__(
        self,
        tasks: str | TaskSet = "mutants:builtin",
        split: str = "all",
        max_executions: int = 32,
        max_candidates: int = 512,
        code_tokens: int = 256,
        text_tokens: int = 96,
        executor: str | Executor = "local",
        timeout_s: float = 2.0,
        memory_mib: int = 512,
        expert: bool = False,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(
            tasks, split, max_executions, max_candidates, code_tokens, text_tokens,
            executor, timeout_s, memory_mib, expert, render_mode,
        )  # fmt: skip
        without = [task.task_id for task in self.tasks if task.start is None]
        if without:
            raise ConfigurationError(
                f"{len(without)} of {len(self.tasks)} tasks of {self.tasks.name!r} have no faulty program, such as "
                f"{without[0]!r}. Use a source of faulty programs, or inject faults with tasks='mutants:...'."
            )

    def edit(self, action: int) -> Edit | None:
        """The edit that an action stands for in the current state; None for submit and undo."""
        version, number = self._running().path[-1], action - FIRST_EDIT
        return self._edit(version, number) if 0 <= number < len(version.kept) else None

    # the loop -------------------------------------------------------------------------------------

    def _start(self, task: Task) -> Job:
        assert task.start is not None  # checked for every task in __init__
        program, enumerator = begun(task.start.encode(), task.language)
        limits = task.limits(self.limits)
        self.state = _Episode(task=task, limits=limits, ids=enumerator.ids, enumerator=enumerator, pending=program)
        return self._job(self.state, program)

    def _job(self, episode: _Episode, program: AnyProgram) -> Job:
        """Lines are traced in Python only; elsewhere all are equally suspicious."""
        task = episode.task
        return task.reward_tests.job(program.source, episode.limits, trace=task.language == "python")

    def _open(self, episode: _Episode, outcome: Outcome | None) -> None:
        super()._open(episode, outcome)
        episode.best = episode.path[-1].verdict.share

    def prepare(self) -> None:
        """Enumerate the edits of the program that is being executed; token edits wait for the compiler's messages."""
        episode = self._running()
        if episode.pending is not None:
            episode.prepared = ahead(episode.enumerator, episode.pending)

    def _advance(self, episode: _Episode, outcome: Outcome | None) -> Step:
        before = episode.path[-1]
        events = self._move(episode, outcome)
        now = episode.path[-1]
        share = now.verdict.share
        episode.change = share - before.verdict.share
        if "edited" in events:
            before.note(episode.last - FIRST_EDIT, episode.change)
        episode.best = max(episode.best, share)
        solved = now.verdict.all_passed
        spent = episode.attempts >= self.max_executions
        events |= label(now.status, CallStatus.STEP_LIMIT in now.calls, share, before.verdict.share)
        if spent:
            events.add("budget_spent")
        vector = np.array([episode.change, float(solved and episode.last != SUBMIT), -episode.cost], np.float32)
        return Step(vector, events, solved or episode.last == SUBMIT, spent)

    def _succeeds(self, episode: _Episode) -> bool:
        return episode.path[-1].verdict.all_passed

    # a version of the program ---------------------------------------------------------------------

    def _version(self, episode: _Episode, program: AnyProgram, outcome: Outcome) -> Version:
        """Grade an execution and rank the edits of the program."""
        verdict = episode.task.reward_tests.grade(outcome, self.executor)
        limit = self.max_candidates - FIRST_EDIT
        return version_of(program, episode.enumerator, episode.prepared, outcome, verdict, limit)

    def _edit(self, version: Version, number: int) -> Edit:
        return version.candidates.edit(int(version.kept[number]))

    # what the agent sees --------------------------------------------------------------------------

    def _offered(self, episode: _Episode) -> tuple[Any, NDArray[np.int32], NDArray[np.float32]]:
        version = episode.path[-1]
        rows, static = version.candidates.rows(version.kept)
        np.minimum(rows[:, POSITION], VOCABULARY_SIZE - 1, out=rows[:, POSITION])
        return version.candidates.tokens, rows, version.scores(static)

    def _feedback(self, episode: _Episode) -> NDArray[np.float32]:
        version = episode.path[-1]
        calls = max(len(version.calls), 1)
        loads = version.status not in (Status.COMPILE_ERROR, Status.LOAD_ERROR, Status.NO_ENTRY)
        share = version.verdict.share
        raising = version.calls.count(CallStatus.EXCEPTION) / calls
        limited = version.calls.count(CallStatus.STEP_LIMIT) / calls
        not_run = version.calls.count(CallStatus.NOT_RUN) / calls
        depth = len(episode.path) - 1
        values = (
            share,
            raising,
            max(0.0, 1 - share - raising - limited - not_run),
            limited,
            not_run,
            not loads,
            min(episode.attempts / self.max_executions, 1),
            0.5 + episode.change / 2,
            episode.best,
            episode.path[0].verdict.share,
            depth / (depth + 2),
            episode.last == UNDO and episode.attempts > 0,
        )
        return np.array(values, np.float32)

    def _text(self, episode: _Episode) -> list[int]:
        version = episode.path[-1]
        ids = [*episode.description, SEPARATOR]
        if version.failure >= 0:
            suite = episode.task.reward_tests
            failed = suite.descriptions[min(version.failure, len(suite.descriptions) - 1)]
            status = version.calls[version.failure]
            ids += episode.ids.text(f"{status} {version.message[:40]}")
            ids += episode.ids.text(failed[:200])
        elif version.errors:
            ids += episode.ids.text(version.message)
        return ids

    def _measured(self, episode: _Episode) -> dict[str, float]:
        return {"tests": episode.path[-1].verdict.share, "errors": float(episode.path[-1].errors)}

    def _expert_action(self, episode: _Episode) -> int:
        """The next action on the known way back to the reference, or -1."""
        way = [episode.task.start, *episode.task.faults]
        version = episode.path[-1]
        if version.program.text not in way[:-1]:
            return UNDO if len(episode.path) > 1 else -1
        target = way[way.index(version.program.text) + 1]
        assert target is not None
        number = find_edit(version.candidates, version.program.source, target.encode(), version.kept)
        return -1 if number < 0 else FIRST_EDIT + number


def find_edit(candidates: CandidateSet, source: bytes, target: bytes, kept: NDArray[np.int64]) -> int:
    """Position in `kept` of the candidate that turns `source` into `target`, or -1."""
    for position in np.flatnonzero(candidates.lengths()[kept] == len(target) - len(source)):
        start, end, text = candidates.edit(int(kept[position]))
        if source[:start] + text + source[end:] == target:
            return int(position)
    return -1
