"""Tell whether the text begins with the part."""


def begins_with(text, part):
    return text.startswith(part)


TESTS = [
    (("", ""), True),
    (("a", "a"), True),
    (("ab", "b"), False),
    (("Hello", "l"), False),
    (("ABC", "abc"), False),
    (("xyz", "zy"), False),
    (("level", "level"), True),
    (("two words", "wo"), False),
    (("aab", "a"), True),
    (("123", "23"), False),
    (("noon", "no"), True),
    (("cat", "dog"), False),
]
