"""Tell whether both numbers a and b are even."""


def both_even(a, b):
    return a % 2 == 0 and b % 2 == 0


TESTS = [
    ((0, 0), True),
    ((1, 2), False),
    ((3, 1), False),
    ((5, 5), False),
    ((-2, 4), True),
    ((7, -3), False),
    ((10, 3), False),
    ((12, 8), True),
    ((9, 9), False),
    ((-5, -6), False),
    ((100, 1), False),
    ((4, 20), True),
]
