"""Read a rectangular matrix along its anti-diagonals (cells with equal row + column), beginning
at the top left. The first diagonal and every second one after it is read upwards, from its
bottom left to its top right end; the others downwards. Return all values as a flat list."""


def zigzag_diagonals(matrix):
    if not matrix:
        return []
    rows, cols = len(matrix), len(matrix[0])
    flat = []
    for d in range(rows + cols - 1):
        diagonal = []
        for r in range(rows):
            c = d - r
            if 0 <= c < cols:
                diagonal.append(matrix[r][c])
        if d % 2 == 0:
            diagonal.reverse()
        flat.extend(diagonal)
    return flat


TESTS = [
    (([],), []),
    (([[]],), []),
    (([[5]],), [5]),
    (([[1, 2, 3]],), [1, 2, 3]),
    (([[1], [2], [3]],), [1, 2, 3]),
    (([[1, 2], [3, 4]],), [1, 2, 3, 4]),
    (([[1, 2, 3], [4, 5, 6], [7, 8, 9]],), [1, 2, 4, 7, 5, 3, 6, 8, 9]),
    (([[1, 2, 3], [4, 5, 6]],), [1, 2, 4, 5, 3, 6]),
    (([[1, 2], [3, 4], [5, 6]],), [1, 2, 3, 5, 4, 6]),
    (([["a", "b"], ["c", "d"]],), ["a", "b", "c", "d"]),
    (([[0, 1, 2, 3], [4, 5, 6, 7]],), [0, 1, 4, 5, 2, 3, 6, 7]),
    (([[1, 1], [2, 2], [3, 3], [4, 4]],), [1, 1, 2, 3, 2, 3, 4, 4]),
]
