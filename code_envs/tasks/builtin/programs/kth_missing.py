"""Given a strictly ascending list of positive integers, return the k-th (k >= 1) positive
integer that is not in the list. With an empty list the answer is k."""


def kth_missing(values: list[int], k: int) -> int:
    low, high = 0, len(values)
    while low < high:
        middle = (low + high) // 2
        missing_before = values[middle] - (middle + 1)
        if missing_before < k:
            low = middle + 1
        else:
            high = middle
    return low + k


TESTS = [
    (([], 1), 1),
    (([], 7), 7),
    (([1], 1), 2),
    (([2], 1), 1),
    (([2], 2), 3),
    (([1, 2, 3], 2), 5),
    (([2, 3, 4, 7, 11], 5), 9),
    (([2, 3, 4, 7, 11], 1), 1),
    (([2, 3, 4, 7, 11], 2), 5),
    (([2, 3, 4, 7, 11], 4), 8),
    (([2, 3, 4, 7, 11], 7), 12),
    (([5, 6, 7], 4), 4),
    (([5, 6, 7], 5), 8),
    (([1, 3, 5, 7], 3), 6),
]
