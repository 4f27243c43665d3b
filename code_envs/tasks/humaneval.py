"""HumanEval: 164 hand-written Python problems.

Format: JSON Lines, also gzipped; keys `task_id`, `prompt` (imports, signature, docstring), `entry_point`,
`canonical_solution` (the body), `test` (`def check(candidate)` with asserts). Licence: MIT.
Source: Chen et al. (2021), "Evaluating Large Language Models Trained on Code", github.com/openai/human-eval.
"""

from __future__ import annotations

import ast
import warnings
from pathlib import Path

from code_envs.execution.executor import Executor
from code_envs.tasks.assembly import Draft, Source, assemble
from code_envs.tasks.extraction import TestProgram
from code_envs.tasks.records import Record, read_records
from code_envs.tasks.task import TaskSet

__all__ = ["FIELDS", "load"]

FORMAT = "HumanEval"
FIELDS = [("task_id", str), ("prompt", str), ("entry_point", str), ("canonical_solution", str), ("test", str)]


def load(path: Path, executor: Executor, limit: int | None = None) -> TaskSet:
    """Load HumanEval; the tasks have no faulty program.

    Args:
        path: The file.
        executor: Runs test code and programs.
        limit: Number of items to read from the start of the file; None reads all.

    Raises:
        TaskError: If the file or an item is not as described above.
    """
    records, sha256 = read_records(path, FORMAT)
    drafts = [_draft(record) for record in records[:limit]]
    source = Source("humaneval-v0", "MIT", "Chen et al. (2021), github.com/openai/human-eval", sha256)
    return assemble(source, drafts, executor)


def _draft(record: Record) -> Draft:
    record.require(FIELDS, FORMAT)
    item = record.content
    return Draft(
        item=item["task_id"],
        description=_docstring(item["prompt"], item["entry_point"]),
        reference=item["prompt"] + item["canonical_solution"],
        tests=TestProgram((item["test"],), item["entry_point"]),
    )


def _docstring(prompt: str, entry: str) -> str:
    """The docstring of the function, as HumanEvalPack gives it; the whole prompt if there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            functions = [node for node in ast.parse(prompt).body if isinstance(node, ast.FunctionDef)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return prompt.strip()  # a prompt that ends within a statement is a legitimate one
    found = [ast.get_docstring(node) for node in functions if node.name == entry]
    return (found[-1] if found else None) or prompt.strip()
