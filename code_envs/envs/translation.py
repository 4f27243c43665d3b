"""CodeTranslation: write a Java method in C#, token by token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

from code_envs.envs.agreement import Bleu
from code_envs.envs.bleu import BleuEnv, BleuWriting
from code_envs.envs.writing import Page
from code_envs.errors import ConfigurationError
from code_envs.execution.executor import Executor
from code_envs.syntax.spacing import Spacing
from code_envs.syntax.tokens import lex
from code_envs.syntax.writing import Context, Role, Vocabulary
from code_envs.syntax.written import CSHARP
from code_envs.tasks.task import TaskSet
from code_envs.tasks.translations import Translation

__all__ = ["CodeTranslationEnv"]

LANGUAGES = ("java", "csharp")


@dataclass(slots=True, kw_only=True)
class _Episode(BleuWriting):
    spacing: Spacing


@final
class CodeTranslationEnv(BleuEnv[_Episode]):
    """Write a Java method in C#, token by token.

    ## Description
    The agent sees a method in Java and writes it in C#. Tokens come from the Java method, as they are or as C# has
    them (`readInt` as `ReadInt`, `getName` as `Name`, `boolean` as `bool`), and from a fixed list of C#. What is
    written is compared with a reference translation; it is not compiled.

    ## Action Space
    `Discrete(max_candidates)`:

    | action | meaning |
    |---|---|
    | 0 | end the translation |
    | 1 .. | append token `k` of the task's vocabulary |

    The vocabulary is fixed in an episode: operators, brackets and keywords of C#, then the tokens of the Java method
    in order, each with its variants, then common names of C#. An action without a token is masked; it changes nothing
    and costs as much as a token.

    Not everything can be written. Tokens of the reference on offer, and references that can be written in full: built-in
    pairs 99.7 and 98 %, `java-cs` 98 and 73 (the variants were chosen with every fourth of its pairs in view).

    ## Observation Space
    `Dict` of `Box`:

    | key | shape | dtype | range | meaning |
    |---|---|---|---|---|
    | `code` | (code_tokens,) | int32 | [0, V) | ids of the Java method |
    | `text` | (text_tokens,) | int32 | [0, V) | a mark, then the last tokens written |
    | `feedback` | (12,) | float32 | [0, 1] | budget used; length, squashed; size of the vocabulary; best share of continuations (scores 1-3) and best long one (4); open brackets, squashed; place in the Java method; length against that of the Java method; last action was masked; 3 x 0 |
    | `candidates` | (max_candidates, 12) | int32 | [0, V) | family (32 end, 33 fixed, 34 copy), kind (10: a variant), role of the place it is copied from (signature, body), position in `code`, the last 3 tokens, the token, the 4 tokens that follow at that place |
    | `candidate_scores` | (max_candidates, 8) | float32 | [0, 1] | how often the Java method has it, n / (n + 3); share of it among what follows the last 1, 2, 3 tokens there, variants being equal; length of the longest passage in common that goes on / 8 times its share there (from 4 tokens on); nearness to the last copied place; share of its class after the classes of the last 3 tokens; assigned or in the signature, or closes the innermost bracket, or ends with all closed |
    | `action_mask` | (max_candidates,) | int8 | {0, 1} | 1 = valid; also `action_masks()` |

    V is `code_envs.syntax.tokens.VOCABULARY_SIZE`; a name has the same id in every task.

    ## Starting State
    A task drawn with `np_random`, or `reset(options={"task_id": ...})`; nothing is written.

    ## Rewards
    Change of BLEU-4 against the reference, + 1 at the end if the translation is the reference, - 0.001 per token or
    masked action. Each reward lies in [-1.001, 2]. BLEU is sacrebleu's for sentences (`smooth_method="exp"`,
    effective order) on the tokens of `code_envs.syntax.tokens.lex`, in their case; CodeXGLUE's own figures split at
    spaces only. `info["vector_reward"]` holds the three terms.

    ## Episode End
    *Terminated*: the agent ended the translation. *Truncated*: `max_tokens` are spent.

    ## Information
    `task_id`, `program` and `written` (the translation), `outcome` (status, no tests, no message), `measurements`:
    `bleu` (in [0, 1], of what is written), `exact` (1 if it is the reference, token by token), `tokens` (count);
    `events` (`code_envs.events`), `vector_reward` (3,) float32. At the end also `held_out` (BLEU; there is no second
    reference) and `is_success` (`exact`). With `expert=True` also `expert_action`: the next token of the reference, -1
    where the translation is another or the token is not on offer. Nothing in `info` depends on time or process.

    ## Arguments
    | argument | default | meaning |
    |---|---|---|
    | `tasks` | "translations" | task source: `translations` (40 pairs of this project), `java-cs` (CodeXGLUE) |
    | `split` | "all" | which tasks of it |
    | `max_tokens` | 256 | tokens and masked actions per episode |
    | `max_candidates` | 512 | size of the action space |
    | `code_tokens`, `text_tokens` | 256, 96 | lengths of `code` and `text` |
    | `executor` | "local" | not used: nothing is executed |
    | `timeout_s`, `memory_mib` | 2.0, 512 | not used |
    | `expert` | False | report `expert_action` |

    ## Registered Configurations
    `CodeTranslation-v0`: the defaults above.

    ## Source and Licence
    The task is code-to-code translation of CodeXGLUE (Lu et al., 2021). The default pairs were written for this
    project (MIT).

    ## Version History
    * v0: initial version.
    """

    task_type = Translation

    def __init__(
        self,
        tasks: str | TaskSet[Translation] = "translations",
        split: str = "all",
        max_tokens: int = 256,
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
        others = [task for task in self.tasks if (task.source_language, task.target_language) != LANGUAGES]
        if others:
            raise ConfigurationError(
                f"CodeTranslationEnv translates {LANGUAGES[0]} to {LANGUAGES[1]}; {others[0].task_id!r} is "
                f"{others[0].source_language} to {others[0].target_language}."
            )

    def _read(self, task: Translation) -> Page:
        tokens = [token for _, token in lex(task.source)]
        head = tokens.index("{") if "{" in tokens else len(tokens)
        roles = [int(Role.SIGNATURE)] * head + [int(Role.BEFORE)] * (len(tokens) - head)
        vocabulary = Vocabulary(Context(tokens, roles, -1), CSHARP, self.max_candidates - 2)
        return Page(vocabulary, tuple(token for _, token in lex(task.target)))

    def _episode(self, **fields: Any) -> _Episode:
        return _Episode(**fields, bleu=Bleu(fields["page"].target), spacing=Spacing(fields["task"].source))

    def _text(self, episode: _Episode) -> str:
        return episode.spacing.text("", episode.tokens)

    def _marked(self, episode: _Episode) -> tuple[str, str]:
        return f"{episode.task.source.rstrip()}\n\n", self._text(episode)
