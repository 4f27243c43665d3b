"""Return the digits of the text."""


def only_digits(text):
    return "".join(x for x in text if x.isdigit())


TESTS = [
    (("",), ""),
    (("a",), ""),
    (("ab",), ""),
    (("Hello",), ""),
    (("ABC",), ""),
    (("xyzzy",), ""),
    (("level",), ""),
    (("two words",), ""),
    (("aAbB",), ""),
    (("123",), "123"),
    (("a1b2",), "12"),
    (("noon",), ""),
]
