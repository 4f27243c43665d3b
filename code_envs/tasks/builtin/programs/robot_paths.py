"""A robot walks from the top left to the bottom right cell of a grid of strings, moving only
right or down, and must not enter cells marked 'x'. Return the number of different paths; 0 if
the grid is empty or the first or last cell is blocked."""


def robot_paths(grid):
    if not grid or not grid[0]:
        return 0
    cols = len(grid[0])
    paths = [0] * cols
    paths[0] = 1
    for row in grid:
        for c in range(cols):
            if row[c] == "x":
                paths[c] = 0
            elif c > 0:
                paths[c] += paths[c - 1]
    return paths[cols - 1]


TESTS = [
    (([],), 0),
    (([""],), 0),
    ((["."],), 1),
    ((["x"],), 0),
    ((["..."],), 1),
    (([".x."],), 0),
    ((["..", ".."],), 2),
    ((["...", "...", "..."],), 6),
    ((["...", ".x.", "..."],), 2),
    ((["..", "x."],), 1),
    ((["x.", ".."],), 0),
    ((["..", ".x"],), 0),
    (([".", ".", "."],), 1),
    (([".x..", "....", "..x."],), 1),
    (([".x..", "....", "...."],), 4),
]
