"""The grid is a list of equally long strings with stones 'o', fixed blocks '#' and empty cells
'.'. Let all stones fall straight down until each rests on the floor, on a block or on another
stone, and return the new grid as a list of strings."""


def drop_stones(grid):
    cells = [list(row) for row in grid]
    if not cells:
        return []
    for col in range(len(cells[0])):
        floor = len(cells) - 1
        for row in range(len(cells) - 1, -1, -1):
            if cells[row][col] == "#":
                floor = row - 1
            elif cells[row][col] == "o":
                cells[row][col] = "."
                cells[floor][col] = "o"
                floor -= 1
    return ["".join(row) for row in cells]


TESTS = [
    (([],), []),
    ((["o.#"],), ["o.#"]),
    ((["o", "."],), [".", "o"]),
    ((["o", "o", "."],), [".", "o", "o"]),
    ((["o", "#", "."],), ["o", "#", "."]),
    ((["o", ".", "#", "o", "."],), [".", "o", "#", ".", "o"]),
    ((["oo", "..", ".#"],), ["..", ".o", "o#"]),
    ((["o.o", "#..", "..."],), ["o..", "#..", "..o"]),
    ((["o", ".", "o", ".", "."],), [".", ".", ".", "o", "o"]),
    ((["...", "###"],), ["...", "###"]),
    ((["ooo", "o.#", ".o."],), ["..o", "oo#", "oo."]),
    ((["#", "o", "o", ".", "#", "."],), ["#", ".", "o", "o", "#", "."]),
]
