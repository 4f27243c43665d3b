"""Return the number of characters in the text."""


def text_length(text):
    return len(text)


TESTS = [
    (("",), 0),
    (("a",), 1),
    (("ab",), 2),
    (("Hello",), 5),
    (("ABC",), 3),
    (("xyzzy",), 5),
    (("level",), 5),
    (("two words",), 9),
    (("aAbB",), 4),
    (("123",), 3),
    (("a1b2",), 4),
    (("noon",), 4),
]
