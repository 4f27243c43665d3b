"""Score a guess against a secret string of the same length, both of any characters, repeats
allowed. Bulls are positions where both agree; cows are further characters of the guess that
appear elsewhere in the secret, each secret character being used at most once. Return a string
such as '1B2C'."""


def bulls_and_cows(secret, guess):
    bulls = 0
    unmatched = {}
    leftover = []
    for s, g in zip(secret, guess):
        if s == g:
            bulls += 1
        else:
            unmatched[s] = unmatched.get(s, 0) + 1
            leftover.append(g)
    cows = 0
    for g in leftover:
        if unmatched.get(g, 0) > 0:
            cows += 1
            unmatched[g] -= 1
    return f"{bulls}B{cows}C"


TESTS = [
    (("", ""), "0B0C"),
    (("1", "1"), "1B0C"),
    (("1", "2"), "0B0C"),
    (("1234", "1234"), "4B0C"),
    (("1234", "4321"), "0B4C"),
    (("1234", "1243"), "2B2C"),
    (("1807", "7810"), "1B3C"),
    (("1123", "0111"), "1B1C"),
    (("1122", "2211"), "0B4C"),
    (("1122", "1111"), "2B0C"),
    (("abcd", "eefg"), "0B0C"),
    (("aabb", "baaa"), "1B2C"),
    (("1000", "0100"), "2B2C"),
]
