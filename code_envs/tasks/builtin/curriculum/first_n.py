"""Return the first n characters of the text."""


def first_n(text, n):
    return text[:n]


TESTS = [
    (("", 2), ""),
    (("a", 1), "a"),
    (("ab", 3), "ab"),
    (("Hello", 2), "He"),
    (("ABC", 0), ""),
    (("xyzzy", 4), "xyzz"),
    (("level", 1), "l"),
    (("two", 2), "tw"),
    (("aAbB", 3), "aAb"),
    (("12", 5), "12"),
    (("no", 2), "no"),
    (("cat", 1), "c"),
]
