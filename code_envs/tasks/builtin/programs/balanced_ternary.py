"""Return the balanced ternary form of the integer n as a string over '+', '0' and '-', most
significant digit first, where the digits stand for 1, 0 and -1. There are no leading zeros; n
== 0 gives '0'. For a negative n every sign of abs(n) is swapped."""


def balanced_ternary(n):
    if n == 0:
        return "0"
    negative = n < 0
    n = abs(n)
    digits = ""
    while n > 0:
        rest = n % 3
        n = n // 3
        if rest == 2:
            symbol = "+" if negative else "-"
            n += 1
        elif rest == 1:
            symbol = "-" if negative else "+"
        else:
            symbol = "0"
        digits = symbol + digits
    return digits


TESTS = [
    ((0,), "0"),
    ((1,), "+"),
    ((2,), "+-"),
    ((3,), "+0"),
    ((4,), "++"),
    ((5,), "+--"),
    ((6,), "+-0"),
    ((8,), "+0-"),
    ((-1,), "-"),
    ((-2,), "-+"),
    ((-7,), "-+-"),
    ((13,), "+++"),
    ((-13,), "---"),
    ((27,), "+000"),
]
