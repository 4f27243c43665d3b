"""Return the letters of the text."""


def only_letters(text):
    return "".join(x for x in text if x.isalpha())


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
    (("123",), ""),
    (("a1b2",), "ab"),
    (("noon",), "noon"),
]
