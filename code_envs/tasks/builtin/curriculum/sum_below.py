"""Return the sum of all numbers from 0 to n minus 1."""


def sum_below(n):
    return sum(x for x in range(n))


TESTS = [
    ((0,), 0),
    ((1,), 0),
    ((2,), 1),
    ((3,), 3),
    ((4,), 6),
    ((5,), 10),
    ((6,), 15),
    ((8,), 28),
    ((9,), 36),
    ((12,), 66),
    ((15,), 105),
    ((20,), 190),
]
