"""Add two sparse polynomials given as dicts from exponent to coefficient and return the sum as
a list of (exponent, coefficient) tuples with descending exponents. Terms whose coefficient is 0
are left out."""


def add_polynomials(left, right):
    total = dict(left)
    for exponent in right:
        if exponent in total:
            total[exponent] += right[exponent]
        else:
            total[exponent] = right[exponent]
    terms = []
    for exponent in sorted(total, reverse=True):
        if total[exponent] != 0:
            terms.append((exponent, total[exponent]))
    return terms


TESTS = [
    (({}, {}), []),
    (({2: 3}, {}), [(2, 3)]),
    (({}, {0: 4}), [(0, 4)]),
    (({1: 2}, {1: 5}), [(1, 7)]),
    (({1: 2}, {1: -2}), []),
    (({0: 1, 2: 1}, {1: 1}), [(2, 1), (1, 1), (0, 1)]),
    (({5: 0}, {3: 0}), []),
    (({3: 4, 1: -1}, {3: -1, 1: -1}), [(3, 3), (1, -2)]),
    (({10: 1, 9: 2}, {9: -2, 10: 1}), [(10, 2)]),
    (({0: 0}, {0: 6}), [(0, 6)]),
    (({-1: 2, 1: 2}, {-2: 1}), [(1, 2), (-1, 2), (-2, 1)]),
    (({4: 1}, {2: 1, 4: 1, 6: 1}), [(6, 1), (4, 2), (2, 1)]),
]
