"""Return the number n divided by 2 if it is even, otherwise n times 3 plus 1."""


def halve_if_even(n):
    return n // 2 if n % 2 == 0 else n * 3 + 1


TESTS = [
    ((0,), 0),
    ((1,), 4),
    ((2,), 1),
    ((3,), 10),
    ((5,), 16),
    ((7,), 22),
    ((10,), 5),
    ((12,), 6),
    ((-1,), -2),
    ((-4,), -2),
    ((20,), 10),
    ((33,), 100),
]
