"""Return the text in lower case."""


def whisper(text):
    return text.lower()


TESTS = [
    (("",), ""),
    (("a",), "a"),
    (("ab",), "ab"),
    (("Hello",), "hello"),
    (("ABC",), "abc"),
    (("xyzzy",), "xyzzy"),
    (("level",), "level"),
    (("two words",), "two words"),
    (("aAbB",), "aabb"),
    (("123",), "123"),
    (("a1b2",), "a1b2"),
    (("noon",), "noon"),
]
