"""Split a non-negative total into mixed units. sizes lists how many of each smaller unit make
one of the next larger unit, starting with the smallest unit, e.g. [60, 60, 24] for seconds,
minutes and hours. Return the amounts from the largest unit to the smallest, so the list is one
longer than sizes; the largest amount is not bounded."""


def mixed_radix_split(total, sizes):
    amounts = []
    rest = total
    for size in sizes:
        amounts.append(rest % size)
        rest //= size
    amounts.append(rest)
    amounts.reverse()
    return amounts


TESTS = [
    ((0, []), [0]),
    ((17, []), [17]),
    ((0, [60, 60]), [0, 0, 0]),
    ((59, [60]), [0, 59]),
    ((60, [60]), [1, 0]),
    ((3661, [60, 60]), [1, 1, 1]),
    ((90061, [60, 60, 24]), [1, 1, 1, 1]),
    ((100, [12, 3]), [2, 2, 4]),
    ((35, [12, 3]), [0, 2, 11]),
    ((36, [12, 3]), [1, 0, 0]),
    ((1000, [2, 5, 10]), [10, 0, 0, 0]),
    ((7, [1, 2]), [3, 1, 0]),
]
