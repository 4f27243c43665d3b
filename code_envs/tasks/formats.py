"""The formats that are read from a path: what loads them, where they usually are, how they are recognised."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code_envs.execution.executor import Executor
from code_envs.tasks import (
    apps,
    codesearchnet,
    conala,
    concode,
    cosqa,
    cruxeval,
    deepfix,
    humaneval,
    humanevalpack,
    infilling,
    line_completion,
    mbpp,
    mxeval,
    quixbugs,
    refinement,
    spider,
    tracer,
    translations,
)
from code_envs.tasks.task import TaskSet

__all__ = ["FORMATS", "Format"]

LINES = ("codebert_tasks/UniXcoder/downstream-tasks/code-completion/dataset.zip",)
CRUXEVAL = ("cruxeval/data/cruxeval.jsonl",)


@dataclass(frozen=True, slots=True)
class Format:
    """One source that is read from a path.

    Args:
        line: What it is, in a line.
        load: Its loader.
        recognise: Whether the first record of a file is of this format.
        places: Where the file usually is, below CODE_ENVS_DATA; the last parts are tried in any folder.
        folder: Whether the loader reads a folder as a whole.
    """

    line: str
    load: Callable[[Path, Executor, int | None], TaskSet[Any]]
    recognise: Callable[[Mapping[str, object]], bool]
    places: tuple[str, ...]
    folder: bool = False


def _has(*keys: str, but: str = "") -> Callable[[Mapping[str, object]], bool]:
    return lambda record: set(keys) <= set(record) and but not in record


FORMATS = {
    "humaneval": Format(
        "HumanEval, 164 Python problems (jsonl or jsonl.gz)",
        humaneval.load,
        lambda record: (
            _has("prompt", "canonical_solution", "test", "entry_point", but="buggy_solution")(record)
            and not {"suffix", "language"} & set(record)
        ),
        ("humaneval/data/HumanEval.jsonl.gz", "humaneval/data/HumanEval.jsonl"),
    ),
    "humanevalpack": Format(
        "HumanEvalPack, HumanEval problems with one bug each (jsonl)",
        humanevalpack.load,
        _has("declaration", "buggy_solution", "canonical_solution"),
        ("humanevalpack/data/python/data/humanevalpack.jsonl",),
    ),
    "humaneval_infilling": Format(
        "HumanEval infilling, 1033 lines cut out of HumanEval's programs, with tests, for completion (jsonl, jsonl.gz)",
        infilling.load,
        _has("prompt", "suffix", "canonical_solution", "entry_point"),
        ("humaneval_infilling/data/HumanEval-SingleLineInfilling.jsonl.gz",),
    ),
    "py150": Format(
        "PY150 of CodeXGLUE, the rest of a line of Python, for completion (zip or jsonl)",
        lambda path, _, limit: line_completion.load(path, "python", limit),
        lambda record: False,
        LINES,
    ),
    "javaCorpus": Format(
        "javaCorpus of CodeXGLUE, the rest of a line of Java, for completion (zip or jsonl)",
        lambda path, _, limit: line_completion.load(path, "java", limit),
        lambda record: False,
        LINES,
    ),
    "java-cs": Format(
        "Java to C# of CodeXGLUE, the same methods in both, for translation (folder)",
        lambda path, _, limit: translations.load(path, limit),
        lambda record: False,
        ("codexglue/Code-Code/code-to-code-trans/data",),
        folder=True,
    ),
    "mbpp": Format(
        "MBPP, 974 basic Python problems (jsonl)", mbpp.load, _has("text", "code", "test_list"), ("mbpp/mbpp.jsonl",)
    ),
    "mbpp-sanitized": Format(
        "MBPP, the 427 problems sanitized by hand (json)",
        mbpp.load,
        _has("prompt", "code", "test_list"),
        ("mbpp/sanitized-mbpp.json",),
    ),
    "quixbugs": Format(
        "QuixBugs, 40 algorithms with a bug in one line (folder)",
        quixbugs.load,
        lambda record: False,
        ("quixbugs", "QuixBugs"),
        folder=True,
    ),
    "cosqa": Format(
        "CoSQA, web queries with the Python functions that answer them, for search (json, the corpus beside it)",
        lambda path, _, limit: cosqa.load(path, limit),
        _has("doc", "code", "retrieval_idx"),
        ("cosqa/data/search/cosqa-retrieval-dev-500.json",),
    ),
    "codesearchnet": Format(
        "CodeSearchNet, documented functions, for search (jsonl, jsonl.gz, or a folder of them)",
        lambda path, _, limit: codesearchnet.load(path, limit),
        _has("docstring", "func_name", but="idx"),
        ("codesearchnet/python", "codesearchnet/jsonl"),
        folder=True,
    ),
    "advtest": Format(
        "AdvTest of CodeXGLUE, documented functions with normalised names, for search (jsonl or a folder of them)",
        lambda path, _, limit: codesearchnet.load_advtest(path, limit),
        _has("idx", "docstring_tokens", but="doc"),
        ("advtest", "AdvTest"),
        folder=True,
    ),
    "tracer": Format(
        "TRACER, 2163 C programs with a compile error and their repairs, tracer*200 for the first 200 (zip or csv)",
        tracer.load,
        lambda record: False,
        ("tracer/singleL_Test.zip",),
    ),
    "deepfix": Format(
        "DeepFix, C programs of students that do not compile, and others that do (SQLite, also gzipped)",
        deepfix.load,
        lambda record: False,
        ("deepfix/deepfix.db", "deepfix/prutor-deepfix-09-12-2017.db", "deepfix/prutor-deepfix-09-12-2017.db.gz"),
    ),
    "spider": Format(
        "Spider, questions about databases with the SQL queries that answer them (folder with dev.json and database)",
        lambda path, _, limit: spider.load(path, limit),
        _has("db_id", "question", "query"),
        ("spider",),
        folder=True,
    ),
    "apps": Format(
        "APPS, problems of programming contests with tests of functions or whole Python programs (folder or jsonl)",
        apps.load,
        _has("question", "solutions", "input_output"),
        ("apps",),
        folder=True,
    ),
    "mxeval": Format(
        "mxeval (MBXP), MBPP's problems in JavaScript, also in Python; a file of one language (jsonl)",
        mxeval.load,
        _has("prompt", "entry_point", "test", "language", "canonical_solution"),
        ("mxeval/mbxp/mbjsp_release_v1.2.jsonl",),
    ),
    "cruxeval-output": Format(
        "CRUXEval-O, what 800 short Python functions give, for completion (jsonl)",
        cruxeval.load_outputs,
        _has("code", "input", "output"),
        CRUXEVAL,
    ),
    "cruxeval-input": Format(
        "CRUXEval-I, arguments for which 800 short Python functions give something, for completion (jsonl)",
        cruxeval.load_inputs,
        lambda record: False,
        CRUXEVAL,
    ),
    "conala": Format(
        "CoNaLa, lines of Python for sentences, for completion (json or jsonl)",
        lambda path, _, limit: conala.load(path, limit),
        _has("intent", "snippet"),
        ("conala/conala-train.json",),
    ),
    "concode": Format(
        "CONCODE of CodeXGLUE, Java methods for sentences and classes, for completion (folder or jsonl)",
        lambda path, _, limit: concode.load(path, limit),
        _has("nl", "code"),
        ("codexglue/Text-Code/text-to-code/dataset/concode",),
        folder=True,
    ),
    "code-refinement": Format(
        "Code refinement of CodeXGLUE, Java methods without their bugs, for completion (folder)",
        lambda path, _, limit: refinement.load(path, limit),
        lambda record: False,
        ("codexglue/Code-Code/code-refinement/data/small",),
        folder=True,
    ),
}
