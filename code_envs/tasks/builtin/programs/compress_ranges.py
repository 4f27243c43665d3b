"""Turn a strictly ascending list of integers into a string of comma-separated parts. A run of
at least three consecutive integers is written as first..last, shorter runs number by number. An
empty list gives an empty string."""


def compress_ranges(numbers):
    parts = []
    i = 0
    while i < len(numbers):
        j = i
        while j + 1 < len(numbers) and numbers[j + 1] == numbers[j] + 1:
            j += 1
        if j - i >= 2:
            parts.append(f"{numbers[i]}..{numbers[j]}")
        else:
            for k in range(i, j + 1):
                parts.append(str(numbers[k]))
        i = j + 1
    return ",".join(parts)


TESTS = [
    (([],), ""),
    (([4],), "4"),
    (([4, 5],), "4,5"),
    (([4, 5, 6],), "4..6"),
    (([1, 3, 5],), "1,3,5"),
    (([1, 2, 3, 5],), "1..3,5"),
    (([0, 2, 3, 4, 5],), "0,2..5"),
    (([-2, -1, 0, 1],), "-2..1"),
    (([-3, -1],), "-3,-1"),
    (([1, 2, 4, 5, 7, 8, 9],), "1,2,4,5,7..9"),
    (([10, 11, 12, 20, 21, 22, 23],), "10..12,20..23"),
    (([5, 6, 7, 9],), "5..7,9"),
]
