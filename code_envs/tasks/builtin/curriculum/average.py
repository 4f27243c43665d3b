"""Return the average of the numbers in the list: their sum divided by how many there are."""


def average(numbers):
    return sum(numbers) / len(numbers)


TESTS = [
    (([1],), 1.0),
    (([2, 3],), 2.5),
    (([5, 1, 4],), 3.3333333333333335),
    (([0, 0, 0],), 0.0),
    (([-1, 2, -3],), -0.6666666666666666),
    (([7, 7, 2, 9],), 6.25),
    (([10, 20, 30, 40],), 25.0),
    (([3, -3, 3],), 1.0),
    (([8, 6, 4, 2, 0],), 4.0),
    (([1, 2, 3, 4, 5, 6],), 3.5),
    (([-5],), -5.0),
    (([4, 9],), 6.5),
]
