"""Tell whether the number n is larger than 0."""


def is_positive(n):
    return n > 0


TESTS = [
    ((0,), False),
    ((1,), True),
    ((2,), True),
    ((3,), True),
    ((5,), True),
    ((7,), True),
    ((10,), True),
    ((12,), True),
    ((-1,), False),
    ((-4,), False),
    ((20,), True),
    ((33,), True),
]
