"""Python functions and their docstrings, by tree-sitter: what the functions are called, what they say, what they do.

Nothing is imported or compiled, so any file can be read, whatever version of Python it was written for.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import NamedTuple

from tree_sitter import Node

from code_envs.syntax.languages import parser

__all__ = ["Function", "functions", "summary", "without_docstring"]

FUNCTION, CLASS = "function_definition", "class_definition"
BLOCKS = frozenset(
    (
        "block decorated_definition if_statement elif_clause else_clause try_statement except_clause finally_clause "
        "with_statement for_statement while_statement"
    ).split()
)
"""Where definitions stand, beside modules and classes."""
NO_DOCSTRING = frozenset("bBfFtT")
"""Prefixes of strings that Python does not take for a docstring."""
LEAST_WORDS = 3


class Function(NamedTuple):
    """A function or method with a docstring."""

    name: str
    """With the names of the classes that it is in, separated by dots."""
    docstring: str
    """Without quotes and common indentation; escapes stay as they are written."""
    code: str
    """Without the docstring, its decorators and the indentation of its first line."""


def functions(source: bytes) -> Iterator[Function]:
    """The functions of a Python file that have a docstring, in order; those inside of functions are left out."""
    yield from _inside(parser("python").parse(source).root_node, source, ())


def without_docstring(code: str) -> str:
    """The code of a Python function without its docstring; code that has none, or is no function, as it is."""
    source = code.encode("utf-8", "replace")
    node = parser("python").parse(source).root_node
    while node.type not in (FUNCTION, "ERROR"):
        inner = next((each for each in node.named_children if each.type in (FUNCTION, "decorated_definition")), None)
        if inner is None:
            return code
        node = inner
    statement = _docstring(node)
    return code if statement is None else _cut(source, 0, len(source), statement)


def summary(docstring: str) -> str:
    """The first paragraph of a docstring in one line, and more of them while it has less than three words."""
    words: list[str] = []
    for paragraph in docstring.split("\n\n"):
        words += paragraph.split()
        if len(words) >= LEAST_WORDS:
            break
    return " ".join(words)


def _inside(node: Node, source: bytes, classes: tuple[str, ...]) -> Iterator[Function]:
    """Functions below a node, but not those below a function."""
    for child in node.named_children:
        if child.type == FUNCTION:
            found = _read(child, source, classes)
            if found is not None:
                yield found
        elif child.type == CLASS:
            yield from _inside(child, source, (*classes, _text(child.child_by_field_name("name"))))
        elif child.type in BLOCKS:
            yield from _inside(child, source, classes)


def _read(node: Node, source: bytes, classes: tuple[str, ...]) -> Function | None:
    statement = _docstring(node)
    if statement is None:
        return None
    string = statement.named_children[0]
    text = b"".join(_between_quotes(part) for part in _strings(string)).decode("utf-8", "replace")
    name = ".".join((*classes, _text(node.child_by_field_name("name"))))
    line = source.rfind(b"\n", 0, node.start_byte) + 1
    indentation = source[line : node.start_byte].decode("utf-8", "replace")
    lines = _cut(source, node.start_byte, node.end_byte, statement).split("\n")
    code = "\n".join([lines[0], *(each.removeprefix(indentation) for each in lines[1:])])
    return Function(name, inspect.cleandoc(text), code)


def _docstring(function: Node) -> Node | None:
    """The statement that is the docstring of a function, or None."""
    body = function.child_by_field_name("body")
    statements = [each for each in body.named_children if each.type != "comment"] if body is not None else []
    if not statements or statements[0].type != "expression_statement":
        return None
    (value, *others) = statements[0].named_children
    strings = _strings(value)
    if others or not strings or any(NO_DOCSTRING & set(_text(part).partition(_quote(part))[0]) for part in strings):
        return None
    return statements[0]


def _strings(node: Node) -> list[Node]:
    """The parts of a string; none if the node is something else."""
    if node.type == "string":
        return [node]
    return list(node.named_children) if node.type == "concatenated_string" else []


def _quote(string: Node) -> str:
    return _text(string.children[0])[-1]


def _between_quotes(string: Node) -> bytes:
    first, last = string.children[0], string.children[-1]
    return (string.text or b"")[first.end_byte - string.start_byte : last.start_byte - string.start_byte]


def _cut(source: bytes, start: int, end: int, statement: Node) -> str:
    """The text of a function without one statement of its body, `pass` where nothing else is in it."""
    after = statement.next_named_sibling
    if after is not None and after.start_byte < end:
        rest = source[after.start_byte : end]
    else:
        rest = b"pass" + source[statement.end_byte : end]
    return (source[start : statement.start_byte] + rest).decode("utf-8", "replace")


def _text(node: Node | None) -> str:
    return "" if node is None else (node.text or b"").decode("utf-8", "replace")
