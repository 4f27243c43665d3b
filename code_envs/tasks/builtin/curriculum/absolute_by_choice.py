"""Return the number n without its sign, as it is written: 5 for -5."""


def absolute_by_choice(n):
    return n if n >= 0 else -n


TESTS = [
    ((0,), 0),
    ((1,), 1),
    ((2,), 2),
    ((3,), 3),
    ((5,), 5),
    ((7,), 7),
    ((10,), 10),
    ((12,), 12),
    ((-1,), 1),
    ((-4,), 4),
    ((20,), 20),
    ((33,), 33),
]
