"""MBXP and its siblings in mxeval: MBPP's problems (and HumanEval's, MathQA's) in other languages.

Format: JSON Lines; keys `task_id` ("MBJSP/1"), `prompt` (imports, description in a comment, signature), `entry_point`,
`test`, `description` (may be absent), `language`, `canonical_solution` (the rest of the function; null where there is
none). Test code in JavaScript compares with lodash, which no sandbox has, and throws: `var arg00 = 5; var x0 =
f(arg00); var v0 = 7; if(!compare(x0, v0)){ throw ... }`, a line each. It is made `console.assert(compare(f(5), 7))`,
so that each test counts and says what it asks, and a stand-in takes lodash's place; a test of another shape does not
count. Test code in Python is a `check(candidate)`, as in HumanEval.

Many of the canonical solutions were written by a model and fail their tests; those items are left out, like those
without any. C++ and the other languages are refused: functions are called by name in Python and JavaScript only, and a
`main` that throws where a test fails would run beside the candidate, which could leave with exit code 0.

Licence: Apache-2.0 (the project), CC-BY-4.0 (MBXP, after MBPP). Source: Athiwaratkun et al. (2023), "Multi-lingual
Evaluation of Code Generation Models", github.com/amazon-science/mxeval.
"""

from __future__ import annotations

import re
from pathlib import Path

from code_envs.errors import ConfigurationError, TaskError
from code_envs.execution.executor import Executor
from code_envs.tasks.assembly import Draft, Source, assemble
from code_envs.tasks.extraction import TestProgram
from code_envs.tasks.records import Record, read_records
from code_envs.tasks.task import TaskSet

__all__ = ["FIELDS", "load"]

FORMAT = "mxeval"
FIELDS = [("task_id", str), ("prompt", str), ("entry_point", str), ("test", str), ("language", str)]
LANGUAGES = ("python", "javascript")
NO_REFERENCE = "it has no canonical solution"
_LODASH = re.compile(r"""^\s*(?:const|let|var)\s+_\s*=\s*require\(\s*["']lodash["']\s*\)\s*;?""", re.MULTILINE)
# lodash holds 0 and -0 for equal, and Node does not
STAND_IN = """
const _ = {isEqual: (left, right) => {
  const plain = (value) => value === 0 ? 0 : Array.isArray(value) ? value.map(plain) : value;
  return require('util').isDeepStrictEqual(plain(left), plain(right));
}};
"""
_TEST = re.compile(
    r"(?P<set>(?:^[ \t]*(?:var|let|const)[ \t]+\w+[ \t]*=.*;[ \t]*\n)+)"
    r"\s*if\s*\(\s*!\s*compare\(\s*(?P<given>\w+)\s*,\s*(?P<expected>\w+)\s*\)\s*\)\s*\{\s*throw\b[^}]*\}",
    re.MULTILINE,
)
_VARIABLE = re.compile(r"^[ \t]*(?:var|let|const)[ \t]+(\w+)[ \t]*=[ \t]*(.*);[ \t]*$", re.MULTILINE)


def load(path: Path, executor: Executor, limit: int | None = None) -> TaskSet:
    """Load the problems of one language; the tasks have no faulty program.

    Args:
        path: The file of one language.
        executor: Runs test code and programs.
        limit: Number of items to read from the start of the file; None reads all.

    Raises:
        TaskError: If the file or an item is not as described above.
        ConfigurationError: If the programs are neither in Python nor in JavaScript.
        ExecutorError: If the sandbox failed.
    """
    records, sha256 = read_records(path, FORMAT)
    records = records[:limit]
    for record in records:
        record.require(FIELDS, FORMAT)
        _check(record)
    language = _language(path, records)
    left_out = {_item(record): NO_REFERENCE for record in records if not record.content.get("canonical_solution")}
    drafts = [_draft(record, language) for record in records if _item(record) not in left_out]
    name = f"{_set_name(records)}-v0"
    origin = "Athiwaratkun et al. (2023), github.com/amazon-science/mxeval"
    return assemble(Source(name, "CC-BY-4.0", origin, sha256), drafts, executor, left_out)


def _check(record: Record) -> None:
    """Check the fields that may be null."""
    for name in ("canonical_solution", "description"):
        value = record.content.get(name)
        if not isinstance(value, str | None):
            came = type(value).__name__
            raise TaskError(f"{record.place}: {name!r} of {FORMAT} must be a str or null, not a {came}.")


def _item(record: Record) -> str:
    return str(record.content["task_id"])


def _set_name(records: list[Record]) -> str:
    """What the ids of a file begin with, such as "mbjsp"."""
    names = {_item(record).partition("/")[0].lower() for record in records}
    if len(names) != 1 or not all(re.fullmatch(r"[a-z][\w-]*", name) for name in names):
        raise TaskError(f"{records[0].place}: {FORMAT} expects ids such as 'MBJSP/1' of one set, not {sorted(names)}.")
    return names.pop()


def _language(path: Path, records: list[Record]) -> str:
    languages = {record.content["language"].lower() for record in records}
    if len(languages) != 1:
        raise ConfigurationError(f"{path}: one language per file is expected, not {sorted(languages)}.")
    language = str(languages.pop())
    if language not in LANGUAGES:
        raise ConfigurationError(
            f"{path} holds {language} programs. Only Python and JavaScript programs are called by name in this "
            "version: use the file of one of these languages."
        )
    return language


def _draft(record: Record, language: str) -> Draft:
    item = record.content
    test = _asserting(item["test"]) if language == "javascript" else item["test"]
    return Draft(
        item=item["task_id"],
        description=(item.get("description") or item["prompt"]).strip(),
        reference=item["prompt"] + item["canonical_solution"],
        tests=TestProgram((test,), item["entry_point"], language=language),
    )


def _asserting(test: str) -> str:
    """Test code in JavaScript with asserts in place of exceptions."""
    return _TEST.sub(_assert, _LODASH.sub(lambda _: STAND_IN, test))


def _assert(test: re.Match[str]) -> str:
    values = dict(_VARIABLE.findall(test["set"]))
    if not {test["given"], test["expected"]} <= set(values):
        return test[0]
    call = re.sub(r"\b[A-Za-z_]\w*", lambda name: values.get(name[0], name[0]), values[test["given"]])
    return f"console.assert(compare({call}, {values[test['expected']]}));"
