"""Tell whether the numbers of the list are in ascending order."""


def is_sorted(numbers):
    return sorted(numbers) == numbers


TESTS = [
    (([],), True),
    (([1],), True),
    (([2, 3],), True),
    (([5, 1, 4],), False),
    (([0, 0, 0],), True),
    (([-1, 2, -3],), False),
    (([7, 7, 2, 9],), False),
    (([10, 20, 30, 40],), True),
    (([3, -3, 3],), False),
    (([8, 6, 4, 2, 0],), False),
    (([1, 2, 3, 4, 5, 6],), True),
    (([-5],), True),
]
