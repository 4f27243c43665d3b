"""Tell whether all letters of the text are in upper case."""


def is_shouting(text):
    return text.isupper()


TESTS = [
    (("",), False),
    (("a",), False),
    (("ab",), False),
    (("Hello",), False),
    (("ABC",), True),
    (("xyzzy",), False),
    (("level",), False),
    (("two words",), False),
    (("aAbB",), False),
    (("123",), False),
    (("a1b2",), False),
    (("noon",), False),
]
