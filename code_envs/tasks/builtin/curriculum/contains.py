"""Tell whether the number k is in the list."""


def contains(numbers, k):
    return k in numbers


TESTS = [
    (([], 3), False),
    (([1], 1), True),
    (([2, 3], 3), True),
    (([5, 1, 4], 2), False),
    (([0, 0, 0], 0), True),
    (([-1, 2, -3], -1), True),
    (([7, 7, 2, 9], 7), True),
    (([10, 20, 30, 40], 25), False),
    (([3, -3, 3], 1), False),
    (([8, 6, 4, 2, 0], 4), True),
    (([1, 2, 3, 4, 5, 6], 2), True),
    (([9], 9), True),
]
