"""CodeSearch: find the function that a text describes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, final

import gymnasium
import numpy as np
from numpy.typing import NDArray

from code_envs.envs.arguments import at_least
from code_envs.envs.base import CodeEnv
from code_envs.envs.corpus import RARE, Query, Sketch, corpus_of, described_alike, sketch
from code_envs.envs.episode import Episode, Step
from code_envs.envs.observation import (
    FEEDBACK,
    FIRST_SEARCH,
    SCORES,
    Observation,
    ids,
    padded,
    unit,
)
from code_envs.errors import ConfigurationError
from code_envs.execution.executor import Executor, Outcome
from code_envs.syntax.candidates import CANDIDATE_WIDTH
from code_envs.syntax.words import word_ids, words
from code_envs.tasks.described import Described
from code_envs.tasks.search_set import SearchSet
from code_envs.tasks.task import TaskSet

__all__ = ["CodeSearchEnv"]

PICK, OPEN = FIRST_SEARCH, FIRST_SEARCH + 1
FUNCTION, METHOD = 1, 2
HIDDEN, SHOWN = 1, 2
COST = 0.02
MOST = 1000
DISTRACTORS = ("random", "hard", "mixed")
MIXED = 0.5
NAME_WORDS = 3
FIRST_WORD = 4
LONG = 64
"""A function of so many distinct words has the size 0.5."""


@dataclass(slots=True, kw_only=True)
class _Episode(Episode):
    """`pool` holds the numbers of the functions in the corpus, the answer at position `answer`."""

    query: Query
    description: NDArray[np.int32]
    pool: NDArray[np.int64]
    answer: int
    sketches: list[Sketch]
    scores: NDArray[np.float32] | None
    """BM25 of the pool, (K,) float32."""
    tables: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]
    """The pool's words, its rows of `candidates` and of `candidate_scores`; a row changes when it is opened."""
    picked: NDArray[np.bool_]
    opened: NDArray[np.bool_]
    picks: list[int] = field(default_factory=list)
    attempts: int = 0
    cost: float = 0.0
    last: int = -1
    """The last action; -1 before the first, and after a masked one."""
    seen: int = -1
    """Position of the function that was picked or opened last."""
    hit: bool = False


