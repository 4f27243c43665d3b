"""Return how many numbers of the list are larger than k."""


def count_larger(numbers, k):
    return sum(1 for x in numbers if x > k)


TESTS = [
    (([], 3), 0),
    (([1], 1), 0),
    (([2, 3], 3), 0),
    (([5, 1, 4], 2), 2),
    (([0, 0, 0], 0), 0),
    (([-1, 2, -3], -1), 1),
    (([7, 7, 2, 9], 7), 1),
    (([10, 20, 30, 40], 25), 2),
    (([3, -3, 3], 1), 2),
    (([8, 6, 4, 2, 0], 4), 2),
    (([1, 2, 3, 4, 5, 6], 2), 4),
    (([9], 9), 0),
]
