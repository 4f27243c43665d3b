"""CodeOptimization: make a correct program cheaper by edits that are meant to keep its meaning."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, final

import gymnasium
import numpy as np
from numpy.typing import NDArray

from code_envs.envs.base import CodeEnv, Episode, Step, at_least
from code_envs.envs.observation import (
    FEEDBACK,
    FIRST_TRANSFORMATION,
    SCORES,
    Observation,
    observation_space,
    padded,
)
from code_envs.envs.pricing import Pricing
from code_envs.envs.rendering import Frame, render_ansi, render_rgb
from code_envs.errors import ConfigurationError
from code_envs.events import label
from code_envs.execution.executor import CallStatus, Executor, Job, Limits, Outcome
from code_envs.syntax.candidates import CANDIDATE_WIDTH
from code_envs.syntax.program import Edit, Program
from code_envs.syntax.rewrite import Operator
from code_envs.syntax.tokens import SEPARATOR, TokenIds
from code_envs.syntax.transform_table import STATIC, TransformTable
from code_envs.syntax.transformations import Transformable, Transformation, transformations
from code_envs.tasks.task import Task, TaskSet, Verdict

__all__ = ["COSTS", "CodeOptimizationEnv"]

SUBMIT, UNDO, FIRST_EDIT = 0, 1, 2
COST, BROKEN = 0.01, 0.1
COSTS = ("steps", "cpu")
LARGEST = 3.0
"""Logarithms of cost ratios beyond this one, either way, count as this one."""
SUCCESS = 0.8
"""Success is a program that costs at most this share of the first one."""
FIRST_STEPS, STEP_FACTOR, STEP_MARGIN = 2_000_000, 4, 1000
"""Step limit per call of the first program, and of the others by what it needed."""
WORTHWHILE = 0.05
"""The expert submits where no candidate gains as much."""
DESCRIPTION_TOKENS = 80
KINDS = len(Transformation)


@dataclass(slots=True)
class _Version:
    """A program that passes its tests, and what was tried from it."""

    program: Program
    cost: float
    verdict: Verdict
    outcome: Outcome
    table: TransformTable
    tried: NDArray[np.bool_]

    @property
    def candidates(self) -> list[Transformable]:
        """The transformations that the actions stand for."""
        return self.table.candidates


@dataclass(slots=True, kw_only=True)
class _Episode(Episode):
    """The last version of `path` is the current program."""

    ids: TokenIds
    limits: Limits
    description: tuple[int, ...] = ()
    path: list[_Version] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    known: dict[bytes, _Version] = field(default_factory=dict)
    attempts: int = 0
    executions: int = 0
    last: int = UNDO
    change: float = 0.0
    broke: bool = False
    share: float = 1.0
    """Share of reward tests that the last executed program passed."""
    pending: Program | None = None
    prepared: list[Transformable] | None = None
    tries: NDArray[np.float32] = field(default_factory=lambda: np.zeros(KINDS, np.float32))
    gains: NDArray[np.float32] = field(default_factory=lambda: np.full(KINDS, 0.5, np.float32))


@final
class CodeOptimizationEnv(CodeEnv[_Episode]):
    """Make a correct program cheaper by edits that are meant to keep its meaning.

    ## Description
    A program passes all its tests but wastes work. The agent applies transformations, one at a time, from a list of
    candidates; after each the reward tests run in a sandbox, and the agent sees what the program costs now. A
    transformation that breaks a test is taken back. Some candidates make a program dearer, and the best ones often
    need another first: a loop becomes `sum(range(n))`, which becomes a formula.

    Cost, by default, is the number of steps of all reward tests in a copy of the program that charges for
    operations, calls and the work of built-in functions (`code_envs.syntax.costing`): the same in every run, but
    counted in the program's own process, so no proof against a program that cheats. With `cost="cpu"` it is the CPU
    time that the sandbox measures from outside, eight calls of each test, with a dead zone of a tenth: true, but
    noisy, so that a seed does not give the same rollout; and a program that remembers its values profits from the
    repetition.

    ## Action Space
    `Discrete(max_candidates)`:

    | action | meaning |
    |---|---|
    | 0 | submit: end the episode with the current program |
    | 1 | undo the last transformation; costs no execution |
    | 2 .. | candidate `k - 2` of the current program: replace one contiguous byte range |

    The candidates come from 24 transformations (`code_envs.syntax.transform_sites.Transformation`) in a canonical
    order: loops into built-in functions and comprehensions, sets and tables for lookups, hoisting, early exits,
    memoising, closed forms, and their like; also some in the dear direction. One that was tried from this program
    already is masked. A masked action changes nothing and costs as much as an execution.

    ## Observation Space
    `Dict` of `Box`:

    | key | shape | dtype | range | meaning |
    |---|---|---|---|---|
    | `code` | (code_tokens,) | int32 | [0, V) | token ids of the current program, 0 = padding |
    | `text` | (text_tokens,) | int32 | [0, V) | description, then how the last broken program failed |
    | `feedback` | (12,) | float32 | [0, 1] | gain so far; budget used; last change; last edit broke a test; last action was undo; best gain; depth; share of tests that the last executed program passed; number of candidates; share of them tried; size; 0 |
    | `candidates` | (max_candidates, 12) | int32 | [0, V) | 1 submit, 2 undo, 80 and more: transformation; node kind, role, token position, 3 old tokens, 5 new tokens |
    | `candidate_scores` | (max_candidates, 8) | float32 | [0, 1] | loops around the place; are there as many as anywhere; size change; line; tries of this transformation in the episode, best gain among them; is the line tried; 0 |
    | `action_mask` | (max_candidates,) | int8 | {0, 1} | 1 = valid; also `action_masks()` |

    V is `code_envs.syntax.tokens.VOCABULARY_SIZE`. A gain g shows as 0.5 + g / 6.

    ## Starting State
    A task drawn with `np_random`, or `reset(options={"task_id": ...})`: its slow program, or, in a source that has
    none, its reference. The program has been executed and must pass all reward tests.

    ## Rewards
    With phi = log(cost of the first program / cost of the current one), clipped to [-3, 3]: the change of phi, - 0.01
    per execution or masked action, - 0.1 for a transformation that breaks a test. Without these, the return is the
    logarithm of how much cheaper the program became. Each reward lies in [-6.11, 6]; the return of an episode in
    [-3 - 0.11 * max_executions, 3]. `info["vector_reward"]` holds the three terms.

    ## Episode End
    *Terminated*: submit. *Truncated*: `max_executions` are spent, or the sandbox failed (`info["executor_error"]`).

    ## Information
    `task_id`, `program`, `outcome` (status, passed per test, message of the last executed program), `measurements`
    (`gain` = phi in [-3, 3], `cost` > 0, `tests` in [0, 1], `broken` 0 or 1, `edits`, `executions`, `size`),
    `events` (`code_envs.events`), `vector_reward` (3,) float32. At the end also `held_out` (share of held-out tests
    that the final program passes) and `is_success` (cost reduced by a fifth, and all held-out tests pass). With
    `expert=True` also `expert_action`: the candidate with the largest gain, found by executing them all, or submit
    where none gains 0.05.

    ## Arguments
    | argument | default | meaning |
    |---|---|---|
    | `tasks` | "slow" | task source, see `python -m code_envs list` |
    | `split` | "all" | which tasks of it: "train" and "test" are different programs |
    | `cost` | "steps" | "steps" or "cpu" |
    | `max_executions` | 16 | transformations per episode |
    | `max_candidates` | 512 | size of the action space |
    | `code_tokens`, `text_tokens` | 256, 96 | lengths of `code` and `text` |
    | `executor` | "local" | "local", "local:N" or an executor |
    | `timeout_s`, `memory_mib` | 2.0, 512 | CPU time and memory of one execution |
    | `expert` | False | report `expert_action`; executes every candidate of every state |

    ## Registered Configurations
    `CodeOptimization-v0`: the defaults above.

    ## Source and Licence
    49 slow programs with cheaper ones that do the same, written for this project (MIT).

    ## Version History
    * v0: initial version.
    """

    def __init__(
        self,
        tasks: str | TaskSet = "slow",
        split: str = "all",
        cost: str = "steps",
        max_executions: int = 16,
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
        if cost not in COSTS:
            raise ConfigurationError(f"cost must be one of {COSTS}, got {cost!r}.")
        settings = {
            "cost": cost,
            "max_executions": max_executions,
            "max_candidates": max_candidates,
            "code_tokens": code_tokens,
            "text_tokens": text_tokens,
            "expert": expert,
        }
        super().__init__(tasks, split, executor, timeout_s, memory_mib, render_mode, settings)
        foreign = [task.task_id for task in self.tasks if task.language != "python"]
        if foreign:
            raise ConfigurationError(
                f"The transformations are for Python; {len(foreign)} of {len(self.tasks)} tasks of "
                f"{self.tasks.name!r} are not, such as {foreign[0]!r}. Use another source."
            )
        self.max_executions = max_executions
        self.expert = expert
        self._pricing = Pricing(cost == "cpu", self.executor)
        self._actions = max_candidates
        self._code_tokens = code_tokens
        self._text_tokens = text_tokens
        self._best: dict[tuple[str, bytes], Edit | None] = {}
        self.action_space = gymnasium.spaces.Discrete(max_candidates)
        space = observation_space(max_candidates, code_tokens, text_tokens)
        self.observation_space: gymnasium.spaces.Dict = space  # type: ignore[assignment]
        self.reward_space = gymnasium.spaces.Box(
            np.array([-2 * LARGEST, -COST, -BROKEN], np.float32),
            np.array([2 * LARGEST, 0, 0], np.float32),
            dtype=np.float32,
        )

    def action_masks(self) -> NDArray[np.bool_]:
        """Valid actions of the current state, (max_candidates,) bool; the name MaskablePPO looks for."""
        episode = self._running()
        version = episode.path[-1]
        mask = np.zeros(self._actions, np.bool_)
        mask[SUBMIT] = True
        mask[UNDO] = len(episode.path) > 1
        mask[FIRST_EDIT : FIRST_EDIT + len(version.candidates)] = ~version.tried
        return mask

    def candidate(self, action: int) -> Transformable | None:
        """The transformation that an action stands for in the current state; None for submit and undo."""
        candidates = self._running().path[-1].candidates
        return candidates[action - FIRST_EDIT] if 0 <= action - FIRST_EDIT < len(candidates) else None

    # the loop -------------------------------------------------------------------------------------

    def _start(self, task: Task) -> Job:
        program = Program((task.reference if task.start is None else task.start).encode(), task.language)
        limits = replace(self.limits, steps=FIRST_STEPS)
        self.state = _Episode(task=task, limits=limits, ids=TokenIds(program.text), pending=program)
        return self._pricing.job(task, program.source, limits)

    def _open(self, episode: _Episode, outcome: Outcome | None) -> None:
        assert episode.pending is not None
        assert outcome is not None
        cost, verdict = self._pricing.judge(episode.task, outcome)
        if not verdict.all_passed:
            raise ConfigurationError(
                f"{episode.task.task_id!r} begins with a program that fails a reward test ({outcome.status}); "
                "CodeOptimization needs correct ones. Use tasks='slow', or a source without faulty programs."
            )
        most = max(result.steps for result in outcome.results)
        episode.limits = replace(self.limits, steps=STEP_FACTOR * max(most, 1) + STEP_MARGIN)
        episode.path.append(self._version(episode, episode.pending, cost, verdict, outcome))
        episode.description = episode.ids.text(episode.task.description)[:DESCRIPTION_TOKENS]

    def _act(self, episode: _Episode, action: int) -> Job | None:
        episode.last = action if self.action_masks()[action] else -1
        if episode.last < FIRST_EDIT:
            return None
        current = episode.path[-1]
        program = episode.pending = current.program.apply(current.candidates[episode.last - FIRST_EDIT].edit)
        if program.source in episode.known:
            return None
        return self._pricing.job(episode.task, program.source, episode.limits)

    def prepare(self) -> None:
        """Enumerate the transformations of the program that is being executed."""
        episode = self._running()
        if episode.pending is not None:
            episode.prepared = transformations(episode.pending)

    def _advance(self, episode: _Episode, outcome: Outcome | None) -> Step:
        before = self._gain(episode)
        events = self._move(episode, outcome)
        now = episode.path[-1]
        episode.change = self._gain(episode) - before
        episode.broke = "broken" in events
        if events & {"edited", "broken"}:
            self._note(episode)
        if episode.change:
            events.add("cheaper" if episode.change > 0 else "dearer")
        spent = episode.attempts >= self.max_executions
        limited = any(result.status is CallStatus.STEP_LIMIT for result in now.outcome.results)
        events |= label(now.outcome.status, limited, now.verdict.share, 1.0)
        if spent:
            events.add("budget_spent")
        cost = COST if episode.last >= FIRST_EDIT or episode.last < 0 else 0.0
        vector = np.array([episode.change, -cost, -BROKEN if episode.broke else 0.0], np.float32)
        submitted = episode.last == SUBMIT
        return Step(vector, events, submitted, spent and not submitted)

    def _move(self, episode: _Episode, outcome: Outcome | None) -> set[str]:
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
        current.tried[episode.last - FIRST_EDIT] = True
        if outcome is None:
            version = episode.known[program.source]
        else:
            episode.executions += 1
            cost, verdict = self._pricing.judge(episode.task, outcome)
            cost = self._pricing.settled(cost, current.cost)
            version = self._version(episode, program, cost, verdict, outcome)
        episode.pending = episode.prepared = None
        episode.share = version.verdict.share
        if not version.verdict.all_passed:
            return {"broken"}
        episode.edits.append(current.candidates[episode.last - FIRST_EDIT].edit)
        episode.path.append(version)
        return {"edited"}

    def _note(self, episode: _Episode) -> None:
        """Remember how a kind of transformation did in this episode."""
        origin = episode.path[-1] if episode.broke else episode.path[-2]
        kind = origin.candidates[episode.last - FIRST_EDIT].transformation
        gain = 0.0 if episode.broke else _shown(episode.change)
        episode.gains[kind] = gain if not episode.tries[kind] else max(episode.gains[kind], gain)
        episode.tries[kind] += 1

    def _last_job(self, episode: _Episode) -> Job:
        return episode.task.held_out_tests.job(episode.path[-1].program.source, episode.limits)

    def _conclude(self, episode: _Episode, outcome: Outcome | None) -> dict[str, Any]:
        assert outcome is not None
        verdict = episode.task.held_out_tests.grade(outcome, self.executor)
        cheaper = episode.path[-1].cost <= SUCCESS * episode.path[0].cost
        return {"held_out": verdict.share, "is_success": verdict.all_passed and cheaper}

    def _withdraw(self, episode: _Episode) -> None:
        episode.pending = episode.prepared = None

    def _gain(self, episode: _Episode) -> float:
        ratio = math.log(episode.path[0].cost / episode.path[-1].cost)
        return min(max(ratio, -LARGEST), LARGEST)

    # a version of the program ---------------------------------------------------------------------

    def _version(
        self, episode: _Episode, program: Program, cost: float, verdict: Verdict, outcome: Outcome
    ) -> _Version:
        """What is known of an executed program, with its candidates where it passes its tests."""
        listed: list[Transformable] = []
        if verdict.all_passed:
            listed = transformations(program) if episode.prepared is None else episode.prepared
        table = TransformTable(program, listed, episode.ids, FIRST_TRANSFORMATION, self._actions - FIRST_EDIT)
        episode.pending = episode.prepared = None
        version = _Version(program, cost, verdict, outcome, table, np.zeros(len(table), np.bool_))
        episode.known[program.source] = version
        return version

    # what the agent sees --------------------------------------------------------------------------

    def _observation(self, episode: _Episode) -> Observation:
        version = episode.path[-1]
        table = version.table
        end = FIRST_EDIT + len(table)
        rows = np.zeros((self._actions, CANDIDATE_WIDTH), np.int32)
        rows[SUBMIT, 0], rows[UNDO, 0] = Operator.SUBMIT, Operator.UNDO
        rows[FIRST_EDIT:end] = table.rows
        scores = np.zeros((self._actions, SCORES), np.float32)
        scores[FIRST_EDIT:end, :STATIC] = table.scores
        tries = episode.tries[table.kinds]
        scores[FIRST_EDIT:end, STATIC] = tries / (tries + 2)
        scores[FIRST_EDIT:end, STATIC + 1] = episode.gains[table.kinds]
        scores[FIRST_EDIT:end, STATIC + 2] = np.isin(table.lines, table.lines[version.tried])
        return {
            "code": padded(table.tokens, self._code_tokens),
            "text": self._text(episode),
            "feedback": self._feedback(episode),
            "candidates": rows,
            "candidate_scores": scores,
            "action_mask": self.action_masks().astype(np.int8),
        }

    def _feedback(self, episode: _Episode) -> NDArray[np.float32]:
        version = episode.path[-1]
        best = max(_shown(math.log(episode.path[0].cost / each.cost)) for each in episode.path)
        count, depth, size = len(version.candidates), len(episode.path) - 1, len(version.program.source)
        values = np.zeros(FEEDBACK, np.float32)
        values[:11] = (
            _shown(self._gain(episode)),
            min(episode.attempts / self.max_executions, 1),
            _shown(episode.change),
            episode.broke,
            episode.last == UNDO and episode.attempts > 0,
            best,
            depth / (depth + 2),
            episode.share,
            count / (count + 16),
            float(version.tried.mean()) if count else 0.0,
            size / (size + 500),
        )
        return values

    def _text(self, episode: _Episode) -> NDArray[np.int32]:
        tokens = [*episode.description, SEPARATOR]
        if episode.broke:
            tokens += episode.ids.text("failed")
        return padded(tokens, self._text_tokens)

    def _facts(self, episode: _Episode) -> dict[str, Any]:
        version = episode.path[-1]
        facts: dict[str, Any] = {
            "program": version.program.text,
            "outcome": {
                "status": str(version.outcome.status),
                "passed": version.verdict.passed,
                "message": version.outcome.message,
            },
            "measurements": {
                "gain": self._gain(episode),
                "cost": version.cost,
                "tests": episode.share,
                "broken": float(episode.broke),
                "edits": float(len(episode.edits)),
                "executions": float(episode.executions),
                "size": float(len(version.program.source)),
            },
        }
        if self.expert:
            facts["expert_action"] = self._expert_action(episode)
        return facts

    # the expert -----------------------------------------------------------------------------------

    def _expert_action(self, episode: _Episode) -> int:
        """The candidate that gains most, by executing them all; submit where none is worth it."""
        version = episode.path[-1]
        key = (episode.task.task_id, version.program.source)
        if key not in self._best:
            self._best[key] = self._look_ahead(episode, version)
        best = self._best[key]
        for number, each in enumerate(version.candidates):
            if each.edit == best and not version.tried[number]:
                return FIRST_EDIT + number
        return SUBMIT

    def _look_ahead(self, episode: _Episode, version: _Version) -> Edit | None:
        sources = [version.program.apply(each.edit).source for each in version.candidates]
        below = version.cost * math.exp(-WORTHWHILE)
        best = self._pricing.cheapest(episode.task, sources, episode.limits, below)
        return None if best < 0 else version.candidates[best].edit

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
            f"{version.outcome.status}, cost {version.cost:.6g} of {episode.path[0].cost:.6g}",
            version.outcome.message,
            episode.reward,
            episode.attempts,
            self.max_executions,
        )
        return render_ansi(frame) if self.render_mode == "ansi" else render_rgb(frame)


def _shown(gain: float) -> float:
    """A gain as an entry of an observation, in [0, 1]."""
    return 0.5 + min(max(gain, -LARGEST), LARGEST) / (2 * LARGEST)
