"""Return the text with '-' in place of each ' '."""


def spaces_to_dashes(text):
    return text.replace(" ", "-")


TESTS = [
    (("",), ""),
    (("a",), "a"),
    (("ab",), "ab"),
    (("Hello",), "Hello"),
    (("ABC",), "ABC"),
    (("xyzzy",), "xyzzy"),
    (("level",), "level"),
    (("two words",), "two-words"),
    (("aAbB",), "aAbB"),
    (("123",), "123"),
    (("a1b2",), "a1b2"),
    (("noon",), "noon"),
    (("a b c",), "a-b-c"),
    ((" x ",), "-x-"),
]
