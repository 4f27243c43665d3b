"""Return how many numbers from 0 to n minus 1 are divisible by 3."""


def count_multiples_of_three(n):
    return sum(1 for x in range(n) if x % 3 == 0)


TESTS = [
    ((0,), 0),
    ((1,), 1),
    ((2,), 1),
    ((3,), 1),
    ((4,), 2),
    ((5,), 2),
    ((6,), 2),
    ((8,), 3),
    ((9,), 3),
    ((12,), 4),
    ((15,), 5),
    ((20,), 7),
]
