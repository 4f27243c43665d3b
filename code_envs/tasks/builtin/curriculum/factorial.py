"""Return the product of the numbers from 1 to n."""


def factorial(n):
    total = 1
    for x in range(1, n + 1):
        total *= x
    return total


TESTS = [
    ((0,), 1),
    ((1,), 1),
    ((2,), 2),
    ((3,), 6),
    ((4,), 24),
    ((5,), 120),
    ((6,), 720),
    ((8,), 40320),
    ((9,), 362880),
    ((12,), 479001600),
    ((15,), 1307674368000),
    ((20,), 2432902008176640000),
]
