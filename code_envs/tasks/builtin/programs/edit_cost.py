"""Return the lowest total cost of turning source into target when inserting or deleting a
character costs 1 each and replacing a character by another one costs replace_cost (a
non-negative integer)."""


def edit_cost(source, target, replace_cost):
    previous = list(range(len(target) + 1))
    for i in range(1, len(source) + 1):
        current = [i]
        for j in range(1, len(target) + 1):
            if source[i - 1] == target[j - 1]:
                cost = previous[j - 1]
            else:
                cost = previous[j - 1] + replace_cost
            cost = min(cost, previous[j] + 1, current[j - 1] + 1)
            current.append(cost)
        previous = current
    return previous[-1]


TESTS = [
    (("", "", 1), 0),
    (("abc", "", 1), 3),
    (("", "ab", 1), 2),
    (("abc", "abc", 1), 0),
    (("a", "b", 1), 1),
    (("a", "b", 5), 2),
    (("a", "b", 0), 0),
    (("kitten", "sitting", 1), 3),
    (("kitten", "sitting", 2), 5),
    (("ab", "ba", 1), 2),
    (("flaw", "lawn", 1), 2),
    (("abcd", "xy", 1), 4),
    (("abcd", "xy", 0), 2),
    (("sunday", "saturday", 1), 3),
]
