"""Tell whether the sum of the numbers a and b is even."""


def sum_is_even(a, b):
    return (a + b) % 2 == 0


TESTS = [
    ((0, 0), True),
    ((1, 2), False),
    ((3, 1), True),
    ((5, 5), True),
    ((-2, 4), True),
    ((7, -3), True),
    ((10, 3), False),
    ((12, 8), True),
    ((9, 9), True),
    ((-5, -6), False),
    ((100, 1), False),
    ((4, 20), True),
]
