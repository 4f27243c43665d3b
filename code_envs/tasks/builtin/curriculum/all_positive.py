"""Tell whether all numbers of the list are larger than 0."""


def all_positive(numbers):
    return all(x > 0 for x in numbers)


TESTS = [
    (([],), True),
    (([1],), True),
    (([2, 3],), True),
    (([5, 1, 4],), True),
    (([0, 0, 0],), False),
    (([-1, 2, -3],), False),
    (([7, 7, 2, 9],), True),
    (([10, 20, 30, 40],), True),
    (([3, -3, 3],), False),
    (([8, 6, 4, 2, 0],), False),
    (([1, 2, 3, 4, 5, 6],), True),
    (([-5],), False),
]
