"""A dial has the positions 0 .. size - 1 and stands at start (taken modulo size). Every turn
moves it forward by step positions (backward if negative), wrapping around. Return the smallest
number of turns, possibly 0, after which it stands at target, or -1 if it never does. A target
outside the dial is never reached."""


def turn_dial(size, start, step, target):
    position = start % size
    turns = 0
    while position != target:
        position = (position + step) % size
        turns += 1
        if turns > size:
            return -1
    return turns


TESTS = [
    ((10, 0, 3, 0), 0),
    ((10, 0, 3, 3), 1),
    ((10, 0, 3, 1), 7),
    ((10, 0, 3, 7), 9),
    ((10, 0, 2, 5), -1),
    ((10, 4, 2, 2), 4),
    ((12, 11, 1, 0), 1),
    ((12, 0, -5, 7), 1),
    ((12, 3, -3, 6), 3),
    ((5, 2, 0, 2), 0),
    ((5, 2, 0, 3), -1),
    ((1, 0, 4, 0), 0),
    ((6, 1, 2, 6), -1),
    ((4, 1, 1, 0), 3),
    ((4, 6, 1, 3), 1),
    ((3, 2, 2, 0), 2),
]
