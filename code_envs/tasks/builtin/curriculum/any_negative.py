"""Tell whether any number of the list is smaller than 0."""


def any_negative(numbers):
    return any(x < 0 for x in numbers)


TESTS = [
    (([],), False),
    (([1],), False),
    (([2, 3],), False),
    (([5, 1, 4],), False),
    (([0, 0, 0],), False),
    (([-1, 2, -3],), True),
    (([7, 7, 2, 9],), False),
    (([10, 20, 30, 40],), False),
    (([3, -3, 3],), True),
    (([8, 6, 4, 2, 0],), False),
    (([1, 2, 3, 4, 5, 6],), False),
    (([-5],), True),
]
