"""Records are (group, name, score) tuples. Return a dict from each group to the list of its
names with the highest scores, best first, at most n of them; equal scores are ordered by name.
With n == 0 every group has an empty list."""


def top_per_group(records, n):
    groups = {}
    for group, name, score in records:
        if group not in groups:
            groups[group] = []
        groups[group].append((-score, name))
    best = {}
    for group, entries in groups.items():
        entries.sort()
        best[group] = [name for _, name in entries[:n]]
    return best


TESTS = [
    (([], 2), {}),
    (([("a", "x", 1)], 2), {"a": ["x"]}),
    (([("a", "x", 1)], 0), {"a": []}),
    (([("a", "x", 1), ("a", "y", 2)], 1), {"a": ["y"]}),
    (([("a", "x", 1), ("a", "y", 2)], 2), {"a": ["y", "x"]}),
    (([("a", "y", 5), ("a", "x", 5)], 1), {"a": ["x"]}),
    (([("a", "y", 5), ("a", "x", 5), ("a", "z", 6)], 2), {"a": ["z", "x"]}),
    (([("a", "p", 1), ("b", "q", 9), ("a", "r", 3)], 1), {"a": ["r"], "b": ["q"]}),
    (([("b", "p", -1), ("b", "q", -4), ("b", "r", 0)], 2), {"b": ["r", "p"]}),
    (([("a", "k", 1), ("b", "k", 1), ("c", "k", 1)], 3), {"a": ["k"], "b": ["k"], "c": ["k"]}),
    (([("g", "m", 10), ("g", "n", 9), ("g", "o", 100)], 3), {"g": ["o", "m", "n"]}),
]
