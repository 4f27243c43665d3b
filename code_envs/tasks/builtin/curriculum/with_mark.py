"""Return the text followed by '!'."""


def with_mark(text):
    return text + "!"


TESTS = [
    (("",), "!"),
    (("a",), "a!"),
    (("ab",), "ab!"),
    (("Hello",), "Hello!"),
    (("ABC",), "ABC!"),
    (("xyzzy",), "xyzzy!"),
    (("level",), "level!"),
    (("two words",), "two words!"),
    (("aAbB",), "aAbB!"),
    (("123",), "123!"),
    (("a1b2",), "a1b2!"),
    (("noon",), "noon!"),
]
