"""Return the distance of the number n from 10, which is never negative."""


def distance_to_ten(n):
    return abs(n - 10)


TESTS = [
    ((0,), 10),
    ((1,), 9),
    ((2,), 8),
    ((3,), 7),
    ((5,), 5),
    ((7,), 3),
    ((10,), 0),
    ((12,), 2),
    ((-1,), 11),
    ((-4,), 14),
    ((20,), 10),
    ((33,), 23),
]
