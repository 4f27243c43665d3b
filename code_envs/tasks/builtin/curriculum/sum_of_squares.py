"""Return the sum of the squares of the numbers in the list."""


def sum_of_squares(numbers):
    return sum(x * x for x in numbers)


TESTS = [
    (([],), 0),
    (([1],), 1),
    (([2, 3],), 13),
    (([5, 1, 4],), 42),
    (([0, 0, 0],), 0),
    (([-1, 2, -3],), 14),
    (([7, 7, 2, 9],), 183),
    (([10, 20, 30, 40],), 3000),
    (([3, -3, 3],), 27),
    (([8, 6, 4, 2, 0],), 120),
    (([1, 2, 3, 4, 5, 6],), 91),
    (([-5],), 25),
]
