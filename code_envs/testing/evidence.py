"""What a check compares: values in canonical form, here and in a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from code_envs import canonical as forms
from code_envs.canonical import difference

__all__ = ["canonical", "difference", "in_fresh_process"]

TIMEOUT_S = 600.0
HASH_SEED = "20261"  # any that differs from the caller's shows an order that depends on string hashes
# the arguments come on stdin: a snapshot can be longer than a word of a command line may be
_CALL = """
import importlib, json, sys
module, name = sys.argv[1:]
print(json.dumps(getattr(importlib.import_module(module), name)(*json.load(sys.stdin))))
"""


def canonical(value: Any) -> Any:
    """`code_envs.canonical.canonical`, as a check.

    Raises:
        AssertionError: If a part of the value is of a type whose value cannot be compared.
    """
    try:
        return forms.canonical(value)
    except TypeError as error:
        raise AssertionError(str(error)) from error


def in_fresh_process(function: str, *arguments: Any) -> Any:
    """Call a function in a new interpreter with other string hashes; returns what it gives, as JSON.

    Args:
        function: "module:name".
        arguments: JSON values.

    Raises:
        AssertionError: If it fails.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONHASHSEED": HASH_SEED}
    answer = subprocess.run(
        [sys.executable, "-c", _CALL, *function.split(":")], input=json.dumps(arguments),
        env=environment, capture_output=True, text=True, timeout=TIMEOUT_S,
    )  # fmt: skip
    if answer.returncode != 0:
        raise AssertionError(
            f"Expected {function}{arguments!r:.300} to work in a fresh process; it said:\n{answer.stderr}"
        )
    return json.loads(answer.stdout.splitlines()[-1])
