"""Return the list of terms of the continued fraction of p / q for integers p and q > 0: the
first term is p / q rounded down, and as long as a remainder is left the process goes on with
the divisor over that remainder. A negative p only makes the first term negative."""


def continued_fraction(p, q):
    terms = []
    while q != 0:
        whole = p // q
        terms.append(whole)
        p, q = q, p - whole * q
    return terms


TESTS = [
    ((0, 5), [0]),
    ((6, 3), [2]),
    ((7, 1), [7]),
    ((1, 4), [0, 4]),
    ((5, 2), [2, 2]),
    ((45, 16), [2, 1, 4, 3]),
    ((16, 45), [0, 2, 1, 4, 3]),
    ((10, 4), [2, 2]),
    ((22, 7), [3, 7]),
    ((-1, 2), [-1, 2]),
    ((-7, 3), [-3, 1, 2]),
    ((-4, 2), [-2]),
]
