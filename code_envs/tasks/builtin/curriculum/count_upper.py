"""Return how many letters of the text are in upper case."""


def count_upper(text):
    return sum(1 for x in text if x.isupper())


TESTS = [
    (("",), 0),
    (("a",), 0),
    (("ab",), 0),
    (("Hello",), 1),
    (("ABC",), 3),
    (("xyzzy",), 0),
    (("level",), 0),
    (("two words",), 0),
    (("aAbB",), 2),
    (("123",), 0),
    (("a1b2",), 0),
    (("noon",), 0),
]
