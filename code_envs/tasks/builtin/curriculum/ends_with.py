"""Tell whether the text ends with the part."""


def ends_with(text, part):
    return text.endswith(part)


TESTS = [
    (("", ""), True),
    (("a", "a"), True),
    (("ab", "b"), True),
    (("Hello", "l"), False),
    (("ABC", "abc"), False),
    (("xyz", "zy"), False),
    (("level", "level"), True),
    (("two words", "wo"), False),
    (("aab", "a"), False),
    (("123", "23"), True),
    (("noon", "no"), False),
    (("cat", "dog"), False),
]
