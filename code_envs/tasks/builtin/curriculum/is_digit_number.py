"""Tell whether the number n is at least 0 and at most 9."""


def is_digit_number(n):
    return n >= 0 and n <= 9


TESTS = [
    ((0,), True),
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
