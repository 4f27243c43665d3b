"""Tell whether the list is the same backwards."""


def reads_the_same(numbers):
    return numbers[::-1] == numbers


TESTS = [
    (([],), True),
    (([1],), True),
    (([2, 3],), False),
    (([5, 1, 4],), False),
    (([0, 0, 0],), True),
    (([-1, 2, -3],), False),
    (([7, 7, 2, 9],), False),
    (([10, 20, 30, 40],), False),
    (([3, -3, 3],), True),
    (([8, 6, 4, 2, 0],), False),
    (([1, 2, 3, 4, 5, 6],), False),
    (([-5],), True),
]
