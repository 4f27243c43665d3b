"""CodeSummarization: say in a sentence what a function does."""

from __future__ import annotations

import re
from typing import Any, final

from code_envs.envs.agreement import Bleu
from code_envs.envs.bleu import BleuEnv, BleuWriting
from code_envs.envs.writing import Page
from code_envs.errors import ConfigurationError
from code_envs.execution.executor import Executor
from code_envs.syntax.writing import Context, Role, Vocabulary
from code_envs.syntax.written import ENGLISH, sentence, subwords, words
from code_envs.tasks.described import Described
from code_envs.tasks.task import TaskSet

__all__ = ["CodeSummarizationEnv"]

MOST_WORDS = 32
SMOOTHING = "add-k"
_SENTENCE = re.compile(r"(.+?[.!?])(?:\s+[A-Z(`]|\s*$)", re.DOTALL)


@final
class CodeSummarizationEnv(BleuEnv[BleuWriting]):
    """Say in a sentence what a function does.

    ## Description
    The agent sees a function without its docstring and writes, word by word, what it does. Words come from the
    function (parts of its names, also inflected) and from a list of common English ones. The sentence is compared
    with the first one of the docstring.

    ## Action Space
    `Discrete(max_candidates)`:

    | action | meaning |
    |---|---|
    | 0 | end the sentence |
    | 1 .. | append word `k` of the task's vocabulary |

    The vocabulary is fixed in an episode: the most common English words and signs, then the words of the function
    in order, each followed by its inflections, then the other English words. An action without a word is
    masked; it changes nothing and costs as much as a word.

    Not everything can be written: 86 % of the words of the references of `stdlib` are on offer, and 25 % of the
    references can be written in full.

    ## Observation Space
    `Dict` of `Box`:

    | key | shape | dtype | range | meaning |
    |---|---|---|---|---|
    | `code` | (code_tokens,) | int32 | [0, V) | ids of the function's words and signs, parts of names one by one |
    | `text` | (text_tokens,) | int32 | [0, V) | a mark, then the last words written |
    | `feedback` | (12,) | float32 | [0, 1] | budget used; length, squashed; size of the vocabulary; best share of continuations (scores 1-3) and best long one (4); open brackets, squashed; place in the function; length against that of the function; last action was masked; 3 x 0 |
    | `candidates` | (max_candidates, 12) | int32 | [0, V) | family (32 end, 33 fixed, 34 copy), kind (10: inflected), role of the place it is copied from (signature, body), position in `code`, the last 3 words, the word, the 4 words that follow at that place |
    | `candidate_scores` | (max_candidates, 8) | float32 | [0, 1] | how often the function has it, n / (n + 3); share of it among what follows the last 1, 2, 3 words (those that the function has) in the function; length of the longest passage in common that goes on / 8 times its share there (from 4 words on); nearness to the last copied place; share of its class after the classes of the last 3 words; in the signature |
    | `action_mask` | (max_candidates,) | int8 | {0, 1} | 1 = valid; also `action_masks()` |

    V is `code_envs.syntax.tokens.VOCABULARY_SIZE`; a word has the same id in every task.

    ## Starting State
    A task drawn with `np_random`, or `reset(options={"task_id": ...})`; nothing is written.

    ## Rewards
    Change of BLEU-4 against the reference, + 1 at the end if the sentence is the reference, - 0.001 per word or masked
    action. Each reward lies in [-1.001, 2]. BLEU is sacrebleu's for sentences (`smooth_method="add-k"`, k = 1,
    effective order) on words in lower case, every sign a word; the reference is cut to 32 words.
    `info["vector_reward"]` holds the three terms.

    ## Episode End
    *Terminated*: the agent ended the sentence. *Truncated*: `max_tokens` are spent.

    ## Information
    `task_id`, `program` and `written` (the sentence), `outcome` (status, no tests, no message), `measurements`: `bleu`
    (in [0, 1], of what is written), `exact` (1 if it is the reference, word by word), `tokens` (count); `events`
    (`code_envs.events`), `vector_reward` (3,) float32. At the end also `held_out` (BLEU; there is no second reference)
    and `is_success` (`exact`). With `expert=True` also `expert_action`: the next word of the reference, -1 where the
    sentence is another or the word is not on offer. Nothing in `info` depends on time or process.

    ## Arguments
    | argument | default | meaning |
    |---|---|---|
    | `tasks` | "stdlib" | source of described functions: `stdlib`, `codesearchnet`, `cosqa`, `advtest` |
    | `split` | "all" | which tasks of it |
    | `max_tokens` | 40 | words and masked actions per episode |
    | `max_candidates` | 512 | size of the action space |
    | `code_tokens`, `text_tokens` | 256, 96 | lengths of `code` and `text` |
    | `executor` | "local" | not used: nothing is executed |
    | `timeout_s`, `memory_mib` | 2.0, 512 | not used |
    | `expert` | False | report `expert_action` |

    ## Registered Configurations
    `CodeSummarization-v0`: the defaults above.

    ## Source and Licence
    The task is code-to-text of CodeXGLUE (Lu et al., 2021). The default functions are those of the running Python's
    standard library (PSF-2.0).

    ## Version History
    * v0: initial version.
    """

    task_type = Described

    def __init__(
        self,
        tasks: str | TaskSet[Described] = "stdlib",
        split: str = "all",
        max_tokens: int = 40,
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
            tasks, split, max_tokens, max_candidates, code_tokens, text_tokens,
            executor, timeout_s, memory_mib, expert, render_mode,
        )  # fmt: skip
        empty = [task.task_id for task in self.tasks if not _reference(task.text)]
        if empty:
            raise ConfigurationError(
                f"{len(empty)} of {len(self.tasks)} tasks of {self.tasks.name!r} have no word in their description, such "
                f"as {empty[0]!r}; there is nothing to write."
            )

    def _read(self, task: Described) -> Page:
        head, _, body = task.code.partition("\n")
        first, rest = subwords(head), subwords(body)
        roles = [int(Role.SIGNATURE)] * len(first) + [int(Role.BEFORE)] * len(rest)
        context = Context([*first, *rest], roles, -1)
        return Page(Vocabulary(context, ENGLISH, self.max_candidates - 2), tuple(_reference(task.text)))

    def _episode(self, **fields: Any) -> BleuWriting:
        return BleuWriting(**fields, bleu=Bleu(fields["page"].target, SMOOTHING))

    def _text(self, episode: BleuWriting) -> str:
        return sentence(episode.tokens)

    def _marked(self, episode: BleuWriting) -> tuple[str, str]:
        return f"{episode.task.code.rstrip()}\n\n", self._text(episode)


def _reference(text: str) -> list[str]:
    """The words of the first sentence of a description."""
    found = _SENTENCE.match(text)
    return words(found[1] if found else text)[:MOST_WORDS]
