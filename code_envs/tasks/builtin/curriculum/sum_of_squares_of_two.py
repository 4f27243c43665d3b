"""Return the sum of the squares of the numbers a and b."""


def sum_of_squares_of_two(a, b):
    return a * a + b * b


TESTS = [
    ((0, 0), 0),
    ((1, 2), 5),
    ((3, 1), 10),
    ((5, 5), 50),
    ((-2, 4), 20),
    ((7, -3), 58),
    ((10, 3), 109),
    ((12, 8), 208),
    ((9, 9), 162),
    ((-5, -6), 61),
    ((100, 1), 10001),
    ((4, 20), 416),
]
