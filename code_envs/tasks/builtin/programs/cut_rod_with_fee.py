"""A rod of the given length is cut into pieces of whole lengths; prices[i] is what a piece of
length i + 1 sells for, and longer pieces than the list covers cannot be sold. Every cut costs
fee, so k pieces cost k - 1 cuts. The whole rod has to be sold. Return the best total, 0 for
length 0, or None if it cannot be done."""


def cut_rod_with_fee(length, prices, fee):
    best = [0]
    for size in range(1, length + 1):
        option = None
        for piece in range(1, min(size, len(prices)) + 1):
            rest = best[size - piece]
            if rest is None:
                continue
            earned = prices[piece - 1] + rest
            if piece < size:
                earned -= fee
            if option is None or earned > option:
                option = earned
        best.append(option)
    return best[length]


TESTS = [
    ((0, [], 1), 0),
    ((0, [5], 1), 0),
    ((1, [5], 1), 5),
    ((2, [], 1), None),
    ((2, [5], 1), 9),
    ((2, [5, 9], 0), 10),
    ((2, [5, 9], 1), 9),
    ((2, [5, 9], 3), 9),
    ((4, [1, 5, 8, 9], 0), 10),
    ((4, [1, 5, 8, 9], 2), 9),
    ((3, [1, 5, 8, 9], 0), 8),
    ((5, [2, 5], 1), 10),
    ((3, [1, 1], 4), -2),
    ((3, [4], 5), 2),
]
