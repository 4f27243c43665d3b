"""Return how many of the characters of the text are in 'aeiou'."""


def count_vowels(text):
    return sum(1 for x in text if x in "aeiou")


TESTS = [
    (("",), 0),
    (("a",), 1),
    (("ab",), 1),
    (("Hello",), 2),
    (("ABC",), 0),
    (("xyzzy",), 0),
    (("level",), 2),
    (("two words",), 2),
    (("aAbB",), 1),
    (("123",), 0),
    (("a1b2",), 1),
    (("noon",), 2),
]
