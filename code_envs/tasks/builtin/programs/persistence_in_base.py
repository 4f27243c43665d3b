"""Return how many times the digits of n >= 0, written in the given base (at least 2), have to
be multiplied together before the number is a single digit in that base. Numbers below the base
give 0."""


def digit_product(n, base):
    product = 1
    while n > 0:
        product *= n % base
        n //= base
    return product


def persistence_in_base(n, base):
    rounds = 0
    while n >= base:
        n = digit_product(n, base)
        rounds += 1
    return rounds


TESTS = [
    ((0, 10), 0),
    ((9, 10), 0),
    ((10, 10), 1),
    ((25, 10), 2),
    ((39, 10), 3),
    ((77, 10), 4),
    ((999, 10), 4),
    ((105, 10), 1),
    ((7, 2), 1),
    ((1, 2), 0),
    ((8, 3), 2),
    ((35, 6), 2),
    ((15, 16), 0),
    ((255, 16), 2),
]
