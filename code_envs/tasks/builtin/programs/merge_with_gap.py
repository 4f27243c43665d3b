"""Merge closed integer intervals given as (start, end) pairs in any order: two intervals belong
together if they overlap, touch, or if the distance from the end of one to the start of the next
is at most gap. Return the merged intervals as tuples sorted by start."""


def merge_with_gap(intervals, gap):
    merged = []
    for start, end in sorted(intervals):
        if merged and start - merged[-1][1] <= gap:
            last_start, last_end = merged[-1]
            merged[-1] = (last_start, max(last_end, end))
        else:
            merged.append((start, end))
    return merged


TESTS = [
    (([], 2), []),
    (([(3, 5)], 0), [(3, 5)]),
    (([(1, 2), (4, 5)], 1), [(1, 2), (4, 5)]),
    (([(1, 2), (4, 5)], 2), [(1, 5)]),
    (([(1, 3), (3, 6)], 0), [(1, 6)]),
    (([(1, 3), (4, 6)], 0), [(1, 3), (4, 6)]),
    (([(5, 7), (1, 2)], 0), [(1, 2), (5, 7)]),
    (([(1, 10), (2, 3), (9, 12)], 0), [(1, 12)]),
    (([(1, 10), (2, 3), (13, 14)], 3), [(1, 14)]),
    (([(1, 10), (2, 3), (14, 15)], 3), [(1, 10), (14, 15)]),
    (([(-5, -3), (-1, 0), (4, 4)], 2), [(-5, 0), (4, 4)]),
    (([(0, 1), (3, 4), (6, 7), (20, 21)], 2), [(0, 7), (20, 21)]),
    (([(0, 1), (10, 11), (12, 13)], 1), [(0, 1), (10, 13)]),
    (([(0, 2), (8, 12), (9, 10), (12, 20)], 0), [(0, 2), (8, 20)]),
]
