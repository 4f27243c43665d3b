"""Return 1 if the number n is at least 0, otherwise -1."""


def sign_of(n):
    return 1 if n >= 0 else -1


TESTS = [
    ((0,), 1),
    ((1,), 1),
    ((2,), 1),
    ((3,), 1),
    ((5,), 1),
    ((7,), 1),
    ((10,), 1),
    ((12,), 1),
    ((-1,), -1),
    ((-4,), -1),
    ((20,), 1),
    ((33,), 1),
]
