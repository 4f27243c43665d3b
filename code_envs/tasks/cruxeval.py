"""CRUXEval: what does this function give, and which arguments make it give that? 800 short Python functions.

Format: JSON Lines; keys `code` (defines `f`), `input` (the text between the brackets of a call of `f`), `output` (what
the call gives, as an expression), `id`. Both questions are gaps to be completed:

- `load_outputs` (CRUXEval-O): `assert f(<input>) ==` and the output is missing. The text must be that of the file,
  token by token: a program that is executed with the gap filled could call `f` itself.
- `load_inputs` (CRUXEval-I): a function `arguments` is added, whose list is missing. Any arguments for which `f` gives
  the output are right. Only `arguments` is executed together with what the agent wrote; `f` is called in a job that
  the agent's text never enters, so it cannot be redefined there.

Licence: MIT. Source: Gu et al. (2024), "CRUXEval: A Benchmark for Code Reasoning, Understanding and Execution",
github.com/facebookresearch/cruxeval.
"""

from __future__ import annotations

import ast
from pathlib import Path

from code_envs.errors import TaskError
from code_envs.execution.executor import Executor
from code_envs.tasks.assembly import Draft, Source, assemble
from code_envs.tasks.extraction import TestProgram
from code_envs.tasks.gaps import Gap
from code_envs.tasks.records import Record, read_records
from code_envs.tasks.splits import splits
from code_envs.tasks.task import Task, TaskSet, digest

__all__ = ["FIELDS", "load_inputs", "load_outputs"]

FORMAT = "CRUXEval"
FIELDS = [("code", str), ("input", str), ("output", str), ("id", str)]
INPUTS, OUTPUTS = "cruxeval-input-v0", "cruxeval-output-v0"
LICENCE, ORIGIN = "MIT", "Gu et al. (2024), github.com/facebookresearch/cruxeval"
DESCRIPTIONS = {
    OUTPUTS: "Complete the assert with what f gives.",
    INPUTS: "Complete the list of arguments for which f gives {output}.",
}
ARGUMENTS = """{code}


# f(*arguments()) == {output}
def arguments():
    return ["""


def load_outputs(path: Path, executor: Executor, limit: int | None = None) -> TaskSet[Gap]:
    """Load the prediction of outputs; every output is checked by executing the function.

    Args:
        path: The file.
        executor: Runs the functions.
        limit: Number of items to read from the start of the file; None reads all.

    Raises:
        TaskError: If the file or an item is not as described above.
        ExecutorError: If the sandbox failed.
    """
    records, sha256 = _read(path, limit)
    drafts = [_output_draft(record) for record in records]
    programs = assemble(Source(OUTPUTS, LICENCE, ORIGIN, sha256), drafts, executor)
    found = []
    for record in records:
        item = record.content
        if _id(OUTPUTS, record) in programs.ids:
            before = f"{item['code'].rstrip()}\n\nassert f({item['input']}) == "
            found.append(Gap(_id(OUTPUTS, record), before, "\n", item["output"], DESCRIPTIONS[OUTPUTS]))
    return _set(OUTPUTS, found, sha256, programs, records)


def load_inputs(path: Path, executor: Executor, limit: int | None = None) -> TaskSet[Gap]:
    """Load the prediction of arguments, judged by what the function gives for them.

    Args:
        path: The file.
        executor: Runs the functions.
        limit: Number of items to read from the start of the file; None reads all.

    Raises:
        TaskError: If the file or an item is not as described above.
        ExecutorError: If the sandbox failed.
    """
    records, sha256 = _read(path, limit)
    drafts = [_input_draft(record) for record in records]
    programs = assemble(Source(INPUTS, LICENCE, ORIGIN, sha256), drafts, executor)
    tasks = {task.task_id: task for task in programs}
    found = [_input_gap(record, task) for record in records if (task := tasks.get(_id(INPUTS, record)))]
    return _set(INPUTS, found, sha256, programs, records)


def _read(path: Path, limit: int | None) -> tuple[list[Record], str]:
    records, sha256 = read_records(path, FORMAT)
    seen: set[str] = set()
    for record in records[:limit]:
        record.require(FIELDS, FORMAT)
        item = record.content
        _parsed(record, "code", item["code"])
        _parsed(record, "input", f"f({item['input']}\n)")
        _parsed(record, "output", f"({item['output']}\n)")
        if item["id"] in seen:
            raise TaskError(f"{record.place}: the id {item['id']!r} is there twice; {FORMAT} expects unique ones.")
        seen.add(item["id"])
    return records[:limit], sha256


def _parsed(record: Record, name: str, text: str) -> None:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise TaskError(f"{record.place}: {name!r} of {FORMAT} is no Python ({error}): {text[:60]!r}.") from error


def _id(name: str, record: Record) -> str:
    return f"{name}/{record.content['id']}"


def _output_draft(record: Record) -> Draft:
    item = record.content
    test = f"assert f({item['input']}) == {item['output']}"
    return Draft(item["id"], DESCRIPTIONS[OUTPUTS], item["code"], TestProgram((test,), "f"))


def _input_draft(record: Record) -> Draft:
    item = record.content
    test = f"assert f(*arguments()) == {item['output']}"
    description = DESCRIPTIONS[INPUTS].format(output=item["output"])
    reference = f"{_asked(record)}{item['input']}]\n"
    return Draft(item["id"], description, reference, TestProgram((test,), "arguments"))


def _asked(record: Record) -> str:
    """The program up to the missing arguments; the output stands in it, so that its parts can be copied."""
    item = record.content
    return ARGUMENTS.format(code=item["code"].rstrip(), output=" ".join(item["output"].split("\n")))


def _input_gap(record: Record, task: Task) -> Gap:
    return Gap(task.task_id, _asked(record), "]\n", record.content["input"], task.description, task)


def _set(name: str, found: list[Gap], sha256: str, programs: TaskSet, records: list[Record]) -> TaskSet[Gap]:
    """The gaps; both questions about a function are in the same split."""
    groups = {_id(name, record): digest(record.content["code"].encode(errors="surrogatepass")) for record in records}
    groups = {gap.task_id: groups[gap.task_id] for gap in found}
    return TaskSet(name, tuple(found), LICENCE, ORIGIN, sha256, programs.left_out, splits(groups, groups))
