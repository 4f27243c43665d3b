"""A gardener stands at a tap at position 0 with a full can; plant i needs needs[i] units and
stands at position i + 1. Plants are watered in order; whenever the can does not hold enough for
the next plant the gardener walks back to the tap, refills it and returns. Return the number of
steps walked until the last plant is watered, or -1 if some plant needs more than the
capacity."""


def water_plants(needs, capacity):
    steps = 0
    water = capacity
    for i, need in enumerate(needs):
        if need > capacity:
            return -1
        if water < need:
            steps += 2 * i
            water = capacity
        steps += 1
        water -= need
    return steps


TESTS = [
    (([], 5), 0),
    (([3], 5), 1),
    (([5], 5), 1),
    (([6], 5), -1),
    (([2, 3], 5), 2),
    (([2, 4], 5), 4),
    (([1, 1, 1, 1], 4), 4),
    (([1, 1, 1, 1], 3), 10),
    (([2, 2, 3, 3], 5), 14),
    (([0, 0, 0], 0), 3),
    (([4, 4, 4], 4), 9),
    (([1, 2, 9, 1], 8), -1),
    (([3, 1, 5, 1, 1], 5), 15),
]
