"""Return the list of the running totals: each number plus all before it."""


def running_total(numbers):
    total = 0
    items = []
    for x in numbers:
        total += x
        items.append(total)
    return items


TESTS = [
    (([],), []),
    (([1],), [1]),
    (([2, 3],), [2, 5]),
    (([5, 1, 4],), [5, 6, 10]),
    (([0, 0, 0],), [0, 0, 0]),
    (([-1, 2, -3],), [-1, 1, -2]),
    (([7, 7, 2, 9],), [7, 14, 16, 25]),
    (([10, 20, 30, 40],), [10, 30, 60, 100]),
    (([3, -3, 3],), [3, 0, 3]),
    (([8, 6, 4, 2, 0],), [8, 14, 18, 20, 20]),
    (([1, 2, 3, 4, 5, 6],), [1, 3, 6, 10, 15, 21]),
    (([-5],), [-5]),
]
