"""Return the text in upper case."""


def shout(text):
    return text.upper()


TESTS = [
    (("",), ""),
    (("a",), "A"),
    (("ab",), "AB"),
    (("Hello",), "HELLO"),
    (("ABC",), "ABC"),
    (("xyzzy",), "XYZZY"),
    (("level",), "LEVEL"),
    (("two words",), "TWO WORDS"),
    (("aAbB",), "AABB"),
    (("123",), "123"),
    (("a1b2",), "A1B2"),
    (("noon",), "NOON"),
]
