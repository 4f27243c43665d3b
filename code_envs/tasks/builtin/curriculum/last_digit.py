"""Return the last digit of the number n, the rest of its division by 10."""


def last_digit(n):
    return n % 10


TESTS = [
    ((0,), 0),
    ((1,), 1),
    ((2,), 2),
    ((3,), 3),
    ((4,), 4),
    ((5,), 5),
    ((6,), 6),
    ((8,), 8),
    ((9,), 9),
    ((12,), 2),
    ((15,), 5),
    ((20,), 0),
]
