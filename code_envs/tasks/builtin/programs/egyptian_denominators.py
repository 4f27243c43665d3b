"""Write the proper fraction num/den (0 <= num < den) as a sum of distinct unit fractions with
the greedy method: repeatedly take the largest unit fraction 1/d that is not larger than what is
left. Return the list of denominators d in the order taken; num == 0 gives an empty list."""


def egyptian_denominators(num, den):
    denominators = []
    while num > 0:
        d = den // num
        if den % num != 0:
            d += 1
        denominators.append(d)
        num = num * d - den
        den = den * d
    return denominators


TESTS = [
    ((0, 5), []),
    ((1, 2), [2]),
    ((1, 7), [7]),
    ((2, 3), [2, 6]),
    ((3, 4), [2, 4]),
    ((2, 4), [2]),
    ((4, 5), [2, 4, 20]),
    ((2, 5), [3, 15]),
    ((5, 6), [2, 3]),
    ((6, 7), [2, 3, 42]),
    ((3, 9), [3]),
    ((7, 15), [3, 8, 120]),
]
