"""Tell whether the number n is odd."""


def is_odd(n):
    return n % 2 == 1


TESTS = [
    ((0,), False),
    ((1,), True),
    ((2,), False),
    ((3,), True),
    ((5,), True),
    ((7,), True),
    ((10,), False),
    ((12,), False),
    ((-1,), True),
    ((-4,), False),
    ((20,), False),
    ((33,), True),
]
