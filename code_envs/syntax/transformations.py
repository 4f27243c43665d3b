"""Transformations that are meant to keep a program's meaning and change its cost, as candidate edits.

`transformations` lists those of one program in a canonical order: by place, then by kind, then by text. Each is one
contiguous replacement that leaves a program which parses. Some break a program, and some make it dearer: whether one
is worth it is for the tests and the cost to say. Python only.
"""

from __future__ import annotations

import itertools
import zlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from code_envs.syntax.candidates import CANDIDATE_WIDTH, NODE_KINDS
from code_envs.syntax.program import Edit, Program
from code_envs.syntax.rewrite import Role, role_of
from code_envs.syntax.tokens import TokenIds, lex
from code_envs.syntax.transform_expressions import expression_changes
from code_envs.syntax.transform_loops import loop_changes
from code_envs.syntax.transform_sites import Site, Transformation, depth

__all__ = ["Transformable", "Transformation", "transformations"]

OLD_TOKENS, NEW_TOKENS = 3, 5
POSITION = 3
DEEP = 4
"""Loops around a place from which on its depth counts as 1."""


class Transformable(NamedTuple):
    """One candidate.

    Args:
        transformation: What it does.
        edit: The replacement.
        kind: Type of the node that is touched.
        role: What that node is to its parent.
        line: Line of the edit, 1-based.
        depth: Loops and comprehensions around the node.
        place: First byte of the node.
    """

    transformation: Transformation
    edit: Edit
    kind: str
    role: Role
    line: int
    depth: int
    place: int

    def row(self, source: bytes, ids: TokenIds, offsets: NDArray[np.int64], first: int) -> NDArray[np.int32]:
        """What an agent sees of the candidate, (CANDIDATE_WIDTH,) int32.

        Args:
            source: The program.
            ids: Token ids of the episode.
            offsets: Byte offset of each token of the program, (L,) int64.
            first: Number of the first transformation in the first column.
        """
        row = np.zeros(CANDIDATE_WIDTH, np.int32)
        row[0] = first + self.transformation
        row[1] = zlib.crc32(self.kind.encode()) % (NODE_KINDS - 1) + 1
        row[2] = self.role
        row[POSITION] = max(int(offsets.searchsorted(self.place, "right")) - 1, 0)
        old = source[self.edit.start : self.edit.end].decode("utf-8", "replace")
        for column, (_, token) in enumerate(lex(old[:200])[:OLD_TOKENS], POSITION + 1):
            row[column] = ids[token]
        new = self.edit.text.decode("utf-8", "replace")
        for column, (_, token) in enumerate(lex(new[:200])[:NEW_TOKENS], POSITION + 1 + OLD_TOKENS):
            row[column] = ids[token]
        return row


def transformations(program: Program) -> list[Transformable]:
    """The candidates of a program in canonical order; none twice, none that changes nothing or does not parse."""
    if not program.parses or program.language != "python":
        return []
    site = Site(program)
    found: dict[bytes, Transformable] = {}
    changes = itertools.chain(loop_changes(site), expression_changes(site))
    for change in sorted(changes, key=lambda each: (each.start, each.transformation, each.end, each.text)):
        edit = Edit(change.start, change.end, change.text.encode())
        result = program.source[: edit.start] + edit.text + program.source[edit.end :]
        if result == program.source or result in found or not program.apply(edit).parses:
            continue
        found[result] = Transformable(
            change.transformation,
            edit,
            change.node.type,
            role_of(change.node),
            program.source.count(b"\n", 0, change.node.start) + 1,
            depth(change.node),
            change.node.start,
        )
    return list(found.values())
