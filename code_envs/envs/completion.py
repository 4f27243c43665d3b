"""CodeCompletion: write a missing line or span of a program, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from code_envs.envs.agreement import EditSimilarity
from code_envs.envs.writing import Page, Writing, WritingEnv
from code_envs.errors import ConfigurationError
from code_envs.events import label
from code_envs.execution.executor import CallStatus, Executor, Job, Limits, Outcome
from code_envs.syntax.spacing import BREAK, STRUCTURE, Spacing
from code_envs.syntax.tokens import lex
from code_envs.syntax.writing import Context, Language, Role, Vocabulary, word_id
from code_envs.syntax.written import LINES, PYTHON_SPANS
from code_envs.tasks.gaps import Gap
from code_envs.tasks.task import Task, TaskSet, Verdict

__all__ = ["CodeCompletionEnv"]

COST = 0.01
LEAD = 64
"""Tokens in front of the gap whose brackets count."""
NEAR_LINES = 3


@dataclass(slots=True, kw_only=True)
class _Episode(Writing):
    spacing: Spacing
    similarity: EditSimilarity
    tests: float = 0.0


@final
class CodeCompletionEnv(WritingEnv[_Episode]):
    """Write a missing line or span of a program, token by token.

    ## Description
    A passage is cut out of a program: a line, the rest of a line, or a span of lines. The agent writes it from
    tokens that the rest of the program has (copy slots) and a fixed vocabulary of the language, and ends it. Where
    the program has tests, they run then, once, in a sandbox; elsewhere the text must be the one that was cut out.

    ## Action Space
    `Discrete(max_candidates)`:

    | action | meaning |
    |---|---|
    | 0 | end the text |
    | 1 .. | append token `k` of the task's vocabulary |

    The vocabulary is fixed in an episode: operators, brackets and keywords, then the tokens of the program, nearest to
    the gap first, then common names; for a span also line break, indent and dedent (a new line is indented as an
    editor would; indent and dedent change that, and are masked elsewhere). An action without a token is masked; it
    changes nothing and costs as much as a token. Spaces are put as the program has them.

    Not everything can be written. Tokens of the missing text on offer, and texts that can be written in full: built-in
    gaps 100 and 100 %, `gaps:mbpp` 97 and 83, `humaneval_infilling` 98 and 92, its random spans 98 and 74, `py150` 94
    and 70, `javaCorpus` 91 and 51.

    ## Observation Space
    `Dict` of `Box`:

    | key | shape | dtype | range | meaning |
    |---|---|---|---|---|
    | `code` | (code_tokens,) | int32 | [0, V) | ids before the gap, what is written, a mark, ids behind the gap |
    | `text` | (text_tokens,) | int32 | [0, V) | description, a mark, the last tokens written |
    | `feedback` | (12,) | float32 | [0, 1] | budget used; length, squashed; size of the vocabulary; best share of continuations (scores 1-3) and best long one (4); open brackets, squashed; 0; 0; last action was masked; 3 x 0 |
    | `candidates` | (max_candidates, 12) | int32 | [0, V) | family (32 end, 33 fixed, 34 copy, 35 layout), kind, role of the place it is copied from (same line, near, before, behind), position in `code`, the last 3 tokens, the token, the 4 tokens that follow at that place |
    | `candidate_scores` | (max_candidates, 8) | float32 | [0, 1] | how often the program has it, n / (n + 3); share of it among what follows the last 1, 2, 3 tokens in the program; length of the longest passage in common that goes on / 8 times its share there (from 4 tokens on); nearness; share of its class after the classes of the last 3 tokens; assigned in the program, or closes the innermost bracket, or ends with all closed |
    | `action_mask` | (max_candidates,) | int8 | {0, 1} | 1 = valid; also `action_masks()` |

    V is `code_envs.syntax.tokens.VOCABULARY_SIZE`. A name has the same id in every task (a bucket of its spelling),
    because an agent that writes must know what a name means. Line breaks of the program are tokens for the scores;
    for the end of a missing line they say how likely it is.

    ## Starting State
    A task drawn with `np_random`, or `reset(options={"task_id": ...})`; nothing is written.

    ## Rewards
    At the end of the text or of the budget: with tests the share of reward tests that pass, and 1 if all do; without
    tests 1 if the text is the one that was cut out, token by token. - 0.01 per token or masked action. Each reward
    lies in [-0.01, 2]; `info["vector_reward"]` holds the three terms.

    ## Episode End
    *Terminated*: the agent ended the text. *Truncated*: `max_tokens` are spent (the text is judged as it is), or the
    sandbox failed (`info["executor_error"]`).

    ## Information
    `task_id`, `program` (with what is written), `written`, `outcome` (status, passed per test, message),
    `measurements`: `tests` (share of reward tests, 0 before the end and without tests), `similarity` (1 - Levenshtein
    distance / longer length to the passage that was cut out, in characters), `exact` (1 if it is that passage),
    `tokens` (count); `events` (`code_envs.events`), `vector_reward` (3,) float32. At the end also `held_out` (share of
    held-out tests that pass; without tests `exact`) and `is_success` (all tests of both suites pass; without tests
    `exact`). With `expert=True` also `expert_action`: the next token of the passage, -1 where the text is another or
    the token is not on offer. Nothing in `info` depends on time or process.

    ## Arguments
    | argument | default | meaning |
    |---|---|---|
    | `tasks` | "gaps:builtin" | task source: `gaps:<programs with tests>`, `humaneval_infilling`, `py150`, `javaCorpus` |
    | `split` | "all" | which tasks of it |
    | `actions` | "token" | the only kind of actions yet |
    | `max_tokens` | 64 | tokens and masked actions per episode |
    | `max_candidates` | 512 | size of the action space |
    | `code_tokens`, `text_tokens` | 256, 96 | lengths of `code` and `text` |
    | `executor` | "local" | "local", "local:N" or an executor |
    | `timeout_s`, `memory_mib` | 2.0, 512 | CPU time and memory of one execution |
    | `expert` | False | report `expert_action` |

    ## Registered Configurations
    `CodeCompletion-v0`: the defaults above.

    ## Source and Licence
    The task follows Svyatkovskiy et al. (2020) and the line completion of CodeXGLUE (Lu et al., 2021), with tests after
    HumanEval infilling (Bavarian et al., 2022). The default programs were written for this project (MIT).

    ## Version History
    * v0: initial version.
    """

    task_type = Gap
    cost = COST
    reward_bounds = (0, 0, -COST), (1, 1, 0)

    def __init__(
        self,
        tasks: str | TaskSet[Gap] = "gaps:builtin",
        split: str = "all",
        actions: str = "token",
        max_tokens: int = 64,
        max_candidates: int = 512,
        code_tokens: int = 256,
        text_tokens: int = 96,
        executor: str | Executor = "local",
        timeout_s: float = 2.0,
        memory_mib: int = 512,
        expert: bool = False,
        render_mode: str | None = None,
    ) -> None:
        if actions != "token":
            raise ConfigurationError(f"actions must be 'token', got {actions!r}.")
        self.actions = actions
        super().__init__(
            tasks, split, max_tokens, max_candidates, code_tokens, text_tokens,
            executor, timeout_s, memory_mib, expert, render_mode,
        )  # fmt: skip

    # what is to be written ------------------------------------------------------------------------

    def _read(self, task: Gap) -> Page:
        spacing = Spacing(task.before + task.after, task.tokenised)
        before, after = _tokens(task.before, task.tokenised), _tokens(task.after, task.tokenised)
        context = Context([*before, *after], _roles(before, after), len(before))
        target = tuple(spacing.tokens(task.before, task.target))
        fresh = not task.before.rpartition("\n")[2]
        vocabulary = Vocabulary(context, _language(task, target), self.max_candidates - 2)
        description = tuple(word_id(word) for _, word in lex(task.description))
        return Page(vocabulary, target, tuple(before[-LEAD:]), description, fresh)

    def _episode(self, **fields: Any) -> _Episode:
        task: Gap = fields["task"]
        spacing = Spacing(task.before + task.after, task.tokenised)
        return _Episode(**fields, spacing=spacing, similarity=EditSimilarity(task.target))

    # what it is worth -----------------------------------------------------------------------------

    def _job(self, episode: _Episode) -> Job | None:
        program: Task | None = episode.task.program
        if program is None:
            return None
        source = self._program(episode).encode("utf-8", "replace")
        return program.reward_tests.job(source, self._limits(program))

    def _value(self, episode: _Episode, over: bool, outcome: Outcome | None) -> tuple[Sequence[float], set[str]]:
        if not over:
            return (0.0, 0.0), set()
        if outcome is None:
            episode.status = "finished"
            return (0.0, float(episode.exact)), set()
        verdict: Verdict = episode.task.program.reward_tests.grade(outcome, self.executor)
        episode.tests = verdict.share
        episode.status, episode.passed = str(outcome.status), verdict.passed
        failed = [result.exception for result, ok in zip(outcome.results, verdict.passed, strict=False) if not ok]
        episode.message = outcome.message or (failed[0] if failed else "")
        limited = any(result.status is CallStatus.STEP_LIMIT for result in outcome.results)
        events = label(outcome.status, limited, verdict.share, 0.0)
        return (verdict.share, float(verdict.all_passed)), events

    def _last_job(self, episode: _Episode) -> Job | None:
        program: Task | None = episode.task.program
        if program is None:
            return None
        source = self._program(episode).encode("utf-8", "replace")
        return program.held_out_tests.job(source, self._limits(program))

    def _conclude(self, episode: _Episode, outcome: Outcome | None) -> dict[str, Any]:
        if outcome is None:
            return {"held_out": float(episode.exact), "is_success": episode.exact}
        verdict: Verdict = episode.task.program.held_out_tests.grade(outcome, self.executor)
        return {"held_out": verdict.share, "is_success": episode.tests == 1 and verdict.all_passed}

    def _limits(self, program: Task) -> Limits:
        return program.limits(self.limits)

    # what it looks like ---------------------------------------------------------------------------

    def _text(self, episode: _Episode) -> str:
        return episode.spacing.text(episode.task.before, episode.tokens)

    def _program(self, episode: _Episode) -> str:
        task: Gap = episode.task
        return f"{task.before}{self._text(episode)}{task.after}"

    def _marked(self, episode: _Episode) -> tuple[str, str]:
        return episode.task.before, self._text(episode)

    def _measured(self, episode: _Episode) -> dict[str, float]:
        return {"tests": episode.tests, "similarity": episode.similarity.of(self._text(episode))}


def _language(task: Gap, target: Sequence[str]) -> Language:
    """Whether a line is missing, or a span with layout of its own."""
    if task.language not in LINES:
        raise ConfigurationError(f"Completion knows {sorted(LINES)}, not {task.language!r} ({task.task_id}).")
    laid_out = task.language == "python" and any(token in STRUCTURE for token in target)
    return PYTHON_SPANS if laid_out else LINES[task.language]


def _tokens(text: str, tokenised: bool) -> list[str]:
    """Tokens with line breaks."""
    found: list[str] = []
    for number, line in enumerate(text.split("\n")):
        if number:
            found.append("\n")
        found += line.split() if tokenised else [token for _, token in lex(line)]
    return found


def _roles(before: Sequence[str], after: Sequence[str]) -> list[int]:
    roles = []
    line = 0
    for token in reversed(before):
        line += token == "\n"
        roles.append(int(Role.SAME_LINE if not line else Role.NEAR if line <= NEAR_LINES else Role.BEFORE))
    roles = [*reversed(roles), *[int(Role.AFTER)] * len(after)]
    return _with_signatures([*before, *after], roles)


def _with_signatures(tokens: Sequence[str], roles: list[int]) -> list[int]:
    """The roles, with those of the lines that define a function."""
    inside = False
    for number, token in enumerate(tokens):
        inside = token == "def" or (inside and token not in ("\n", BREAK))
        if inside and roles[number] != Role.SAME_LINE:
            roles[number] = Role.SIGNATURE
    return roles
