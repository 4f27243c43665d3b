"""Tell whether all numbers of the list are even."""


def all_even(numbers):
    return all(x % 2 == 0 for x in numbers)


TESTS = [
    (([],), True),
    (([1],), False),
    (([2, 3],), False),
    (([5, 1, 4],), False),
    (([0, 0, 0],), True),
    (([-1, 2, -3],), False),
    (([7, 7, 2, 9],), False),
    (([10, 20, 30, 40],), True),
    (([3, -3, 3],), False),
    (([8, 6, 4, 2, 0],), True),
    (([1, 2, 3, 4, 5, 6],), False),
    (([-5],), False),
]
