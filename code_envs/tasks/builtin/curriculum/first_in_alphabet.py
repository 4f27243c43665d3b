"""Return the word that comes first in alphabetical order."""


def first_in_alphabet(words):
    return min(words)


TESTS = [
    ((["a"],), "a"),
    ((["a", "b"],), "a"),
    ((["cat", "dog", "bird"],), "bird"),
    ((["", "x"],), ""),
    ((["hello", "world"],), "hello"),
    ((["one", "two", "three"],), "one"),
    ((["B", "a"],), "B"),
    ((["zz", "z", "zzz"],), "z"),
    ((["up", "down", "up"],), "down"),
    ((["same", "same"],), "same"),
    ((["Q"],), "Q"),
    ((["k", "jj"],), "jj"),
]
