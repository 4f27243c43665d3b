"""CodeSearchNet and AdvTest: functions with their documentation, and graded relevance judgements.

CodeSearchNet: JSON Lines (gzipped or not), one file or a folder of them; keys `code` (or `original_string`),
`docstring`, `func_name`, and where present `partition` (train, valid, test), `language` and `url`. The docstring is
taken out of Python code; its first paragraph is the description. AdvTest (CodeXGLUE): JSON Lines; keys `idx`,
`docstring_tokens` and `function`, `code`, `original_string`, `function_tokens` or `code_tokens`, the first that is
there; `partition` or the file's name says the split. Functions that come twice are left out.

Judgements: CSV with the columns Language, Query, GitHubUrl, Relevance (0 to 3), Notes; 4,006 of them about 99
queries. They name functions by URL and bring no code.

Licence: every function has that of its repository (CodeSearchNet), C-UDA (AdvTest), MIT (judgements).
Source: Husain et al. (2019), "CodeSearchNet Challenge", github.com/github/CodeSearchNet; Lu et al. (2021),
"CodeXGLUE", github.com/microsoft/CodeXGLUE.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from code_envs.errors import TaskError
from code_envs.syntax.docstrings import summary, without_docstring
from code_envs.tasks.described import Described
from code_envs.tasks.records import Record, read_records, read_text
from code_envs.tasks.search_set import SearchSet
from code_envs.tasks.task import digest

__all__ = ["ADVTEST_CODE", "Judgement", "load", "load_advtest", "load_judgements"]

SUFFIXES = (".jsonl", ".jsonl.gz")
PARTITIONS = {"train": "train", "valid": "validation", "test": "test"}
ADVTEST_CODE = ("function", "code", "original_string", "function_tokens", "code_tokens")
COLUMNS = ["Language", "Query", "GitHubUrl", "Relevance", "Notes"]
MOST_RELEVANT = 3


class _Item(NamedTuple):
    item: str
    text: str
    code: str
    partition: str
    language: str


class Judgement(NamedTuple):
    """How well a function answers a query, by one person."""

    language: str
    query: str
    url: str
    relevance: int
    """0 (not at all) to 3 (exactly)."""
    notes: str


def load(path: Path, limit: int | None = None) -> SearchSet:
    """Load CodeSearchNet.

    Args:
        path: A file, or a folder: all its .jsonl and .jsonl.gz files are read.
        limit: Number of items to read from the start of each file; None reads all.

    Raises:
        TaskError: If a file or an item is not as described above.
    """
    origin = "Husain et al. (2019), github.com/github/CodeSearchNet; each function is under its repository's licence"
    return _load("codesearchnet-v0", path, limit, _codesearchnet, "LicenseRef-repositories", origin)


def load_advtest(path: Path, limit: int | None = None) -> SearchSet:
    """Load AdvTest: CodeSearchNet's Python part, names normalised in validation and test.

    Args:
        path: A file, or a folder: all its .jsonl and .jsonl.gz files are read.
        limit: Number of items to read from the start of each file; None reads all.

    Raises:
        TaskError: If a file or an item is not as described above.
    """
    origin = "Lu et al. (2021), CodeXGLUE, github.com/microsoft/CodeXGLUE"
    return _load("advtest-v0", path, limit, _advtest, "C-UDA", origin)


def load_judgements(path: Path) -> tuple[Judgement, ...]:
    """Load the relevance judgements of the CodeSearchNet challenge, in the order of the file.

    Raises:
        TaskError: If the file is not as described above; the message names the line.
    """
    text, _ = read_text(path)
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        header = next(reader)
        if header != COLUMNS:
            raise TaskError(f"{path}, line 1: the judgements need the columns {COLUMNS}; there are {header}.")
        return tuple(_judgement(f"{path}, line {reader.line_num}", row) for row in reader if row)
    except csv.Error as error:
        raise TaskError(f"{path}, line {reader.line_num}: not CSV as the judgements are: {error}.") from error


def _judgement(place: str, row: list[str]) -> Judgement:
    if len(row) != len(COLUMNS):
        raise TaskError(
            f"{place}: a judgement has {len(COLUMNS)} columns {COLUMNS}; here are {len(row)}, or it is cut."
        )
    language, query, url, relevance, notes = row
    if relevance not in map(str, range(MOST_RELEVANT + 1)):
        raise TaskError(f"{place}: 'Relevance' must be 0 to {MOST_RELEVANT}, not {relevance!r}.")
    return Judgement(language, query, url, int(relevance), notes)


# items --------------------------------------------------------------------------------------------


def _load(
    name: str, path: Path, limit: int | None, read: Callable[[Record, str], _Item], licence: str, origin: str
) -> SearchSet:
    tasks: list[Described] = []
    left_out: dict[str, str] = {}
    splits: dict[str, list[str]] = {}
    first: dict[str, str] = {}
    digests = []
    for file in _files(path):
        records, sha256 = read_records(file, name)
        digests.append(sha256)
        stem = file.name.partition(".")[0]
        for number, record in enumerate(records[:limit]):
            found = read(record, stem)
            task_id = f"{name}/{stem}/{found.item or number}"
            reason = _unusable(found, first)
            if reason:
                left_out[task_id] = reason
                continue
            first[found.code] = task_id
            tasks.append(Described(task_id, found.text, found.code, found.language))
            splits.setdefault(found.partition, []).append(task_id)
    if not tasks:
        raise TaskError(f"{path}: no function with a description; the first that was left out: {left_out}"[:300])
    splits = {split: splits[split] for split in PARTITIONS.values() if split in splits}
    return SearchSet(name, tuple(tasks), licence, origin, digest(*map(str.encode, digests)), left_out, splits)


def _unusable(found: _Item, first: dict[str, str]) -> str:
    if not found.text:
        return "the description is empty"
    if not found.code.strip():
        return "the code is empty"
    return f"the same code as {first[found.code]!r}" if found.code in first else ""


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    files = [each for each in sorted(path.rglob("*")) if each.is_file() and each.name.endswith(SUFFIXES)]
    if not files:
        raise TaskError(f"{path}: no file that ends with {' or '.join(SUFFIXES)} in this folder.")
    yield from files


def _codesearchnet(record: Record, stem: str) -> _Item:
    key = "code" if "code" in record.content else "original_string"
    record.require([(key, str), ("docstring", str), ("func_name", str)], "CodeSearchNet")
    item = record.content
    language = str(item.get("language", "python"))
    code = without_docstring(item[key]) if language == "python" else item[key]
    return _Item("", summary(item["docstring"]), code, _partition(record, stem), language)


def _advtest(record: Record, stem: str) -> _Item:
    record.require([("idx", int), ("docstring_tokens", list)], "AdvTest")
    keys = [key for key in ADVTEST_CODE if key in record.content]
    if not keys:
        raise TaskError(f"{record.place}: AdvTest needs one of the keys {list(ADVTEST_CODE)}; there are "
                        f"{list(record.content)}.")  # fmt: skip
    code: Any = record.content[keys[0]]
    if keys[0].endswith("tokens"):
        code = " ".join(record.texts(keys[0]))
    elif not isinstance(code, str):
        raise TaskError(f"{record.place}: {keys[0]!r} of AdvTest must be a str, not a {type(code).__name__}.")
    text = " ".join(record.texts("docstring_tokens"))
    return _Item(str(record.content["idx"]), text, without_docstring(code), _partition(record, stem), "python")


def _partition(record: Record, stem: str) -> str:
    """The split of an item, by its partition or else by the name of its file; "train" where neither says it."""
    said = record.content.get("partition")
    if said is not None:
        if said not in PARTITIONS:
            raise TaskError(f"{record.place}: 'partition' must be one of {list(PARTITIONS)}, not {said!r}.")
        return PARTITIONS[said]
    return next((split for part, split in PARTITIONS.items() if part in stem), "train")
