"""Python values as JSON, and back: the form in which arguments and results cross the sandbox's wall.

`None`, `bool`, `str`, `list`, finite `float` and `int` below 2**63 are themselves. Everything else is
an object with one key, its tag::

    t tuple      s set        b bytes (hex)        f nan, inf, -inf        q Fraction [n, d]
    d dict       S frozenset  i large int (hex)    c complex [re, im]      n Decimal
    w str with surrogates (code points): JSON would make one character of two surrogates

Instances of subclasses are encoded by the methods of their builtin base, so an object cannot lie about
its contents by overriding them. This module runs on both sides and uses the standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

__all__ = ["MAX_DEPTH", "MAX_NODES", "UnencodableError", "encode", "load_arguments", "untag"]

MAX_DEPTH = 150
MAX_NODES = 200_000
MAX_TEXT = 1 << 20
_SMALL_INT = 1 << 63


class UnencodableError(TypeError):
    """A value has no faithful encoding. `kind` names its type, or says "too big"."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


def encode(value: Any) -> Any:
    """The JSON form of a value.

    Raises:
        UnencodableError: If the value, or something in it, has no faithful encoding, nests deeper than
            150 or holds more than 200,000 nodes or a text beyond 1 MiB.
    """
    return _encode(value, 0, [MAX_NODES])


def _encode(value: Any, depth: int, budget: list[int]) -> Any:
    kind = type(value)
    if kind is int:
        return value if -_SMALL_INT < value < _SMALL_INT else _large(value)
    if kind is str:
        return value if value.isascii() and len(value) <= MAX_TEXT else _text(value, depth, budget)
    if kind is bool or value is None:
        return value
    if kind is float:
        return value if value - value == 0.0 else {"f": repr(value)}
    if kind is list:
        return _items(value, len(value), depth, budget)
    if kind is tuple:
        return {"t": _items(value, len(value), depth, budget)}
    if kind is dict:
        return {"d": _pairs(value, depth, budget)}
    return _encode_other(value, kind, depth, budget)


def _text(value: str, depth: int, budget: list[int]) -> Any:
    if len(value) > MAX_TEXT:
        _too_big(f"a str of {len(value)} characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        return {"w": _items(map(ord, value), len(value), depth, budget)}
    return value


def _items(items: Any, count: int, depth: int, budget: list[int]) -> list[Any]:
    budget[0] -= count
    if depth >= MAX_DEPTH or budget[0] < 0:
        _too_big(f"more than {MAX_DEPTH} levels or {MAX_NODES} nodes")
    depth += 1
    return [_encode(item, depth, budget) for item in items]


def _pairs(value: dict[Any, Any], depth: int, budget: list[int]) -> list[Any]:
    budget[0] -= 2 * dict.__len__(value)
    if depth >= MAX_DEPTH or budget[0] < 0:
        _too_big(f"more than {MAX_DEPTH} levels or {MAX_NODES} nodes")
    depth += 1
    return [[_encode(key, depth, budget), _encode(item, depth, budget)] for key, item in dict.items(value)]


def _encode_other(value: Any, kind: type, depth: int, budget: list[int]) -> Any:
    if issubclass(kind, (set, frozenset)):
        base = set if issubclass(kind, set) else frozenset
        tag = "s" if base is set else "S"
        return {tag: _items(base.__iter__(value), base.__len__(value), depth, budget)}
    if issubclass(kind, (bytes, bytearray)):
        base_bytes = bytes if issubclass(kind, bytes) else bytearray
        if base_bytes.__len__(value) > MAX_TEXT // 2:
            _too_big(f"{base_bytes.__len__(value)} bytes")
        return {"b": base_bytes.hex(value)}
    if kind is complex:
        return {"c": [_encode(value.real, depth, budget), _encode(value.imag, depth, budget)]}
    if kind is Fraction:
        return {"q": [_encode(value.numerator, depth, budget), _encode(value.denominator, depth, budget)]}
    if kind is Decimal:
        return {"n": str(value)}
    for base_kind, exact in _EXACT:
        if issubclass(kind, base_kind):
            return _encode(exact(value), depth, budget)
    raise UnencodableError(
        str(kind.__name__), f"A {kind.__name__!r} has no faithful encoding; use Python's builtin types."
    )


_EXACT: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (int, lambda value: int.__add__(value, 0)),
    (float, float.__float__),
    (str, str.__str__),
    (list, lambda value: [*list.__iter__(value)]),
    (tuple, lambda value: (*tuple.__iter__(value),)),
    (dict, lambda value: dict(dict.items(value))),
)


def _large(value: int) -> dict[str, str]:
    if value.bit_length() > 4 * MAX_TEXT:
        _too_big(f"an int of {value.bit_length()} bits")
    return {"i": hex(value)}


def _too_big(what: str) -> Any:
    raise UnencodableError("too big", f"The value is too big to encode: {what}.")


_BUILD: dict[str, Callable[[Any], Any]] = {
    "t": tuple,
    "d": dict,
    "s": set,
    "S": frozenset,
    "b": bytes.fromhex,
    "w": lambda points: "".join(map(chr, points)),
    "i": lambda text: int(text, 16),
    "f": float,
    "c": lambda parts: complex(*parts),
    "q": lambda parts: Fraction(*parts),
    "n": Decimal,
}


def untag(node: dict[str, Any]) -> Any:
    """The value of one tagged node whose children are decoded already.

    Raises:
        ValueError: If the node is not one known tag with a well-formed content.
    """
    try:
        ((tag, content),) = node.items()
        return _BUILD[tag](content)
    except (KeyError, TypeError, ArithmeticError) as error:
        raise ValueError(f"Not an encoded value: an object with the keys {list(node)[:3]}.") from error


# the decoder calls `untag` from the innermost object outwards, so plain lists cost nothing extra
_ARGUMENTS = json.JSONDecoder(object_hook=untag)


def load_arguments(calls: str) -> list[list[Any]]:
    """The fresh argument lists of a job's calls, from its trusted JSON text."""
    loaded: list[list[Any]] = _ARGUMENTS.decode(calls)
    return loaded
