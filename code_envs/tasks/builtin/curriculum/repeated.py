"""Return the text repeated n times."""


def repeated(text, n):
    return text * n


TESTS = [
    (("", 2), ""),
    (("a", 1), "a"),
    (("ab", 3), "ababab"),
    (("Hello", 2), "HelloHello"),
    (("ABC", 0), ""),
    (("xyzzy", 4), "xyzzyxyzzyxyzzyxyzzy"),
    (("level", 1), "level"),
    (("two", 2), "twotwo"),
    (("aAbB", 3), "aAbBaAbBaAbB"),
    (("12", 5), "1212121212"),
    (("no", 2), "nono"),
    (("cat", 1), "cat"),
]
