"""The grid is a list of equally long strings in which '#' is land and every other character is
water. Return the number of cells of the largest connected piece of land, where cells touch
along their four sides only. Without land the answer is 0."""


def sink(grid, r, c, seen):
    if r < 0 or r >= len(grid) or c < 0 or c >= len(grid[r]):
        return 0
    if grid[r][c] != "#" or (r, c) in seen:
        return 0
    seen.add((r, c))
    size = 1
    for dr, dc in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        size += sink(grid, r + dr, c + dc, seen)
    return size


def largest_island(grid):
    seen = set()
    best = 0
    for r in range(len(grid)):
        for c in range(len(grid[r])):
            size = sink(grid, r, c, seen)
            if size > best:
                best = size
    return best


TESTS = [
    (([],), 0),
    (([""],), 0),
    ((["..."],), 0),
    ((["#"],), 1),
    ((["#.#"],), 1),
    ((["##.", "..#"],), 2),
    ((["###", "###"],), 6),
    ((["#.", ".#"],), 1),
    ((["#..##", "#..#.", "#...."],), 3),
    ((["#.#", "###", "#.#"],), 7),
    ((["###", "#.#", "###", "...", "###"],), 8),
    ((["#...#", ".###.", "#...#"],), 3),
    (([".#", ".#", "##"],), 4),
]
