"""Return the sum of the squares of the numbers from 0 to n minus 1."""


def sum_of_squares_below(n):
    return sum(x * x for x in range(n))


TESTS = [
    ((0,), 0),
    ((1,), 0),
    ((2,), 1),
    ((3,), 5),
    ((4,), 14),
    ((5,), 30),
    ((6,), 55),
    ((8,), 140),
    ((9,), 204),
    ((12,), 506),
    ((15,), 1015),
    ((20,), 2470),
]
