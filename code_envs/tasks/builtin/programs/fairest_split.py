"""Split the list into a left part values[:i] and a right part values[i:], both non-empty, so
that the absolute difference of their sums is as small as possible, and return i. The smallest
such i wins ties. Lists with fewer than two values give -1."""


def fairest_split(values):
    if len(values) < 2:
        return -1
    left = values[0]
    right = sum(values[1:])
    best_index = 1
    best_gap = abs(left - right)
    for i in range(2, len(values)):
        left += values[i - 1]
        right -= values[i - 1]
        gap = abs(left - right)
        if gap < best_gap:
            best_gap = gap
            best_index = i
    return best_index


TESTS = [
    (([],), -1),
    (([8],), -1),
    (([8, 3],), 1),
    (([1, 1, 1, 1],), 2),
    (([1, 2, 3],), 2),
    (([5, 1, 1],), 1),
    (([1, 1, 5],), 2),
    (([1, 1, 1],), 1),
    (([0, 0, 0, 0],), 1),
    (([-1, -2, -3, -6],), 3),
    (([10, -10, 10, -10],), 2),
    (([2, 4, 6, 8, 10],), 3),
    (([4, -4, 9],), 1),
]
