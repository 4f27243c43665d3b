"""Compare two version strings made of dot-separated non-negative integers, part by part as
numbers. Missing parts at the end count as 0. Return 1 if the first version is newer, -1 if it
is older and 0 if both are equal."""


def compare_versions(first: str, second: str) -> int:
    a = [int(part) for part in first.split(".")]
    b = [int(part) for part in second.split(".")]
    for i in range(max(len(a), len(b))):
        x = a[i] if i < len(a) else 0
        y = b[i] if i < len(b) else 0
        if x != y:
            return 1 if x > y else -1
    return 0


TESTS = [
    (("1", "1"), 0),
    (("2", "1"), 1),
    (("1", "2"), -1),
    (("1.10", "1.9"), 1),
    (("1.2", "1.10"), -1),
    (("1.0", "1"), 0),
    (("1", "1.0.0"), 0),
    (("1.0.1", "1"), 1),
    (("3", "3.0.2"), -1),
    (("01.2", "1.02"), 0),
    (("2.0", "1.9.9"), 1),
    (("0.9.9", "1.0"), -1),
    (("1.2.3", "1.3.2"), -1),
]
