"""Count the ways to climb from the ground (step 0) to step n taking one, two or three steps at
a time without ever standing on a step number listed in broken. Return 1 for n == 0. If step n
itself is broken, the answer is 0."""


def climb_with_broken(n, broken):
    ways = [0] * (n + 1)
    ways[0] = 1
    for step in range(1, n + 1):
        if step in broken:
            continue
        for jump in (1, 2, 3):
            if jump <= step:
                ways[step] += ways[step - jump]
    return ways[n]


TESTS = [
    ((0, []), 1),
    ((1, []), 1),
    ((2, []), 2),
    ((3, []), 4),
    ((4, []), 7),
    ((1, [1]), 0),
    ((2, [1]), 1),
    ((3, [1]), 2),
    ((3, [2]), 2),
    ((4, [2, 3]), 1),
    ((5, [1, 2, 3]), 0),
    ((5, [2]), 5),
    ((6, [3, 5]), 3),
    ((4, [7]), 7),
]
