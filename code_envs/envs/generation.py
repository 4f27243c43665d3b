"""CodeGeneration: write a program from its description."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, final

import gymnasium
import numpy as np
from numpy.typing import NDArray

from code_envs.envs.arguments import at_least
from code_envs.envs.base import CodeEnv
from code_envs.envs.drafts import Draft, GrammarDraft, TextDraft, TokenDraft
from code_envs.envs.episode import Episode, Step
from code_envs.envs.observation import FEEDBACK, Observation, padded
from code_envs.envs.rendering import Frame
from code_envs.errors import ConfigurationError
from code_envs.events import label
from code_envs.execution.executor import CallStatus, Executor, Job, Limits, Outcome, Status
from code_envs.syntax.derivation import Signature
from code_envs.syntax.tokens import SEPARATOR
from code_envs.tasks.signatures import signature_of
from code_envs.tasks.task import Task, TaskSet, Verdict

__all__ = ["CodeGenerationEnv"]

COST = 0.01
SHOWN_TESTS = 3
ACTIONS = ("grammar", "token", "text")
TEXT_LENGTH = 1 << 14
NOT_RUN = Verdict(())


@dataclass(slots=True, kw_only=True)
class _Episode(Episode):
    limits: Limits
    signature: Signature
    draft: Draft
    description: str
    text: NDArray[np.int32]
    attempts: int = 0
    steps: int = 0
    invalid: int = 0
    valid: bool = True
    share: float = 0.0
    best: float = 0.0
    pending: str | None = None
    """The complete program that is being executed."""
    program: str = ""
    verdict: Verdict = NOT_RUN
    status: Status | None = None
    calls: tuple[CallStatus, ...] = ()
    message: str = ""
    failed: str = ""
    events: set[str] = field(default_factory=set)


@final
class CodeGenerationEnv(CodeEnv[_Episode]):
    """Write a program from its description.

    ## Description
    The agent is told what a function should do, and sees a few of the tests. It writes the function in one of three
    ways, which are front-ends of one MDP: a complete program is executed on the reward tests, in a sandbox, and the
    share that passes is the reward.

    * `actions="grammar"`: the program is a tree with holes; an action fills the leftmost hole with a production of a
      typed grammar of Python (`code_envs.syntax.grammar`). Whatever the agent does, the program parses, its names are
      bound, its types fit as far as they are known, and it is complete within `max_steps` productions. The types of
      the parameters come from the tests, constants from the description.
    * `actions="token"`: an action appends a token, or ends the program. Syntax can break: `measurements["errors"]`
      counts what the parser finds wrong.
    * `actions="text"`: an action is a whole program, as a text, and a failed one is followed by another turn with
      feedback. For language models.

    ## Action Space
    `"grammar"` and `"token"`: `Discrete(max_candidates)`. Action k has no fixed meaning: its row in `candidates` says
    what it does. A masked action changes nothing and costs 0.01. `"text"`: `Text`, up to 16,384 printable characters.

    ## Observation Space
    `Dict` of `Box`, but for `"text"`:

    | key | shape | dtype | range | meaning |
    |---|---|---|---|---|
    | `code` | (code_tokens,) | int32 | [0, V) | token ids of the program so far, `...` for each hole; 0 = padding |
    | `text` | (text_tokens,) | int32 | [0, V) | description, then the first reward tests |
    | `feedback` | (12,) | float32 | [0, 1] | share of tests that passed last; the same, best; attempts and steps used; slack of the budget; nesting; errors; last action was masked |
    | `candidates` | (max_candidates, 12) | int32 | [0, V) | family, kind, role of the hole, position, 3 tokens before, 5 tokens of the production |
    | `candidate_scores` | (max_candidates, 8) | float32 | [0, 1] | see `code_envs.envs.drafts` |
    | `action_mask` | (max_candidates,) | int8 | {0, 1} | 1 = valid; also `action_masks()` |

    `"text"`: `Dict` of `Text`: `task` (description, signature, tests) and `feedback` (what came of the last turn).

    ## Starting State
    A task drawn with `np_random`, or `reset(options={"task_id": ...})`, and the first line of its function.

    ## Rewards
    For a complete program: the share of reward tests that pass beyond the best program of the episode before it, + 1
    when all pass. - 0.01 per masked action. Each reward lies in [-0.01, 2]; `info["vector_reward"]` holds the three
    terms.

    ## Episode End
    *Terminated*: all reward tests pass, or `max_attempts` programs are complete. *Truncated*: `max_steps` actions
    were masked in one episode, or the sandbox failed (`info["executor_error"]`).

    ## Information
    `task_id`, `program` (so far), `outcome` (status, passed per test, message of the last complete program),
    `measurements` (`tests` in [0, 1], `errors`, `steps`, `attempts`, `size`), `events` (`code_envs.events`),
    `vector_reward` (3,) float32. At the end also `held_out` (share of held-out tests that the last program passes) and
    `is_success` (all tests of both suites pass). With `expert=True` also `expert_action`: the next production of the
    reference, -1 where the program so far is not a part of it, or the grammar cannot express it.

    ## Arguments
    | argument | default | meaning |
    |---|---|---|
    | `tasks` | "curriculum" | task source, see `python -m code_envs list` |
    | `split` | "all" | which tasks of it |
    | `actions` | "grammar" | "grammar", "token" or "text" |
    | `max_attempts` | 1, for "text" 4 | complete programs per episode |
    | `max_steps` | 48, for "token" 128 | productions or tokens of one program |
    | `max_depth` | 5 | how deep expressions may nest ("grammar") |
    | `max_candidates` | 512 | size of the action space |
    | `code_tokens`, `text_tokens` | 256, 96 | lengths of `code` and `text` |
    | `executor` | "local" | "local", "local:N" or an executor |
    | `timeout_s`, `memory_mib` | 2.0, 512 | CPU time and memory of one execution |
    | `expert` | False | report `expert_action` |
    | `render_mode` | None | "ansi" or "rgb_array" |

    ## Registered Configurations
    `CodeGeneration-v0`: the defaults above.

    ## Source and Licence
    The curriculum was written for this project (MIT): functions of one to some ten productions.

    ## Version History
    * v0: initial version.
    """

    reward_bounds = (0, 0, -COST), (1, 1, 0)

    def __init__(
        self,
        tasks: str | TaskSet = "curriculum",
        split: str = "all",
        actions: str = "grammar",
        max_attempts: int | None = None,
        max_steps: int | None = None,
        max_depth: int = 5,
        max_candidates: int = 512,
        code_tokens: int = 256,
        text_tokens: int = 96,
        executor: str | Executor = "local",
        timeout_s: float = 2.0,
        memory_mib: int = 512,
        expert: bool = False,
        render_mode: str | None = None,
    ) -> None:
        if actions not in ACTIONS:
            raise ConfigurationError(f"actions must be one of {ACTIONS}, not {actions!r}.")
        if expert and actions != "grammar":
            raise ConfigurationError(f"expert=True needs actions='grammar'; there is no expert for {actions!r}.")
        max_attempts = max_attempts if max_attempts is not None else 4 if actions == "text" else 1
        max_steps = max_steps if max_steps is not None else 128 if actions == "token" else 48
        at_least("max_attempts", max_attempts, 1)
        at_least("max_steps", max_steps, 4)
        at_least("max_depth", max_depth, 1)
        at_least("max_candidates", max_candidates, 256)
        super().__init__(tasks, split, code_tokens, text_tokens, executor, timeout_s, memory_mib, expert, render_mode)
        other = sorted({task.language for task in self.tasks} - {"python"})
        if other and actions != "text":
            raise ConfigurationError(f"actions={actions!r} writes Python; {self.tasks.name!r} has tasks in {other}.")
        self.actions = actions
        self.max_attempts = max_attempts
        self.max_steps = max_steps
        self.max_depth = max_depth
        self.max_candidates = max_candidates
        if actions == "text":
            text = gymnasium.spaces.Text(TEXT_LENGTH, min_length=0, charset=TextDraft.CHARACTERS)
            self.action_space = text
            self.observation_space = gymnasium.spaces.Dict({"task": text, "feedback": text})
        else:
            self._offer(max_candidates)

    def action_masks(self) -> NDArray[np.bool_]:
        """Valid actions of the current state, (max_candidates,) bool; not for `actions="text"`.

        Raises:
            ConfigurationError: If actions are texts.
        """
        if self.actions == "text":
            raise ConfigurationError("actions='text' has no mask: every text is an action.")
        return self._running().draft.mask()

    # the loop -------------------------------------------------------------------------------------

    def _start(self, task: Task) -> None:
        signature = signature_of(task)
        draft = self._draft(task, signature)
        shown = " ; ".join(task.reward_tests.descriptions[:SHOWN_TESTS])
        ids = [*draft.ids.text(task.description), SEPARATOR, *draft.ids.text(shown)]
        self.state = _Episode(
            task=task,
            limits=task.limits(self.limits),
            signature=signature,
            draft=draft,
            description=f"{task.description}\n\n{signature.line}\n\n{shown}",
            text=padded(ids, self.text_tokens),
            program=draft.text,
        )

    def _draft(self, task: Task, signature: Signature) -> Draft:
        if self.actions == "text":
            return TextDraft(signature)
        if self.actions == "token":
            return TokenDraft(signature, task.description, self.max_candidates, self.max_steps)
        reference = task.reference if self.expert else None
        return GrammarDraft(signature, self.max_candidates, self.max_steps, self.max_depth, task.description, reference)

    def _open(self, episode: _Episode, outcome: Outcome | None) -> None:
        """Nothing is executed before the first program is complete."""

    def _act(self, episode: _Episode, action: Any) -> Job | None:
        episode.valid = self.actions == "text" or bool(episode.draft.mask()[action])
        if not episode.valid:
            return None
        episode.draft.apply(action)
        episode.program = episode.draft.text
        if not episode.draft.complete:
            return None
        episode.pending = episode.program
        return episode.task.reward_tests.job(episode.program.encode(), episode.limits)

    def _advance(self, episode: _Episode, outcome: Outcome | None) -> Step:
        vector = np.zeros(3, np.float32)
        if not episode.valid:
            episode.invalid += 1
            vector[2] = -COST
            return Step(vector, {"invalid"}, False, episode.invalid >= self.max_steps)
        episode.steps += 1
        if outcome is None:
            return Step(vector, {"edited"})
        events = self._judge(episode, outcome)
        vector[0] = max(episode.share - episode.best, 0.0)
        vector[1] = float(episode.verdict.all_passed)
        episode.best = max(episode.best, episode.share)
        over = episode.verdict.all_passed or episode.attempts >= self.max_attempts
        if episode.attempts >= self.max_attempts:
            events.add("budget_spent")
        if not over:
            episode.draft = self._draft(episode.task, episode.signature)
        return Step(vector, events, over)

    def _judge(self, episode: _Episode, outcome: Outcome) -> set[str]:
        """Grade the complete program."""
        suite = episode.task.reward_tests
        before = episode.share
        verdict = suite.grade(outcome, self.executor)
        episode.attempts += 1
        episode.pending = None
        episode.verdict, episode.status, episode.share = verdict, outcome.status, verdict.share
        episode.calls = tuple(result.status for result in outcome.results)
        failure = next((number for number, ok in enumerate(verdict.passed) if not ok), -1)
        result = outcome.results[failure] if 0 <= failure < len(outcome.results) else None
        episode.message = outcome.message or (result.exception if result else "")
        episode.failed = suite.descriptions[failure] if 0 <= failure < len(suite.descriptions) else ""
        limited = CallStatus.STEP_LIMIT in episode.calls
        return {"edited", "complete"} | label(outcome.status, limited, episode.share, before)

    def _last_job(self, episode: _Episode) -> Job | None:
        if not episode.attempts:
            return None
        return episode.task.held_out_tests.job(episode.program.encode(), episode.limits)

    def _conclude(self, episode: _Episode, outcome: Outcome | None) -> dict[str, Any]:
        if outcome is None:
            return {"held_out": 0.0, "is_success": False}
        verdict = episode.task.held_out_tests.grade(outcome, self.executor)
        return {"held_out": verdict.share, "is_success": episode.verdict.all_passed and verdict.all_passed}

    def _withdraw(self, episode: _Episode) -> None:
        episode.pending = None

    # what the agent sees --------------------------------------------------------------------------

    def _observation(self, episode: _Episode) -> Observation:
        if self.actions == "text":
            told = "" if episode.status is None else f"{episode.status}: {episode.message}\n{episode.failed}".strip()
            texts = {"task": episode.description, "feedback": told}
            return {key: TextDraft.printable(text)[:TEXT_LENGTH] for key, text in texts.items()}  # type: ignore[misc]
        draft = episode.draft
        rows, scores = draft.rows()
        return {
            "code": padded(draft.tokens(), self.code_tokens),
            "text": episode.text.copy(),
            "feedback": self._feedback(episode),
            "candidates": rows,
            "candidate_scores": scores,
            "action_mask": draft.mask().astype(np.int8),
        }

    def _feedback(self, episode: _Episode) -> NDArray[np.float32]:
        feedback = np.zeros(FEEDBACK, np.float32)
        draft = episode.draft
        errors = draft.errors()
        feedback[:8] = (
            episode.share,
            episode.best,
            episode.attempts / self.max_attempts,
            min(draft.used / self.max_steps, 1.0),
            draft.slack,
            draft.nesting,
            errors / (errors + 2),
            not episode.valid,
        )
        return feedback

    def _facts(self, episode: _Episode) -> dict[str, Any]:
        return {
            "program": episode.program,
            "outcome": {
                "status": str(episode.status or "not_run"),
                "passed": episode.verdict.passed,
                "message": episode.message,
            },
            "measurements": {
                "tests": episode.share,
                "errors": float(episode.draft.errors()),
                "steps": float(episode.steps),
                "attempts": float(episode.attempts),
                "size": float(len(episode.program.encode())),
            },
        }

    def _expert_action(self, episode: _Episode) -> int:
        assert isinstance(episode.draft, GrammarDraft)
        return episode.draft.expert_action()

    def _frame(self, episode: _Episode) -> Frame:
        return Frame(
            episode.task.task_id,
            episode.program,
            None,
            episode.verdict.passed,
            str(episode.status or "not_run"),
            episode.message,
            episode.reward,
            episode.attempts,
            self.max_attempts,
        )
