"""More facts in `info["measurements"]`, for rewards of your own: likeness to a reference, style, size, cost."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import gymnasium
from gymnasium.utils import RecordConstructorArgs

from code_envs.envs.base import CodeEnv
from code_envs.envs.pricing import Pricing
from code_envs.errors import ConfigurationError, ExecutorError
from code_envs.tasks.task import Task
from wrappers import text_facts
from wrappers.task_card import TaskCard, card_of, family_of

__all__ = ["MEASUREMENTS", "Measured"]

MEASUREMENTS = (
    "tests",
    "errors",
    "similarity",
    "ast_similarity",
    "findings",
    "lines",
    "size_ratio",
    "cost_ratio",
)
"""What can be asked for."""
REMEMBERED = 4096
FIRST_STEPS, STEP_FACTOR, STEP_MARGIN = 2_000_000, 20, 1000
"""Steps of the reference's charged copy per call; steps of a program, against those of the reference."""
WRITTEN_ALIKE = ("CodeTranslation", "CodeSummarization")
"""Families that measure `bleu` by words of their own."""

Info = dict[str, Any]


class Measured(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Add facts about the current program to `info["measurements"]`.

    A fact that the environment measures itself keeps its value and its meaning, but for one: `tests` of
    CodeOptimization is of the last program tried, and becomes that of `info["program"]`, which is 1. Nothing but `cost_ratio` executes
    anything, and that goes through the environment's own executor. Facts of a text are remembered, for programs
    come back. Of each fact, docs/rewards.md says which environments can supply it.

    | fact | range | meaning |
    |---|---|---|
    | `tests` | [0, 1] | TextToSQL: 1 if the result is right; CodeOptimization: 1; else the environment's own |
    | `errors` | 0 .. | errors by tree-sitter; TextToSQL: 1 for a query that does not run; else the environment's own |
    | `similarity` | [0, 1] | BLEU-4 of the tokens against the reference; translation and summaries: the environment's `bleu`; completion: its own edit similarity of what is written |
    | `ast_similarity` | [0, 1] | Dice of small subtrees of the two syntax trees |
    | `findings` | 0 .. | findings of pycodestyle (Python) |
    | `lines` | 0 .. | lines that are not blank |
    | `size_ratio` | 0 .. | length of the program / length of the reference, characters |
    | `cost_ratio` | 0 .. | cost of the baseline / cost of the program: 2 is half the cost; 0 while a reward test fails |

    The cost is the deterministic one of CodeOptimization (`code_envs.syntax.costing`), and there the baseline is the
    program at the start. Elsewhere it is the reference, and a program is executed once more when it first passes all
    its reward tests; it may use 20 times the steps of the reference, and a reference that needs more than 2,000,000
    per call cannot be compared (0). If the sandbox fails there, the episode ends with `truncated` and
    `info["executor_error"]`, as in every environment.

    Args:
        env: An environment of Code Envs, in any wrappers that keep its `info`.
        measurements: Names of the facts; None means all that the environment can supply without executing anything.

    Raises:
        ConfigurationError: If a name is unknown, or the environment or a task of it cannot supply the fact.
        MissingDependencyError: If sacrebleu, pycodestyle or a grammar is needed and not installed.
    """  # noqa: E501  rows of a table

    def __init__(self, env: gymnasium.Env[Any, Any], measurements: Sequence[str] | None = None) -> None:
        RecordConstructorArgs.__init__(self, measurements=None if measurements is None else list(measurements))
        gymnasium.Wrapper.__init__(self, env)
        self._family = family_of(env)
        base = env.unwrapped
        assert isinstance(base, CodeEnv)  # family_of
        self._base: CodeEnv[Any] = base
        problems = _problems(self._family, self._cards())
        self.measurements = _chosen(self._family, measurements, problems)
        for name in self.measurements:
            self._prepare(name)
        self._fact = functools.lru_cache(REMEMBERED)(self._measure)
        self._ratio = functools.lru_cache(REMEMBERED)(self._cost_ratio)
        self._price = functools.lru_cache(REMEMBERED)(self._reference_price)
        self._card = functools.lru_cache(REMEMBERED)(lambda task_id: card_of(self._family, base.tasks[task_id]))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Info]:
        """Start an episode; `info["measurements"]` has the facts of the first program.

        Raises:
            ExecutorError: If the sandbox failed.
        """
        observation, info = self.env.reset(seed=seed, options=options)
        return observation, self._with_facts(info)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, Info]:
        """Take an action; `info["measurements"]` has the facts of the program after it."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        try:
            return observation, reward, terminated, truncated, self._with_facts(info)
        except ExecutorError as error:
            if self._base.state is not None:
                self._base.state.over = True
            facts = self._with_facts(info, cost=False)
            return observation, reward, False, True, facts | {"executor_error": str(error)}

    # what can be had ------------------------------------------------------------------------------

    def _cards(self) -> Iterable[TaskCard]:
        return (card_of(self._family, task) for task in self._base.tasks)

    def _prepare(self, name: str) -> None:
        """Import what a fact needs, so that what is missing is said now."""
        if name == "findings":
            text_facts.require_linter()
        if name == "similarity" and self._family not in (*WRITTEN_ALIKE, "CodeCompletion"):
            text_facts.require_sacrebleu()
        if name == "ast_similarity" or (name == "errors" and self._family == "CodeCompletion"):
            for language in sorted({card.language for card in self._cards()}):
                text_facts.require_parser(language)

    # measuring ------------------------------------------------------------------------------------

    def _with_facts(self, info: Info, cost: bool = True) -> Info:
        own = info["measurements"]
        facts = dict(own)
        if self._family == "CodeOptimization":
            facts["tests"] = 1.0  # the environment's is of the last program tried, and only those that pass are kept
        for name in self.measurements:
            if name in own:
                continue
            if name == "cost_ratio":
                facts[name] = self._cost(info) if cost else 0.0
            elif self._family == "TextToSQL" and name in ("tests", "errors"):
                facts[name] = own["match"] if name == "tests" else 1.0 - own["executes"]
            elif name == "similarity" and self._family in WRITTEN_ALIKE:
                facts[name] = own["bleu"]
            else:
                facts[name] = self._fact(name, info["task_id"], info["program"])
        return {**info, "measurements": facts}

    def _measure(self, name: str, task_id: str, program: str) -> float:
        card: TaskCard = self._card(task_id)
        measures: dict[str, Callable[[], float]] = {
            "errors": lambda: text_facts.syntax_errors(program, card.language),
            "similarity": lambda: text_facts.bleu(program, card.reference),
            "ast_similarity": lambda: text_facts.ast_similarity(program, card.reference, card.language),
            "findings": lambda: text_facts.findings(program),
            "lines": lambda: text_facts.lines(program),
            "size_ratio": lambda: len(program) / len(card.reference),
        }
        return float(measures[name]())

    def _cost(self, info: Info) -> float:
        own = info["measurements"]
        if self._family == "CodeOptimization":
            return math.exp(own["gain"])
        if own["tests"] < 1 or "executor_error" in info:
            return 0.0
        return float(self._ratio(info["task_id"], info["program"]))

    def _cost_ratio(self, task_id: str, program: str) -> float:
        card: TaskCard = self._card(task_id)
        assert card.tests is not None  # _problems
        cost, most = self._price(task_id)
        if not cost:
            return 0.0
        spent, _ = self._execute(card.tests, program, STEP_FACTOR * most + STEP_MARGIN)
        return cost / spent if spent else 0.0

    def _reference_price(self, task_id: str) -> tuple[float, int]:
        card: TaskCard = self._card(task_id)
        assert card.tests is not None
        return self._execute(card.tests, card.tests.reference, FIRST_STEPS)

    def _execute(self, task: Task, program: str, steps: int) -> tuple[float, int]:
        """Cost of a program and the most steps of one call; 0 and 0 if it does not pass the reward tests."""
        executor = self._base.executor
        pricing = Pricing(False, executor)
        job = pricing.job(task, program.encode("utf-8", "replace"), replace(self._base.limits, steps=steps))
        outcome = executor.run(job)
        cost, verdict = pricing.judge(task, outcome)
        return (cost, max(each.steps for each in outcome.results)) if verdict.all_passed else (0.0, 0)


def _problems(family: str, cards: Iterable[TaskCard]) -> dict[str, str]:
    """The facts that cannot be had, with the reason."""
    told = list(cards)
    found = {language: None for card in told for language in [card.language]}
    unparsed = [language for language in found if language not in text_facts.PARSED]
    problems: dict[str, str] = {}
    if any(not card.reference for card in told):
        problems |= dict.fromkeys(("similarity", "ast_similarity", "size_ratio"), "some tasks have no reference")
    if unparsed:
        problems["ast_similarity"] = f"there is no syntax tree of {unparsed[0]}"
        if family != "TextToSQL":
            problems["errors"] = problems["ast_similarity"]
    if list(found) != ["python"]:
        problems["findings"] = f"the linter reads Python, not {next(each for each in found if each != 'python')}"
    if family == "CodeSearch":
        problems |= dict.fromkeys(("errors", "findings"), "the program is picked, not written")
    if family in ("CodeTranslation", "CodeSummarization", "CodeSearch"):
        problems["tests"] = "its tasks have no tests"
    if list(found) != ["python"] or any(card.tests is None for card in told):
        problems["cost_ratio"] = "only Python programs with tests have a deterministic cost"
    return problems


def _chosen(family: str, wanted: Sequence[str] | None, problems: dict[str, str]) -> tuple[str, ...]:
    if wanted is None:
        free = [name for name in MEASUREMENTS if name != "cost_ratio" or family == "CodeOptimization"]
        return tuple(name for name in free if name not in problems)
    if isinstance(wanted, str) or set(wanted) - set(MEASUREMENTS):
        raise ConfigurationError(f"measurements must be names of {list(MEASUREMENTS)}, got {wanted!r}.")
    for name in wanted:
        if name in problems:
            having = [each for each in MEASUREMENTS if each not in problems]
            raise ConfigurationError(f"{family} cannot supply {name!r} here: {problems[name]}. It can supply {having}.")
    return tuple(dict.fromkeys(wanted))
