"""Return the largest drop values[i] - values[j] over all positions i < j that are at most width
apart (j - i <= width). If nothing drops, or the list has fewer than two values, or width is 0,
return 0."""


def biggest_drop_within(values, width):
    best = 0
    for i in range(len(values)):
        stop = min(i + width, len(values) - 1)
        for j in range(i + 1, stop + 1):
            drop = values[i] - values[j]
            if drop > best:
                best = drop
    return best


TESTS = [
    (([], 3), 0),
    (([5], 1), 0),
    (([5, 3], 1), 2),
    (([5, 3], 0), 0),
    (([3, 5], 1), 0),
    (([9, 8, 1], 1), 7),
    (([9, 8, 1], 2), 8),
    (([9, 5, 6, 7, 1], 3), 6),
    (([9, 5, 6, 7, 1], 4), 8),
    (([1, 2, 3, 4], 3), 0),
    (([0, -4, 2, -6, 5], 2), 8),
    (([4, 4, 4], 2), 0),
    (([2, 7, 6, 5, 1], 2), 5),
    (([8, 1, 1, 1, 0], 10), 8),
]
