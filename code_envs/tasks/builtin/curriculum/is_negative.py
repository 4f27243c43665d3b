"""Tell whether the number n is smaller than 0."""


def is_negative(n):
    return n < 0


TESTS = [
    ((0,), False),
    ((1,), False),
    ((2,), False),
    ((3,), False),
    ((5,), False),
    ((7,), False),
    ((10,), False),
    ((12,), False),
    ((-1,), True),
    ((-4,), True),
    ((20,), False),
    ((33,), False),
]
