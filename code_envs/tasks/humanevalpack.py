"""HumanEvalPack (HumanEvalFix): HumanEval problems with one bug each, written by people.

Format: JSON Lines; keys of HumanEval plus `declaration` (imports, helpers, signature), `buggy_solution`,
`docstring`, `example_test` (asserts of the docstring's examples), `bug_type`. `task_id` is
"<Language>/<number>". `test` ends with a call of its own `check`; in JavaScript it is made of `console.assert`, which
prints and goes on, so that 153 of the 164 faulty programs end with exit code 0. Licence: MIT.
Source: Muennighoff et al. (2023), "OctoPack: Instruction Tuning Code Large Language Models",
huggingface.co/datasets/bigcode/humanevalpack.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from code_envs.errors import ConfigurationError
from code_envs.execution.executor import Executor
from code_envs.tasks.assembly import Draft, Source, assemble
from code_envs.tasks.extraction import TestProgram
from code_envs.tasks.records import Record, read_records
from code_envs.tasks.splits import REWARD, SUITE
from code_envs.tasks.task import TaskSet

__all__ = ["FIELDS", "load"]

FORMAT = "HumanEvalPack"
LANGUAGES = ("python", "javascript")
# JavaScript/162 needs this package of npm, which no sandbox has
STAND_INS = {"require('js-md5')": "((text) => require('crypto').createHash('md5').update(text).digest('hex'))"}
FIELDS = [
    ("task_id", str),
    ("declaration", str),
    ("canonical_solution", str),
    ("buggy_solution", str),
    ("docstring", str),
    ("entry_point", str),
    ("test", str),
    ("example_test", str),
]


def load(path: Path, executor: Executor, limit: int | None = None) -> TaskSet:
    """Load HumanEvalPack: the task is to repair the faulty program.

    The examples of the docstring earn reward, beside three quarters of the tests.

    Args:
        path: The file of one language.
        executor: Runs test code and programs.
        limit: Number of items to read from the start of the file; None reads all.

    Raises:
        TaskError: If the file or an item is not as described above.
        ConfigurationError: If the programs are neither in Python nor in JavaScript.
    """
    records, sha256 = read_records(path, FORMAT)
    for record in records[:limit]:
        record.require(FIELDS, FORMAT)
    language = _language(records[:limit])
    if language not in LANGUAGES:
        raise ConfigurationError(
            f"{path} holds {len(records)} {language} programs. Only Python and JavaScript programs are called by name "
            "in this version: use the file of one of these languages."
        )
    drafts = [_draft(record, language) for record in records[:limit]]
    origin = "Muennighoff et al. (2023), huggingface.co/datasets/bigcode/humanevalpack"
    return assemble(Source(f"humanevalpack-{language}-v0", "MIT", origin, sha256), drafts, executor)


def _language(records: list[Record]) -> str:
    languages = {record.content["task_id"].partition("/")[0].lower() for record in records}
    if len(languages) != 1:
        raise ConfigurationError(f"{records[0].place}: one language per file is expected, not {sorted(languages)}.")
    return languages.pop()


def _draft(record: Record, language: str) -> Draft:
    item = record.content
    entry = _entry(item)
    sections, roles = [item["test"]], [SUITE]
    if item["example_test"].strip():
        sections.append(item["example_test"])
        roles.append(REWARD)
    return Draft(
        item=item["task_id"],
        description=item["docstring"].strip(),
        reference=_program(item, "canonical_solution"),
        tests=TestProgram(tuple(sections), entry, language=language),
        roles=tuple(roles),
        start=_program(item, "buggy_solution"),
    )


def _entry(item: Mapping[str, Any]) -> str:
    """The function under test; JavaScript/114 names it in another case than its program."""
    name = item["entry_point"]
    written = re.findall(rf"\b{re.escape(name)}\b", item["declaration"], re.IGNORECASE)
    return name if name in written or not written else written[-1]


def _program(item: Mapping[str, Any], solution: str) -> str:
    program = item["declaration"] + item[solution]
    for module, stand_in in STAND_INS.items():
        program = program.replace(module, stand_in)
    return program
