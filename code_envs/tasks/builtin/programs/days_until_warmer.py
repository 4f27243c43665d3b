"""For every day return how many days later the first strictly warmer day comes, or 0 if no
warmer day follows, using a stack of the days still waiting. An empty list gives an empty
list."""


def days_until_warmer(temperatures):
    waits = [0] * len(temperatures)
    waiting = []
    for day, degrees in enumerate(temperatures):
        while waiting and temperatures[waiting[-1]] < degrees:
            earlier = waiting.pop()
            waits[earlier] = day - earlier
        waiting.append(day)
    return waits


TESTS = [
    (([],), []),
    (([20],), [0]),
    (([20, 21],), [1, 0]),
    (([21, 20],), [0, 0]),
    (([20, 20],), [0, 0]),
    (([20, 20, 21],), [2, 1, 0]),
    (([5, 4, 3, 6],), [3, 2, 1, 0]),
    (([1, 2, 3],), [1, 1, 0]),
    (([3, 2, 1],), [0, 0, 0]),
    (([73, 74, 75, 71, 69, 72, 76, 73],), [1, 1, 4, 2, 1, 1, 0, 0]),
    (([-5, -7, -6, -5, -4],), [4, 1, 1, 1, 0]),
    (([10, 0, 5, 0, 10, 11],), [5, 1, 2, 1, 1, 0]),
]
