"""Return how often the part occurs in the text."""


def count_character(text, part):
    return text.count(part)


TESTS = [
    (("a", "a"), 1),
    (("ab", "b"), 1),
    (("Hello", "l"), 2),
    (("ABC", "abc"), 0),
    (("xyz", "zy"), 0),
    (("level", "level"), 1),
    (("two words", "wo"), 2),
    (("aab", "a"), 2),
    (("123", "23"), 1),
    (("noon", "no"), 1),
    (("cat", "dog"), 0),
    (("aaa", "a"), 3),
]
