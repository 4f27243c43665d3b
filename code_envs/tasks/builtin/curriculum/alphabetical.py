"""Return the words in alphabetical order."""


def alphabetical(words):
    return sorted(words)


TESTS = [
    (([],), []),
    ((["a"],), ["a"]),
    ((["a", "b"],), ["a", "b"]),
    ((["cat", "dog", "bird"],), ["bird", "cat", "dog"]),
    ((["", "x"],), ["", "x"]),
    ((["hello", "world"],), ["hello", "world"]),
    ((["one", "two", "three"],), ["one", "three", "two"]),
    ((["B", "a"],), ["B", "a"]),
    ((["zz", "z", "zzz"],), ["z", "zz", "zzz"]),
    ((["up", "down", "up"],), ["down", "up", "up"]),
    ((["same", "same"],), ["same", "same"]),
    ((["Q"],), ["Q"]),
]
