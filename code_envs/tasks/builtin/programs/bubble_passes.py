"""Return how many passes bubble sort (swapping neighbours that are in the wrong order, left to
right) makes over the list before it meets a pass without any swap; that last clean pass is not
counted. Lists that are already in ascending order, including empty ones, give 0."""


def bubble_passes(values):
    items = list(values)
    passes = 0
    swapped = True
    while swapped:
        swapped = False
        for i in range(len(items) - 1):
            if items[i] > items[i + 1]:
                items[i], items[i + 1] = items[i + 1], items[i]
                swapped = True
        if swapped:
            passes += 1
    return passes


TESTS = [
    (([],), 0),
    (([3],), 0),
    (([1, 2, 3],), 0),
    (([2, 1],), 1),
    (([2, 2, 2],), 0),
    (([3, 2, 1],), 2),
    (([5, 1, 2, 3],), 1),
    (([2, 3, 5, 1],), 3),
    (([1, 3, 2, 4],), 1),
    (([4, 3, 2, 1, 0],), 4),
    (([2, 1, 4, 3],), 1),
    (([0, -1, 0, -1],), 2),
    (([1, 2, 4, 3],), 1),
]
