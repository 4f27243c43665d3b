"""Return the list with the number of characters of each word."""


def lengths(words):
    return [len(x) for x in words]


TESTS = [
    (([],), []),
    ((["a"],), [1]),
    ((["a", "b"],), [1, 1]),
    ((["cat", "dog", "bird"],), [3, 3, 4]),
    ((["", "x"],), [0, 1]),
    ((["hello", "world"],), [5, 5]),
    ((["one", "two", "three"],), [3, 3, 5]),
    ((["B", "a"],), [1, 1]),
    ((["zz", "z", "zzz"],), [2, 1, 3]),
    ((["up", "down", "up"],), [2, 4, 2]),
    ((["same", "same"],), [4, 4]),
    ((["Q"],), [1]),
]
