"""Merge two lists that are each sorted in ascending order (repeats allowed) into one ascending
list in which no value appears more than twice: third and later copies are dropped."""


def merge_at_most_twice(first, second):
    merged = []
    i = j = 0
    while i < len(first) or j < len(second):
        if j == len(second) or (i < len(first) and first[i] <= second[j]):
            value = first[i]
            i += 1
        else:
            value = second[j]
            j += 1
        if len(merged) < 2 or merged[-2] != value:
            merged.append(value)
    return merged


TESTS = [
    (([], []), []),
    (([1], []), [1]),
    (([], [2]), [2]),
    (([4, 4], []), [4, 4]),
    (([1, 1, 1], []), [1, 1]),
    (([1, 3], [2, 4]), [1, 2, 3, 4]),
    (([1, 2], [1, 2]), [1, 1, 2, 2]),
    (([5, 6], [1, 2]), [1, 2, 5, 6]),
    (([1, 2], [5, 5, 5, 6]), [1, 2, 5, 5, 6]),
    (([0, 0, 3], [0, 3, 3, 9]), [0, 0, 3, 3, 9]),
    (([-2, 0, 4], [-3, -2, -2, 4]), [-3, -2, -2, 0, 4, 4]),
    (([2, 2, 8], [2, 2, 7, 8, 8]), [2, 2, 7, 8, 8]),
]
