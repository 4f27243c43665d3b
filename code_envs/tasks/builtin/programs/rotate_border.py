"""Return a new matrix in which the values on the outer border have moved clockwise by steps
places (negative steps move counter-clockwise) and the inside is unchanged. Matrices with fewer
than two rows or fewer than two columns are returned as a plain copy."""


def border_cells(rows, cols):
    ring = [(0, c) for c in range(cols)]
    ring += [(r, cols - 1) for r in range(1, rows)]
    ring += [(rows - 1, c) for c in range(cols - 2, -1, -1)]
    ring += [(r, 0) for r in range(rows - 2, 0, -1)]
    return ring


def rotate_border(matrix, steps):
    grid = [row[:] for row in matrix]
    rows = len(grid)
    if rows < 2 or len(grid[0]) < 2:
        return grid
    ring = border_cells(rows, len(grid[0]))
    for i, (r, c) in enumerate(ring):
        to_r, to_c = ring[(i + steps) % len(ring)]
        grid[to_r][to_c] = matrix[r][c]
    return grid


TESTS = [
    (([], 1), []),
    (([[1, 2, 3]], 1), [[1, 2, 3]]),
    (([[1], [2]], 1), [[1], [2]]),
    (([[1, 2], [3, 4]], 1), [[3, 1], [4, 2]]),
    (([[1, 2], [3, 4]], -1), [[2, 4], [1, 3]]),
    (([[1, 2], [3, 4]], 4), [[1, 2], [3, 4]]),
    (([[1, 2, 3], [4, 5, 6], [7, 8, 9]], 1), [[4, 1, 2], [7, 5, 3], [8, 9, 6]]),
    (([[1, 2, 3], [4, 5, 6], [7, 8, 9]], 2), [[7, 4, 1], [8, 5, 2], [9, 6, 3]]),
    (([[1, 2, 3], [4, 5, 6], [7, 8, 9]], 0), [[1, 2, 3], [4, 5, 6], [7, 8, 9]]),
    (([[1, 2, 3], [4, 5, 6]], 1), [[4, 1, 2], [5, 6, 3]]),
    (([[1, 2], [3, 4], [5, 6]], -2), [[4, 6], [2, 5], [1, 3]]),
    (([[1, 2], [3, 4], [5, 6]], 7), [[3, 1], [5, 2], [6, 4]]),
    (([[]], 2), [[]]),
]
