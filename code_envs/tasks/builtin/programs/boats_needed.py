"""People with the given weights cross a river in boats that carry at most two people and at
most limit in total weight. Return the smallest number of boats needed, or -1 if a single person
is heavier than the limit. An empty list needs 0 boats."""


def boats_needed(weights, limit):
    order = sorted(weights)
    light = 0
    heavy = len(order) - 1
    boats = 0
    while light <= heavy:
        if order[heavy] > limit:
            return -1
        if light < heavy and order[light] + order[heavy] <= limit:
            light += 1
        heavy -= 1
        boats += 1
    return boats


TESTS = [
    (([], 10), 0),
    (([5], 10), 1),
    (([10], 10), 1),
    (([11], 10), -1),
    (([5, 5], 10), 1),
    (([5, 6], 10), 2),
    (([3, 2, 2, 1], 3), 3),
    (([3, 5, 3, 4], 5), 4),
    (([1, 2], 3), 1),
    (([4, 1, 12, 2], 9), -1),
    (([1, 1, 1, 1, 1], 9), 3),
    (([7, 2, 8, 3, 1, 9], 10), 3),
    (([6, 1, 6, 1, 6], 7), 3),
]
