"""CodeOptimization: make a correct program cheaper by edits that are meant to keep its meaning."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from code_envs.envs.episode import Step
from code_envs.envs.observation import FEEDBACK, FIRST_TRANSFORMATION, SCORES
from code_envs.envs.path import COST, FIRST_EDIT, SUBMIT, UNDO, PathEnv, PathEpisode
from code_envs.envs.pricing import Pricing
from code_envs.errors import ConfigurationError
from code_envs.events import label
from code_envs.execution.executor import CallStatus, Executor, Job, Outcome, Status
from code_envs.syntax.program import Edit, Program
from code_envs.syntax.tokens import SEPARATOR, TokenIds
from code_envs.syntax.transform_table import STATIC, TransformTable
from code_envs.syntax.transformations import Transformable, Transformation, transformations
from code_envs.tasks.task import Task, TaskSet, Verdict

__all__ = ["COSTS", "CodeOptimizationEnv"]

BROKEN = 0.1
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

    @property
    def status(self) -> Status:
        """How the execution went."""
        return self.outcome.status

    @property
    def message(self) -> str:
        """What it said."""
        return self.outcome.message


@dataclass(slots=True, kw_only=True)
class _Episode(PathEpisode[_Version]):
    broke: bool = False
    tries: NDArray[np.float32] = field(default_factory=lambda: np.zeros(KINDS, np.float32))
    gains: NDArray[np.float32] = field(default_factory=lambda: np.full(KINDS, 0.5, np.float32))

    @property
    def share(self) -> float:
        """Share of reward tests that the last executed program passed."""
        assert self.latest is not None
        return self.latest.verdict.share


@final
class CodeOptimizationEnv(PathEnv[_Episode]):
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

    reward_bounds = (-2 * LARGEST, -COST, -BROKEN), (2 * LARGEST, 0, 0)
    shortest = 1, DESCRIPTION_TOKENS + 2
    description_tokens = DESCRIPTION_TOKENS

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
        if cost not in COSTS:
            raise ConfigurationError(f"cost must be one of {COSTS}, got {cost!r}.")
        super().__init__(
            tasks, split, max_executions, max_candidates, code_tokens, text_tokens,
            executor, timeout_s, memory_mib, expert, render_mode,
        )  # fmt: skip
        foreign = [task.task_id for task in self.tasks if task.language != "python"]
        if foreign:
            raise ConfigurationError(
                f"The transformations are for Python; {len(foreign)} of {len(self.tasks)} tasks of "
                f"{self.tasks.name!r} are not, such as {foreign[0]!r}. Use another source."
            )
        self.cost = cost
        self._pricing = Pricing(cost == "cpu", self.executor)
        self._best: dict[tuple[str, bytes], Edit | None] = {}

    def candidate(self, action: int) -> Transformable | None:
        """The transformation that an action stands for in the current state; None for submit and undo."""
        candidates = self._running().path[-1].candidates
        return candidates[action - FIRST_EDIT] if 0 <= action - FIRST_EDIT < len(candidates) else None

    # the loop -------------------------------------------------------------------------------------

    def _start(self, task: Task) -> Job:
        program = Program((task.reference if task.start is None else task.start).encode(), task.language)
        limits = replace(self.limits, steps=FIRST_STEPS)
        self.state = _Episode(task=task, limits=limits, ids=TokenIds(program.text), pending=program)
        return self._job(self.state, program)

    def _job(self, episode: _Episode, program: Program) -> Job:
        return self._pricing.job(episode.task, program.source, episode.limits)

    def _open(self, episode: _Episode, outcome: Outcome | None) -> None:
        super()._open(episode, outcome)
        first = episode.path[0]
        if not first.verdict.all_passed:
            self.state = None  # no episode has begun that could be stepped
            raise ConfigurationError(
                f"{episode.task.task_id!r} begins with a program that fails a reward test ({first.status}); "
                "CodeOptimization needs correct ones. Use tasks='slow', or a source without faulty programs."
            )
        most = max(result.steps for result in first.outcome.results)
        episode.limits = replace(self.limits, steps=STEP_FACTOR * max(most, 1) + STEP_MARGIN)

    def prepare(self) -> None:
        """Enumerate the transformations of the program that is being executed."""
        episode = self._running()
        if isinstance(episode.pending, Program):
            episode.prepared = transformations(episode.pending)

    def _advance(self, episode: _Episode, outcome: Outcome | None) -> Step:
        before, gain = episode.path[-1], self._gain(episode)
        events = self._move(episode, outcome)
        now = episode.path[-1]
        episode.change = self._gain(episode) - gain
        episode.broke = "broken" in events
        if events & {"edited", "broken"}:
            self._note(episode, before)
        if episode.change:
            events.add("cheaper" if episode.change > 0 else "dearer")
        spent = episode.attempts >= self.max_executions
        limited = any(result.status is CallStatus.STEP_LIMIT for result in now.outcome.results)
        events |= label(now.outcome.status, limited, now.verdict.share, 1.0)
        if spent:
            events.add("budget_spent")
        vector = np.array([episode.change, -episode.cost, -BROKEN if episode.broke else 0.0], np.float32)
        submitted = episode.last == SUBMIT
        return Step(vector, events, submitted, spent and not submitted)

    def _note(self, episode: _Episode, before: _Version) -> None:
        """Remember what was tried, and how its kind of transformation did in this episode."""
        number = episode.last - FIRST_EDIT
        before.tried[number] = True
        kind = before.candidates[number].transformation
        gain = 0.0 if episode.broke else _shown(episode.change)
        episode.gains[kind] = gain if not episode.tries[kind] else max(episode.gains[kind], gain)
        episode.tries[kind] += 1

    def _keeps(self, version: _Version) -> bool:
        return version.verdict.all_passed

    def _succeeds(self, episode: _Episode) -> bool:
        return episode.path[-1].cost <= SUCCESS * episode.path[0].cost

    def _gain(self, episode: _Episode) -> float:
        ratio = math.log(episode.path[0].cost / episode.path[-1].cost)
        return min(max(ratio, -LARGEST), LARGEST)

    # a version of the program ---------------------------------------------------------------------

    def _version(self, episode: _Episode, program: Program, outcome: Outcome) -> _Version:
        """What is known of an executed program, with its candidates where it passes its tests."""
        cost, verdict = self._pricing.judge(episode.task, outcome)
        if episode.path:
            cost = self._pricing.settled(cost, episode.path[-1].cost)
        listed: list[Transformable] = []
        if verdict.all_passed:
            listed = transformations(program) if episode.prepared is None else episode.prepared
        table = TransformTable(program, listed, episode.ids, FIRST_TRANSFORMATION, self.max_candidates - FIRST_EDIT)
        return _Version(program, cost, verdict, outcome, table, np.zeros(len(table), np.bool_))

    def _edit(self, version: _Version, number: int) -> Edit:
        return version.candidates[number].edit

    # what the agent sees --------------------------------------------------------------------------

    def _offered(self, episode: _Episode) -> tuple[Any, NDArray[np.int32], NDArray[np.float32]]:
        table = episode.path[-1].table
        tries = episode.tries[table.kinds]
        scores = np.zeros((len(table), SCORES), np.float32)
        scores[:, :STATIC] = table.scores
        scores[:, STATIC] = tries / (tries + 2)
        scores[:, STATIC + 1] = episode.gains[table.kinds]
        scores[:, STATIC + 2] = np.isin(table.lines, table.lines[episode.path[-1].tried])
        return table.tokens, table.rows, scores

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

    def _text(self, episode: _Episode) -> list[int]:
        return [*episode.description, SEPARATOR, *(episode.ids.text("failed") if episode.broke else ())]

    def _measured(self, episode: _Episode) -> dict[str, float]:
        return {
            "gain": self._gain(episode),
            "cost": episode.path[-1].cost,
            "tests": episode.share,
            "broken": float(episode.broke),
        }

    def _status(self, episode: _Episode) -> str:
        version = episode.path[-1]
        return f"{version.status}, cost {version.cost:.6g} of {episode.path[0].cost:.6g}"

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


def _shown(gain: float) -> float:
    """A gain as an entry of an observation, in [0, 1]."""
    return 0.5 + min(max(gain, -LARGEST), LARGEST) / (2 * LARGEST)
