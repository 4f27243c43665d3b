"""Follow a dict of links beginning at start: from each name go on to links[name] until a name
has no link or has been visited before. Return a tuple (path, loops) with the list of names
visited, each once, and whether the walk ended by running into a name already on the path."""


def follow_links(links, start):
    path = [start]
    visited = {start}
    current = start
    while current in links:
        current = links[current]
        if current in visited:
            return (path, True)
        visited.add(current)
        path.append(current)
    return (path, False)


TESTS = [
    (({}, "a"), (["a"], False)),
    (({"b": "c"}, "a"), (["a"], False)),
    (({"a": "b"}, "a"), (["a", "b"], False)),
    (({"a": "a"}, "a"), (["a"], True)),
    (({"a": "b", "b": "a"}, "a"), (["a", "b"], True)),
    (({"a": "b", "b": "a"}, "b"), (["b", "a"], True)),
    (({"a": "b", "b": "c", "c": "d"}, "a"), (["a", "b", "c", "d"], False)),
    (({"a": "b", "b": "c", "c": "d"}, "c"), (["c", "d"], False)),
    (({"a": "b", "b": "c", "c": "b"}, "a"), (["a", "b", "c"], True)),
    (({"x": "y", "y": "z", "a": "x"}, "a"), (["a", "x", "y", "z"], False)),
    (({1: 2, 2: 3, 3: 1}, 2), ([2, 3, 1], True)),
    (({1: 2, 2: 2}, 1), ([1, 2], True)),
]
