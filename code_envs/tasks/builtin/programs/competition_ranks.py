"""Return the rank of every score, in the order of the list: the highest score has rank 1, equal
scores share a rank, and after a tie as many ranks are skipped as scores were tied (1, 2, 2, 4).
An empty list gives an empty list."""


def competition_ranks(scores):
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    ranks = [0] * len(scores)
    for place, index in enumerate(order):
        if place > 0 and scores[index] == scores[order[place - 1]]:
            ranks[index] = ranks[order[place - 1]]
        else:
            ranks[index] = place + 1
    return ranks


TESTS = [
    (([],), []),
    (([50],), [1]),
    (([10, 20],), [2, 1]),
    (([20, 10],), [1, 2]),
    (([7, 7],), [1, 1]),
    (([90, 80, 80, 70],), [1, 2, 2, 4]),
    (([80, 70, 80, 90],), [2, 4, 2, 1]),
    (([5, 5, 5, 1],), [1, 1, 1, 4]),
    (([1, 2, 3, 4, 5],), [5, 4, 3, 2, 1]),
    (([-1, -3, -1, -2],), [1, 4, 1, 3]),
    (([0, 9, 0, 9, 0],), [3, 1, 3, 1, 3]),
    (([3, 8, 8, 3, 5],), [4, 1, 1, 4, 3]),
]
