"""Compare two inventories (dicts from item to amount) and return a dict with the change after -
before for every item whose amount differs. An item missing from one inventory counts as 0
there; items without a change do not appear."""


def inventory_diff(before, after):
    changes = {}
    for item, amount in before.items():
        delta = after.get(item, 0) - amount
        if delta != 0:
            changes[item] = delta
    for item in after:
        if item not in before and after[item] != 0:
            changes[item] = after[item]
    return changes


TESTS = [
    (({}, {}), {}),
    (({"a": 1}, {"a": 1}), {}),
    (({"a": 1}, {"a": 3}), {"a": 2}),
    (({"a": 5}, {"a": 3}), {"a": -2}),
    (({"a": 4}, {}), {"a": -4}),
    (({}, {"b": 7}), {"b": 7}),
    (({"a": 0}, {}), {}),
    (({}, {"b": 0}), {}),
    (({"a": 1, "b": 2}, {"b": 2, "c": 1}), {"a": -1, "c": 1}),
    (({"a": 1, "b": 2, "c": 3}, {"a": 0, "b": 2, "c": 4}), {"a": -1, "c": 1}),
    (({"x": 10, "y": 1}, {"y": 2, "x": 10}), {"y": 1}),
    (({"x": -2}, {"x": 2, "z": -1}), {"x": 4, "z": -1}),
]
