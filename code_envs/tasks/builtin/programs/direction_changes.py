"""Count how often the list switches between rising and falling when read from left to right.
Equal neighbours are ignored: they neither change nor reset the current direction. Lists with
fewer than three values give 0."""


def direction_changes(values):
    last = None
    changes = 0
    for prev, cur in zip(values, values[1:]):
        if cur > prev:
            trend = "up"
        elif cur < prev:
            trend = "down"
        else:
            continue
        if last is not None and trend != last:
            changes += 1
        last = trend
    return changes


TESTS = [
    (([],), 0),
    (([5],), 0),
    (([1, 2],), 0),
    (([2, 1],), 0),
    (([1, 3, 2],), 1),
    (([3, 1, 2],), 1),
    (([1, 2, 3, 4],), 0),
    (([1, 2, 2, 1],), 1),
    (([1, 2, 2, 3],), 0),
    (([4, 4, 4],), 0),
    (([1, 5, 2, 6, 3],), 3),
    (([0, 0, -1, 1, 1, 0, 2],), 3),
    (([2, 2, 1, 1, 2, 2, 1],), 2),
]
