"""Compress text by replacing every run of at least minimum equal characters with the character
followed by the run length in parentheses, e.g. 'aaab' with minimum 3 becomes 'a(3)b'. Shorter
runs are copied unchanged. The minimum is at least 1; empty text stays empty."""


def rle_threshold(text, minimum):
    out = ""
    i = 0
    while i < len(text):
        j = i
        while j < len(text) and text[j] == text[i]:
            j += 1
        run = j - i
        if run >= minimum:
            out += text[i] + "(" + str(run) + ")"
        else:
            out += text[i:j]
        i = j
    return out


TESTS = [
    (("", 2), ""),
    (("a", 1), "a(1)"),
    (("a", 2), "a"),
    (("aaab", 3), "a(3)b"),
    (("aab", 3), "aab"),
    (("aabbb", 2), "a(2)b(3)"),
    (("aabbb", 3), "aab(3)"),
    (("abc", 1), "a(1)b(1)c(1)"),
    (("xxxxyxxxx", 4), "x(4)yx(4)"),
    (("zzzzzzzzzzzz", 5), "z(12)"),
    (("AAaa", 2), "A(2)a(2)"),
    (("a   b", 3), "a (3)b"),
    (("abbccc", 4), "abbccc"),
]
