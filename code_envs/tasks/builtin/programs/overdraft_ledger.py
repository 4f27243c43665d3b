"""Apply amounts (positive deposits, negative withdrawals) one by one to an account. A
withdrawal that would bring the balance below -limit is refused and leaves it unchanged; an
accepted withdrawal that ends below zero additionally costs fee, which may push the balance
below the limit. An amount of 0 does nothing. Return a tuple (final balance, number of refused
withdrawals)."""


def overdraft_ledger(balance, amounts, limit, fee):
    refused = 0
    for amount in amounts:
        if amount >= 0:
            balance += amount
            continue
        if balance + amount < -limit:
            refused += 1
            continue
        balance += amount
        if balance < 0:
            balance -= fee
    return (balance, refused)


TESTS = [
    ((100, [], 50, 5), (100, 0)),
    ((0, [40], 50, 5), (40, 0)),
    ((100, [-100], 50, 5), (0, 0)),
    ((100, [-101], 50, 5), (-6, 0)),
    ((100, [-150], 50, 5), (-55, 0)),
    ((100, [-151], 50, 5), (100, 1)),
    ((10, [-20, -40, -1], 30, 2), (-15, 1)),
    ((0, [-10, 5, 5, -10], 100, 1), (-12, 0)),
    ((-20, [10], 0, 7), (-10, 0)),
    ((0, [-1, -1, 3, -2], 0, 9), (1, 2)),
    ((50, [-30, -30, 20, -60], 20, 10), (0, 1)),
    ((5, [0, -5, 0], 10, 3), (0, 0)),
    ((-4, [0], 0, 2), (-4, 0)),
]
