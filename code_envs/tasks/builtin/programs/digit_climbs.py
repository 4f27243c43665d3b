"""Look at the decimal digits of abs(n) from left to right and compare each digit with the one
before it. Return a tuple (ups, downs) with the number of places where the digit rises and where
it falls; equal neighbours count for neither. One-digit numbers give (0, 0)."""


def digit_climbs(n):
    n = abs(n)
    ups = 0
    downs = 0
    right = n % 10
    n //= 10
    while n > 0:
        left = n % 10
        if right > left:
            ups += 1
        elif right < left:
            downs += 1
        right = left
        n //= 10
    return (ups, downs)


TESTS = [
    ((0,), (0, 0)),
    ((7,), (0, 0)),
    ((12,), (1, 0)),
    ((21,), (0, 1)),
    ((55,), (0, 0)),
    ((12345,), (4, 0)),
    ((9630,), (0, 3)),
    ((1213,), (2, 1)),
    ((-482,), (1, 1)),
    ((100,), (0, 1)),
    ((1001,), (1, 1)),
    ((-7,), (0, 0)),
    ((1122332,), (2, 1)),
]
