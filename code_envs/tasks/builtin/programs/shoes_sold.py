"""A customer with foot length f buys a pair of shoes of length s if f <= s <= f + slack; every
pair is sold at most once and every customer buys at most one pair. Return the largest possible
number of sales for the given lists of feet and shoes (unordered)."""


def shoes_sold(feet, shoes, slack):
    feet = sorted(feet)
    shoes = sorted(shoes)
    sold = 0
    f = s = 0
    while f < len(feet) and s < len(shoes):
        if shoes[s] < feet[f]:
            s += 1
        elif shoes[s] > feet[f] + slack:
            f += 1
        else:
            sold += 1
            f += 1
            s += 1
    return sold


TESTS = [
    (([], [40], 1), 0),
    (([40], [], 1), 0),
    (([40], [40], 0), 1),
    (([40], [41], 0), 0),
    (([40], [41], 1), 1),
    (([40], [39], 1), 0),
    (([40], [42], 1), 0),
    (([42, 40, 41], [41, 42, 43], 1), 3),
    (([40, 40, 40], [40, 41, 42], 1), 2),
    (([38, 44], [40, 41, 44, 45], 2), 2),
    (([45, 36, 40], [37, 38, 46], 1), 2),
    (([39, 41], [40], 2), 1),
    (([30, 35, 36], [36, 36], 1), 2),
]
