"""Return the sum of the numbers in the list that are larger than 0."""


def sum_of_positive(numbers):
    return sum(x for x in numbers if x > 0)


TESTS = [
    (([],), 0),
    (([1],), 1),
    (([2, 3],), 5),
    (([5, 1, 4],), 10),
    (([0, 0, 0],), 0),
    (([-1, 2, -3],), 2),
    (([7, 7, 2, 9],), 25),
    (([10, 20, 30, 40],), 100),
    (([3, -3, 3],), 6),
    (([8, 6, 4, 2, 0],), 20),
    (([1, 2, 3, 4, 5, 6],), 21),
    (([-5],), 0),
]
