"""Token edits: what single-line mistakes of students need, in a canonical order."""

import subprocess
import sys

import numpy as np
import pytest

from code_envs.envs.observation import FIRST_TOKEN_EDIT, LAST_KIND
from code_envs.execution.executor import Diagnostic
from code_envs.syntax.c_tokens import Place, TokenKind, distance, lexed
from code_envs.syntax.candidates import CANDIDATE_WIDTH
from code_envs.syntax.compiler_repairs import Complaints
from code_envs.syntax.program import Edit
from code_envs.syntax.token_edits import FIRST, TokenEdit, TokenEnumerator, TokenProgram
from code_envs.syntax.tokens import VOCABULARY_SIZE

BEFORE = "#include <stdio.h>\nint main() {\n  int count = 0, b = 2;\n"
AFTER = '  printf("%d\\n", count);\n  return 0;\n}\n'


def error(line, text="expected something", column=1, severity="error"):
    return Diagnostic(severity, text, line, column)


def edits(source, *diagnostics):
    """Every candidate of a program: operator, and the program it gives."""
    program = TokenProgram(source.encode())
    found = TokenEnumerator(program)(program, diagnostics)
    return [
        (TokenEdit(int(found.operators[number])), program.apply(found.edit(number)).text)
        for number in range(len(found))
    ]


def flat(text):
    return "".join(text.split())


@pytest.mark.parametrize(
    ("wrong", "right", "operator"),
    [
        ("count = b", "count = b;", TokenEdit.INSERT_SEMICOLON),
        ('printf("%d" b);', 'printf("%d", b);', TokenEdit.INSERT_COMMA),
        ("if (b > 1 { b = 2; }", "if (b > 1) { b = 2; }", TokenEdit.INSERT_BRACKET),
        ('printf("%d, b);', 'printf("%d", b);', TokenEdit.INSERT_QUOTE),
        ("if (b = = 1) b = 2;", "if (b == 1) b = 2;", TokenEdit.JOIN),
        ("count b;", "count = b;", TokenEdit.INSERT_OPERATOR),
        ("b = 1;;}", "b = 1;}", TokenEdit.DELETE),
        ("b = 1|c;", "b = 1;", TokenEdit.DELETE_PAIR),
        ("to be deleted", "", TokenEdit.DELETE_LINE),
        ("else(b > 1) {", "else {", TokenEdit.DELETE_GROUP),
        ("else (b > 1) {", "else if (b > 1) {", TokenEdit.INSERT_WORD),
        ('printf("hello"):', 'printf("hello");', TokenEdit.REPLACE_SIGN),
        ("if (b => 1) b = 2;", "if (b >= 1) b = 2;", TokenEdit.REPLACE_SIGN),
        ("cuont = b;", "count = b;", TokenEdit.REPLACE_NAME),
        ("pirntf(b);", "printf(b);", TokenEdit.REPLACE_MISSPELT),
        ("retrun b;", "return b;", TokenEdit.REPLACE_MISSPELT),
        ("if ((b*b) = 4) b = 2;", "if ((b*b) == 4) b = 2;", TokenEdit.ASSIGNMENT),
        ('printf("a";)', 'printf("a");', TokenEdit.SWAP),
        ("b = size of(int);", "b = sizeof(int);", TokenEdit.JOIN),
        ("elseif (b) {", "else if (b) {", TokenEdit.SPLIT),
        ("ifb > 1) b = 2;", "if(b > 1) b = 2;", TokenEdit.SPLIT),
        ('printf("%d", b', 'printf("%d", b);', TokenEdit.CLOSE_LINE),
        ('printf("hello', 'printf("hello");', TokenEdit.CLOSE_LINE),
        ("if b > 1 {", "if (b > 1) {", TokenEdit.PARENTHESIZE),
        ("if (b > 1) && (b < 3) {", "if ((b > 1) && (b < 3)) {", TokenEdit.PARENTHESIZE),
        ("printf(\u201ca\");", 'printf("a");', TokenEdit.REPLACE_SIGN),
    ],
)  # fmt: skip
def test_one_edit_repairs_a_line(wrong, right, operator):
    """The repair of each kind of mistake is offered, by its operator."""
    wanted = flat(BEFORE + right + "\n" + AFTER)
    found = [each for each, text in edits(f"{BEFORE}{wrong}\n{AFTER}", error(4)) if flat(text) == wanted]
    assert found
    assert operator in found


