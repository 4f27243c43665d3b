"""Return the text backwards."""


def reversed_text(text):
    return text[::-1]


TESTS = [
    (("",), ""),
    (("a",), "a"),
    (("ab",), "ba"),
    (("Hello",), "olleH"),
    (("ABC",), "CBA"),
    (("xyzzy",), "yzzyx"),
    (("level",), "level"),
    (("two words",), "sdrow owt"),
    (("aAbB",), "BbAa"),
    (("123",), "321"),
    (("a1b2",), "2b1a"),
    (("noon",), "noon"),
]
