"""Count the ways to pay amount with the given distinct coin values when each value may be used
at most limit times; the order of the coins does not matter. Amount 0 can be paid in exactly one
way and a negative amount in none."""


def coin_ways_limited(coins, amount, limit):
    if amount == 0:
        return 1
    if amount < 0 or not coins:
        return 0
    ways = 0
    for used in range(limit + 1):
        ways += coin_ways_limited(coins[1:], amount - used * coins[0], limit)
    return ways


TESTS = [
    (([], 0, 3), 1),
    (([], 4, 3), 0),
    (([5], 0, 1), 1),
    (([5], -5, 1), 0),
    (([2], 6, 3), 1),
    (([2], 6, 2), 0),
    (([1, 2], 4, 2), 2),
    (([1, 2], 4, 4), 3),
    (([1, 2, 5], 5, 5), 4),
    (([1, 2, 5], 5, 1), 1),
    (([1, 2, 5], 5, 2), 2),
    (([3, 4], 12, 4), 2),
    (([3, 7], 5, 9), 0),
    (([4, 2, 1], 7, 1), 1),
]
