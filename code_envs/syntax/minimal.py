"""The smallest form of a rewrite, and when two edits of a text are the same."""

from __future__ import annotations

__all__ = ["Key", "leftmost", "minimal"]

Key = tuple[int, int, bytes]
"""First byte and length of the replaced range, and the replacement.

The keys of two edits of a text, `leftmost` where they only insert or delete, are equal exactly if the edits give
the same result; moved blocks are not compared.
"""

_SIGNS = frozenset("<>=!*/+-&|^")


def minimal(old: str, new: str) -> tuple[int, int, str]:
    """The smallest change of whole words and operators that makes `new` of `old`.

    Returns:
        Length of the common head, of the common tail behind it, and what stands between them in `new`.
    """
    if not old or (_is_word(old) and _is_word(new)) or ("\n" in old and "\n" in new):
        return 0, 0, new  # comparing moved blocks letter by letter cost most of a step
    head, tail = _common(old, new)
    while head and (_splits(old, head) or _splits(new, head)):
        head -= 1
    while tail and (_splits(old, len(old) - tail) or _splits(new, len(new) - tail)):
        tail -= 1
    return head, tail, new[head : len(new) - tail]


def leftmost(key: Key, source: bytes) -> Key:
    """The leftmost place where a pure insertion or deletion gives the same result."""
    start, length, text = key
    if length and text:
        return key
    moved = text or source[start : start + length]
    while start and moved and source[start - 1] == moved[-1]:
        moved = moved[-1:] + moved[:-1]
        start -= 1
    return start, length, moved if text else b""


def _is_word(text: str) -> bool:
    return text.isidentifier() or text.isalnum()


def _splits(text: str, cut: int) -> bool:
    """Whether a cut goes through a word or an operator."""
    if not 0 < cut < len(text):
        return False
    left, right = text[cut - 1], text[cut]
    if left in _SIGNS:
        return right in _SIGNS
    return (left.isalnum() or left == "_") and (right.isalnum() or right == "_")


def _common(old: str, new: str) -> tuple[int, int]:
    """Lengths of the common head and of the common tail behind it."""
    if new.startswith(old):
        return len(old), 0
    if new.endswith(old):
        return 0, len(old)
    limit = min(len(old), len(new))
    head = 0
    while head < limit and old[head] == new[head]:
        head += 1
    tail = 0
    limit -= head
    while tail < limit and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    return head, tail
