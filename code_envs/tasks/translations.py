"""Translation: methods in one language with the same ones in another.

Two sources. `translations` comes with Code Envs: short Java methods and their C# twins, written for this project
(MIT), in `code_envs/tasks/builtin/translations/java_csharp.txt`: a line of Java, a line of C#, an empty line, and so
on. `java-cs` is the Java to C# set of CodeXGLUE: a folder with pairs of files `<split>.java-cs.txt.java` and
`<split>.java-cs.txt.cs`, the splits train, valid and test as far as they are there, one method per line, line n of the
one translated by line n of the other. Licence of the latter: C-UDA-1.0. Source: Lu et al. (2021), "CodeXGLUE", after
Lucene, POI, JGit and Antlr.
"""

from __future__ import annotations

import importlib.resources
from dataclasses import dataclass
from pathlib import Path

from code_envs.errors import TaskError
from code_envs.tasks.records import read_text
from code_envs.tasks.task import TaskSet, digest

__all__ = ["Translation", "load", "load_builtin"]

FORMAT = "The Java to C# set of CodeXGLUE"
SPLITS = {"train": "train", "valid": "validation", "test": "test"}
SUFFIXES = (".java-cs.txt.java", ".java-cs.txt.cs")
BUILTIN, CODEXGLUE = "translations-v0", "java-cs-v0"
NAMES = ("train",) * 8 + ("validation", "test")


@dataclass(frozen=True, slots=True)
class Translation:
    """A program in one language and the same one in another.

    Args:
        task_id: Permanent id, `<task set>/<item>`.
        source: The program to translate.
        target: Its translation.
        source_language: Language of the first.
        target_language: Language of the second.
    """

    task_id: str
    source: str
    target: str
    source_language: str = "java"
    target_language: str = "csharp"


def load(path: Path, limit: int | None = None) -> TaskSet[Translation]:
    """Load CodeXGLUE's pairs.

    Args:
        path: The folder, or one file of it, whose twin lies beside.
        limit: Number of pairs to read of each split; None reads all.

    Raises:
        TaskError: If there is no pair of files, or one is not as described above.
    """
    found: list[Translation] = []
    left_out: dict[str, str] = {}
    digests: list[bytes] = []
    members: dict[str, list[str]] = {}
    for split, files in _files(path):
        sides = []
        for file in files:
            text, sha256 = read_text(file)
            sides.append(_lines(text))
            digests.append(sha256.encode())
        if len(sides[0]) != len(sides[1]):
            raise TaskError(
                f"{files[0]} has {len(sides[0])} lines and {files[1].name} has {len(sides[1])}; {FORMAT} expects "
                "line n of the one to be translated by line n of the other. Is one of them cut off?"
            )
        names = members[SPLITS[split]] = []
        for number, (source, target) in enumerate(zip(*sides, strict=True)):
            if number == limit:
                break
            task_id = f"{CODEXGLUE}/{split}/{number}"
            if not source or not target:
                left_out[task_id] = "one side is empty"
                continue
            found.append(Translation(task_id, source, target))
            names.append(task_id)
    if not found:
        raise TaskError(f"{path}: no line has both sides. {FORMAT} expects a method in each line.")
    origin = "Lu et al. (2021), github.com/microsoft/CodeXGLUE"
    return TaskSet(CODEXGLUE, tuple(found), "C-UDA-1.0", origin, digest(*digests), left_out, members)


def _files(path: Path) -> list[tuple[str, tuple[Path, Path]]]:
    """Split and both files of each pair."""
    folder = path if path.is_dir() else path.parent
    pairs = [(split, (folder / f"{split}{SUFFIXES[0]}", folder / f"{split}{SUFFIXES[1]}")) for split in SPLITS]
    found = [(split, files) for split, files in pairs if any(file.is_file() for file in files)]
    if path.is_file():
        found = [(split, files) for split, files in found if path in files]
    if not found:
        expected = f"<split>{SUFFIXES[0]} and <split>{SUFFIXES[1]}, with a split of {list(SPLITS)}"
        there = sorted(each.name for each in folder.iterdir())[:6] if folder.is_dir() else "no folder"
        raise TaskError(f"{path}: {FORMAT} expects files {expected}; found {there}.")
    return found


def _lines(text: str) -> list[str]:
    """The lines of a file, the last line break not being the beginning of one more."""
    return [line.strip() for line in text.removesuffix("\n").split("\n")]


def load_builtin(limit: int | None = None, text: str | None = None) -> TaskSet[Translation]:
    """Load the pairs that come with Code Envs.

    Args:
        limit: Number of pairs to read; None reads all.
        text: The file; None means the package's own.

    Raises:
        TaskError: If the file is not as described above.
    """
    place = "java_csharp.txt"
    if text is None:
        folder = importlib.resources.files("code_envs.tasks").joinpath("builtin", "translations")
        text = folder.joinpath(place).read_text(encoding="utf-8")
    found = []
    members: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    for number, block in enumerate(text.strip().split("\n\n")[:limit], 1):
        lines = block.split("\n")
        if len(lines) != 2 or not all(lines):
            raise TaskError(
                f"{place}, pair {number}: a line of Java and a line of C# are expected, not {block[:80]!r}."
            )
        task_id = f"{BUILTIN}/{number}"
        found.append(Translation(task_id, *lines))
        members[NAMES[int(digest(lines[0].encode())[:8], 16) % len(NAMES)]].append(task_id)
    origin = "written for Code Envs"
    return TaskSet(BUILTIN, tuple(found), "MIT", origin, digest(text.encode()), {}, members)
