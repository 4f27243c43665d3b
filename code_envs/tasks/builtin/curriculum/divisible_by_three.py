"""Tell whether the number n is divisible by 3."""


def divisible_by_three(n):
    return n % 3 == 0


TESTS = [
    ((0,), True),
    ((1,), False),
    ((2,), False),
    ((3,), True),
    ((5,), False),
    ((7,), False),
    ((10,), False),
    ((12,), True),
    ((-1,), False),
    ((-4,), False),
    ((20,), False),
    ((33,), True),
]
