"""Return how many digits are in the text."""


def count_digits(text):
    return sum(1 for x in text if x.isdigit())


TESTS = [
    (("",), 0),
    (("a",), 0),
    (("ab",), 0),
    (("Hello",), 0),
    (("ABC",), 0),
    (("xyzzy",), 0),
    (("level",), 0),
    (("two words",), 0),
    (("aAbB",), 0),
    (("123",), 3),
    (("a1b2",), 2),
    (("noon",), 0),
]
