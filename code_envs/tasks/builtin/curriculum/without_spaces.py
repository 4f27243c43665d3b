"""Return the text without its spaces ' '."""


def without_spaces(text):
    return text.replace(" ", "")


TESTS = [
    (("",), ""),
    (("a",), "a"),
    (("ab",), "ab"),
    (("Hello",), "Hello"),
    (("ABC",), "ABC"),
    (("xyzzy",), "xyzzy"),
    (("level",), "level"),
    (("two words",), "twowords"),
    (("aAbB",), "aAbB"),
    (("123",), "123"),
    (("a1b2",), "a1b2"),
    (("noon",), "noon"),
    (("a b c",), "abc"),
    ((" x ",), "x"),
]
