"""Return the list with each word in upper case."""


def all_shouted(words):
    return [x.upper() for x in words]


TESTS = [
    (([],), []),
    ((["a"],), ["A"]),
    ((["a", "b"],), ["A", "B"]),
    ((["cat", "dog", "bird"],), ["CAT", "DOG", "BIRD"]),
    ((["", "x"],), ["", "X"]),
    ((["hello", "world"],), ["HELLO", "WORLD"]),
    ((["one", "two", "three"],), ["ONE", "TWO", "THREE"]),
    ((["B", "a"],), ["B", "A"]),
    ((["zz", "z", "zzz"],), ["ZZ", "Z", "ZZZ"]),
    ((["up", "down", "up"],), ["UP", "DOWN", "UP"]),
    ((["same", "same"],), ["SAME", "SAME"]),
    ((["Q"],), ["Q"]),
]
