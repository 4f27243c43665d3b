"""Return the last character of the text."""


def last_character(text):
    return text[-1]


TESTS = [
    (("a",), "a"),
    (("ab",), "b"),
    (("Hello",), "o"),
    (("ABC",), "C"),
    (("xyzzy",), "y"),
    (("level",), "l"),
    (("two words",), "s"),
    (("aAbB",), "B"),
    (("123",), "3"),
    (("a1b2",), "2"),
    (("noon",), "n"),
    (("Code",), "e"),
]
