"""Facts of texts against sacrebleu's own call, hand-counted trees, and the linter's command line."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest
import sacrebleu

from code_envs.syntax.languages import parser
from code_envs.syntax.tokens import lex
from wrappers.text_facts import PARSED, ast_similarity, bleu, findings, lines, syntax_errors

HONEST = "def double(x):\n    return 2 * x\n"
UGLY = "def double( x ):\n  y=2 * x # noqa\n  return(y)\n"
ODD = ["", "\0", "def f(:\n", "(" * 3000, "x = '''", "\ud800", "a\x0cb\n", "x = '\\d'\n", "\r\r\n", "1 if 2 else" * 50]


def test_bleu_is_sacrebleus():
    """The score of our tokens, as sacrebleu's plain function gives it."""
    for text in (HONEST, UGLY, "return 2", ""):
        spaced = [" ".join(token for _, token in lex(each)) for each in (text, HONEST)]
        expected = sacrebleu.sentence_bleu(spaced[0], [spaced[1]], tokenize="none", use_effective_order=True).score
        assert bleu(text, HONEST) == pytest.approx(min(expected / 100, 1), abs=1e-12)
    assert bleu(HONEST, HONEST) == 1
    assert bleu("", HONEST) == 0


def shapes(node, height):
    """Type tree of a node, cut off: an independent reference for the bag."""
    below = [shapes(each, height - 1) for each in node.children if "comment" not in each.type] if height else []
    return node.type, tuple(below)


def bag(text, language):
    """Shapes of every node at every height."""
    found, stack = Counter(), [parser(language).parse(text.encode()).root_node]
    while stack:
        node = stack.pop()
        if "comment" not in node.type:
            # a leaf is another shape at each height, as a label is
            found.update((height, shapes(node, height)) for height in range(3))
            stack.extend(node.children)
    return found


@pytest.mark.parametrize(
    ("text", "other"),
    [(HONEST, UGLY), (HONEST, "def triple(y):\n    return 3 * y\n"), (HONEST, "x = [1, 2]"), ("", "")],
)
def test_ast_similarity_is_dice_of_subtrees(text, other):
    """2 |A and B| / (|A| + |B|) of bags that are made another way."""
    first, second = bag(text, "python"), bag(other, "python")
    expected = 2 * (first & second).total() / (first.total() + second.total())
    assert ast_similarity(text, other, "python") == pytest.approx(expected)
    assert ast_similarity(other, text, "python") == pytest.approx(expected)


def test_ast_similarity_sees_structure_alone():
    """Names, literals, comments and layout do not count; an operator and an order of statements do."""
    renamed = "def   triple(y):\n    # what it says\n    return 3 * y\n"
    assert ast_similarity(HONEST, renamed, "python") == 1
    assert ast_similarity(HONEST, HONEST.replace("*", "+"), "python") < 1
    near, far = HONEST.replace("*", "+"), "import os\nfor x in y:\n    print(x)\n"
    assert ast_similarity(HONEST, near, "python") > ast_similarity(HONEST, far, "python")


@pytest.mark.parametrize("language", PARSED)
def test_errors_are_counted_in_each_language(language):
    """A program that parses has none, a torn one has some."""
    whole = HONEST if language == "python" else "int f(int a) { return a; }"
    whole = "function f(a) { return a; }" if language == "javascript" else whole
    assert syntax_errors(whole, language) == 0
    assert syntax_errors(whole.replace("return", "return )("), language) > 0
    assert ast_similarity(whole, whole, language) == 1


def test_findings_are_the_linters(tmp_path):
    """As many as the command prints with the same settings, and a remark silences none."""
    path = tmp_path / "program.py"
    path.write_text(UGLY.replace(" # noqa", " # none"))
    command = [sys.executable, "-m", "pycodestyle", "--max-line-length=120", "--ignore=W292,W391,W503,W504", str(path)]
    printed = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    assert findings(UGLY) == findings(path.read_text()) == len(printed) > 3
    assert findings("x = y == None  # noqa\n") == 1
    assert findings(HONEST) == findings(HONEST.rstrip()) == findings("") == 0


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_odd_texts_are_measured(text):
    """Whatever an agent writes has facts; nothing is raised, and no warning is given."""
    assert findings(text) >= 0
    assert syntax_errors(text, "python") >= 0
    assert 0 <= ast_similarity(text, HONEST, "python") < 1
    assert 0 <= bleu(text, HONEST) < 1
    assert lines(text) >= 0


def test_lines_are_those_with_something_in_them():
    """Blank lines do not count."""
    assert (lines(""), lines("\n \n"), lines(HONEST), lines(f"\n\n{HONEST}\n\nx")) == (0, 0, 2, 3)
