"""Join two strings, writing their overlap only once: find the longest suffix of left that is
also a prefix of right and return left followed by the rest of right. With no overlap the two
are simply concatenated."""


def join_with_overlap(left, right):
    for size in range(min(len(left), len(right)), 0, -1):
        start = len(left) - size
        if left[start:] == right[:size]:
            return left + right[size:]
    return left + right


TESTS = [
    (("", ""), ""),
    (("abc", ""), "abc"),
    (("", "abc"), "abc"),
    (("abc", "def"), "abcdef"),
    (("abc", "cde"), "abcde"),
    (("abcd", "cdef"), "abcdef"),
    (("aaa", "aa"), "aaa"),
    (("aa", "aaa"), "aaa"),
    (("abab", "abab"), "abab"),
    (("xaba", "abab"), "xabab"),
    (("hello", "lolly"), "hellolly"),
    (("abc", "bcbc"), "abcbc"),
    (("night", "tonight"), "nightonight"),
    (("to", "tonic"), "tonic"),
]