def test_whole_file_repairs():
    """A missing last bracket, a name to declare in its function, a header, and the compiler's own suggestion."""
    offered = edits((BEFORE + AFTER).rstrip("}\n"), error(5))
    assert any(operator is TokenEdit.CLOSE_FILE and text.endswith("return 0;\n}") for operator, text in offered)
    source = f"{BEFORE}  size = b;\n{AFTER}"
    offered = edits(source, error(4, "\u2018size\u2019 undeclared (first use in this function)", 3))
    assert (TokenEdit.DECLARE, source.replace("main() {", "main() {\n    int size;")) in offered
    assert (TokenEdit.REPLACE_NAME, source.replace("size", "count")) in offered  # far apart, but undeclared
    assert (TokenEdit.INCLUDE, "#include <stdlib.h>\n" + source) in offered
    assert (TokenEdit.INCLUDE, "#include <stdio.h>\n" + source) not in offered
    offered = edits(source, error(4, "'size' undeclared; did you mean 'sizeof'?", 3))
    assert (TokenEdit.SUGGESTED, source.replace("size", "sizeof")) in offered
    assert (TokenEdit.INCLUDE, source) in edits(source.replace("#", ""), error(1))


def test_comments_and_strings_are_left_alone():
    """No edit begins inside a comment or a string, and neither makes tokens."""
    source = 'int a; // b = "x\n/* c;\n d */ char *s = "e; /* f";\n'
    assert [each.text for each in lexed(source.encode())] == [
        "int", "a", ";", "char", "*", "s", "=", '"e; /* f"', ";",
    ]  # fmt: skip
    program = TokenProgram(source.encode())
    found = TokenEnumerator(program)(program, [error(1), error(3)])
    inside = [source.index("b ="), source.index("c;"), source.index("d */"), source.index("/* f")]
    assert not set(inside) & set(found.starts.tolist())


def test_offsets_are_bytes():
    """Names and texts behind letters of several bytes are found where they are; foreign signs are one token."""
    source = 'char *s = "\u00e9\u00e9"; /* \u00fc */ int n\u00a0= 1;'.encode()
    tokens = lexed(source)
    assert [source[each.start : each.end].decode() for each in tokens] == [each.text for each in tokens]
    assert [each.text for each in tokens if each.kind is TokenKind.FOREIGN] == ["\u00a0"]
    assert [each.line for each in lexed(b"a\n\nb c\n")] == [1, 3, 3]


def test_no_two_candidates_give_the_same_program():
    """Candidates change the program, and hardly any gives what another gives."""
    source = f"{BEFORE}  if (b > 1 {{ b = = 2; }}\n{AFTER}"
    texts = [text for _, text in edits(source, error(4))]
    assert source not in texts
    assert len(set(texts)) > 0.97 * len(texts)


def test_arrays_stay_in_their_ranges():
    """What an agent sees of candidates: numbers of the family, kinds and places, ids of the vocabulary."""
    program = TokenProgram(f"{BEFORE}  cuont = b\n{AFTER}".encode())
    found = TokenEnumerator.of(program)(program, [error(4)])
    rows, static = found.rows()
    assert rows.shape == (len(found), CANDIDATE_WIDTH)
    assert FIRST == FIRST_TOKEN_EDIT
    assert rows[:, 0].min() >= FIRST_TOKEN_EDIT
    assert rows[:, 0].max() <= max(TokenEdit) <= LAST_KIND
    assert set(rows[:, 1].tolist()) <= set(TokenKind)
    assert set(rows[:, 2].tolist()) <= set(Place)
    assert rows.min() >= 0
    assert rows.max() < VOCABULARY_SIZE
    assert static.min() >= 0
    assert static.max() <= 1
    assert found.lines.min() >= 1


