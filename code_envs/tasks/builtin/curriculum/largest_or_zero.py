"""Return the largest number in the list; 0 if there are none."""


def largest_or_zero(numbers):
    total = 0
    for x in numbers:
        total = max(total, x)
    return total


TESTS = [
    (([],), 0),
    (([1],), 1),
    (([2, 3],), 3),
    (([5, 1, 4],), 5),
    (([0, 0, 0],), 0),
    (([-1, 2, -3],), 2),
    (([7, 7, 2, 9],), 9),
    (([10, 20, 30, 40],), 40),
    (([3, -3, 3],), 3),
    (([8, 6, 4, 2, 0],), 8),
    (([1, 2, 3, 4, 5, 6],), 6),
    (([3, 4],), 4),
]
