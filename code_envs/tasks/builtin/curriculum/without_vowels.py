"""Return the characters of the text that are not in 'aeiou'."""


def without_vowels(text):
    return "".join(x for x in text if x not in "aeiou")


TESTS = [
    (("",), ""),
    (("a",), ""),
    (("ab",), "b"),
    (("Hello",), "Hll"),
    (("ABC",), "ABC"),
    (("xyzzy",), "xyzzy"),
    (("level",), "lvl"),
    (("two words",), "tw wrds"),
    (("aAbB",), "AbB"),
    (("123",), "123"),
    (("a1b2",), "1b2"),
    (("noon",), "nn"),
]
