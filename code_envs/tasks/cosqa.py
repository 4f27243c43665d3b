"""CoSQA: web queries and the Python functions that answer them; 500 queries of the dev set, 6,267 functions.

Format of the queries: a JSON list; keys `idx`, `doc` (the query), `code` (with its docstring, which is not the
query), `retrieval_idx`, and `label` where pairs that do not fit (0) are listed too. Beside it lies the corpus,
`code_idx_map.txt`: a JSON object, function -> number. A file's name says its split: dev, test or train.
Licence: C-UDA (data), MIT (code). Source: Huang et al. (2021), "CoSQA: 20,000+ Web Queries for Code Search and
Question Answering", github.com/Jun-jie-Huang/CoCLR.
"""

from __future__ import annotations

import json
from pathlib import Path

from code_envs.errors import TaskError
from code_envs.tasks.described import Described
from code_envs.tasks.records import Record, read_records, read_text
from code_envs.tasks.search_set import SearchSet
from code_envs.tasks.task import digest

__all__ = ["CORPUS", "FIELDS", "load"]

FORMAT, NAME = "CoSQA", "cosqa-v0"
FIELDS = [("idx", str), ("doc", str), ("code", str), ("retrieval_idx", int)]
CORPUS = "code_idx_map.txt"
SPLITS = {"train": "train", "dev": "validation", "test": "test"}


def load(path: Path, limit: int | None = None) -> SearchSet:
    """Load queries with the corpus that lies beside them.

    Args:
        path: The file of queries.
        limit: Number of queries to read from the start of the file; None reads all.

    Raises:
        TaskError: If a file or an item is not as described above.
    """
    records, sha256 = read_records(path, FORMAT)
    corpus, corpus_sha256 = _corpus(path.parent / CORPUS)
    left_out: dict[str, str] = {}
    tasks = []
    for record in records[:limit]:
        record.require(FIELDS, FORMAT)
        item = record.content
        task_id = f"{NAME}/{item['idx']}"
        if item.get("label", 1) != 1:
            left_out[task_id] = "the function does not answer the query (label 0)"
            continue
        _check(record, corpus)
        tasks.append(Described(task_id, item["doc"].strip(), item["code"]))
    if not tasks:
        raise TaskError(f"{path}: no query has a function that answers it (label 1). {FORMAT} expects some.")
    names = {split for part, split in SPLITS.items() if part in path.stem.split("-")}
    splits = {name: tuple(task.task_id for task in tasks) for name in names}
    origin = "Huang et al. (2021), github.com/Jun-jie-Huang/CoCLR"
    both = digest(sha256.encode(), corpus_sha256.encode())
    return SearchSet(NAME, tuple(tasks), "C-UDA", origin, both, left_out, splits, tuple(corpus))


def _corpus(path: Path) -> tuple[dict[str, int], str]:
    if not path.exists():
        raise TaskError(f"{path}: no such file. {FORMAT} expects the corpus there, beside the queries.")
    text, sha256 = read_text(path)
    try:
        corpus = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TaskError(f"{path}: not a JSON object as {FORMAT} expects, or cut off: {error}.") from error
    if not isinstance(corpus, dict) or not corpus or not all(isinstance(each, int) for each in corpus.values()):
        raise TaskError(f"{path}: {FORMAT} expects a JSON object, function -> number, with at least one function.")
    return dict(sorted(corpus.items(), key=lambda item: item[1])), sha256


def _check(record: Record, corpus: dict[str, int]) -> None:
    item = record.content
    if not item["doc"].strip():
        raise TaskError(f"{record.place}: 'doc' is empty; {FORMAT} expects a query.")
    if corpus.get(item["code"]) != item["retrieval_idx"]:
        found = corpus.get(item["code"], "none")
        raise TaskError(
            f"{record.place}: 'retrieval_idx' is {item['retrieval_idx']}, the corpus {CORPUS} has number {found} for "
            "this function. Expected both files to be of one release."
        )
