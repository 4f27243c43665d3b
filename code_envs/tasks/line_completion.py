"""CodeXGLUE's line completion: the beginning of a Python or Java file, and the rest of its last line.

Format: JSON Lines with the keys `input` and `gt` (also `id`), alone or as `<language>/dev.json` in a zip archive (3,819
items of Python, 3,000 of Java). Tokens are parted by spaces, `<s>` begins a file, `<EOL>` ends a line (Python only;
there is no indentation), and literals stand for classes: `"<STR_LIT>"` for any string, `"<STR_LIT:x>"` for the
frequent string x, `<NUM_LIT>` and `<NUM_LIT:1>` likewise. Here `<EOL>` becomes a line break and a frequent literal
itself; a rare string becomes the empty one, a rare number stays `<NUM_LIT>`, and U+0020 within a string stays as it
is. Only the target itself is right: there are no tests. In Java a "line" ends behind `;`, `{` or `}`.

The development file is divided into train, validation and test by a digest of each file's first 16 tokens; each item
is another file, but files of one project may be in several splits. Licence: C-UDA-1.0 (code of the repository: MIT).
Source: Lu et al. (2021), "CodeXGLUE"; data after Raychev et al. (2016) and Allamanis and Sutton (2013).
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from pathlib import Path

from code_envs.errors import TaskError
from code_envs.tasks.gaps import Gap
from code_envs.tasks.records import Record, parse_records, read_bytes
from code_envs.tasks.task import TaskSet, digest

__all__ = ["FIELDS", "load"]

FORMAT = "CodeXGLUE line completion"
FIELDS = [("input", str), ("gt", str)]
FOLDERS = {"python": "py150", "java": "javaCorpus"}
MAX_BYTES = 1 << 28
BEGINNING = 16
"""Files with so many first tokens in common are in the same split."""
SPLITS = ("train",) * 8 + ("validation", "test")
_LITERAL = re.compile(r"<(STR|CHAR|NUM)_LIT(?::(.*?))?>", re.DOTALL)


def load(path: Path, language: str, limit: int | None = None) -> TaskSet[Gap]:
    """Load the items of one language.

    Args:
        path: The JSON Lines file, or a zip archive that has it in the folder of the language.
        language: "python" or "java".
        limit: Number of items to read from the start of the file; None reads all.

    Raises:
        TaskError: If the file or an item is not as described above.
    """
    content, sha256 = read_bytes(path)
    place = str(path)
    if content.startswith(b"PK"):
        place, content = _member(path, content, FOLDERS[language])
    records = parse_records(place, _decoded(place, content), FORMAT)
    name = f"{FOLDERS[language].lower()}-v0"
    found, left_out = [], {}
    members: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    for number, record in enumerate(records[:limit]):
        record.require(FIELDS, FORMAT)
        task_id = f"{name}/{number}"
        gap = _gap(task_id, record, language)
        if not gap.target:
            left_out[task_id] = "there is nothing to complete"
            continue
        found.append(gap)
        beginning = " ".join(record.content["input"].split()[:BEGINNING])
        key = digest(beginning.encode(errors="surrogatepass"))
        members[SPLITS[int(key[:8], 16) % len(SPLITS)]].append(task_id)
    if not found:
        raise TaskError(f"{place}: no item has anything to complete. {FORMAT} expects it in 'gt'.")
    origin = "Lu et al. (2021), github.com/microsoft/CodeXGLUE"
    return TaskSet(name, tuple(found), "C-UDA-1.0", origin, sha256, left_out, members)


def _member(path: Path, content: bytes, folder: str) -> tuple[str, bytes]:
    """Place and content of the language's file in an archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [each for each in archive.infolist() if f"/{each.filename}".endswith(f"/{folder}/dev.json")]
            if len(names) != 1:
                raise TaskError(f"{path}: {folder}/dev.json is expected in the archive, not {archive.namelist()[:8]}.")
            if names[0].file_size > MAX_BYTES:
                raise TaskError(f"{path}: {names[0].filename} has {names[0].file_size} bytes; {MAX_BYTES} are read.")
            return f"{path}, {names[0].filename}", archive.read(names[0])
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise TaskError(f"{path}: the zip archive is damaged, cut off or encrypted ({error}).") from error


def _decoded(place: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TaskError(f"{place}: byte {error.start} is {content[error.start]:#04x}, which is not UTF-8.") from error


def _gap(task_id: str, record: Record, language: str) -> Gap:
    before = record.content["input"].removeprefix("<s>").strip()
    target = record.content["gt"].strip()
    if "<EOL>" in target.split():
        raise TaskError(f"{record.place}: 'gt' of {FORMAT} is the rest of one line; it has <EOL>: {target[:60]!r}.")
    before = " ".join(_plain(before).split(" ")).replace(" <EOL> ", "\n").replace("<EOL> ", "\n")
    before = f"{before[: -len(' <EOL>')]}\n" if before.endswith(" <EOL>") else f"{before} "
    return Gap(task_id, before, "", _plain(target), language=language, tokenised=True)


def _plain(text: str) -> str:
    """Literals as the convention above has them."""
    return _LITERAL.sub(lambda found: "<NUM_LIT>" if found[1] == "NUM" and not found[2] else found[2] or "", text)
