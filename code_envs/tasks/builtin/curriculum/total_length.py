"""Return the number of characters in all the words together."""


def total_length(words):
    return sum(len(x) for x in words)


TESTS = [
    (([],), 0),
    ((["a"],), 1),
    ((["a", "b"],), 2),
    ((["cat", "dog", "bird"],), 10),
    ((["", "x"],), 1),
    ((["hello", "world"],), 10),
    ((["one", "two", "three"],), 11),
    ((["B", "a"],), 2),
    ((["zz", "z", "zzz"],), 6),
    ((["up", "down", "up"],), 8),
    ((["same", "same"],), 8),
    ((["Q"],), 1),
]
