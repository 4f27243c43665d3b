"""Simulate a cache that holds at most size keys (size >= 0) and return how many of the requests
miss. A request for a key in the cache is a hit and makes the key the most recently used one; a
miss loads the key, first throwing out the least recently used key if the cache is full. With
size 0 every request misses."""


def cache_misses(requests, size):
    cache = []
    misses = 0
    for key in requests:
        if key in cache:
            cache.remove(key)
        else:
            misses += 1
            if size == 0:
                continue
            if len(cache) == size:
                cache.pop(0)
        cache.append(key)
    return misses


TESTS = [
    (([], 2), 0),
    ((["a"], 1), 1),
    ((["a", "a"], 1), 1),
    ((["a", "a"], 0), 2),
    ((["a", "b", "a"], 1), 3),
    ((["a", "b", "a"], 2), 2),
    ((["a", "b", "c", "a"], 2), 4),
    ((["a", "b", "a", "c", "a"], 2), 3),
    ((["a", "b", "a", "c", "b"], 2), 4),
    (([1, 2, 3, 1, 2, 3], 3), 3),
    (([1, 2, 3, 4, 1, 2, 3, 4], 3), 8),
    (([1, 2, 3, 2, 4, 1, 2], 3), 5),
    (([5, 5, 6, 5, 7, 6, 5], 2), 5),
]
