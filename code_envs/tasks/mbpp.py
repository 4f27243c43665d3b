r"""MBPP, the Mostly Basic Python Problems: 974 problems, of which 427 were sanitized by hand.

Format of the full set: JSON Lines; keys `task_id`, `text`, `code` (lines end with \r\n), `test_list` (three
asserts), `test_setup_code`, `challenge_test_list`. Format of the sanitized set: a JSON list; keys `task_id`,
`prompt`, `code`, `test_imports`, `test_list`. The function under test is the one that every assert calls.
Licence: CC-BY-4.0. Source: Austin et al. (2021), "Program Synthesis with Large Language Models",
github.com/google-research/google-research/tree/master/mbpp.
"""

from __future__ import annotations

from pathlib import Path

from code_envs.errors import TaskError
from code_envs.execution.executor import Executor
from code_envs.tasks.assembly import Draft, Source, assemble
from code_envs.tasks.extraction import TestProgram
from code_envs.tasks.records import Record, read_records
from code_envs.tasks.splits import HELD_OUT, SUITE
from code_envs.tasks.task import TaskSet

__all__ = ["FULL_FIELDS", "SANITIZED_FIELDS", "load"]

FORMAT = "MBPP"
FULL_FIELDS = [("task_id", int), ("text", str), ("code", str), ("test_list", list)]
SANITIZED_FIELDS = [("task_id", int), ("prompt", str), ("code", str), ("test_list", list)]


def load(path: Path, executor: Executor, limit: int | None = None) -> TaskSet:
    """Load MBPP, full or sanitized; the tasks have no faulty program.

    The set is "mbpp-v0" if the items have the key `text`, and "mbpp-sanitized-v0" if they have `prompt`.

    Args:
        path: The file.
        executor: Runs test code and programs.
        limit: Number of items to read from the start of the file; None reads all.

    Raises:
        TaskError: If the file or an item is not as described above.
    """
    records, sha256 = read_records(path, FORMAT)
    full = "text" in records[0].content
    drafts = [_draft(record, full) for record in records[:limit]]
    name = "mbpp-v0" if full else "mbpp-sanitized-v0"
    origin = "Austin et al. (2021), github.com/google-research/google-research/tree/master/mbpp"
    return assemble(Source(name, "CC-BY-4.0", origin, sha256), drafts, executor)


def _draft(record: Record, full: bool) -> Draft:
    record.require(FULL_FIELDS if full else SANITIZED_FIELDS, FORMAT)
    item = record.content
    tests = record.texts("test_list")
    if not tests:
        raise TaskError(f"{record.place}: 'test_list' is empty; {FORMAT} expects asserts.")
    challenge = record.texts("challenge_test_list") if item.get("challenge_test_list") else []
    sections = [_lines(tests), _lines(challenge)] if challenge else [_lines(tests)]
    return Draft(
        item=str(item["task_id"]),
        description=item["text" if full else "prompt"].strip(),
        reference=_unix(item["code"]),
        tests=TestProgram(tuple(sections), "", _setup(record)),
        roles=(SUITE, HELD_OUT)[: len(sections)],
    )


def _setup(record: Record) -> str:
    code = record.content.get("test_setup_code") or ""
    if not isinstance(code, str):
        raise TaskError(f"{record.place}: 'test_setup_code' must be a str, not {str(code)[:60]!r}.")
    imports = record.texts("test_imports") if record.content.get("test_imports") else []
    return _unix("\n".join([*imports, code]))


def _lines(tests: list[str]) -> str:
    return _unix("\n".join(tests))


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