@pytest.mark.parametrize(
    "source", ["", "\n", "}", '"', "/*", "#", "int main(", "\x00", "é", "'", "\\", "if", "a\r\nb;"]
)
def test_any_text_can_be_edited(source):
    """Programs of hardly a token have candidates, with and without messages, also about lines that do not exist."""
    program = TokenProgram(source.encode())
    for diagnostics in ([], [error(1)], [error(99, "'x' undeclared")], [error(0)]):
        found = TokenEnumerator(program)(program, diagnostics)
        assert len(found)
        for number in range(len(found)):
            program.apply(found.edit(number))


def test_near_lines_come_whole_and_far_ones_not_at_all():
    """In a long program the edits stand at the lines with errors and around them, or concern the file."""
    source = "int f() {\n" + "  a = a + 1;\n" * 200 + "}\n"
    program = TokenProgram(source.encode())
    found = TokenEnumerator(program)(program, [error(100)])
    whole = found.rows()[0][:, 2] == Place.FILE
    assert {97, 100, 103} <= set(found.lines[~whole].tolist()) <= set(range(97, 104))
    assert len(found) < 3000


def test_order_is_the_same_with_another_hash_seed():
    """The candidates do not depend on the order of sets and dicts."""
    program = (
        "from code_envs.execution.executor import Diagnostic\n"
        "from code_envs.syntax.token_edits import *\n"
        "p = TokenProgram(b'int main() {\\n int count = 0, size;\\n cuont = sise + x\\n}\\n')\n"
        "c = TokenEnumerator(p)(p, [Diagnostic('error', \"'x' undeclared\", 3, 2)])\n"
        "print([c.edit(n) for n in range(len(c))])\n"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in "12"
    }  # fmt: skip
    assert len(answers) == 1


def test_apply_refuses_ranges_outside():
    """An edit must lie in the program."""
    with pytest.raises(ValueError, match=r"Edit range \[2, 9\) is not inside \[0, 3\]"):
        TokenProgram(b"int").apply(Edit(2, 9, b""))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [("", "", 0), ("int", "int", 0), ("pirntf", "printf", 1), ("prinf", "printf", 1), ("abc", "xyz", 3)],
)  # fmt: skip
def test_distance(first, second, expected):
    """Swapped letters count once; beyond the limit all is one more than it."""
    assert distance(first, second) == distance(second, first) == expected


def test_messages_in_either_quotes():
    """Names are read from messages of a compiler in any locale; errors before warnings, lines of errors only."""
    complaints = Complaints.of(
        [
            error(3, "implicit declaration of function 'pintf'; did you mean 'printf'? [-W]", severity="warning"),
            error(7, "\u2018y\u2019 undeclared (first use in this function); did you mean \u2018x\u2019?"),
            error(7, "expected \u2018;\u2019 before \u2018}\u2019 token"),
            error(0, "unknown type name 'size'"),
        ]
    )
    assert complaints.lines == (7,)
    assert complaints.undeclared == ("y", "size", "pintf")
    assert complaints.suggested == {"y": ("x",), "pintf": ("printf",)}


def test_enumerator_is_shared_and_forgets_nothing_it_needs():
    """Episodes of one program share an enumerator, which gives what a new one gives."""
    start = TokenProgram(f"{BEFORE}  cuont = b\n{AFTER}".encode())
    shared = TokenEnumerator.of(start)
    assert TokenEnumerator.of(TokenProgram(start.source)) is shared
    after = start.apply(Edit(0, 0, b"int extra;\n"))
    shared(start, [error(4)])
    again, new = shared(after, [error(5)]), TokenEnumerator(start)(after, [error(5)])
    assert again.texts == new.texts
    assert np.array_equal(again.rows()[0], new.rows()[0])
