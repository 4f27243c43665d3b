"""Values in a form that two processes can compare, and a fresh process to compare with."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["canonical", "difference", "in_fresh_process"]

SHOWN_VALUES = 16
TIMEOUT_S = 600.0
HASH_SEED = "20261"  # any that differs from the caller's shows an order that depends on string hashes
_CALL = """
import importlib, json, sys
module, name, arguments = sys.argv[1:]
print(json.dumps(getattr(importlib.import_module(module), name)(*json.loads(arguments))))
"""


def canonical(value: Any) -> Any:
    """The value in JSON's types: equal for equal values only, also across processes.

    Raises:
        AssertionError: If a part of it is of a type whose value cannot be compared.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (float, bytes, np.generic)):
        return f"{type(value).__name__} {value!r}"
    if isinstance(value, np.ndarray):
        content = value.tolist() if value.size <= SHOWN_VALUES else hashlib.sha256(value.tobytes()).hexdigest()
        return f"array {value.dtype} {value.shape} {content}"
    if isinstance(value, Mapping):
        return {str(key): canonical(part) for key, part in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted((canonical(part) for part in value), key=json.dumps)
    if isinstance(value, (list, tuple)):
        return [canonical(part) for part in value]
    raise AssertionError(
        f"Expected numbers, texts, arrays and collections of them, which two runs can compare; got a {type(value)}."
    )


def difference(expected: Any, found: Any, where: str = "") -> str:
    """Where two canonical values first differ, with both values; "" if they are equal."""
    if expected == found:
        return ""
    if isinstance(expected, dict) and isinstance(found, dict) and expected.keys() == found.keys():
        parts = [(f"{where}[{key!r}]", expected[key], found[key]) for key in expected]
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        parts = [(f"{where}[{number}]", *each) for number, each in enumerate(zip(expected, found, strict=True))]
    else:
        return f"{where}: {_short(expected)} and {_short(found)}"
    return next(filter(None, (difference(first, second, place) for place, first, second in parts)))


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 200 else text[:200] + "..."


def in_fresh_process(function: str, *arguments: Any) -> Any:
    """Call a function in a new interpreter with other string hashes; returns what it gives, as JSON.

    Args:
        function: "module:name".
        arguments: JSON values.

    Raises:
        AssertionError: If it fails.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONHASHSEED": HASH_SEED}
    command = [sys.executable, "-c", _CALL, *function.split(":"), json.dumps(arguments)]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S)
    if answer.returncode != 0:
        raise AssertionError(f"Expected {function}{arguments} to work in a fresh process; it said:\n{answer.stderr}")
    return json.loads(answer.stdout.splitlines()[-1])
