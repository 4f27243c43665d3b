"""Code refinement of CodeXGLUE: Java methods with a bug, and the same methods after a commit that fixed it.

Format: pairs of files `<split>.buggy-fixed.buggy` and `<split>.buggy-fixed.fixed`, the splits train, valid and test as
far as they are there; a method per line, tokens parted by spaces, line n of the one fixed by line n of the other. Names
and literals are abstracted (`VAR_1`, `METHOD_2`, `STRING_3`), so a method neither compiles nor has tests: the fixed
method itself is right, token by token. `small` has methods of up to 50 tokens, `medium` of 50 to 100 (give the
environment `max_tokens=128`).

In the program to be completed the method with the bug is a comment, and the fixed one is missing. Licence: C-UDA-1.0
(code of the repository: MIT). Source: Tufano et al. (2019), "An Empirical Study on Learning Bug-Fixing Patches in the
Wild via Neural Machine Translation"; Lu et al. (2021), "CodeXGLUE", github.com/microsoft/CodeXGLUE.
"""

from __future__ import annotations

from pathlib import Path

from code_envs.errors import TaskError
from code_envs.tasks.gaps import Gap
from code_envs.tasks.records import read_text
from code_envs.tasks.task import TaskSet, digest

__all__ = ["load"]

FORMAT, NAME = "The code refinement set of CodeXGLUE", "code-refinement-v0"
SUFFIXES = (".buggy-fixed.buggy", ".buggy-fixed.fixed")
SPLITS = {"train": "train", "valid": "validation", "test": "test"}
DESCRIPTION = "Write the method without its bug."


def load(path: Path, limit: int | None = None) -> TaskSet[Gap]:
    """Load the pairs; the task is to write the fixed method below the one with the bug.

    Args:
        path: A folder with pairs of files, or one file of a pair, whose twin lies beside.
        limit: Number of pairs to read of each split; None reads all.

    Raises:
        TaskError: If there is no pair of files, or one is not as described above.
    """
    found: list[Gap] = []
    left_out: dict[str, str] = {}
    members: dict[str, tuple[str, ...]] = {}
    digests: list[bytes] = []
    for split, files in _files(path):
        first = len(found)
        buggy, fixed = (_lines(file, digests) for file in files)
        if len(buggy) != len(fixed):
            raise TaskError(
                f"{files[0]} has {len(buggy)} lines and {files[1].name} has {len(fixed)}; {FORMAT} expects line n of "
                "the one to be fixed by line n of the other. Is one of them cut off?"
            )
        for number, (start, target) in enumerate(zip(buggy[:limit], fixed[:limit], strict=True)):
            task_id = f"{NAME}/{split}/{number}"
            reason = _unusable(start, target)
            if reason:
                left_out[task_id] = reason
            else:
                found.append(_gap(task_id, start, target))
        members[SPLITS[split]] = tuple(gap.task_id for gap in found[first:])
    if not found:
        raise TaskError(f"{path}: no line has a method with a bug and a fixed one. {FORMAT} expects one in each line.")
    origin = "Tufano et al. (2019); Lu et al. (2021), github.com/microsoft/CodeXGLUE"
    return TaskSet(NAME, tuple(found), "C-UDA-1.0", origin, digest(*digests), left_out, members)


def _files(path: Path) -> list[tuple[str, tuple[Path, Path]]]:
    """Split and both files of each pair."""
    folder = path if path.is_dir() else path.parent
    pairs = [(split, (folder / f"{split}{SUFFIXES[0]}", folder / f"{split}{SUFFIXES[1]}")) for split in SPLITS]
    found = [(split, files) for split, files in pairs if any(file.is_file() for file in files)]
    if not path.is_dir():
        found = [(split, files) for split, files in found if path in files]
    if not found:
        expected = f"<split>{SUFFIXES[0]} and <split>{SUFFIXES[1]}, with a split of {list(SPLITS)}"
        there = sorted(each.name for each in folder.iterdir())[:6] if folder.is_dir() else "no folder"
        raise TaskError(f"{path}: {FORMAT} expects files {expected}; found {there}.")
    return found


def _lines(file: Path, digests: list[bytes]) -> list[str]:
    """The lines of a file, the last line break not being the beginning of one more; their digest is added."""
    text, sha256 = read_text(file)
    digests.append(sha256.encode())
    return [" ".join(line.split()) for line in text.removesuffix("\n").split("\n")]


def _unusable(start: str, target: str) -> str:
    if not start or not target:
        return "one side is empty"
    return "both sides are the same" if start == target else ""


def _gap(task_id: str, start: str, target: str) -> Gap:
    return Gap(task_id, f"// {start}\n", "\n", target, DESCRIPTION, language="java", tokenised=True)
