"""Tell whether the number n is even."""


def is_even(n):
    return n % 2 == 0


TESTS = [
    ((0,), True),
    ((1,), False),
    ((2,), True),
    ((3,), False),
    ((5,), False),
    ((7,), False),
    ((10,), True),
    ((12,), True),
    ((-1,), False),
    ((-4,), True),
    ((20,), True),
    ((33,), False),
]
