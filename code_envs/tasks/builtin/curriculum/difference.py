"""Return the distance between the numbers a and b, which is never negative."""


def difference(a, b):
    return abs(a - b)


TESTS = [
    ((0, 0), 0),
    ((1, 2), 1),
    ((3, 1), 2),
    ((5, 5), 0),
    ((-2, 4), 6),
    ((7, -3), 10),
    ((10, 3), 7),
    ((12, 8), 4),
    ((9, 9), 0),
    ((-5, -6), 1),
    ((100, 1), 99),
    ((4, 20), 16),
]
