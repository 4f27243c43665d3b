"""Return the list with the first character of each word."""


def first_letters(words):
    return [x[0] for x in words]


TESTS = [
    (([],), []),
    ((["a"],), ["a"]),
    ((["a", "b"],), ["a", "b"]),
    ((["cat", "dog", "bird"],), ["c", "d", "b"]),
    ((["hello", "world"],), ["h", "w"]),
    ((["one", "two", "three"],), ["o", "t", "t"]),
    ((["B", "a"],), ["B", "a"]),
    ((["zz", "z", "zzz"],), ["z", "z", "z"]),
    ((["up", "down", "up"],), ["u", "d", "u"]),
    ((["same", "same"],), ["s", "s"]),
    ((["Q"],), ["Q"]),
    ((["lamp", "oil"],), ["l", "o"]),
]
