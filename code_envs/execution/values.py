"""Values on the trusted side: encode arguments, and compare what a candidate returned.

What comes back is hostile: `matches` walks the expected structure, which is ours, and looks the received
JSON up in it. It never builds a set or a dict from received data, so colliding hashes cost nothing.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from code_envs.errors import ConfigurationError
from code_envs.execution import codec

__all__ = ["RELATIONS", "decode", "encode", "encode_calls", "matches"]

RELATIONS = ("eq", "ne", "is", "true", "false", "close")
MAX_MEMBERS = 5_000  # of one received set or dict in `decode`: colliding hashes cost the square of it


def encode(value: Any) -> Any:
    """The JSON form of one of our values.

    Raises:
        ConfigurationError: If it has no faithful encoding: only exact builtin types, Fraction and Decimal do.
    """
    _require_exact(value)
    try:
        return codec.encode(value)
    except codec.UnencodableError as error:
        raise ConfigurationError(str(error)) from error


_SCALARS = (bool, int, float, complex, str, bytes, Fraction, Decimal, type(None))


def _require_exact(value: Any, depth: int = 0) -> None:
    """Refuse what would arrive as another type: a result may be of a subclass, an argument must not."""
    kind = type(value)
    if kind in _SCALARS:
        return
    if depth > codec.MAX_DEPTH:
        raise ConfigurationError(f"A value nests deeper than {codec.MAX_DEPTH} levels: it cannot enter the sandbox.")
    if kind not in (list, tuple, set, frozenset, dict):
        raise ConfigurationError(
            f"A {kind.__name__!r} cannot enter the sandbox: {value!r:.100}. Use None, bool, int, float, complex, str, "
            "bytes, Fraction, Decimal, and list, tuple, dict, set or frozenset of them."
        )
    for item in value:
        _require_exact(item, depth + 1)
    if kind is dict:
        for item in value.values():
            _require_exact(item, depth + 1)


def encode_calls(calls: Sequence[Sequence[Any]]) -> bytes:
    """The argument lists of a job's calls, for `Job.calls`.

    Raises:
        ConfigurationError: If an argument has no faithful encoding; the message names the call.
    """
    encoded = []
    for number, arguments in enumerate(calls):
        try:
            encoded.append([encode(argument) for argument in arguments])
        except ConfigurationError as error:
            raise ConfigurationError(f"Call {number}: {error}") from error
    return json.dumps(encoded, separators=(",", ":")).encode()


def decode(received: Any) -> Any:
    """The value of encoded JSON, made of builtins only; safe on hostile data.

    Raises:
        ValueError: If it is malformed, nests deeper than 150, holds more than 200,000 nodes, or a set or dict
            of more than 5,000 members.
    """
    try:
        return _decode(received, 0, [codec.MAX_NODES])
    except (TypeError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"Not an encoded value: {error}") from error


def _decode(node: Any, depth: int, budget: list[int]) -> Any:
    if type(node) not in (list, dict):
        return node
    content = node
    tag = None
    if type(node) is dict:
        if len(node) != 1:
            raise ValueError(f"Not an encoded value: an object with {len(node)} keys.")
        ((tag, content),) = node.items()
        if type(content) is str:
            return codec.untag(node)
        if type(content) is not list or (tag in ("s", "S", "d") and len(content) > MAX_MEMBERS):
            raise ValueError(f"Not an encoded value: the tag {tag!r:.20} with a malformed or too large content.")
    budget[0] -= len(content)
    if depth >= codec.MAX_DEPTH or budget[0] < 0:
        raise ValueError(f"The value is too big: more than {codec.MAX_DEPTH} levels or {codec.MAX_NODES} nodes.")
    if tag == "d":
        pairs = [_pair(item) for item in content]
        budget[0] -= len(pairs)
        return {_decode(key, depth + 1, budget): _decode(item, depth + 1, budget) for key, item in pairs}
    items = [_decode(item, depth + 1, budget) for item in content]
    return items if tag is None else codec.untag({tag: items})


def _pair(item: Any) -> tuple[Any, Any]:
    if type(item) is not list or len(item) != 2:
        raise ValueError("Not an encoded value: a dict's item is not a pair.")
    return item[0], item[1]


def matches(expected: Any, received: Any, relation: str = "eq", tolerance: float = 0.0) -> bool:
    """Whether a received value stands in a relation to what was expected.

    Args:
        expected: Our own value, of builtin types; ignored by "true" and "false".
        received: `CallResult.value`: encoded, hostile JSON.
        relation: "eq" as Python's `==`; "ne", its opposite for a well-formed value; "is" for None, True and False;
            "true" and "false" for truth; "close", as "eq" with numbers up to `tolerance` apart.
        tolerance: Largest absolute difference for "close".

    Returns:
        The answer; False for every malformed value. nan equals nothing.

    Raises:
        ConfigurationError: If `expected` or `relation` cannot be used.
    """
    compare = _RELATION.get(relation)
    if compare is None:
        raise ConfigurationError(f"relation must be one of {RELATIONS}, not {relation!r}.")
    try:
        return compare(expected, received, tolerance)
    except ConfigurationError:
        raise  # a ValueError too, but one of ours
    except (ValueError, ArithmeticError, RecursionError, _MalformedError):
        return False  # only received data can cause these: `expected` was walked by `==` before


class _MalformedError(Exception):
    """Received data is no encoded value."""


def _is_equal(expected: Any, received: Any, tolerance: float) -> bool:
    return _equal(expected, received, None)


def _is_unequal(expected: Any, received: Any, tolerance: float) -> bool:
    _truth(received)
    return not _equal(expected, received, None)


def _is_identical(expected: Any, received: Any, tolerance: float) -> bool:
    if expected is not None and type(expected) is not bool:
        raise ConfigurationError(
            f"The relation 'is' compares with None, True or False only, not with {expected!r:.100}."
        )
    return received is expected


def _is_close(expected: Any, received: Any, tolerance: float) -> bool:
    return _equal(expected, received, tolerance)


def _truth(received: Any) -> bool:
    """Truth of a received value, without building it."""
    if type(received) is not dict:
        return bool(received)
    if len(received) != 1:
        raise _MalformedError
    ((tag, content),) = received.items()
    if tag in ("t", "d", "s", "S") and type(content) is list:
        return bool(content)
    return bool(_scalar(received))


_RELATION: dict[str, Callable[[Any, Any, float], bool]] = {
    "eq": _is_equal,
    "ne": _is_unequal,
    "is": _is_identical,
    "true": lambda expected, received, tolerance: _truth(received),
    "false": lambda expected, received, tolerance: not _truth(received),
    "close": _is_close,
}

_NUMBERS = (int, float, complex, Fraction, Decimal)


def _equal(expected: Any, received: Any, tolerance: float | None) -> bool:
    if expected is None:
        return received is None
    if isinstance(expected, (str, bytes, *_NUMBERS)):
        return _equal_scalar(expected, received, tolerance)
    if isinstance(expected, list):
        return type(received) is list and _equal_items(expected, received, tolerance)
    if isinstance(expected, tuple):
        return _equal_items(expected, _content(received, "t"), tolerance)
    if isinstance(expected, dict):
        return _equal_dict(expected, _content(received, "d"), tolerance)
    if isinstance(expected, (set, frozenset)):
        content = _content(received, "s")
        return _equal_set(expected, _content(received, "S") if content is None else content)
    raise ConfigurationError(
        f"Expected values are of builtin types, not {type(expected).__name__!r}: {expected!r:.100}."
    )


def _equal_scalar(expected: Any, received: Any, tolerance: float | None) -> bool:
    value = _scalar(received) if type(received) is dict else received
    if type(value) is list:
        return False
    if tolerance is None or not isinstance(expected, _NUMBERS) or not isinstance(value, _NUMBERS):
        return bool(expected == value)
    if expected == value:
        return True  # infinities, whose difference is nan
    try:
        difference: Any = operator.sub(expected, value)
        return bool(abs(difference) <= tolerance)
    except TypeError:
        return False  # Decimal and float, or Fraction and Decimal: Python subtracts neither


def _content(received: Any, tag: str) -> list[Any] | None:
    """The list under a tag, or None if the value is something else."""
    if type(received) is not dict or len(received) != 1:
        return None
    content = received.get(tag)
    return content if type(content) is list else None


def _equal_items(expected: Sequence[Any], items: list[Any] | None, tolerance: float | None) -> bool:
    if items is None or len(items) != len(expected):
        return False
    return all(_equal(ours, theirs, tolerance) for ours, theirs in zip(expected, items, strict=True))


def _equal_dict(expected: dict[Any, Any], pairs: list[Any] | None, tolerance: float | None) -> bool:
    if pairs is None or len(pairs) != len(expected):
        return False
    left = dict(expected)
    for pair in pairs:
        if type(pair) is not list or len(pair) != 2:
            return False
        key = _find(left, pair[0])
        if key is _ABSENT or not _equal(left.pop(key), pair[1], tolerance):
            return False
    return True


def _equal_set(expected: set[Any] | frozenset[Any], items: list[Any] | None) -> bool:
    if items is None or len(items) != len(expected):
        return False
    left = dict.fromkeys(expected)
    for item in items:
        key = _find(left, item)
        if key is _ABSENT:
            return False
        del left[key]
    return True


_ABSENT = object()


def _find(ours: dict[Any, Any], received: Any) -> Any:
    """The key of our own table that a received value equals."""
    if type(received) is not dict:
        # list is unhashable; other JSON scalars look themselves up
        return received if type(received) is not list and received in ours else _ABSENT
    if not received.keys() & {"t", "S"}:
        value = _scalar(received)
        return value if value in ours else _ABSENT
    return next((key for key in ours if isinstance(key, (tuple, frozenset)) and _equal(key, received, None)), _ABSENT)


def _scalar(node: dict[str, Any]) -> Any:
    """The number or bytes under a tag; containers are no scalar and equal none."""
    if len(node) != 1:
        raise _MalformedError
    ((tag, content),) = node.items()
    if tag in ("i", "f", "b", "n") and type(content) is str:
        return codec.untag(node)
    if tag in ("c", "q") and type(content) is list and len(content) == 2:
        parts = [_scalar(part) if type(part) is dict else part for part in content]
        if all(isinstance(part, (int, float)) for part in parts):
            return codec.untag({tag: parts})
    if tag == "w" and type(content) is list:
        return codec.untag(node)
    if tag in ("t", "d", "s", "S") and type(content) is list:
        return []
    raise _MalformedError