@final
class CodeSearchEnv(CodeEnv[_Episode]):
    """Find the function that a text describes.

    ## Description
    A text describes one function of a pool. The agent picks functions, one at a time, until it has picked that
    one. The return is the reciprocal rank of the answer in the order of the picks, so the mean return is the MRR.
    With `inspect=True` only names are seen at first, and an agent chooses which bodies to pay for. Nothing is
    executed.

    ## Action Space
    `Discrete(pool_size)`, or `Discrete(2 * pool_size)` with `inspect=True`:

    | action | meaning |
    |---|---|
    | k < pool_size | pick function k of the pool |
    | pool_size + k | open function k: its body is seen from then on |

    Positions in the pool mean nothing: they are drawn anew. A function that was picked is masked, and so is opening
    one that was opened or picked. A masked action changes nothing, counts as a pick, and costs what opening costs
    where it tried to open.

    ## Observation Space
    `Dict` of `Box`; K is `pool_size`, A the number of actions:

    | key | shape | dtype | range | meaning |
    |---|---|---|---|---|
    | `code` | (code_tokens,) | int32 | [0, V) | words of the function that was picked or opened last, 0 = padding |
    | `text` | (text_tokens,) | int32 | [0, V) | words of the description |
    | `feedback` | (12,) | float32 | [0, 1] | share of the picks used, of the pool picked, of the pool opened; what a hit earns now; last action: pick, open, masked; five zeros |
    | `candidates` | (A, 12) | int32 | [0, V) | 64 = pick, 65 = open; 1 = function, 2 = method; 1 = hidden, 2 = seen; 0; the first 3 words of the name; the 5 rarest words of what is seen |
    | `candidate_scores` | (A, 8) | float32 | [0, 1] | shares weighted by rarity: words of the text in the name, in name and parameters, anywhere; with a form in the name, anywhere; words of the name in the text, with a form in it; size, 0 while hidden |
    | `action_mask` | (A,) | int8 | {0, 1} | 1 = valid; also `action_masks()` |
    | `pool` | (K, function_tokens) | int32 | [0, V) | distinct words of each function, those of its name first; only those while hidden |
    | `picked` | (K,) | int8 | {0, 1} | 1 = was picked |
    | `pool_scores` | (K, 1) | float32 | [0, 1] | only with `bm25=True`: BM25 of the whole function over the highest of the pool |

    V is `code_envs.syntax.tokens.VOCABULARY_SIZE`. Texts and functions have the same words: parts of identifiers
    in lower case (`code_envs.syntax.words`), each with one id wherever it occurs. Words with the same first four
    letters count as forms of one word; stop words do not count, and weights come from how many functions of the
    corpus have a word.

    ## Starting State
    A task drawn with `np_random`, or `reset(options={"task_id": ...})`, and a pool drawn with it: the answer and
    distractors, in random order. Distractors are other functions of the split, or of the corpus that the source
    brings; never one with the same code or the same description. `distractors="hard"` takes those with the highest
    BM25 for the description, "mixed" draws one of both ways for each episode.

    ## Rewards
    1 / t when pick number t hits, - 0.02 per opening. Each reward lies in [-0.02, 1]; the return of an episode in
    [-0.02 * (picks + openings), 1], and is the reciprocal rank where nothing is opened. `info["vector_reward"]`
    holds both terms.

    ## Episode End
    *Terminated*: the answer is picked. *Truncated*: `max_picks` picks are spent.

    ## Information
    `task_id`, `program` (the function that was picked last, or ""), `outcome` (status "found" or "searching",
    whether each pick hit, the name of the last pick), `measurements` (`rank`: pick that hit, or 0; `picks`: picks
    spent, masked actions included; `reciprocal_rank`, in [0, 1]; `opened`; with BM25 also `bm25_rank`: rank of the
    answer in its order of the pool, in [1, K], ties count half), `events` (`code_envs.events`), `vector_reward`
    (2,) float32. At the end also `held_out` (reciprocal rank, 0 without a hit) and `is_success` (the first pick
    hit). With `expert=True` also `expert_action`: the answer. Nothing in `info` depends on time or process.

    ## Arguments
    | argument | default | meaning |
    |---|---|---|
    | `tasks` | "stdlib" | task source with described functions, see `python -m code_envs list` |
    | `split` | "all" | which tasks of it |
    | `pool_size` | 32 | functions in the pool, 2 to 1,000 |
    | `max_picks` | None | picks per episode; None means as many as the pool has functions |
    | `distractors` | "random" | "random"; "hard" or "mixed" (extra `search`) |
    | `bm25` | False | show `pool_scores` (extra `search`) |
    | `inspect` | False | hide bodies until they are opened |
    | `code_tokens`, `text_tokens`, `function_tokens` | 256, 96, 64 | lengths of `code`, `text` and of the rows of `pool` |
    | `executor`, `timeout_s`, `memory_mib` | "local", 2.0, 512 | as in every environment; nothing is executed |
    | `expert` | False | report `expert_action` |

    ## Registered Configurations
    `CodeSearch-v0`: the defaults above. The protocol of the literature is `pool_size=1000`: 999 distractors. Its
    figures (CodeSearchNet Python, MRR: CodeBERT 0.672, GraphCodeBERT 0.692, CodeT5+ 0.742) are from that
    protocol and another corpus: an MRR of smaller pools must not be compared with them.

    ## Source and Licence
    Husain et al. (2019), CodeSearchNet, for the task; Robertson and Zaragoza (2009) for BM25. The standard library
    is PSF-2.0; every task set states its own licence.

    ## Version History
    * v0: initial version.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 2}  # noqa: RUF012  Gymnasium's name and type
    task_type = Described
    reward_bounds = (0, -COST), (1, 0)

    def __init__(
        self,
        tasks: str | TaskSet[Described] = "stdlib",
        split: str = "all",
        pool_size: int = 32,
        max_picks: int | None = None,
        distractors: str = "random",
        bm25: bool = False,
        inspect: bool = False,
        code_tokens: int = 256,
        text_tokens: int = 96,
        function_tokens: int = 64,
        executor: str | Executor = "local",
        timeout_s: float = 2.0,
        memory_mib: int = 512,
        expert: bool = False,
        render_mode: str | None = None,
    ) -> None:
        if not 2 <= pool_size <= MOST:
            raise ConfigurationError(f"pool_size must be in [2, {MOST}], got {pool_size}.")
        if distractors not in DISTRACTORS:
            raise ConfigurationError(f"distractors must be one of {DISTRACTORS}, got {distractors!r}.")
        at_least("max_picks", 1 if max_picks is None else max_picks, 1)
        at_least("function_tokens", function_tokens, 1)
        super().__init__(tasks, split, code_tokens, text_tokens, executor, timeout_s, memory_mib, expert, render_mode)
        self.tasks = search_set = SearchSet.of(self.tasks)
        self._corpus = corpus_of(search_set.functions)
        self._same = described_alike(search_set, self._corpus)
        self._require(pool_size)
        self.pool_size = pool_size
        self.max_picks = max_picks
        self.distractors = distractors
        self.bm25 = bm25
        self.inspect = inspect
        self.function_tokens = function_tokens
        self._picks = pool_size if max_picks is None else max_picks
        scores = {"pool_scores": unit(pool_size, 1)} if bm25 else {}
        self._offer(
            pool_size * (2 if inspect else 1),
            pool=ids(pool_size, function_tokens),
            picked=gymnasium.spaces.Box(0, 1, (pool_size,), np.int8),
            **scores,
        )

    def _identity(self) -> dict[str, Any]:
        return super()._identity() | {"corpus": self._corpus.sha256}

    def _require(self, pool_size: int) -> None:
        """Make sure that every task has enough distractors."""
        fewest = len(self._corpus) - max(map(len, self._same.values()))
        if fewest < pool_size - 1:
            raise ConfigurationError(
                f"A pool of {pool_size} needs {pool_size - 1} distractors; a task of {self.tasks.name!r} has "
                f"{fewest} in this split. Choose a smaller pool_size, another split or a larger source."
            )

    def action_masks(self) -> NDArray[np.bool_]:
        """Valid actions of the current state, (A,) bool; the name MaskablePPO looks for."""
        episode = self._running()
        free = ~episode.picked
        return np.concatenate([free, free & ~episode.opened]) if self.inspect else free

    def seen_functions(self) -> tuple[str, ...]:
        """What is seen of each function of the pool, in its order: the code, or no more than the name while hidden."""
        episode = self._running()
        return tuple(
            self._code(episode, position) if episode.opened[position] else each.name
            for position, each in enumerate(episode.sketches)
        )

    # the loop -------------------------------------------------------------------------------------

    def _start(self, task: Described) -> None:
        corpus = self._corpus
        query = Query(task.text, corpus)
        every = corpus.bm25(query) if self.bm25 or self.distractors != "random" else None
        pool = self._pool(task, every, self.np_random)
        sketches = [sketch(corpus.functions[number]) for number in pool]
        opened = np.full(self.pool_size, not self.inspect)
        self.state = episode = _Episode(
            task=task,
            query=query,
            description=padded(word_ids(words(task.text)), self.text_tokens),
            pool=pool,
            answer=int(np.flatnonzero(pool == corpus.number[task.code])[0]),
            sketches=sketches,
            scores=None if every is None else every[pool],
            tables=(
                np.zeros((self.pool_size, self.function_tokens), np.int32),
                np.zeros((self.pool_size, CANDIDATE_WIDTH), np.int32),
                np.zeros((self.pool_size, SCORES), np.float32),
            ),
            picked=np.zeros(self.pool_size, np.bool_),
            opened=opened,
        )
        for position in range(self.pool_size):
            self._show(episode, position)

    def _pool(
        self, task: Described, scores: NDArray[np.float32] | None, random: np.random.Generator
    ) -> NDArray[np.int64]:
        """Numbers of the answer and its distractors, in random order."""
        corpus, same = self._corpus, self._same[task.text]
        wanted = self.pool_size - 1
        if self.distractors == "hard" or (self.distractors == "mixed" and random.random() < MIXED):
            assert scores is not None
            order = np.argsort(-scores, kind="stable")
        else:
            order = random.choice(len(corpus), wanted + len(same), replace=False)
        others = order[: wanted + len(same)]
        others = others[~np.isin(others, same)][:wanted]
        return random.permutation(np.append(others, corpus.number[task.code]))

    def _open(self, episode: _Episode, outcome: Outcome | None) -> None:
        """Nothing is executed."""

    def _act(self, episode: _Episode, action: int) -> None:
        episode.last = action if self.action_masks()[action] else -1
        opens = action >= self.pool_size
        episode.attempts += not opens or episode.last < 0
        episode.cost = COST if opens else 0.0
        if episode.last < 0:
            return
        episode.seen = position = action % self.pool_size
        if opens:
            episode.opened[position] = True
            self._show(episode, position)
        else:
            episode.picked[position] = True
            episode.picks.append(position)
            episode.hit = position == episode.answer

    def _advance(self, episode: _Episode, outcome: Outcome | None) -> Step:
        gain = 1 / episode.attempts if episode.hit else 0.0
        spent = not episode.hit and episode.attempts >= self._picks
        if episode.last < 0:
            events = {"invalid"}
        elif episode.last >= self.pool_size:
            events = {"opened"}
        else:
            events = {"hit"} if episode.hit else {"missed"}
        if spent:
            events.add("budget_spent")
        return Step(np.array([gain, 0.0 - episode.cost], np.float32), events, episode.hit, spent)

    def _conclude(self, episode: _Episode, outcome: Outcome | None) -> dict[str, Any]:
        return {"held_out": self._reciprocal_rank(episode), "is_success": episode.hit and episode.attempts == 1}

    def _reciprocal_rank(self, episode: _Episode) -> float:
        return 1 / episode.attempts if episode.hit else 0.0

    # what the agent sees --------------------------------------------------------------------------

    def _show(self, episode: _Episode, position: int) -> None:
        """Write what is seen of a function into the tables."""
        pool, rows, scores = episode.tables
        function, seen = episode.sketches[position], bool(episode.opened[position])
        card = self._corpus.card(int(episode.pool[position]), hidden=not seen)
        pool[position] = padded(card.words, pool.shape[1])
        kind = METHOD if seen and function.method else FUNCTION
        rows[position, :FIRST_WORD] = PICK, kind, SHOWN if seen else HIDDEN, 0
        rows[position, FIRST_WORD : FIRST_WORD + NAME_WORDS] = padded(card.name, NAME_WORDS)
        rows[position, -RARE:] = padded(card.rarest, RARE)
        size = len(function.all_words) / (len(function.all_words) + LONG) if seen else 0.0
        scores[position] = [*episode.query.overlaps(function, hidden=not seen), size]

    def _observation(self, episode: _Episode) -> Observation:
        pool, rows, scores = (table.copy() for table in episode.tables)
        code = () if episode.seen < 0 else word_ids(words(self._code(episode, episode.seen)))
        if self.inspect:
            opening = rows.copy()
            opening[:, 0] = OPEN
            rows, scores = np.concatenate([rows, opening]), np.concatenate([scores, scores])
        observation = {
            "code": padded(code, self.code_tokens),
            "text": episode.description.copy(),
            "feedback": self._feedback(episode),
            "candidates": rows,
            "candidate_scores": scores,
            "action_mask": self.action_masks().astype(np.int8),
            "pool": pool,
            "picked": episode.picked.astype(np.int8),
        }
        if self.bm25:
            assert episode.scores is not None
            observation["pool_scores"] = (episode.scores / max(float(episode.scores.max()), 1e-6))[:, None]
        return observation

    def _feedback(self, episode: _Episode) -> NDArray[np.float32]:
        last, begun = episode.last, len(episode.history) > 1
        values = (
            min(episode.attempts / self._picks, 1.0),
            len(episode.picks) / self.pool_size,
            float(episode.opened.mean()),
            1 / (episode.attempts + 1),
            0 <= last < self.pool_size,
            last >= self.pool_size,
            begun and last < 0,
        )
        return np.array([*values, *(0.0,) * (FEEDBACK - len(values))], np.float32)

    def _code(self, episode: _Episode, position: int) -> str:
        return self._corpus.functions[int(episode.pool[position])]

    def _facts(self, episode: _Episode) -> dict[str, Any]:
        last = episode.picks[-1] if episode.picks else -1
        measurements = {
            "rank": float(episode.attempts if episode.hit else 0),
            "picks": float(episode.attempts),
            "reciprocal_rank": self._reciprocal_rank(episode),
            "opened": float(episode.opened.sum() if self.inspect else 0),
        }
        if episode.scores is not None:
            measurements["bm25_rank"] = _rank(episode.scores, episode.answer)
        return {
            "program": "" if last < 0 else self._code(episode, last),
            "outcome": {
                "status": "found" if episode.hit else "searching",
                "passed": tuple(position == episode.answer for position in episode.picks),
                "message": "" if last < 0 else episode.sketches[last].name,
            },
            "measurements": measurements,
        }

    def _expert_action(self, episode: _Episode) -> int:
        return episode.answer

    # pictures -------------------------------------------------------------------------------------

    def _frame(self, episode: _Episode) -> str:
        """The description, the picks so far, and the function that was looked at last."""
        lines = [f"{episode.task.task_id}  {self.pool_size} functions", f"? {episode.task.text}"]
        for number, position in enumerate(episode.picks, 1):
            sign = "+" if position == episode.answer else "-"
            lines.append(f"{sign} {number:3d}  {episode.sketches[position].name}")
        lines.append(f"reward {episode.reward:+.3f}   picks {episode.attempts} of {self._picks}")
        code = [] if episode.seen < 0 else self._code(episode, episode.seen).split("\n")
        return "\n".join(map(_printable, [*lines, *(f"    {line}" for line in code)])) + "\n"


def _rank(scores: NDArray[np.float32], answer: int) -> float:
    """Rank by falling score, from 1; those with the same score count half."""
    return float((scores > scores[answer]).sum() + ((scores == scores[answer]).sum() + 1) / 2)


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "·" for each in text.replace("\t", "    "))
