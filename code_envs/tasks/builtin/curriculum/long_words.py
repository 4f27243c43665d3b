"""Return the words that have more than 3 characters."""


def long_words(words):
    return [x for x in words if len(x) > 3]


TESTS = [
    (([],), []),
    ((["a"],), []),
    ((["a", "b"],), []),
    ((["cat", "dog", "bird"],), ["bird"]),
    ((["", "x"],), []),
    ((["hello", "world"],), ["hello", "world"]),
    ((["one", "two", "three"],), ["three"]),
    ((["B", "a"],), []),
    ((["zz", "z", "zzz"],), []),
    ((["up", "down", "up"],), ["down"]),
    ((["same", "same"],), ["same", "same"]),
    ((["Q"],), []),
]
