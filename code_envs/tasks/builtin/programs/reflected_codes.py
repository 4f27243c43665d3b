"""Return all strings of the given length over symbols (a string of distinct characters) in
reflected order: for each symbol in turn, put it in front of the list for length - 1, using that
list backwards for every second symbol (the second, the fourth, ...). For length 0 the list
holds only the empty string."""


def reflected_codes(length, symbols):
    if length == 0:
        return [""]
    shorter = reflected_codes(length - 1, symbols)
    codes = []
    for position, symbol in enumerate(symbols):
        if position % 2 == 0:
            for code in shorter:
                codes.append(symbol + code)
        else:
            for i in range(len(shorter) - 1, -1, -1):
                codes.append(symbol + shorter[i])
    return codes


TESTS = [
    ((0, "01"), [""]),
    ((0, ""), [""]),
    ((1, ""), []),
    ((2, ""), []),
    ((1, "01"), ["0", "1"]),
    ((1, "xyz"), ["x", "y", "z"]),
    ((2, "a"), ["aa"]),
    ((2, "01"), ["00", "01", "11", "10"]),
    ((2, "abc"), ["aa", "ab", "ac", "bc", "bb", "ba", "ca", "cb", "cc"]),
    ((3, "01"), ["000", "001", "011", "010", "110", "111", "101", "100"]),
    ((3, "-"), ["---"]),
    ((1, "dcba"), ["d", "c", "b", "a"]),
]
