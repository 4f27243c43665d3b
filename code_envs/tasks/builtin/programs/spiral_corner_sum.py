"""The numbers 1, 2, 3, ... are written in a square spiral, beginning with 1 in the centre and
moving outwards, until the square has size columns (size odd and positive). Return the sum of
the numbers on both diagonals, the centre counted once. An even or non-positive size gives
-1."""


def spiral_corner_sum(size):
    if size < 1 or size % 2 == 0:
        return -1
    total = 1
    corner = 1
    for side in range(3, size + 1, 2):
        for _ in range(4):
            corner += side - 1
            total += corner
    return total


TESTS = [
    ((1,), 1),
    ((3,), 25),
    ((5,), 101),
    ((7,), 261),
    ((9,), 537),
    ((0,), -1),
    ((-3,), -1),
    ((2,), -1),
    ((4,), -1),
    ((-2,), -1),
    ((11,), 961),
]
