"""Tell whether two texts are the same in lower case."""


def same_ignoring_case(first, second):
    return first.lower() == second.lower()


TESTS = [
    (("", ""), True),
    (("a", "a"), True),
    (("ab", "b"), False),
    (("Hello", "l"), False),
    (("ABC", "abc"), True),
    (("xyz", "zy"), False),
    (("level", "level"), True),
    (("two words", "wo"), False),
    (("aab", "a"), False),
    (("123", "23"), False),
    (("noon", "no"), False),
    (("cat", "dog"), False),
]
