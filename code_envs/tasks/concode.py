"""CONCODE: a Java method for a sentence, among the fields and methods of its class; with CodeXGLUE 104,000 items.

Format: JSON Lines; keys `nl` and `code`, the tokens parted by spaces. `nl` holds the sentence, then behind
`concode_field_sep` the fields of the class and behind another one its methods, parted by `concode_elem_sep`; a method
is its type and its name. `code` is the method, its name replaced by `function`; it is empty in the test file that
CodeXGLUE gives out, and an item without it is left out. There are no tests: the method itself is right, token by token.

In the program to be completed the sentence is a comment above a class; its fields and methods are declared, and the
method is missing, below a comment with the names that the data give all parameters, variables and texts in place of
the authors' own: nothing else would hold them.

`train.json`, `dev.json` and `test.json` of a folder are the splits train, validation and test; a file of another name
is all test. Licence: C-UDA-1.0 (code of the repository: MIT). Source: Iyer et al. (2018), "Mapping Language to Code in
Programmatic Context"; Lu et al. (2021), "CodeXGLUE", github.com/microsoft/CodeXGLUE.
"""

from __future__ import annotations

from pathlib import Path

from code_envs.errors import TaskError
from code_envs.tasks.gaps import Gap
from code_envs.tasks.records import Record, read_records
from code_envs.tasks.task import TaskSet, digest

__all__ = ["FIELDS", "load"]

FORMAT, NAME = "CONCODE", "concode-v0"
FIELDS = [("code", str), ("nl", str)]
SECTIONS, ELEMENTS = "concode_field_sep", "concode_elem_sep"
SPLITS = {"train": "train", "dev": "validation", "test": "test"}
NAMES = 'function arg0 arg1 arg2 arg3 arg4 loc0 loc1 loc2 loc3 loc4 "srini_string"'
ABSENT = ("PlaceHolder", "placeHolder")
"""What stands for the fields and methods of a class that has none: a type, or a type and a name."""


def load(path: Path, limit: int | None = None) -> TaskSet[Gap]:
    """Load the methods; the task is to complete the class.

    Args:
        path: A file, or a folder with the files of some of the splits.
        limit: Number of items to read from the start of each file; None reads all.

    Raises:
        TaskError: If there is no such file, or a file or an item is not as described above.
    """
    found: list[Gap] = []
    left_out: dict[str, str] = {}
    members: dict[str, tuple[str, ...]] = {}
    digests = []
    for file in _files(path):
        records, sha256 = read_records(file, FORMAT)
        digests.append(sha256.encode())
        gaps = [_gap(f"{NAME}/{file.stem}/{number}", record) for number, record in enumerate(records[:limit])]
        left_out |= {gap.task_id: "there is nothing to complete" for gap in gaps if not gap.target}
        usable = [gap for gap in gaps if gap.target]
        found += usable
        members[SPLITS.get(file.stem, "test")] = tuple(gap.task_id for gap in usable)
    if not found:
        raise TaskError(f"{path}: no item has a method. {FORMAT} expects it in 'code'; CodeXGLUE's test file has none.")
    origin = "Iyer et al. (2018); Lu et al. (2021), github.com/microsoft/CodeXGLUE"
    return TaskSet(NAME, tuple(found), "C-UDA-1.0", origin, digest(*digests), left_out, members)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = [file for split in SPLITS if (file := path / f"{split}.json").is_file()]
    if not files:
        expected = [f"{split}.json" for split in SPLITS]
        there = sorted(each.name for each in path.iterdir())[:6]
        raise TaskError(f"{path}: {FORMAT} expects some of the files {expected} in this folder; found {there}.")
    return files


def _gap(task_id: str, record: Record) -> Gap:
    record.require(FIELDS, FORMAT)
    sentence, *sections = record.content["nl"].split(SECTIONS)
    if len(sections) != 2:
        raise TaskError(
            f"{record.place}: 'nl' of {FORMAT} has the sentence, the fields and the methods, parted by {SECTIONS!r}; "
            f"here are {1 + len(sections)} parts, not 3: {record.content['nl'][:60]!r}."
        )
    fields, methods = (_elements(section) for section in sections)
    text = " ".join(sentence.split())
    lines = [f"// {text}", "class Environment {", *(f"{field} ;" for field in fields)]
    lines += [*(f"{method} ( ) ;" for method in dict.fromkeys(methods)), f"// {NAMES}"]
    target = " ".join(record.content["code"].split())
    return Gap(task_id, "".join(f"{line}\n" for line in lines), "\n}\n", target, text, language="java", tokenised=True)


def _elements(section: str) -> list[str]:
    texts = [" ".join(each.split()) for each in section.split(ELEMENTS)]
    return [text for text in texts if text and not text.endswith(ABSENT)]
