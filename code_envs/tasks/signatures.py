"""What is known of a function before it is written: types from the values in tests, constants from its description."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from typing import Any

from code_envs.execution.codec import load_arguments
from code_envs.syntax.derivation import Signature
from code_envs.syntax.grammar import TYPES
from code_envs.tasks.cases import CaseSuite
from code_envs.tasks.task import Task

__all__ = ["infer", "signature_of"]

NUMBERS = ("0", "1", "2", "10", "-1")
TEXTS = ("''", "' '")
MOST = 10
"""Constants of one type."""
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?!\w|\.\d)")
_QUOTED = re.compile(r"'[^'\\\n]*'|\"[^\"\\\n]*\"")


def signature_of(task: Task) -> Signature:
    """What the reward tests and the description of a task tell of its function."""
    suite = task.reward_tests
    calls = load_arguments(suite.calls.decode())
    results = [case.expected for case in suite.cases if case.relation == "eq"] if isinstance(suite, CaseSuite) else []
    return infer(task.entry_point, calls, results, task.description, _parameters(task, calls))


def _parameters(task: Task, calls: list[list[Any]]) -> list[str]:
    """Names of the parameters that the calls give, as the reference has them."""
    count = max(map(len, calls), default=0)
    tree = ast.parse(task.reference if task.language == "python" else "")
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    named = next((node for node in functions if node.name == task.entry_point), None)
    names = [argument.arg for argument in named.args.args] if named else []
    return [names[number] if number < len(names) else f"argument_{number}" for number in range(count)]


def infer(
    name: str,
    arguments: Sequence[Sequence[Any]],
    results: Sequence[Any],
    description: str,
    parameters: Sequence[str],
) -> Signature:
    """The signature of a function.

    Args:
        name: Name of the function.
        arguments: Arguments of some calls.
        results: What some calls should give; empty if that is not known.
        description: Numbers and quoted texts in it become constants.
        parameters: Names of the parameters.
    """
    kinds = {
        parameter: _kind(call[number] for call in arguments if number < len(call))
        for number, parameter in enumerate(parameters)
    }
    numbers = [*NUMBERS, *(text for text in _NUMBER.findall(_QUOTED.sub("", description)) if len(text) < 8)]
    texts = [*TEXTS, *(repr(text[1:-1]) for text in _QUOTED.findall(description) if len(text) < 24)]
    constants = {"num": tuple(dict.fromkeys(numbers))[:MOST], "str": tuple(dict.fromkeys(texts))[:MOST]}
    return Signature(name, kinds, _kind(results), constants)


def _kind(values: Iterable[Any]) -> str:
    """The one type of some values; "any" if there is none in the grammar."""
    found = {_type(value) for value in values} - {"list[]"}
    if found == set():
        return "list[num]"
    if found <= {"num", "bool"} and len(found) == 2:
        return "num"
    return found.pop() if len(found) == 1 else "any"


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "num"
    if isinstance(value, str):
        return "str"
    if not isinstance(value, list):
        return "any"
    inner = {_type(item) for item in value}
    if not inner:
        return "list[]"
    kind = f"list[{inner.pop()}]" if len(inner) == 1 else "any"
    return kind if kind in TYPES else "any"
