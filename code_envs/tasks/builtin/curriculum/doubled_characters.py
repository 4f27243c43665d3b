"""Return the text with each character twice."""


def doubled_characters(text):
    return "".join(x * 2 for x in text)


TESTS = [
    (("",), ""),
    (("a",), "aa"),
    (("ab",), "aabb"),
    (("Hello",), "HHeelllloo"),
    (("ABC",), "AABBCC"),
    (("xyzzy",), "xxyyzzzzyy"),
    (("level",), "lleevveell"),
    (("two words",), "ttwwoo  wwoorrddss"),
    (("aAbB",), "aaAAbbBB"),
    (("123",), "112233"),
    (("a1b2",), "aa11bb22"),
    (("noon",), "nnoooonn"),
]
