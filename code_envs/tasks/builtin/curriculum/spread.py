"""Return the largest number in the list minus the smallest number."""


def spread(numbers):
    return max(numbers) - min(numbers)


TESTS = [
    (([1],), 0),
    (([2, 3],), 1),
    (([5, 1, 4],), 4),
    (([0, 0, 0],), 0),
    (([-1, 2, -3],), 5),
    (([7, 7, 2, 9],), 7),
    (([10, 20, 30, 40],), 30),
    (([3, -3, 3],), 6),
    (([8, 6, 4, 2, 0],), 8),
    (([1, 2, 3, 4, 5, 6],), 5),
    (([-5],), 0),
    (([4, 9],), 5),
]
