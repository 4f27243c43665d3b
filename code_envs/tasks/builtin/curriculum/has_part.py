"""Tell whether the part is in the text."""


def has_part(text, part):
    return part in text


TESTS = [
    (("", ""), True),
    (("a", "a"), True),
    (("ab", "b"), True),
    (("Hello", "l"), True),
    (("ABC", "abc"), False),
    (("xyz", "zy"), False),
    (("level", "level"), True),
    (("two words", "wo"), True),
    (("aab", "a"), True),
    (("123", "23"), True),
    (("noon", "no"), True),
    (("cat", "dog"), False),
]
