"""Return the larger of the numbers a and b, times 2."""


def larger_doubled(a, b):
    return max(a, b) * 2


TESTS = [
    ((0, 0), 0),
    ((1, 2), 4),
    ((3, 1), 6),
    ((5, 5), 10),
    ((-2, 4), 8),
    ((7, -3), 14),
    ((10, 3), 20),
    ((12, 8), 24),
    ((9, 9), 18),
    ((-5, -6), -10),
    ((100, 1), 200),
    ((4, 20), 40),
]
