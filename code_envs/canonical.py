"""Values in a form that can be compared and hashed, also across processes: what two runs must agree on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["canonical", "difference", "digest"]

SHOWN_VALUES = 16
DIGITS = 32  # 128 bits of sha256


def canonical(value: Any) -> Any:
    """The value in JSON's types: equal for equal values only, also across processes.

    Raises:
        TypeError: If a part of it is of a type whose value cannot be compared.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (float, bytes, np.generic)):
        return f"{type(value).__name__} {value!r}"
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, Mapping):
        return {str(key): canonical(part) for key, part in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted((canonical(part) for part in value), key=json.dumps)
    if isinstance(value, (list, tuple)):
        return [canonical(part) for part in value]
    raise TypeError(
        f"Expected numbers, texts, arrays and collections of them, which two runs can compare; got a {type(value)}."
    )


def _array(value: np.ndarray) -> Any:
    if value.dtype == np.object_:  # its bytes are addresses
        return [canonical(part) for part in value.tolist()]
    content = value.tolist() if value.size <= SHOWN_VALUES else hashlib.sha256(value.tobytes()).hexdigest()
    return f"array {value.dtype} {value.shape} {content}"


def digest(value: Any) -> str:
    """The first 128 bits of the sha256 of a value's canonical form, hexadecimal.

    Raises:
        TypeError: If a part of it is of a type whose value cannot be compared.
    """
    text = json.dumps(canonical(value), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def difference(expected: Any, found: Any, where: str = "") -> str:
    """Where two canonical values first differ, with both values; "" if they are equal."""
    if expected == found:
        return ""
    if isinstance(expected, dict) and isinstance(found, dict):
        if expected.keys() != found.keys():
            first, second = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
            return f"{where}: keys only in the first: {first}, only in the second: {second}"
        parts = [(f"{where}[{key!r}]", expected[key], found[key]) for key in expected]
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        parts = [(f"{where}[{number}]", *each) for number, each in enumerate(zip(expected, found, strict=True))]
    else:
        return f"{where}: {_short(expected)} and {_short(found)}"
    return next(filter(None, (difference(first, second, place) for place, first, second in parts)))


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 200 else text[:200] + "..."
