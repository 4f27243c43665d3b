"""Programs to enumerate: the built-in ones, and those of the benchmark files."""

import importlib.resources
import json

import pytest

from code_envs.syntax.enumeration import Enumerator
from code_envs.syntax.program import Program
from code_envs.syntax.rewrite import Operator
from code_envs.tasks.builtin_programs import _draft


def _builtin():
    folder = importlib.resources.files("code_envs.tasks").joinpath("builtin", "programs")
    files = sorted(each for each in folder.iterdir() if each.name.endswith(".py") and not each.name.startswith("_"))
    return {each.name: _draft(each.name.removesuffix(".py"), each.read_text()).reference.encode() for each in files}


BUILTIN = _builtin()


@pytest.fixture(scope="session")
def builtin():
    """Name -> source of every built-in program."""
    assert len(BUILTIN) > 50
    return BUILTIN


@pytest.fixture
def pack(data):
    """Name -> (faulty, canonical) of HumanEvalPack in a language."""

    def read(language):
        lines = (data / f"humanevalpack/data/{language}/data/humanevalpack.jsonl").read_text().splitlines()
        records = [json.loads(line) for line in lines]
        return {
            each["task_id"]: tuple(
                (each["declaration"] + each[key]).encode() for key in ("buggy_solution", "canonical_solution")
            )
            for each in records
        }

    return read


@pytest.fixture
def candidates():
    """Every candidate of a program: (operator, source after the edit)."""

    def of(source, language="python"):
        program = Program(source.encode() if isinstance(source, str) else source, language)
        found = Enumerator(program)(program)
        return [
            (Operator(int(operator)), program.source[:start] + text + program.source[end:])
            for operator, start, end, text in zip(found.operators, found.starts, found.ends, found.texts, strict=True)
        ]

    return of
