"""TRACER's single-line set: C programs of students with a compile error, and the same programs repaired.

Format: a CSV file, alone or as the only one in a zip archive. The columns read are `id`, `sourceText` (does not
compile), `targetText` (compiles; one line differs) and `sourceErrorPrutor` (what the compiler of the course said);
others, such as the abstracted tokens, are left alone. Licence: Apache-2.0.

The labels are those of another compiler: with gcc about one pair in twenty behaves otherwise, so run both programs
of a pair before you rely on it. `read_pairs` only reads; `load` compiles both and leaves out what behaves otherwise.
Source: Ahmed, Kumar, Karkare, Kar and Gulwani (2018), "Compilation Error Repair: For the Student Programs, From the
Student Programs", github.com/umairzahmed/tracer.
"""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from code_envs.errors import TaskError
from code_envs.execution.executor import Executor
from code_envs.tasks.assembly import Source
from code_envs.tasks.compile_suite import CompileDraft, assemble_compiled
from code_envs.tasks.records import read_bytes
from code_envs.tasks.task import TaskSet

__all__ = ["COLUMNS", "CompilePair", "load", "read_pairs"]

COLUMNS = ("id", "sourceText", "targetText", "sourceErrorPrutor")
DESCRIPTION = "Repair the C program so that it compiles."
ORIGIN = "Ahmed et al. (2018), github.com/umairzahmed/tracer"
MAX_BYTES = 1 << 28
MAX_FIELD = 1 << 20


@dataclass(frozen=True, slots=True)
class CompilePair:
    """One student's program before and after a compile error was repaired.

    Args:
        id: Id of the pair in the data set.
        source: C program that does not compile.
        target: C program that compiles; it differs from `source` in one line.
        error: What the compiler of the course said about `source`; names its line and column.
    """

    id: str
    source: str
    target: str
    error: str


def load(path: Path, executor: Executor, limit: int | None = None) -> TaskSet:
    """Load the pairs as tasks of repair that the compiler judges.

    Compiling all 2,163 pairs takes about a minute of CPU time; `limit` them. The data tell neither author nor problem,
    so the splits go by the repaired program up to its layout.

    Args:
        path: A CSV file, or a zip archive that holds one.
        executor: Compiles the programs.
        limit: Number of pairs to read from the start; None reads all.

    Raises:
        TaskError: If the file is not as described above, or no pair behaves as it is labelled.
        ExecutorError: If the sandbox failed.
    """
    pairs = read_pairs(path, limit)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    known = Counter(each.id for each in pairs)
    twice = [each for each, count in known.items() if count > 1]
    if twice:
        raise TaskError(f"{path}: ids must be unique; {twice[:3]} are there more than once.")
    drafts = [CompileDraft(each.id, DESCRIPTION, each.source, each.target, _layout_free(each.target)) for each in pairs]
    return assemble_compiled(Source("tracer-v0", "Apache-2.0", ORIGIN, sha256), drafts, executor)


def _layout_free(program: str) -> str:
    return "".join(program.split())


def read_pairs(path: Path, limit: int | None = None) -> tuple[CompilePair, ...]:
    """Read the pairs of a data file, in its order.

    Args:
        path: A CSV file, or a zip archive that holds one.
        limit: Number of pairs to read from the start; None reads all.

    Raises:
        TaskError: If the file cannot be read, is no such CSV file or archive, or a row is incomplete.
    """
    content, _ = read_bytes(path)
    place = str(path)
    if content.startswith(b"PK"):
        place, content = _only_table(path, content)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TaskError(f"{place}: byte {error.start} is {content[error.start]:#04x}, which is not UTF-8.") from error
    pairs = tuple(islice(_pairs(place, text), limit))
    if not pairs:
        raise TaskError(f"{place}: there is no row below the header. Expected pairs of C programs.")
    return pairs


def _only_table(path: Path, content: bytes) -> tuple[str, bytes]:
    """Place and content of the one CSV file in an archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            tables = [each for each in archive.infolist() if each.filename.endswith(".csv")]
            if len(tables) != 1:
                raise TaskError(f"{path}: one CSV file is expected in the archive, not {archive.namelist()[:5]}.")
            if tables[0].file_size > MAX_BYTES:
                raise TaskError(f"{path}: {tables[0].filename} has {tables[0].file_size} bytes; {MAX_BYTES} are read.")
            return f"{path}, {tables[0].filename}", archive.read(tables[0])
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise TaskError(f"{path}: the zip archive is damaged, cut off or encrypted ({error}).") from error


def _pairs(place: str, text: str) -> Iterator[CompilePair]:
    """The pairs of a table, checked row by row."""
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    before = csv.field_size_limit(MAX_FIELD)
    try:
        missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            found = list(rows.fieldnames or ())[:8]
            raise TaskError(
                f"{place}: a CSV file with the columns {list(COLUMNS)} is expected; it begins with {found}."
            )
        for row in rows:
            empty = [name for name in COLUMNS[:3] if not row[name]]
            if empty or row[COLUMNS[3]] is None:
                raise TaskError(f"{place}, line {rows.line_num}: the row has no {' or '.join(empty or COLUMNS[3:])}.")
            yield CompilePair(*(row[name] for name in COLUMNS))
    except csv.Error as error:
        raise TaskError(f"{place}, line {rows.line_num}: not CSV, or cut off ({error}).") from error
    finally:
        csv.field_size_limit(before)
