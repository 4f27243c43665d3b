"""Tell whether any number of the list times 2 is equal to k."""


def any_equals_k(numbers, k):
    return any(x * 2 == k for x in numbers)


TESTS = [
    (([], 3), False),
    (([1], 1), False),
    (([2, 3], 3), False),
    (([5, 1, 4], 2), True),
    (([0, 0, 0], 0), True),
    (([-1, 2, -3], -1), False),
    (([7, 7, 2, 9], 7), False),
    (([10, 20, 30, 40], 25), False),
    (([3, -3, 3], 1), False),
    (([8, 6, 4, 2, 0], 4), True),
    (([1, 2, 3, 4, 5, 6], 2), True),
    (([9], 9), False),
]
