"""A walker starts in the top left cell of a grid given as a list of equally long strings over
'<', '>', '^' and 'v' and moves one cell at a time in the direction of the arrow it stands on.
Return the number of moves until it leaves the grid, or -1 if it walks in a loop forever. An
empty grid gives 0."""


def follow_arrows(grid):
    arrows = {"<": (0, -1), ">": (0, 1), "^": (-1, 0), "v": (1, 0)}
    row, col = 0, 0
    moves = 0
    seen = set()
    while 0 <= row < len(grid) and 0 <= col < len(grid[0]):
        if (row, col) in seen:
            return -1
        seen.add((row, col))
        down, right = arrows[grid[row][col]]
        row += down
        col += right
        moves += 1
    return moves


TESTS = [
    (([],), 0),
    ((["<"],), 1),
    ((["v"],), 1),
    ((["^>", "<<"],), 1),
    (([">>>"],), 3),
    (([">><"],), -1),
    ((["v", "v", "v"],), 3),
    ((["v", "^"],), -1),
    (([">v", "^<"],), -1),
    (([">v", "<<"],), 4),
    (([">>v", "v<<", ">>>"],), 9),
    (([">v>", "^v^", "<v<"],), 4),
    ((["v<<", "v>^", ">^<"],), -1),
    ((["v<^", "v>^", ">^<"],), 7),
]
