"""Reading of data files: JSON Lines (also gzipped) and JSON lists, with errors that name file and line."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code_envs.errors import TaskError

__all__ = ["Field", "Record", "parse_records", "read_bytes", "read_records", "read_text"]

Field = tuple[str, type]


@dataclass(frozen=True, slots=True)
class Record:
    """One item of a data file.

    Args:
        place: File and line or item, for messages.
        content: The item.
    """

    place: str
    content: Mapping[str, Any]

    def require(self, fields: Sequence[Field], what: str) -> None:
        """Check that fields are there and of their type.

        Raises:
            TaskError: If one is missing or of another type.
        """
        missing = [name for name, _ in fields if name not in self.content]
        if missing:
            raise TaskError(
                f"{self.place}: {what} needs the keys {[name for name, _ in fields]}; {missing} are missing, "
                f"there are {list(self.content)}."
            )
        for name, kind in fields:
            if not isinstance(self.content[name], kind):
                came = type(self.content[name]).__name__
                raise TaskError(f"{self.place}: {name!r} of {what} must be a {kind.__name__}, not a {came}.")

    def texts(self, name: str) -> list[str]:
        """A field that is a list of str.

        Raises:
            TaskError: If it is something else.
        """
        value = self.content[name]
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise TaskError(f"{self.place}: {name!r} must be a list of str, not {str(value)[:60]!r}.")
        return value


def read_bytes(path: Path) -> tuple[bytes, str]:
    """Content of a file, unzipped if it is gzipped, and the sha256 of the file as it is.

    Raises:
        TaskError: If it cannot be read, is empty or is a damaged archive.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise TaskError(f"{path}: cannot be read ({error.strerror or error}). Expected a data file.") from error
    if not raw.strip():
        raise TaskError(f"{path}: the file is empty. Expected JSON records or a program.")
    digest = hashlib.sha256(raw).hexdigest()
    if not raw.startswith(b"\x1f\x8b"):
        return raw, digest
    try:
        return gzip.decompress(raw), digest
    except (OSError, EOFError, zlib.error) as error:
        raise TaskError(f"{path}: the gzip archive is damaged or cut off ({error}).") from error


def read_text(path: Path) -> tuple[str, str]:
    """Text of a UTF-8 file, and the sha256 of the file.

    Raises:
        TaskError: If it cannot be read, is empty or is not UTF-8.
    """
    content, digest = read_bytes(path)
    try:
        return content.decode("utf-8-sig"), digest
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise TaskError(
            f"{path}, line {line}: byte {error.start} is {content[error.start]:#04x}, which is not UTF-8. "
            "Expected a UTF-8 file."
        ) from error


def read_records(path: Path, what: str) -> tuple[list[Record], str]:
    """Items of a JSON Lines file or of a JSON list, and the sha256 of the file.

    Args:
        path: The file; a gzipped one is recognised by its content.
        what: Name of the expected format, for messages.

    Raises:
        TaskError: If the file is missing, empty, cut off, not UTF-8 or not a sequence of JSON objects.
    """
    text, digest = read_text(path)
    return parse_records(str(path), text, what), digest


def parse_records(path: str, text: str, what: str) -> list[Record]:
    """Items of JSON Lines or of a JSON list.

    Args:
        path: Where the text is from, for messages.
        text: The text.
        what: Name of the expected format, for messages.

    Raises:
        TaskError: If it is no sequence of JSON objects.
    """
    records = _json_list(path, text, what) if text.lstrip().startswith("[") else _json_lines(path, text, what)
    for record in records:
        if not isinstance(record.content, dict):
            came = type(record.content).__name__
            raise TaskError(f"{record.place}: {what} expects a JSON object here, not a {came}.")
    return records


def _json_list(path: str, text: str, what: str) -> list[Record]:
    try:
        items = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TaskError(f"{path}: not a JSON list as {what} expects, or cut off: {error}.") from error
    if not items:
        raise TaskError(f"{path}: the JSON list is empty. {what} expects at least one item.")
    return [Record(f"{path}, item {number}", item) for number, item in enumerate(items)]


def _json_lines(path: str, text: str, what: str) -> list[Record]:
    records = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            records.append(Record(f"{path}, line {number}", json.loads(line)))
        except (ValueError, RecursionError) as error:
            raise TaskError(
                f"{path}, line {number}: not JSON as {what} expects, or cut off: {error}. It begins {line[:40]!r}."
            ) from error
    return records
