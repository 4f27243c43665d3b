"""Given scores in the order they were made, return a tuple (highs, lows) with the number of
later scores that were strictly higher than all scores before and the number that were strictly
lower than all scores before. The first score breaks no record; an empty list gives (0, 0)."""


def record_breakers(scores):
    if not scores:
        return (0, 0)
    top = bottom = scores[0]
    highs = 0
    lows = 0
    for score in scores[1:]:
        if score > top:
            top = score
            highs += 1
        elif score < bottom:
            bottom = score
            lows += 1
    return (highs, lows)


TESTS = [
    (([],), (0, 0)),
    (([5],), (0, 0)),
    (([5, 5],), (0, 0)),
    (([1, 2],), (1, 0)),
    (([2, 1],), (0, 1)),
    (([1, 2, 3, 4],), (3, 0)),
    (([4, 3, 2, 1],), (0, 3)),
    (([10, 5, 20, 20, 4, 5, 2, 25, 1],), (2, 4)),
    (([3, 4, 3, 5, 4, 6],), (3, 0)),
    (([0, -1, 1, -1, 1],), (1, 1)),
    (([7, 9, 8, 6, 7, 10],), (2, 1)),
    (([-5, -5, -6, -4, -6],), (1, 1)),
]
