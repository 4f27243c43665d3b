"""Return the longer of two texts; the first if they are equally long."""


def longer_text(first, second):
    return first if len(first) >= len(second) else second


TESTS = [
    (("", ""), ""),
    (("a", "a"), "a"),
    (("ab", "b"), "ab"),
    (("Hello", "l"), "Hello"),
    (("ABC", "abc"), "ABC"),
    (("xyz", "zy"), "xyz"),
    (("level", "level"), "level"),
    (("two words", "wo"), "two words"),
    (("aab", "a"), "aab"),
    (("123", "23"), "123"),
    (("noon", "no"), "noon"),
    (("cat", "dog"), "cat"),
]
