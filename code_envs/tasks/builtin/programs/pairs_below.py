"""Count the pairs of positions i < j whose values add up to strictly less than limit. The list
may be in any order and may contain equal or negative values; it must not be changed."""


def pairs_below(values, limit):
    ordered = sorted(values)
    left, right = 0, len(ordered) - 1
    count = 0
    while left < right:
        if ordered[left] + ordered[right] < limit:
            count += right - left
            left += 1
        else:
            right -= 1
    return count


TESTS = [
    (([], 5), 0),
    (([1], 5), 0),
    (([1, 2], 4), 1),
    (([1, 2], 3), 0),
    (([2, 1, 3], 5), 2),
    (([1, 1, 1, 1], 3), 6),
    (([1, 1, 1, 1], 2), 0),
    (([5, -2, 4, 0], 3), 2),
    (([3, 3, 9], 12), 1),
    (([-1, -2, -3], -3), 2),
    (([1, 2, 3, 4, 5], 7), 6),
    (([10, 1, 8, 2, 7], 10), 4),
    (([6, 6], 12), 0),
]
