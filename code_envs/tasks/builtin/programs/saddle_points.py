"""Return the positions (row, column) of all values that are the largest of their row (ties
allowed) and at the same time the smallest of their column (ties allowed), ordered by row and
then by column. The matrix is rectangular; an empty matrix gives an empty list."""


def saddle_points(matrix):
    found = []
    for r, row in enumerate(matrix):
        if not row:
            continue
        largest = max(row)
        for c in range(len(row)):
            if row[c] != largest:
                continue
            is_smallest = True
            for other in matrix:
                if other[c] < row[c]:
                    is_smallest = False
                    break
            if is_smallest:
                found.append((r, c))
    return found


TESTS = [
    (([],), []),
    (([[]],), []),
    (([[5]],), [(0, 0)]),
    (([[1, 2, 3]],), [(0, 2)]),
    (([[3], [1], [2]],), [(1, 0)]),
    (([[1, 2], [3, 4]],), [(0, 1)]),
    (([[9, 8, 7], [5, 3, 2], [6, 6, 7]],), [(1, 0)]),
    (([[1, 5], [5, 1]],), []),
    (([[2, 2], [2, 2]],), [(0, 0), (0, 1), (1, 0), (1, 1)]),
    (([[4, 5, 4], [3, 5, 5], [1, 5, 4]],), [(0, 1), (1, 1), (2, 1)]),
    (([[3, 1, 3], [3, 2, 4]],), [(0, 0), (0, 2)]),
    (([[-1, -2], [-3, -4]],), [(1, 0)]),
]
