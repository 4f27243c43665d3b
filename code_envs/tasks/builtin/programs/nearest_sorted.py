"""Given a list sorted in ascending order, return its value nearest to target, using binary
search. If two values are equally near, return the smaller one. An empty list gives None."""


def nearest_sorted(values, target):
    if not values:
        return None
    low, high = 0, len(values)
    while low < high:
        middle = (low + high) // 2
        if values[middle] < target:
            low = middle + 1
        else:
            high = middle
    if low == 0:
        return values[0]
    if low == len(values):
        return values[-1]
    before = values[low - 1]
    after = values[low]
    if target - before <= after - target:
        return before
    return after


TESTS = [
    (([], 3), None),
    (([4], 100), 4),
    (([4], -100), 4),
    (([1, 5], 3), 1),
    (([1, 5], 4), 5),
    (([1, 5], 2), 1),
    (([2, 4, 8, 16], 8), 8),
    (([2, 4, 8, 16], 13), 16),
    (([2, 4, 8, 16], 0), 2),
    (([2, 4, 8, 16], 99), 16),
    (([-9, -3, -1], -6), -9),
    (([-9, -3, -1], -5), -3),
    (([1, 2, 3, 10, 11, 12, 20], 6), 3),
    (([1, 2, 3, 10, 11, 12, 20], 7), 10),
]
