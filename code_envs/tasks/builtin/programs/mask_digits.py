"""Replace every decimal digit in text by '*', except the last keep digits, which stay readable.
All other characters are copied. If there are no more than keep digits, nothing is masked; keep
is never negative."""


def mask_digits(text: str, keep: int) -> str:
    masked = ""
    shown = 0
    for i in range(len(text) - 1, -1, -1):
        ch = text[i]
        if ch in "0123456789":
            if shown < keep:
                shown += 1
            else:
                ch = "*"
        masked = ch + masked
    return masked


TESTS = [
    (("", 4), ""),
    (("no digits", 2), "no digits"),
    (("1234", 4), "1234"),
    (("1234", 3), "*234"),
    (("1234", 0), "****"),
    (("12", 5), "12"),
    (("1234-5678", 4), "****-5678"),
    (("12-34-56", 3), "**-*4-56"),
    (("card 9876 ok", 1), "card ***6 ok"),
    (("a1b2c3", 2), "a*b2c3"),
    (("7", 0), "*"),
    (("0 0 0", 1), "* * 0"),
]
