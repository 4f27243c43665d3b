"""Return the length of the edge of a rectangle with the sides a and b: 2 times their sum."""


def rectangle_edge(a, b):
    return 2 * (a + b)


TESTS = [
    ((0, 0), 0),
    ((1, 2), 6),
    ((3, 1), 8),
    ((5, 5), 20),
    ((-2, 4), 4),
    ((7, -3), 8),
    ((10, 3), 26),
    ((12, 8), 40),
    ((9, 9), 36),
    ((-5, -6), -22),
    ((100, 1), 202),
    ((4, 20), 48),
]
