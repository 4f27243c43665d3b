"""Light copies of syntax trees, with parents, field names and offsets relative to one statement.

tree-sitter makes a new Python object at each access; operators look at every node many times.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tree_sitter import Node as TreeSitterNode

__all__ = ["Node", "lighten"]


class Node:
    """One node of a light copy; `start` and `end` are byte offsets from its beginning, `role` is remembered."""

    __slots__ = ("children", "end", "field", "named", "parent", "role", "start", "text", "type")

    def __init__(self, type_: str, start: int, end: int, text: str, parent: Node | None, field: str) -> None:
        self.type = type_
        self.start = start
        self.end = end
        self.text = text
        self.parent = parent
        self.field = field
        self.role: Any = None
        self.children: list[Node] = []
        self.named: list[Node] = []

    def child(self, field: str) -> Node | None:
        """The first child of a field."""
        for each in self.children:
            if each.field == field:
                return each
        return None

    def walk(self, closed: frozenset[str] = frozenset()) -> Iterator[Node]:
        """This node and all below it, parents first; nothing below a node of a closed type."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            if node.type not in closed:
                stack.extend(reversed(node.children))


def lighten(root: TreeSitterNode, skip: frozenset[str] = frozenset(), origin: int | None = None) -> Node:
    """Copy a tree, leaving out children of the types in `skip`.

    Args:
        root: The node to copy.
        skip: Types left out with everything below them.
        origin: Byte offset that becomes 0; the start of `root` by default.
    """
    base = root.start_byte if origin is None else origin
    source = root.text or b""
    first = root.start_byte

    def copy(node: TreeSitterNode, parent: Node | None, field: str) -> Node:
        start, end = node.start_byte, node.end_byte
        text = source[start - first : end - first].decode("utf-8", "replace")
        light = Node(node.type, start - base, end - base, text, parent, field)
        for position, child in enumerate(node.children):
            if child.type in skip:
                continue
            below = copy(child, light, node.field_name_for_child(position) or "")
            light.children.append(below)
            if child.is_named:
                light.named.append(below)
        return light

    return copy(root, None, "")
