"""Programs are byte strings with a tree; an edit re-parses what changed only."""

import random

import pytest

from code_envs.syntax.enumeration import Enumerator
from code_envs.syntax.program import Edit, Program


def shape(program):
    """The tree with types, field names and byte ranges."""

    def of(node):
        below = [(node.field_name_for_child(number), of(child)) for number, child in enumerate(node.children)]
        return node.type, node.start_byte, node.end_byte, node.start_point, node.end_point, below

    return of(program.tree.root_node)


def assert_like_new(program):
    """Compare with a program parsed from scratch."""
    full = Program(program.source, program.language)
    assert str(program.tree.root_node) == str(full.tree.root_node)
    assert shape(program) == shape(full)


def test_incremental_parse_equals_full_parse_over_candidate_edits(builtin):
    """Chains of candidate edits keep the tree that a full parse gives."""
    rng = random.Random(0)
    for source in list(builtin.values())[::3]:
        program = Program(source)
        enumerator = Enumerator(program)
        for _ in range(5):
            found = enumerator(program)
            program = program.apply(found.edit(rng.randrange(len(found))))
            assert_like_new(program)


def test_incremental_parse_equals_full_parse_over_any_edits(builtin):
    """So do arbitrary byte replacements, unparsable ones included."""
    rng = random.Random(1)
    pieces = [b"", b"x", b"\n    ", b"1 + (", b")", b"if y:\n        pass\n    ", b":", "é".encode()]
    for source in list(builtin.values())[::4]:
        program = Program(source)
        for _ in range(4):
            start = rng.randrange(len(program.source) + 1)
            end = min(len(program.source), start + rng.randrange(6))
            program = program.apply(Edit(start, end, rng.choice(pieces)))
            full = Program(program.source)
            assert program.parses == full.parses
            if full.parses:
                assert_like_new(program)


def test_apply_leaves_the_program_unchanged():
    """An edit makes a new program; source and tree of the old one stay."""
    program = Program(b"a = 1\nb = 2\n")
    before = shape(program)
    assert program.apply(Edit(4, 5, b"10")).text == "a = 10\nb = 2\n"
    assert program.text == "a = 1\nb = 2\n"
    assert shape(program) == before


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (3, 2), (0, 7), (7, 7)])
def test_range_outside_the_program_is_an_error(start, end):
    """The message names the range and the size."""
    with pytest.raises(ValueError, match=rf"\[{start}, {end}\) is not inside \[0, 6\]"):
        Program(b"a = 1\n").apply(Edit(start, end, b""))


def test_the_whole_range_is_allowed():
    """The first and the last offset are inside."""
    assert Program(b"a = 1\n").apply(Edit(6, 6, b"b = 2\n")).text == "a = 1\nb = 2\n"
    assert Program(b"a = 1\n").apply(Edit(0, 6, b"")).source == b""


def test_offsets_are_bytes_and_columns_too():
    """Characters of several bytes before and inside an edit do not shift it."""
    program = Program("café = 'žluťoučký'\nπ = café\n".encode())
    start = program.source.index(b"caf", 10)
    changed = program.apply(Edit(start, start + len("café".encode()), "café + 'ů'".encode()))
    assert changed.text == "café = 'žluťoučký'\nπ = café + 'ů'\n"
    assert_like_new(changed)


def test_candidates_of_multi_byte_text_are_cut_at_characters(candidates):
    """Every edit of a program with multi-byte names and strings gives decodable, parsing text."""
    source = "def f(größe, naïf):\n    if größe < 2:\n        return 'žluť' + naïf\n    return 'ů' + naïf[größe]\n"
    found = candidates(source)
    assert len(found) > 50
    for operator, after in found:
        compile(after.decode(), "x", "exec")
        assert Program(after).parses, (operator, after.decode())
    assert source.replace("größe < 2", "größe <= 2").encode() in [after for _, after in found]
    assert source.replace("'žluť'", "'žlu'").encode() in [after for _, after in found]


def test_undecodable_bytes_are_replaced_in_text():
    """`text` never raises."""
    assert Program(b"a = '\xff'\n").text == "a = '�'\n"


def test_parses_tells_errors():
    """An error node anywhere counts."""
    assert Program(b"a = (1)\n").parses
    assert not Program(b"a = (1\n").parses
