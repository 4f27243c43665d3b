"""Return the text without its first character."""


def without_first_character(text):
    return text[1:]


TESTS = [
    (("a",), ""),
    (("ab",), "b"),
    (("Hello",), "ello"),
    (("ABC",), "BC"),
    (("xyzzy",), "yzzy"),
    (("level",), "evel"),
    (("two words",), "wo words"),
    (("aAbB",), "AbB"),
    (("123",), "23"),
    (("a1b2",), "1b2"),
    (("noon",), "oon"),
    (("Code",), "ode"),
]
