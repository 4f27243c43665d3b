"""Return a tuple (start, length) describing the longest run of equal consecutive values in the
list. If several runs have the same length, report the last of them. An empty list gives (-1,
0)."""


def longest_plateau(values):
    if not values:
        return (-1, 0)
    best_start, best_length = 0, 1
    start = 0
    for i in range(1, len(values)):
        if values[i] != values[i - 1]:
            start = i
        length = i - start + 1
        if length >= best_length:
            best_start = start
            best_length = length
    return (best_start, best_length)


TESTS = [
    (([],), (-1, 0)),
    (([4],), (0, 1)),
    (([4, 4],), (0, 2)),
    (([1, 1, 2],), (0, 2)),
    (([1, 2, 2],), (1, 2)),
    (([1, 2, 3],), (2, 1)),
    (([1, 1, 2, 2],), (2, 2)),
    (([5, 5, 5, 1, 1],), (0, 3)),
    (([0, 7, 7, 7, 0, 7, 7],), (1, 3)),
    (([3, 3, 1, 3, 3],), (3, 2)),
    (([-1, -1, 1, 1, 1, -1],), (2, 3)),
    (([9, 8, 8, 9],), (1, 2)),
]
