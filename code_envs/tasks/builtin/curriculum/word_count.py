"""Return the number of words in the text."""


def word_count(text):
    return len(text.split())


TESTS = [
    (("",), 0),
    (("a",), 1),
    (("ab",), 1),
    (("Hello",), 1),
    (("ABC",), 1),
    (("xyzzy",), 1),
    (("level",), 1),
    (("two words",), 2),
    (("aAbB",), 1),
    (("123",), 1),
    (("a1b2",), 1),
    (("noon",), 1),
    (("a b c",), 3),
    (("one two three four",), 4),
]
