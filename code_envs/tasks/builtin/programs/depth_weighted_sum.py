"""Sum the integers in an arbitrarily nested list, each multiplied by its depth: integers in the
outermost list have depth 1, those one list further inside depth 2 and so on. Empty lists add
nothing."""


def depth_weighted_sum(nested, depth=1):
    total = 0
    for item in nested:
        if isinstance(item, list):
            total += depth_weighted_sum(item, depth + 1)
        else:
            total += item * depth
    return total


TESTS = [
    (([],), 0),
    (([5],), 5),
    (([[5]],), 10),
    (([1, 2, 3],), 6),
    (([1, [2]],), 5),
    (([[1, 1], 2, [1, 1]],), 10),
    (([1, [4, [6]]],), 27),
    (([[], [[]]],), 0),
    (([-3, [2], [-1]],), -1),
    (([[[[1]]]],), 4),
    (([0, [0, [7]], 1],), 22),
    (([[2], 3, [[4], 5]],), 29),
]
