"""Vocabularies of agents that write, and the way from tokens back to text."""

import numpy as np
import pytest

from code_envs.syntax.spacing import BREAK, DEEPER, LESS_DEEP, Spacing
from code_envs.syntax.tokens import VOCABULARY_SIZE, lex
from code_envs.syntax.writing import END, Context, Family, Kind, Language, Role, Vocabulary, word_id
from code_envs.syntax.written import CSHARP, ENGLISH, LINES, sentence, subwords, words

LINE = LINES["python"]


def tokens(text):
    return [token for _, token in lex(text)]


def vocabulary(before, after=(), language=LINE, limit=511):
    roles = [Role.BEFORE] * len(before) + [Role.AFTER] * len(after)
    return Vocabulary(Context([*before, *after], roles, len(before)), language, limit)


def view(made, history, brackets=""):
    window = np.arange(len(made.ids))
    return made.view(history, max(made.context.gap, 0), brackets, window, 7)


# spacing ------------------------------------------------------------------------------------------

FILE = "def f(a, b=1):\n  x = a[1:-1] + b*2\n  return -x, {a: b}\n"


@pytest.mark.parametrize(
    "line",
    [
        "total = g(a, *rest, key=-1) * 2",
        "if not x and y[1:n] != -1:",
        "print(f'{x}', u\"b\")",
        "for i, each in enumerate(lines[::2]):",
        "self.items[key] = lambda x: x + 1",
        "return [x ** 2 for x in (1, 2) if x % 2 == 0]",
        "from . import a",
        "@property",
        "x: int = -5",
        "value = x if x > 0 else None",
    ],
)
def test_usual_code_is_spaced_as_usual(line):
    """Tokens of a line that nobody would space otherwise become that line."""
    assert Spacing("").text("", tokens(line)) == line


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("x = a*b\ny = b*c + 1\n", "z = c*d + 2"),
        ("d = {'a': 1}\n", "e = {'b': 2}"),
        ("d = { 'a': 1 }\n", "e = { 'b': 2 }"),
        ("f(a,b)\ng(a,b)\n", "h(c,d)"),
        ("f(a = 1)\n", "g(b = 2)"),
        ("x=1\ny=2\n", "z=3"),
    ],
)
def test_the_file_decides_on_matters_of_taste(file, line):
    """Spaces around operators, behind commas and inside braces are those of the file."""
    assert Spacing(file).text(file, tokens(line)) == line


def test_text_goes_on_where_the_line_stands():
    """The first space depends on what stands before; text that ends in a space gets no second one."""
    spacing = Spacing("")
    assert spacing.text("return number", ["%", "1.0"]) == " % 1.0"
    assert spacing.text("return number ", ["%", "1.0"]) == "% 1.0"
    assert spacing.text("x = string", ["[", "0", "]"]) == "[0]"
    assert Spacing("a ( b", tokenised=True).text("a ( b", [")", ":"]) == " ) :"


def test_layout_is_that_of_an_editor():
    """A new line is indented as the last one, deeper behind a colon; two tokens change that; the unit is the file's."""
    before = "def f(a):\n  if a:\n"
    spacing = Spacing(before)
    text = "    x = 1\n    while x:\n      x -= 1\n  return x\n"
    found = spacing.tokens(before, text)
    assert found.count(DEEPER) == 0
    assert found.count(LESS_DEEP) == 2
    assert found.count(BREAK) == 4
    assert spacing.text(before, found) == text


def test_tokens_and_text_are_inverse():
    """What is written is read back as the same tokens, also where a file is spaced in its own way."""
    spacing = Spacing(FILE)
    for target in ("y = b*2\n  return y", "if a:\n    b = 1\n\n  x = 2\n"):
        found = spacing.tokens("def g(a, b):\n  ", target)
        text = spacing.text("def g(a, b):\n  ", found)
        assert spacing.tokens("def g(a, b):\n  ", text) == found


# vocabulary ---------------------------------------------------------------------------------------


def test_the_end_is_action_zero_and_numbers_are_distinct():
    """Texts are unique, the end has the number 0, and every number leads back to its text."""
    made = vocabulary(tokens("alpha = beta ( gamma )"))
    assert made.texts[END] == ""
    assert len(set(made.texts)) == len(made)
    assert all(made.texts[number] == text for text, number in made.numbers.items())


def test_what_the_context_has_is_on_offer_nearest_first():
    """A small vocabulary keeps what is needed, then the tokens next to the gap on both sides."""
    language = Language(fixed=("(", ")", "rare"), needed=2)
    before, after = [f"b{n}" for n in range(9)], [f"a{n}" for n in range(9)]
    made = vocabulary(before, after, language, limit=6)
    assert made.texts == ["", "(", ")", "b8", "a0", "b7", "a1"]


def test_the_vocabulary_is_never_larger_than_the_action_space():
    """The limit holds whatever the context has."""
    made = vocabulary([f"name{n}" for n in range(900)], limit=100)
    assert len(made) == 101
    assert made.numbers["("]


def test_scores_are_shares_of_continuations():
    """After `a .` the context goes on with b twice and c once; after `x a .` only with c."""
    made = vocabulary("a . b \n a . b \n x a . c \n".split(" "))
    scores = view(made, ["\n", "a", "."]).scores
    b, c = made.numbers["b"], made.numbers["c"]
    assert scores[b, 1] == pytest.approx(2 / 3)
    assert scores[b, 2] == pytest.approx(2 / 3)
    assert scores[b, 3] == 1.0
    assert scores[c, 3] == 0.0
    assert view(made, ["x", "a", "."]).scores[c, 3] == 1.0


