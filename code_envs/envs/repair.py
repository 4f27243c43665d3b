"""CodeRepair: edit a faulty program until its tests pass."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, final

import gymnasium
import numpy as np
from numpy.typing import NDArray

from code_envs.envs.base import CodeEnv, Episode, Step, at_least
from code_envs.envs.observation import SCORES, Observation, observation_space, padded
from code_envs.envs.rendering import Frame, render_ansi, render_rgb
from code_envs.envs.versions import AnyEnumerator, AnyProgram, Version, ahead, begun, version_of
from code_envs.errors import ConfigurationError
from code_envs.events import label
from code_envs.execution.executor import CallStatus, Executor, Job, Limits, Outcome, Status
from code_envs.syntax.candidates import CANDIDATE_WIDTH, POSITION, CandidateSet
from code_envs.syntax.program import Edit
from code_envs.syntax.rewrite import Operator
from code_envs.syntax.tokens import SEPARATOR, VOCABULARY_SIZE
from code_envs.tasks.task import Task, TaskSet

__all__ = ["CodeRepairEnv", "find_edit"]

SUBMIT, UNDO, FIRST_EDIT = 0, 1, 2
COST = 0.01
DESCRIPTION_TOKENS = 60


@dataclass(slots=True, kw_only=True)
class _Episode(Episode):
    """The last version of `path` is the current program."""

    limits: Limits
    enumerator: AnyEnumerator
    description: tuple[int, ...] = ()
    path: list[Version] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    known: dict[bytes, Version] = field(default_factory=dict)
    attempts: int = 0
    executions: int = 0
    best: float = 0.0
    change: float = 0.0
    last: int = UNDO
    pending: AnyProgram | None = None
    prepared: CandidateSet | None = None
    """Candidates of the pending program."""


@final
class CodeRepairEnv(CodeEnv[_Episode]):
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
        at_least("max_executions", max_executions, 1)
        at_least("max_candidates", max_candidates, 3)
        at_least("code_tokens", code_tokens, 1)
        at_least("text_tokens", text_tokens, DESCRIPTION_TOKENS + 2)
        settings = {
            "max_executions": max_executions,
            "max_candidates": max_candidates,
            "code_tokens": code_tokens,
            "text_tokens": text_tokens,
            "expert": expert,
        }
        super().__init__(tasks, split, executor, timeout_s, memory_mib, render_mode, settings)
        without = [task.task_id for task in self.tasks if task.start is None]
        if without:
            raise ConfigurationError(
                f"{len(without)} of {len(self.tasks)} tasks of {self.tasks.name!r} have no faulty program, such as "
                f"{without[0]!r}. Use a source of faulty programs, or inject faults with tasks='mutants:...'."
            )
        self.max_executions = max_executions
        self.expert = expert
        self._actions = max_candidates
        self._code_tokens = code_tokens
        self._text_tokens = text_tokens
        self.action_space = gymnasium.spaces.Discrete(max_candidates)
        space = observation_space(max_candidates, code_tokens, text_tokens)
        self.observation_space: gymnasium.spaces.Dict = space  # type: ignore[assignment]
        self.reward_space = gymnasium.spaces.Box(
            np.array([-1, 0, -COST], np.float32), np.array([1, 1, 0], np.float32), dtype=np.float32
        )

    def action_masks(self) -> NDArray[np.bool_]:
        """Valid actions of the current state, (max_candidates,) bool; the name MaskablePPO looks for."""
        episode = self._running()
        version = episode.path[-1]
        mask = np.zeros(self._actions, np.bool_)
        mask[SUBMIT] = True
        mask[UNDO] = len(episode.path) > 1
        mask[FIRST_EDIT : FIRST_EDIT + len(version.kept)] = ~version.tried
        return mask

    def edit(self, action: int) -> Edit | None:
        """The edit that an action stands for in the current state; None for submit and undo."""
        version = self._running().path[-1]
        if not 0 <= action - FIRST_EDIT < len(version.kept):
            return None
        return version.candidates.edit(int(version.kept[action - FIRST_EDIT]))

    # the loop -------------------------------------------------------------------------------------

    def _start(self, task: Task) -> Job:
        assert task.start is not None  # checked for every task in __init__
        program, enumerator = begun(task.start.encode(), task.language)
        episode = _Episode(task=task, limits=task.limits(self.limits), enumerator=enumerator, pending=program)
        self.state = episode
        return _traced(task, program, episode.limits)

    def _open(self, episode: _Episode, outcome: Outcome | None) -> None:
        assert episode.pending is not None
        assert outcome is not None
        version = self._judge(episode, episode.pending, outcome)
        episode.path.append(version)
        episode.best = version.verdict.share
        episode.description = episode.enumerator.ids.text(episode.task.description)[:DESCRIPTION_TOKENS]

    def _act(self, episode: _Episode, action: int) -> Job | None:
        episode.last = action if self.action_masks()[action] else -1
        if episode.last < FIRST_EDIT:
            return None
        current = episode.path[-1]
        edit = current.candidates.edit(int(current.kept[episode.last - FIRST_EDIT]))
        episode.edits.append(edit)
        program = episode.pending = current.program.apply(edit)
        if program.source in episode.known:
            return None
        return _traced(episode.task, program, episode.limits)

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
        cost = COST if episode.last >= FIRST_EDIT or episode.last < 0 else 0.0
        vector = np.array([episode.change, float(solved and episode.last != SUBMIT), -cost], np.float32)
        return Step(vector, events, solved or episode.last == SUBMIT, spent)

    def _move(self, episode: _Episode, outcome: Outcome | None) -> set[str]:
        """Move to the next version; returns what the agent did."""
        if episode.last == SUBMIT:
            return {"submitted"}
        if episode.last == UNDO:
            episode.path.pop()
            episode.edits.pop()
            return {"reverted"}
        episode.attempts += 1
        if episode.last < 0:
            return {"invalid"}
        program = episode.pending
        assert program is not None
        if outcome is None:
            version = episode.known[program.source]
            episode.pending = None
        else:
            episode.executions += 1
            version = self._judge(episode, program, outcome)
        episode.path.append(version)
        return {"edited"}

    def _last_job(self, episode: _Episode) -> Job:
        return episode.task.held_out_tests.job(episode.path[-1].program.source, episode.limits)

    def _conclude(self, episode: _Episode, outcome: Outcome | None) -> dict[str, Any]:
        assert outcome is not None
        verdict = episode.task.held_out_tests.grade(outcome, self.executor)
        solved = episode.path[-1].verdict.all_passed and verdict.all_passed
        return {"held_out": verdict.share, "is_success": solved}

    def _withdraw(self, episode: _Episode) -> None:
        if episode.pending is not None:
            episode.pending = episode.prepared = None
            episode.edits.pop()

    # a version of the program ---------------------------------------------------------------------

    def _judge(self, episode: _Episode, program: AnyProgram, outcome: Outcome) -> Version:
        """Grade an execution and rank the edits of the program."""
        verdict = episode.task.reward_tests.grade(outcome, self.executor)
        limit = self._actions - FIRST_EDIT
        version = version_of(program, episode.enumerator, episode.prepared, outcome, verdict, limit)
        episode.pending = episode.prepared = None
        episode.known[program.source] = version
        return version

    # what the agent sees --------------------------------------------------------------------------

    def _observation(self, episode: _Episode) -> Observation:
        version = episode.path[-1]
        kept, candidates = version.kept, version.candidates
        end = FIRST_EDIT + len(kept)
        rows = np.zeros((self._actions, CANDIDATE_WIDTH), np.int32)
        rows[SUBMIT, 0], rows[UNDO, 0] = Operator.SUBMIT, Operator.UNDO
        rows[FIRST_EDIT:end], static = candidates.rows(kept)
        np.minimum(rows[:, POSITION], VOCABULARY_SIZE - 1, out=rows[:, POSITION])
        scores = np.zeros((self._actions, SCORES), np.float32)
        scores[FIRST_EDIT:end] = version.scores(static)
        return {
            "code": padded(candidates.tokens, self._code_tokens),
            "text": self._text(episode, version),
            "feedback": self._feedback(episode, version),
            "candidates": rows,
            "candidate_scores": scores,
            "action_mask": self.action_masks().astype(np.int8),
        }

    def _feedback(self, episode: _Episode, version: Version) -> NDArray[np.float32]:
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

    def _text(self, episode: _Episode, version: Version) -> NDArray[np.int32]:
        ids = [*episode.description, SEPARATOR]
        if version.failure >= 0:
            suite = episode.task.reward_tests
            failed = suite.descriptions[min(version.failure, len(suite.descriptions) - 1)]
            status = version.calls[version.failure]
            ids += episode.enumerator.ids.text(f"{status} {version.message[:40]}")
            ids += episode.enumerator.ids.text(failed[:200])
        elif version.errors:
            ids += episode.enumerator.ids.text(version.message)
        return padded(ids, self._text_tokens)

    def _facts(self, episode: _Episode) -> dict[str, Any]:
        version = episode.path[-1]
        facts: dict[str, Any] = {
            "program": version.program.text,
            "outcome": {
                "status": str(version.status),
                "passed": version.verdict.passed,
                "message": version.message,
            },
            "measurements": {
                "tests": version.verdict.share,
                "errors": float(version.errors),
                "edits": float(len(episode.edits)),
                "executions": float(episode.executions),
                "size": float(len(version.program.source)),
            },
        }
        if self.expert:
            facts["expert_action"] = self._expert_action(episode)
        return facts

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

    # pictures -------------------------------------------------------------------------------------

    def render(self) -> Any:
        """The program with the last edit marked, the verdict and the reward; text or (H, W, 3) uint8."""
        if self.render_mode is None:
            gymnasium.logger.warn("render() needs render_mode='ansi' or 'rgb_array' in gymnasium.make().")
            return None
        episode = self._running()
        version = episode.path[-1]
        frame = Frame(
            episode.task.task_id,
            version.program.text,
            episode.edits[-1] if episode.edits else None,
            version.verdict.passed,
            str(version.status),
            version.message,
            episode.reward,
            episode.attempts,
            self.max_executions,
        )
        return render_ansi(frame) if self.render_mode == "ansi" else render_rgb(frame)


def find_edit(candidates: CandidateSet, source: bytes, target: bytes, kept: NDArray[np.int64]) -> int:
    """Position in `kept` of the candidate that turns `source` into `target`, or -1."""
    for position in np.flatnonzero(candidates.lengths()[kept] == len(target) - len(source)):
        start, end, text = candidates.edit(int(kept[position]))
        if source[:start] + text + source[end:] == target:
            return int(position)
    return -1


def _traced(task: Task, program: AnyProgram, limits: Limits) -> Job:
    """The job of the reward tests; lines are traced in Python only, elsewhere all are equally suspicious."""
    return task.reward_tests.job(program.source, limits, trace=task.language == "python")
