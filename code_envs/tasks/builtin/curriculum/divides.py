"""Tell whether the number b is divisible by the number a."""


def divides(a, b):
    return b % a == 0


TESTS = [
    ((1, 2), True),
    ((3, 1), False),
    ((5, 5), True),
    ((2, 4), True),
    ((7, 21), True),
    ((10, 3), False),
    ((12, 8), False),
    ((9, 9), True),
    ((5, 6), False),
    ((2, 100), True),
    ((4, 20), True),
    ((3, 9), True),
]
