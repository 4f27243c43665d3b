"""Return the first character of the text."""


def first_character(text):
    return text[0]


TESTS = [
    (("a",), "a"),
    (("ab",), "a"),
    (("Hello",), "H"),
    (("ABC",), "A"),
    (("xyzzy",), "x"),
    (("level",), "l"),
    (("two words",), "t"),
    (("aAbB",), "a"),
    (("123",), "1"),
    (("a1b2",), "a"),
    (("noon",), "n"),
    (("Code",), "C"),
]
