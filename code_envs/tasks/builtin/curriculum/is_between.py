"""Tell whether the number n is larger than 0 and smaller than 10."""


def is_between(n):
    return n > 0 and n < 10


TESTS = [
    ((0,), False),
    ((1,), True),
    ((2,), True),
    ((3,), True),
    ((5,), True),
    ((7,), True),
    ((10,), False),
    ((12,), False),
    ((-1,), False),
    ((-4,), False),
    ((20,), False),
    ((33,), False),
]
