"""Return the second largest number of the list, where equal numbers count apart."""


def second_largest(numbers):
    return sorted(numbers)[-2]


TESTS = [
    (([2, 3],), 2),
    (([5, 1, 4],), 4),
    (([0, 0, 0],), 0),
    (([-1, 2, -3],), -1),
    (([7, 7, 2, 9],), 7),
    (([10, 20, 30, 40],), 30),
    (([3, -3, 3],), 3),
    (([8, 6, 4, 2, 0],), 6),
    (([1, 2, 3, 4, 5, 6],), 5),
    (([4, 9],), 4),
    (([1, 9],), 1),
    (([6, 5, 5],), 5),
]
