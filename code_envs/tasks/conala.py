"""CoNaLa: a line of Python for an intent in a sentence; 2,379 and 500 pairs that people checked, others mined.

Format: a JSON list (or JSON Lines, for the mined pairs); keys `intent` (title of a question of Stack Overflow),
`rewritten_intent` (better, often with the names to use; may be null or absent), `snippet`, `question_id`. There are no
tests: the snippet itself is right, token by token. In the program to be completed the intent is a comment; what it has
in quotes stands below it once more without them, because a name in quotes is a string to the lexer and could not be
copied.

A file whose name says "test" is the split "test"; the questions of any other file are divided into train (80 %),
validation and test (10 % each), all snippets of a question together. Licence: CC-BY-SA-4.0 (Stack Overflow's).
Source: Yin et al. (2018), "Learning to Mine Aligned Code and Natural Language Pairs from Stack Overflow",
conala-corpus.github.io.
"""

from __future__ import annotations

import re
from pathlib import Path

from code_envs.errors import TaskError
from code_envs.tasks.gaps import Gap
from code_envs.tasks.records import Record, read_records
from code_envs.tasks.splits import splits
from code_envs.tasks.task import TaskSet, digest

__all__ = ["FIELDS", "load"]

FORMAT, NAME = "CoNaLa", "conala-v0"
FIELDS = [("intent", str), ("snippet", str), ("question_id", int)]
ORIGIN = "Yin et al. (2018), conala-corpus.github.io"
_QUOTED = re.compile(r"`([^`\n]+)`|'([^'\n]+)'|\"([^\"\n]+)\"")


def load(path: Path, limit: int | None = None) -> TaskSet[Gap]:
    """Load the pairs; the task is to complete the snippet below its intent.

    Args:
        path: The file.
        limit: Number of pairs to read from the start of the file; None reads all.

    Raises:
        TaskError: If the file or an item is not as described above.
    """
    records, sha256 = read_records(path, FORMAT)
    found: list[Gap] = []
    left_out: dict[str, str] = {}
    groups: dict[str, str] = {}
    first: dict[tuple[str, str], str] = {}
    for number, record in enumerate(records[:limit]):
        task_id = f"{NAME}/{number}"
        gap = _gap(task_id, record)
        reason = _unusable(gap, first)
        if reason:
            left_out[task_id] = reason
            continue
        first[gap.description, gap.target] = task_id
        found.append(gap)
        groups[task_id] = digest(str(record.content["question_id"]).encode())
    if not found:
        raise TaskError(f"{path}: no pair can be used; {FORMAT} expects an intent and a snippet: {left_out}"[:300])
    members = {"test": tuple(groups)} if "test" in path.stem.split("-") else splits(groups, groups)
    return TaskSet(NAME, tuple(found), "CC-BY-SA-4.0", ORIGIN, sha256, left_out, members)


def _gap(task_id: str, record: Record) -> Gap:
    record.require(FIELDS, FORMAT)
    item = record.content
    rewritten = item.get("rewritten_intent")
    if not isinstance(rewritten, str | None):
        came = type(rewritten).__name__
        raise TaskError(f"{record.place}: 'rewritten_intent' of {FORMAT} must be a str or null, not a {came}.")
    intent = " ".join((rewritten or item["intent"]).split())
    quoted = [" ".join(filter(None, each)) for each in _QUOTED.findall(intent)]
    lines = [intent, " ".join(quoted)] if quoted else [intent]
    before = "".join(f"# {line}\n" for line in lines)
    snippet = item["snippet"].replace("\r\n", "\n").strip()
    return Gap(task_id, before, "\n", snippet, intent)


def _unusable(gap: Gap, first: dict[tuple[str, str], str]) -> str:
    if not gap.description:
        return "the intent is empty"
    if not gap.target:
        return "there is nothing to complete"
    twin = first.get((gap.description, gap.target))
    return f"the same pair as {twin!r}" if twin else ""
