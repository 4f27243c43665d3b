"""Return the product of all numbers in the list; 1 if there are none."""


def product(numbers):
    total = 1
    for x in numbers:
        total *= x
    return total


TESTS = [
    (([],), 1),
    (([1],), 1),
    (([2, 3],), 6),
    (([5, 1, 4],), 20),
    (([0, 0, 0],), 0),
    (([-1, 2, -3],), 6),
    (([7, 7, 2, 9],), 882),
    (([10, 20, 30, 40],), 240000),
    (([3, -3, 3],), -27),
    (([8, 6, 4, 2, 0],), 0),
    (([1, 2, 3, 4, 5, 6],), 720),
    (([-5],), -5),
]
