"""Names are voted for one at a time. After each vote the leader is the single name with the
most votes; while several names share the top count the previous leader keeps the lead. Return
how often the leader changes from one name to another; the very first leader is not a change."""

from collections import Counter


def leader_changes(votes):
    counts = Counter()
    leader = None
    changes = 0
    for name in votes:
        counts[name] += 1
        if leader is None:
            leader = name
        elif name != leader and counts[name] > counts[leader]:
            leader = name
            changes += 1
    return changes


TESTS = [
    (([],), 0),
    ((["a"],), 0),
    ((["a", "b"],), 0),
    ((["a", "b", "b"],), 1),
    ((["a", "b", "a"],), 0),
    ((["a", "a", "b", "b"],), 0),
    ((["a", "b", "b", "a", "a"],), 2),
    ((["x", "x", "x"],), 0),
    ((["a", "b", "c", "c"],), 1),
    ((["a", "b", "c", "b", "c", "c", "a", "a", "a"],), 3),
    ((["a", "b", "b", "a", "b"],), 1),
    ((["p", "q", "q", "q", "p", "p", "p"],), 2),
]
