"""Return the largest number that can be made from the integer n >= 0 by exchanging at most one
pair of its decimal digits. If no exchange makes the number larger, return n itself."""


def best_digit_swap(n):
    digits = list(str(n))
    for i in range(len(digits)):
        best = i
        for k in range(i + 1, len(digits)):
            if digits[k] > digits[i] and digits[k] >= digits[best]:
                best = k
        if best != i:
            digits[i], digits[best] = digits[best], digits[i]
            break
    return int("".join(digits))


TESTS = [
    ((0,), 0),
    ((7,), 7),
    ((12,), 21),
    ((21,), 21),
    ((2736,), 7236),
    ((9973,), 9973),
    ((1993,), 9913),
    ((98368,), 98863),
    ((100,), 100),
    ((1020,), 2010),
    ((555,), 555),
    ((9012,), 9210),
    ((87656787,), 88656777),
    ((110,), 110),
    ((109,), 901),
]
