"""Tell whether the text is the same backwards."""


def is_palindrome(text):
    return text[::-1] == text


TESTS = [
    (("",), True),
    (("a",), True),
    (("ab",), False),
    (("Hello",), False),
    (("ABC",), False),
    (("xyzzy",), False),
    (("level",), True),
    (("two words",), False),
    (("aAbB",), False),
    (("123",), False),
    (("a1b2",), False),
    (("noon",), True),
]