def test_passages_do_not_reach_over_the_gap():
    """The token behind the gap does not follow the one in front of it, and the gap is no place to learn from."""
    made = vocabulary(["a", "b", "a"], ["c"])
    scores = view(made, ["b", "a"]).scores
    assert scores[made.numbers["c"], 1:5].tolist() == [0, 0, 0, 0]
    assert scores[made.numbers["b"], 1] == 1.0


def test_long_passages_count_by_their_length():
    """From four tokens on, the longest passage in common says how it goes on."""
    passage = "p q r s t u".split()
    made = vocabulary([*passage, "v", "\n", "s", "w", "\n"])
    scores = view(made, passage).scores
    assert scores[made.numbers["v"], 4] == pytest.approx(6 / 8)
    assert scores[:, 4].sum() == pytest.approx(6 / 8)


def test_the_end_of_a_line_is_the_end_of_the_text():
    """Where a line is missing, the line breaks of the context speak for the end."""
    made = vocabulary(["pass", "\n", "x", ":", "\n", "pass"])
    assert view(made, ["x", ":"]).scores[END, 2] == 1.0


def test_closing_the_bracket_fits():
    """The innermost open bracket's twin is marked; the end is, where nothing is open."""
    made = vocabulary(["x"])
    scores = view(made, ["x", "("], brackets=")").scores
    assert (scores[made.numbers[")"], 7], scores[made.numbers["]"], 7], scores[END, 7]) == (1, 0, 0)
    assert view(made, ["x"]).scores[END, 7] == 1


def test_rows_say_what_a_token_is():
    """Family, kind and role, the last tokens, the token, and what follows where it is copied from."""
    made = vocabulary("def f ( a , bb ) :".split(), ["\n"])
    rows = view(made, ["y", "="]).rows
    number = made.numbers["a"]
    assert rows[number, :4].tolist() == [Family.COPY, Kind.NAME, Role.BEFORE, 3]
    assert rows[number, 4:].tolist() == [word_id(each) for each in ("=", "y")] + [0] + [
        word_id(each) for each in ("a", ",", "bb", ")", ":")
    ]  # fmt: skip
    assert rows[made.numbers["while"], :4].tolist() == [Family.FIXED, Kind.KEYWORD, Role.NONE, 7]
    assert rows[END, 0] == Family.END
    assert rows.min() >= 0
    assert rows.max() < VOCABULARY_SIZE


def test_copies_come_from_where_the_passage_goes_on():
    """Of two places, the one that follows what was written is shown, not the nearer one."""
    made = vocabulary("k = value + 1 \n r = value - 2 \n".split(" "))
    rows = view(made, ["\n", "k", "="]).rows
    assert rows[made.numbers["value"], 8] == word_id("+")
    assert view(made, ["\n", "r", "="]).rows[made.numbers["value"], 8] == word_id("-")


def test_scores_are_in_range_whatever_was_written():
    """Unknown and repeated tokens, an empty context and an empty history are no trouble."""
    for made in (vocabulary([]), vocabulary(["\n"]), vocabulary(["a"] * 50, ["a"] * 50)):
        for history in ([], ["a"] * 16, ["never seen"], ["\n"]):
            scores = view(made, history).scores
            assert scores.min() >= 0
            assert scores.max() <= 1
            assert np.isfinite(scores).all()


# languages ----------------------------------------------------------------------------------------


def translated(text):
    found = tokens(text)
    return Vocabulary(Context(found, [Role.BEFORE] * len(found), -1), CSHARP, 511)


def test_java_becomes_csharp():
    """Methods are capitalised, accessors become properties, types and keywords have C#'s names."""
    made = translated("public boolean getName(String in) { return readInt(); }")
    for token in ("bool", "string", "GetName", "Name", "ReadInt", "in1"):
        number = made.numbers[token]
        assert made.view([], 0, "", np.arange(len(made.ids)), 0).rows[number, 0] == Family.COPY, token


def test_variants_count_as_the_same_when_passages_are_compared():
    """`in1.ReadInt` goes on as `in.readInt` does."""
    made = translated("x = in.readInt(); y")
    scores = made.view(["in1", ".", "ReadInt"], 0, "", np.arange(len(made.ids)), 0).scores
    assert scores[made.numbers["("], 1] == 1.0


def test_words_of_programs_and_of_sentences():
    """Names fall into their parts, sentences into words and signs, and back."""
    assert subwords("parseHTTPHeader(raw_bytes)") == ["parse", "http", "header", "(", "raw", "bytes", ")"]
    assert words("Parse an HTTP-header.") == ["parse", "an", "http", "-", "header", "."]
    assert sentence(words("Return x (or y), the file's name.")) == "return x (or y), the file's name."


def test_words_are_inflected_and_the_rest_is_passed_over():
    """`parses` comes from `parse`; words that the function does not have do not break a passage."""
    found = subwords("parse_header")
    made = Vocabulary(Context(found, [Role.SIGNATURE] * 2, -1), ENGLISH, 511)
    scores = made.view(["parses", "the"], 0, "", np.arange(len(made.ids)), 0).scores
    assert scores[made.numbers["headers"], 1] == 1.0
