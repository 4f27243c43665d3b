"""HumanEval infilling: a line or a span is cut out of HumanEval's programs, judged by HumanEval's tests.

Format: JSON Lines, also gzipped; keys `task_id` ("SingleLineInfilling/HumanEval/0/L0"), `prompt` (the program up to
the gap), `suffix` (behind it), `canonical_solution` (what was there), `entry_point`, `test` (`def check(candidate)`).
Single lines: 1,033 items; random spans, light: 164. Licence: MIT. Source: Bavarian et al. (2022), "Efficient Training
of Language Models to Fill in the Middle", github.com/openai/human-eval-infilling.
"""

from __future__ import annotations

from pathlib import Path

from code_envs.execution.executor import Executor
from code_envs.tasks.assembly import Draft, Source, assemble
from code_envs.tasks.extraction import TestProgram
from code_envs.tasks.gaps import Gap
from code_envs.tasks.records import Record, read_records
from code_envs.tasks.task import TaskSet, digest

__all__ = ["FIELDS", "load"]

FORMAT = "HumanEval infilling"
FIELDS = [
    ("task_id", str), ("prompt", str), ("suffix", str), ("canonical_solution", str), ("entry_point", str), ("test", str)
]  # fmt: skip
NAME = "humaneval-infilling-v0"


def load(path: Path, executor: Executor, limit: int | None = None) -> TaskSet[Gap]:
    """Load gaps with their tests.

    The line breaks around a single line are not part of its gap. Items of one program share its tests.

    Args:
        path: The file.
        executor: Runs test code and programs.
        limit: Number of items to read from the start of the file; None reads all.

    Raises:
        TaskError: If the file or an item is not as described above.
    """
    records, sha256 = read_records(path, FORMAT)
    records = records[:limit]
    for record in records:
        record.require(FIELDS, FORMAT)
    drafts = {key: _draft(key, record) for record in records for key in [_key(record)]}
    origin = "Bavarian et al. (2022), github.com/openai/human-eval-infilling"
    programs = assemble(Source(NAME, "MIT", origin, sha256), list(drafts.values()), executor)
    items = {task.task_id.removeprefix(f"{NAME}/"): task for task in programs}
    found, left_out = [], {}
    for record in records:
        item, task = record.content, items.get(_key(record))
        task_id = f"{NAME}/{item['task_id']}"
        if task is None:
            left_out[task_id] = programs.left_out[f"{NAME}/{_key(record)}"]
            continue
        before, target, after = _trimmed(item["prompt"], item["canonical_solution"], item["suffix"])
        found.append(Gap(task_id, before, after, target, program=task))
    splits = {
        split: [gap.task_id for gap in found if gap.program is not None and gap.program.task_id in ids]
        for split, ids in ((split, set(ids)) for split, ids in programs.splits.items())
    }
    return TaskSet(NAME, tuple(found), "MIT", origin, sha256, left_out, splits)


def _key(record: Record) -> str:
    """Id of the program that an item is a part of: its name in HumanEval, and its text."""
    item = record.content
    text = item["prompt"] + item["canonical_solution"] + item["suffix"]
    return f"{item['entry_point']}-{digest(text.encode(), item['test'].encode())[:12]}"


def _draft(key: str, record: Record) -> Draft:
    item = record.content
    reference = item["prompt"] + item["canonical_solution"] + item["suffix"]
    return Draft(key, item["entry_point"], reference, TestProgram((item["test"],), item["entry_point"]))


def _trimmed(before: str, target: str, after: str) -> tuple[str, str, str]:
    """A gap of one line without its indentation and its line break; any other as it is."""
    line = target.strip()
    whole = (not before or before.endswith("\n")) and target.endswith("\n")
    if not whole or "\n" in line or not line:
        return before, target, after
    start = target.index(line)
    return before + target[:start], line, target[start + len(line) :] + after
