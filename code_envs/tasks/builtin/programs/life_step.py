"""Compute one generation of Conway's game of life on a grid of 0s and 1s without wrap-around. A
live cell stays alive with two or three live cells among its up to eight neighbours; a dead cell
becomes alive with exactly three. Return a new grid; an empty grid gives an empty list."""


def life_step(grid):
    rows = len(grid)
    after = []
    for r in range(rows):
        new_row = []
        for c in range(len(grid[r])):
            alive = 0
            for y in range(max(0, r - 1), min(rows, r + 2)):
                for x in range(max(0, c - 1), min(len(grid[r]), c + 2)):
                    alive += grid[y][x]
            alive -= grid[r][c]
            if alive == 3 or (alive == 2 and grid[r][c] == 1):
                new_row.append(1)
            else:
                new_row.append(0)
        after.append(new_row)
    return after


TESTS = [
    (([],), []),
    (([[1]],), [[0]]),
    (([[0]],), [[0]]),
    (([[1, 1], [1, 0]],), [[1, 1], [1, 1]]),
    (([[1, 1], [1, 1]],), [[1, 1], [1, 1]]),
    (([[1, 1, 1]],), [[0, 1, 0]]),
    (([[0, 1, 0], [0, 1, 0], [0, 1, 0]],), [[0, 0, 0], [1, 1, 1], [0, 0, 0]]),
    (([[1, 1, 1], [1, 1, 1], [1, 1, 1]],), [[1, 0, 1], [0, 0, 0], [1, 0, 1]]),
    (([[1, 0, 1], [0, 0, 0], [1, 0, 1]],), [[0, 0, 0], [0, 0, 0], [0, 0, 0]]),
    (([[0, 0, 1], [1, 0, 0], [0, 1, 0]],), [[0, 0, 0], [0, 1, 0], [0, 0, 0]]),
    (([[1, 0], [0, 1], [1, 0]],), [[0, 0], [1, 1], [0, 0]]),
    (([[0, 1, 1, 0], [1, 0, 0, 1], [0, 1, 1, 0]],), [[0, 1, 1, 0], [1, 0, 0, 1], [0, 1, 1, 0]]),
]
