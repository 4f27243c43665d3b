"""Return the characters of the text in ascending order, as a text."""


def sorted_text(text):
    return "".join(sorted(text))


TESTS = [
    (("",), ""),
    (("a",), "a"),
    (("ab",), "ab"),
    (("Hello",), "Hello"),
    (("ABC",), "ABC"),
    (("xyzzy",), "xyyzz"),
    (("level",), "eellv"),
    (("two words",), " doorstww"),
    (("aAbB",), "ABab"),
    (("123",), "123"),
    (("a1b2",), "12ab"),
    (("noon",), "nnoo"),
]
