"""Carry out transfers (sender, receiver, amount) in order on a dict of balances. A transfer
fails, changing nothing, if the sender is unknown, the amount is not positive, or the sender's
balance is too small. An unknown receiver gets a new account starting at 0. Return (new
balances, indices of failed transfers); the dict passed in stays unchanged."""


def apply_transfers(accounts, transfers):
    balances = dict(accounts)
    failed = []
    for i, (sender, receiver, amount) in enumerate(transfers):
        if sender not in balances or amount <= 0 or balances[sender] < amount:
            failed.append(i)
            continue
        balances[sender] -= amount
        balances[receiver] = balances.get(receiver, 0) + amount
    return (balances, failed)


TESTS = [
    (({}, []), ({}, [])),
    (({"a": 5}, []), ({"a": 5}, [])),
    (({"a": 5, "b": 0}, [("a", "b", 3)]), ({"a": 2, "b": 3}, [])),
    (({"a": 5, "b": 0}, [("a", "b", 5)]), ({"a": 0, "b": 5}, [])),
    (({"a": 5, "b": 0}, [("a", "b", 6)]), ({"a": 5, "b": 0}, [0])),
    (({"a": 5}, [("x", "a", 1)]), ({"a": 5}, [0])),
    (({"a": 5}, [("a", "n", 2)]), ({"a": 3, "n": 2}, [])),
    (({"a": 5}, [("a", "a", 4)]), ({"a": 5}, [])),
    (
        ({"a": 5, "b": 1}, [("a", "b", 0), ("a", "b", -2), ("b", "a", 1)]),
        ({"a": 6, "b": 0}, [0, 1]),
    ),
    (({"a": 2}, [("b", "a", 1), ("a", "b", 1), ("b", "a", 1)]), ({"a": 2, "b": 0}, [0])),
    (
        ({"p": 9, "q": 9}, [("p", "q", 10), ("q", "p", 9), ("p", "q", 10)]),
        ({"p": 8, "q": 10}, [0]),
    ),
]
