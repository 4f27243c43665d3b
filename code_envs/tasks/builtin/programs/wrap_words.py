"""Break text into lines of at most width characters. Words are separated by whitespace and
joined by single spaces; each line takes as many words as fit. A word longer than width stands
alone on a line of its own, uncut. Return the list of lines; text without words gives an empty
list."""


def wrap_words(text, width):
    lines = []
    line = ""
    for word in text.split():
        if not line:
            line = word
        elif len(line) + 1 + len(word) <= width:
            line += " " + word
        else:
            lines.append(line)
            line = word
    if line:
        lines.append(line)
    return lines


TESTS = [
    (("", 10), []),
    (("   ", 10), []),
    (("word", 10), ["word"]),
    (("two words", 9), ["two words"]),
    (("two words", 8), ["two", "words"]),
    (("a b c d", 3), ["a b", "c d"]),
    (("a  b   c", 5), ["a b c"]),
    (("extraordinary day", 5), ["extraordinary", "day"]),
    (("an extraordinary day", 6), ["an", "extraordinary", "day"]),
    (("the cat sat on the mat", 7), ["the cat", "sat on", "the mat"]),
    (("the cat sat on the mat", 11), ["the cat sat", "on the mat"]),
    (("line\nbreak here", 10), ["line break", "here"]),
    (("x y", 1), ["x", "y"]),
]
