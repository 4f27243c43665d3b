"""Flatten a dict whose values may be dicts again into a single dict: the keys on the way to
each value are joined with the separator. An empty inner dict is kept as a value. The top level
dict may be empty."""


def flatten_keys(nested, separator):
    flat = {}
    for key, value in nested.items():
        if isinstance(value, dict) and value:
            inner = flatten_keys(value, separator)
            for rest in inner:
                flat[key + separator + rest] = inner[rest]
        else:
            flat[key] = value
    return flat


TESTS = [
    (({}, "."), {}),
    (({"a": 1}, "."), {"a": 1}),
    (({"a": {"b": 1}}, "."), {"a.b": 1}),
    (({"a": {"b": {"c": 3}}}, "/"), {"a/b/c": 3}),
    (({"a": {}}, "."), {"a": {}}),
    (({"a": {"b": {}}}, "."), {"a.b": {}}),
    (({"a": 1, "b": {"c": 2, "d": 3}}, "_"), {"a": 1, "b_c": 2, "b_d": 3}),
    (({"x": {"y": 1}, "z": {"y": 2}}, "."), {"x.y": 1, "z.y": 2}),
    (({"x": [1, 2], "y": {"z": None}}, "."), {"x": [1, 2], "y.z": None}),
    (({"p": {"q": 0, "r": {"s": "t"}}}, ""), {"pq": 0, "prs": "t"}),
    (({"k": {"l": {"m": 1, "n": 2}, "o": 3}}, "--"), {"k--l--m": 1, "k--l--n": 2, "k--o": 3}),
]
