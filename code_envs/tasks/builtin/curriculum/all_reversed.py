"""Return the list with each word backwards."""


def all_reversed(words):
    return [x[::-1] for x in words]


TESTS = [
    (([],), []),
    ((["a"],), ["a"]),
    ((["a", "b"],), ["a", "b"]),
    ((["cat", "dog", "bird"],), ["tac", "god", "drib"]),
    ((["", "x"],), ["", "x"]),
    ((["hello", "world"],), ["olleh", "dlrow"]),
    ((["one", "two", "three"],), ["eno", "owt", "eerht"]),
    ((["B", "a"],), ["B", "a"]),
    ((["zz", "z", "zzz"],), ["zz", "z", "zzz"]),
    ((["up", "down", "up"],), ["pu", "nwod", "pu"]),
    ((["same", "same"],), ["emas", "emas"]),
    ((["Q"],), ["Q"]),
]
