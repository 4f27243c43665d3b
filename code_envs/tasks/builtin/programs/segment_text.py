"""Cut text into words from the list words, each usable any number of times, so that nothing is
left over. Among all ways return the one whose first word is as long as possible, then its
second word, and so on, as a list; return None if there is no way. Empty text gives an empty
list."""


def segment_text(text, words):
    if text == "":
        return []
    for size in range(len(text), 0, -1):
        if text[:size] not in words:
            continue
        rest = segment_text(text[size:], words)
        if rest is not None:
            return [text[:size]] + rest
    return None


TESTS = [
    (("", ["a"]), []),
    (("a", ["a"]), ["a"]),
    (("b", ["a"]), None),
    (("aa", ["a"]), ["a", "a"]),
    (("aaa", ["a", "aa"]), ["aa", "a"]),
    (("catdog", ["cat", "dog"]), ["cat", "dog"]),
    (("catdogs", ["cat", "dog"]), None),
    (("catsand", ["cat", "cats", "and", "sand"]), ["cats", "and"]),
    (("catsand", ["cat", "cats", "sand"]), ["cat", "sand"]),
    (("abcd", ["abc", "ab", "cd"]), ["ab", "cd"]),
    (("abcd", ["abc", "bcd"]), None),
    (("goodnight", ["good", "night", "goodnight"]), ["goodnight"]),
    (("ababab", ["ab", "aba", "bab"]), ["aba", "bab"]),
    (("x", []), None),
]
