"""Encrypt text by moving every letter forward in the alphabet, wrapping after z: the first
letter moves by start places, the second by start + 1, the third by start + 2 and so on. Case is
kept. Characters that are not ASCII letters are copied and do not advance the shift."""


def caesar_by_position(text, start):
    coded = []
    shift = start
    for ch in text:
        if "a" <= ch <= "z":
            base = ord("a")
        elif "A" <= ch <= "Z":
            base = ord("A")
        else:
            coded.append(ch)
            continue
        coded.append(chr(base + (ord(ch) - base + shift) % 26))
        shift += 1
    return "".join(coded)


TESTS = [
    (("", 3), ""),
    (("a", 0), "a"),
    (("aaa", 0), "abc"),
    (("abc", 1), "bdf"),
    (("z", 1), "a"),
    (("Z", 2), "B"),
    (("yz", 1), "zb"),
    (("A-a", 1), "B-c"),
    (("1 2!", 5), "1 2!"),
    (("Hello", 0), "Hfnos"),
    (("a b c", 0), "a c e"),
    (("bcd", -1), "ace"),
    (("za", 26), "zb"),
    (("aZ", -2), "yY"),
    (("{[a`@", 1), "{[b`@"),
]
