"""Return the number of characters of the longest word."""


def longest_length(words):
    return max(len(x) for x in words)


TESTS = [
    ((["a"],), 1),
    ((["a", "b"],), 1),
    ((["cat", "dog", "bird"],), 4),
    ((["", "x"],), 1),
    ((["hello", "world"],), 5),
    ((["one", "two", "three"],), 5),
    ((["B", "a"],), 1),
    ((["zz", "z", "zzz"],), 3),
    ((["up", "down", "up"],), 4),
    ((["same", "same"],), 4),
    ((["Q"],), 1),
    ((["k", "jj"],), 2),
]
